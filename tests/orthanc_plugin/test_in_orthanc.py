"""The plugin inside a real Orthanc: results on arrival, nothing twice, and never a stopped server."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import drawn_heads
import multi_frame
import numpy as np
import patient_bytes
import pytest
import report_cases
import review_cases
from bundles import threshold_bundle
from data import SHARED, needs_shared_data
from orthanc_process import ORTHANC, PLUGIN, OrthancProcess
from pydicom import dcmread
from stack_process import alive

from headct.reports import structured_report
from headct.reports.identity import case_identity
from headct.reports.review_report import Subject

pytestmark = pytest.mark.skipif(
    not (ORTHANC.exists() and PLUGIN.exists()), reason="Orthanc with its Python plugin is not installed"
)
TRAUMA = SHARED / "real_studies" / "toshiba_trauma"

Start = Callable[..., OrthancProcess]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return threshold_bundle(tmp_path_factory.mktemp("bundle") / "threshold").folder


@pytest.fixture
def orthanc(tmp_path: Path, bundle: Path) -> Iterator[Start]:
    made: list[OrthancProcess] = []

    def make(options: dict[str, Any] | None = None) -> OrthancProcess:
        usual = {
            "Bundle": str(bundle),
            "LongQuietSeconds": 10,
            "SweepSeconds": 5,
            "Previews": False,
            # Of no lower priority: beside other tests and work workers would hardly get anywhere.
            "WorkerNiceness": 0,
        }
        made.append(OrthancProcess(tmp_path / f"orthanc{len(made)}", {**usual, **(options or {})}))
        return made[-1]

    yield make
    for one in made:
        one.stop()
        one.http.close()


def axial() -> list[bytes]:
    """The axial brain series, feet first."""
    files = [p.read_bytes() for p in sorted((TRAUMA / "axial_brain").glob("*.dcm"))]
    return sorted(files, key=lambda f: dcmread(BytesIO(f), stop_before_pixels=True).ImagePositionPatient[2])


def test_results_lie_with_their_patient_whatever_bytes_the_number_has(orthanc: Start) -> None:
    one = orthanc({"Workers": 0}).start()
    for number, kind in enumerate(patient_bytes.KINDS):
        uids = {"StudyInstanceUID": f"1.2.3.{number}.4", "SeriesInstanceUID": f"1.2.3.{number}.4.0"}
        series = patient_bytes.series(kind, **uids)
        green = report_cases.green(series)
        report = structured_report.write(series, green, sent_at=report_cases.MADE_AT)
        documents = [
            patient_bytes.file(series.headers[0]),
            report,
            review_cases.write(subject=Subject.of_report(report, case_identity(series))),
        ]
        stored = [one.http.post("/instances", content=document).json() for document in documents]
        assert len({answer["ParentStudy"] for answer in stored}) == 1, kind


def test_a_head_in_one_file_of_many_frames(orthanc: Start, tmp_path: Path) -> None:
    bleed = drawn_heads.ball(28, 16, row=20, column=25)
    head = np.where(bleed, drawn_heads.BLOOD, drawn_heads.whole_head(28))
    drawn_heads.write_series(tmp_path / "plain", head, PatientAge="050Y")
    plain = [dcmread(path) for path in sorted((tmp_path / "plain").iterdir())]
    one = orthanc().start_triage()
    one.send([multi_frame.file(multi_frame.multi_frame(plain))])
    one.wait(lambda: one.settled() and one.results() == {"SR": 1, "KO": 1})
    (row,) = one.rows()
    (series,) = row["series"]
    assert (row["state"], series["images"]) == ("assessed", 1)
    keys = one.get(f"series/{series['id']}")["assessment"]["key_slices"]
    assert keys
    assert all(key["frame"] == key["number"] + 1 for key in keys)


def under(patient_id: str, files: list[bytes]) -> list[bytes]:
    changed = []
    for data in files:
        dataset = dcmread(BytesIO(data))
        dataset.PatientID = patient_id
        buffer = BytesIO()
        dataset.save_as(buffer)
        changed.append(buffer.getvalue())
    return changed


class TestWhenTriageCannotStart:
    """Orthanc stores images all the same, and the page says why."""

    def check(self, one: OrthancProcess, why: str) -> None:
        one.start()
        one.wait(lambda: why in one.http.get("/triage/").text)
        assert one.http.get("/triage").status_code == 200
        status = one.http.get("/triage/api/v1/status")
        assert status.status_code == 503
        assert why in status.json()["message"]
        assert one.http.get("/triagefoo").status_code == 404
        assert one.http.get("/statistics").json()["CountInstances"] == 0
        one.send([BytesIO(_tiny()).getvalue()])
        assert one.http.get("/statistics").json()["CountInstances"] == 1

    def test_an_interpreter_that_is_not_there(self, orthanc: Start) -> None:
        self.check(orthanc({"Python": "/nowhere/bin/python"}), "/nowhere/bin/python")

    def test_a_store_that_another_orthanc_works_on(self, orthanc: Start, tmp_path: Path) -> None:
        first = orthanc({"Storage": str(tmp_path / "store"), "Workers": 0}).start()
        first.wait(first.triage_answers)
        self.check(orthanc({"Storage": str(tmp_path / "store")}), "another Orthanc")


def _tiny() -> bytes:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = SecondaryCaptureImageStorage
    for name in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        setattr(dataset, name, generate_uid())
    dataset.PatientID = dataset.PatientName = "X"
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def test_statuses_that_orthanc_sends_only_by_methods_of_their_own(orthanc: Start) -> None:
    one = orthanc({"Workers": 0}).start()
    one.wait(one.triage_answers)
    for base in ("/triage", "/triage/api/v1"):
        for old, new in (("watch", "drift"), ("reading-list", "labelling")):
            answer = one.http.get(f"{base}/{old}?lang=ja")
            assert (answer.status_code, answer.headers["Location"]) == (301, f"{new}?lang=ja")
    answer = one.http.get("/triage/api/v1/imports")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "OPTIONS, POST")


def test_what_is_nested_deeply_ends_no_server(orthanc: Start, tmp_path: Path) -> None:
    """Its web server's threads have 100 kB of stack."""
    models = tmp_path / "models"
    (models / "deep-1").mkdir(parents=True)
    (models / "deep-1" / "bundle.json").write_bytes(b'{"figures":' + b"[" * 100_000)
    people = {"tester": {"Name": "Sato^Hanako", "Organisation": "St. Elsewhere", "Role": "administrator"}}
    one = orthanc({"Workers": 0, "Models": str(models), "People": people}).start()
    one.wait(one.triage_answers)
    headers = {"Content-Type": "application/json", "X-Triage": "test"}
    for route in ("imports", f"series/{'-'.join(['b0000001'] * 5)}/review", "models/rollback"):
        for sign in (b"[", b'{"a":'):
            for levels in (600, 100_000):
                answer = one.http.post(f"/triage/api/v1/{route}", headers=headers, content=sign * levels)
                assert answer.status_code == 400
    (refused,) = (m for m in one.get("models")["models"] if m["state"] == "refused")
    assert "nested too deeply" in refused["reason"]["en"]


def test_a_store_that_is_locked_at_the_start(orthanc: Start, tmp_path: Path) -> None:
    """By another program, for longer than anybody waits for it: then all goes on as if it never had been."""
    drawn_heads.write_series(tmp_path / "head", drawn_heads.whole_head(28), PatientAge="050Y")
    head = [path.read_bytes() for path in sorted((tmp_path / "head").iterdir())]
    one = orthanc({"Storage": str(tmp_path / "store"), "Workers": 0}).start()
    one.wait(one.triage_answers)
    one.stop()
    locker = sqlite3.connect(tmp_path / "store" / "triage.sqlite", isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    one.configuration["HeadCTTriage"]["Workers"] = 1
    one.start()
    one.send(head)
    one.wait(lambda: "database is locked" in one.http.get("/triage/").text)
    assert "database is locked" in one.http.get("/triage/api/v1/status").json()["message"]
    locker.execute("ROLLBACK")
    one.wait(lambda: one.triage_answers() and one.settled() and one.results() == {"SR": 1, "KO": 1})
    assert one.get("status")["troubles"] == []
    assert one.get("status")["reason"] is None


def test_a_bundle_that_is_missing_is_said(orthanc: Start) -> None:
    one = orthanc({"Bundle": "/nowhere/bundle"}).start()
    one.wait(lambda: "/nowhere/bundle" in one.http.get("/triage/api/v1/status").text)


@needs_shared_data
class TestAStudyArrives:
    def test_every_series_ends_with_the_right_word_and_nothing_comes_twice(self, orthanc: Start) -> None:
        one = orthanc({"Previews": True}).start_triage()
        files = [p.read_bytes() for p in sorted(TRAUMA.rglob("*.dcm"))]
        one.send(files)
        one.wait(lambda: one.settled() and one.results() == {"SR": 1, "KO": 1})
        (row,) = one.rows()
        said = {(s["description"], s["state"], (s["reason"] or {}).get("code")) for s in row["series"]}
        assert said == {
            ("Brain Head 5.0", "assessed", None),
            ("Brain Bone 5.0", "not_analysed", "bone_kernel"),
            ("Coronal Brain/Coronal Head 3.0", "not_analysed", "not_axial"),
            ("2.0", "not_analysed", "localizer"),
        }
        best = row["series"][0]
        # Publishing another series of the study may have coloured the study before this one.
        one.wait(lambda: one.colour("series", best["id"]) and one.colour("studies", row["id"]))
        assert one.colour("series", best["id"]) == one.colour("studies", row["id"])
        assert one.colour("series", row["series"][1]["id"]) is None

        detail = one.get(f"series/{best['id']}")
        one.wait(lambda: one.http.get(f"/triage/api/v1/series/{best['id']}/slices/0.png").status_code == 200)

        colour = one.colour("series", best["id"])
        assert colour
        one.http.delete(f"/series/{best['id']}/metadata/8310")
        if one.labels("series", best["id"]) is not None:
            own = set(colour.split(","))
            assert one.labels("series", best["id"]) == own
            for label in ("triage-green", "ward-7"):
                one.http.put(f"/studies/{row['id']}/labels/{label}")
            one.http.put(f"/studies/{row['id']}/metadata/8310", content="triage-green")
            one.wait(lambda: one.labels("studies", row["id"]) == own | {"ward-7"})
            one.http.delete(f"/studies/{row['id']}/labels/ward-7")
        one.wait(lambda: one.colour("series", best["id"]) == colour)

        one.stop()
        one.start_triage()
        one.send(files)
        time.sleep(4)
        one.wait(one.settled)
        assert one.results() == {"SR": 1, "KO": 1}
        assert one.get(f"series/{best['id']}")["assessment"] == detail["assessment"]

        one.http.delete(f"/series/{best['id']}")
        one.wait(lambda: one.results() == {})
        # The study loses its colour after its documents, in the same publication.
        one.wait(lambda: one.colour("studies", row["id"]) is None)
        end = time.monotonic() + 4
        while time.monotonic() < end:  # and none of the others is judged again
            assert one.rows()[0]["state"] == "not_analysed"
            time.sleep(0.2)

    def test_a_corrected_patient_is_one_case(self, orthanc: Start) -> None:
        one = orthanc().start_triage()
        (first,) = one.send(under("EMERGENCY-1", axial()))
        one.wait(lambda: one.settled() and one.results() == {"SR": 1, "KO": 1})
        arrived = one.rows()[0]["first_arrival"]
        time.sleep(1.5)
        (second,) = one.send(under("0012345", axial()))
        assert second != first
        one.wait(lambda: [r["patient_id"] for r in one.rows()] == ["0012345"])
        one.wait(lambda: one.colour("series", first) is None and one.colour("series", second) is not None)
        one.wait(lambda: one.results() == {"SR": 1, "KO": 1})
        (row,) = one.rows()
        assert row["first_arrival"] == arrived
        assert len(one.get(f"series/{second}")["history"]) == 1
        time.sleep(6)  # a sweep must not bring the first one back
        assert [r["patient_id"] for r in one.rows()] == ["0012345"]

    @pytest.mark.parametrize("from_the_head", [False, True])
    def test_half_a_head_never_becomes_green(self, orthanc: Start, from_the_head: bool) -> None:
        one = orthanc({"LongQuietSeconds": 8}).start_triage()
        files = axial()[::-1] if from_the_head else axial()
        (series,) = one.send(files[:14])

        def given_up_and_never_green() -> bool:
            for row in one.rows():
                assert row["urgency"] not in {"GREEN", "YELLOW"}
                assert row["urgency"] is None or row["preliminary"]
            return one.settled()

        one.wait(given_up_and_never_green)
        assert one.get(f"series/{series}")["reason"]["code"] == "head_not_covered"
        assert one.results() == {}
        one.send(files[14:])
        one.wait(lambda: one.get(f"series/{series}")["state"] == "assessed")
        one.wait(lambda: one.results() == {"SR": 1, "KO": 1})

    def test_a_late_slice_withdraws_the_colour(self, orthanc: Start) -> None:
        # A long quiet time: the colour is gone for as long, and seen to be unless the machine is very busy.
        one = orthanc({"QuietSeconds": 5}).start_triage()
        files = axial()
        (series,) = one.send(files[:-1])
        one.wait(lambda: one.results() == {"SR": 1, "KO": 1} and one.colour("series", series))
        one.send(files[-1:])
        one.wait(
            lambda: one.get(f"series/{series}")["urgency"] is None or one.results() == {"SR": 2, "KO": 2},
            pause=0.1,
        )
        one.wait(lambda: one.results() == {"SR": 2, "KO": 2} and one.colour("series", series))
        detail = one.get(f"series/{series}")
        reports = [d for d in detail["documents"] if d["kind"] == "structured_report"]
        assert [r["predecessor_uid"] for r in reports] == [None, reports[0]["sop_instance_uid"]]
        assert [a["current"] for a in (detail["assessment"], *detail["history"])] == [True, False]

    def test_killed_at_any_moment_it_loses_nothing(self, orthanc: Start) -> None:
        one = orthanc().start_triage()
        files = axial()
        one.send(files[:20])
        (worker,) = one.workers()
        one.kill()
        one.wait(lambda: not alive(worker.pid))
        one.start()
        one.send(files[20:])
        one.wait(one.triage_answers)
        # On a busy machine it may have been judged unseen.
        one.wait(lambda: one.get("status")["judging"] or one.settled(), pause=0.02)
        one.workers()[0].kill()
        one.wait(lambda: one.settled() and one.results() == {"SR": 1, "KO": 1})

    def test_on_a_full_disk_it_stops_and_goes_on_when_there_is_room(self, orthanc: Start) -> None:
        one = orthanc({"MinimumFreeGigabytes": 1_000_000}).start()
        one.wait(lambda: "disk is nearly full" in one.http.get("/triage/api/v1/status").text)
        one.send(axial())
        time.sleep(4)
        assert one.rows() == []
        one.stop()
        one.configuration["HeadCTTriage"]["MinimumFreeGigabytes"] = 0.1
        one.start_triage()
        one.wait(lambda: one.rows() and one.settled() and one.results() == {"SR": 1, "KO": 1})

    def test_results_go_on_to_another_pacs_even_one_that_is_down(self, orthanc: Start) -> None:
        other = orthanc({"Workers": 0})
        reader = {"Name": "Tester^T", "Organisation": "Test", "Role": "reader"}
        one = orthanc({"ForwardTo": ["pacs"], "People": {"tester": reader}})
        port = other.configuration["DicomPort"]
        one.configuration["DicomModalities"] = {"pacs": ["PACS", "127.0.0.1", port]}
        other.configuration["DicomAlwaysAllowStore"] = True
        other.configuration["DicomAet"] = "PACS"
        one.start_triage()
        one.send(axial())
        one.wait(lambda: one.results() == {"SR": 1, "KO": 1})
        one.wait(lambda: not one.get("status")["receivers"][0]["answers"])
        assert one.get("status")["receivers"][0]["waiting"] == 2
        other.start()
        again = one.http.post("/triage/api/v1/receivers/pacs/again", json={}, headers={"X-Triage": "test"})
        assert again.status_code == 202
        other.wait(lambda: other.results() == {"SR": 1, "KO": 1})
        one.wait(lambda: one.get("status")["receivers"][0]["waiting"] == 0)
