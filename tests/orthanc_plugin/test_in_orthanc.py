"""The plugin inside a real Orthanc: results on arrival, nothing twice, and never a stopped server."""

import csv
import json
import sqlite3
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from io import BytesIO, StringIO
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
from click.testing import CliRunner
from copies import copy_files
from data import SHARED, needs_shared_data
from orthanc_process import ORTHANC, PLUGIN, OrthancProcess
from pydicom import dcmread

from headct.reports import structured_report
from headct.reports.identity import case_identity
from headct.reports.review_report import Subject
from orthanc_plugin.stack import audit_command

pytestmark = pytest.mark.skipif(
    not (ORTHANC.exists() and PLUGIN.exists()), reason="Orthanc with its Python plugin is not installed"
)
TRAUMA = SHARED / "real_studies" / "toshiba_trauma"
PEOPLE = {"tester": {"Name": "Sato^Hanako", "Organisation": "St. Elsewhere", "Role": "administrator"}}

Start = Callable[..., OrthancProcess]


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return {
        "Bundle": str(threshold_bundle(tmp_path_factory.mktemp("bundle") / "threshold").folder),
        "LongQuietSeconds": 10,
        "Previews": False,
        # Of no lower priority: beside other tests and work workers would hardly get anywhere.
        "WorkerNiceness": 0,
    }


@pytest.fixture
def start(usual: dict[str, Any], tmp_path: Path) -> Iterator[Start]:
    """Makes Orthancs that are not started yet and end with the test."""
    made: list[OrthancProcess] = []

    def make(**options: Any) -> OrthancProcess:
        made.append(OrthancProcess(tmp_path / f"orthanc{len(made)}", {**usual, **options}))
        return made[-1]

    yield make
    for one in made:
        one.stop()
        one.http.close()


@pytest.fixture(scope="module")
def running(usual: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrthancProcess]:
    """One for all tests that only send and look, with a model that nobody can read."""
    folder = tmp_path_factory.mktemp("running")
    deep = folder / "models" / "deep-1"
    deep.mkdir(parents=True)
    (deep / "bundle.json").write_bytes(b'{"figures":' + b"[" * 100_000)
    options = {**usual, "Models": str(folder / "models"), "People": PEOPLE, "Previews": True}
    one = OrthancProcess(folder, options).start_triage()
    yield one
    one.stop()
    one.http.close()


@pytest.fixture
def orthanc(running: OrthancProcess) -> OrthancProcess:
    """The same, with nothing in it."""
    running.empty()
    return running


def axial(number: int) -> list[bytes]:
    """The axial brain series, feet first, as that of another patient."""
    files = [p.read_bytes() for p in sorted((TRAUMA / "axial_brain").glob("*.dcm"))]
    ordered = sorted(
        files, key=lambda f: dcmread(BytesIO(f), stop_before_pixels=True).ImagePositionPatient[2]
    )
    return copy_files(ordered, number, "in Orthanc")


def test_results_lie_with_their_patient_whatever_bytes_the_number_has(start: Start) -> None:
    bare = start()
    bare.configuration["Plugins"] = []
    bare.start()
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
        stored = [bare.http.post("/instances", content=document).json() for document in documents]
        assert len({answer["ParentStudy"] for answer in stored}) == 1, kind


def test_a_head_in_one_file_of_many_frames(orthanc: OrthancProcess, tmp_path: Path) -> None:
    bleed = drawn_heads.ball(28, 16, row=20, column=25)
    head = np.where(bleed, drawn_heads.BLOOD, drawn_heads.whole_head(28))
    drawn_heads.write_series(tmp_path / "plain", head, PatientAge="050Y")
    plain = [dcmread(path) for path in sorted((tmp_path / "plain").iterdir())]
    orthanc.send([multi_frame.file(multi_frame.multi_frame(plain))])
    orthanc.wait(lambda: orthanc.settled() and orthanc.results() == {"SR": 1, "KO": 1})
    (row,) = orthanc.rows()
    (series,) = row["series"]
    assert (row["state"], series["images"]) == ("assessed", 1)
    keys = orthanc.get(f"series/{series['id']}")["assessment"]["key_slices"]
    assert keys
    assert all(key["frame"] == key["number"] + 1 for key in keys)


def count(orthanc: OrthancProcess, series: str) -> int | None:
    """How many images triage knows of a series."""
    return next((s["images"] for row in orthanc.rows() for s in row["series"] if s["id"] == series), None)


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

    def test_an_interpreter_that_is_not_there(self, start: Start) -> None:
        self.check(start(Python="/nowhere/bin/python"), "/nowhere/bin/python")

    def test_a_store_that_another_orthanc_works_on(self, start: Start, running: OrthancProcess) -> None:
        store = running.folder / "orthanc" / "headct-triage"
        assert (store / "triage.sqlite").exists()
        self.check(start(Storage=str(store)), "another Orthanc")


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


def test_statuses_that_orthanc_sends_only_by_methods_of_their_own(running: OrthancProcess) -> None:
    for base in ("/triage", "/triage/api/v1"):
        for old, new in (("watch", "drift"), ("reading-list", "labelling")):
            answer = running.http.get(f"{base}/{old}?lang=ja")
            assert answer.status_code in {301, 307}, "by its version"
            assert answer.headers["Location"] == f"{new}?lang=ja"
    answer = running.http.get("/triage/api/v1/imports")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "OPTIONS, POST")


def test_a_method_that_a_route_does_not_take_leaves_the_connection_open(running: OrthancProcess) -> None:
    """With a body or without; what is asked next on the same connection is answered."""
    login = {"Authorization": f"Basic {b64encode(b'tester:not-a-secret').decode()}"}
    headers = {**login, "X-Triage": "test", "Content-Type": "application/json"}
    line = HTTPConnection("127.0.0.1", running.http_port, timeout=60)
    line.connect()
    socket = line.sock
    for method, body in (("POST", b"{}"), ("PUT", b" " * 100_000), ("DELETE", None), ("GET", None)):
        line.request(method, f"/triage/api/v1/{'imports' if method == 'GET' else 'status'}", body, headers)
        answer = line.getresponse()
        assert (answer.status, answer.read()) == (405, b"")
        line.request("GET", "/triage/api/v1/openapi.json", headers=headers)
        assert line.getresponse().read().startswith(b"{")
        assert line.sock is socket
    line.close()


def test_who_did_what_is_one_whole_chain_with_the_start_and_what_was_refused(running: OrthancProcess) -> None:
    refused = running.http.post("/triage/api/v1/imports", content=b"Yamada")
    assert refused.status_code == 403

    def events() -> dict[str, dict[str, str]]:
        table = csv.DictReader(StringIO(running.http.get("/triage/api/v1/audit.csv").text, newline=""))
        return {row["event"]: row for row in table if row["number"]}

    running.wait(lambda: "route_refused" in events())
    found = events()
    assert json.loads(found["started"]["detail"])["people"] == PEOPLE
    assert "not-a-secret" not in str(found)
    assert found["route_refused"]["actor"] == "tester"
    assert "Yamada" not in str(found)
    said = CliRunner().invoke(audit_command.command, ["verify", "--data", str(running.folder)])
    assert (said.exit_code, "Nothing is missing" in said.output) == (0, True)


def test_what_is_nested_deeply_ends_no_server(running: OrthancProcess) -> None:
    """Its web server's threads have 100 kB of stack."""
    headers = {"Content-Type": "application/json", "X-Triage": "test"}
    for route in ("imports", f"series/{'-'.join(['b0000001'] * 5)}/review", "models/rollback"):
        for sign in (b"[", b'{"a":'):
            for levels in (600, 100_000):
                answer = running.http.post(f"/triage/api/v1/{route}", headers=headers, content=sign * levels)
                assert answer.status_code == 400
    (refused,) = (m for m in running.get("models")["models"] if m["state"] == "refused")
    assert "nested too deeply" in refused["reason"]["en"]


def head(folder: Path, patient: str) -> list[bytes]:
    drawn_heads.write_series(folder, drawn_heads.whole_head(28), PatientAge="050Y", PatientID=patient)
    return [path.read_bytes() for path in sorted(folder.iterdir())]


# Long: one night, each trouble of which begins where the one before has ended, with one Orthanc.
def test_on_a_full_disk_before_a_locked_store_and_beside_a_pacs_that_is_down(
    start: Start, tmp_path: Path
) -> None:
    pacs = start()
    pacs.configuration |= {"Plugins": [], "DicomAlwaysAllowStore": True, "DicomAet": "PACS"}
    one = start(ForwardTo=["pacs"], People=PEOPLE, MinimumFreeGigabytes=1_000_000, Workers=0)
    one.configuration["DicomModalities"] = {"pacs": ["PACS", "127.0.0.1", pacs.configuration["DicomPort"]]}

    # On a full disk it stops.
    one.start()
    one.wait(lambda: "disk is nearly full" in one.http.get("/triage/api/v1/status").text)
    one.send(head(tmp_path / "a", "on a full disk"))
    time.sleep(4)
    assert one.rows() == []
    one.stop()

    # The store is locked at the start by another program, for longer than anybody waits for it.
    locker = sqlite3.connect(one.folder / "orthanc" / "headct-triage" / "triage.sqlite", isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    one.configuration["HeadCTTriage"] |= {"Workers": 1, "MinimumFreeGigabytes": 0.1}
    one.start()
    one.send(head(tmp_path / "b", "while it is locked"))
    one.wait(lambda: "database is locked" in one.http.get("/triage/").text)
    assert "database is locked" in one.http.get("/triage/api/v1/status").json()["message"]

    # Then all goes on as if it never had been.
    locker.execute("ROLLBACK")
    one.wait(lambda: one.triage_answers() and one.settled() and one.results() == {"SR": 2, "KO": 2})
    assert one.get("status")["troubles"] == []
    assert one.get("status")["reason"] is None

    # Results go on to another PACS, even one that is down.
    def waits() -> bool:
        (receiver,) = one.get("status")["receivers"]
        return not receiver["answers"] and receiver["waiting"] == 4

    one.wait(waits)
    pacs.start()
    again = one.http.post("/triage/api/v1/receivers/pacs/again", json={}, headers={"X-Triage": "test"})
    assert again.status_code == 202
    pacs.wait(lambda: pacs.results() == {"SR": 2, "KO": 2})
    one.wait(lambda: one.get("status")["receivers"][0]["waiting"] == 0)


@needs_shared_data
class TestAStudyArrives:
    def test_every_series_ends_with_the_right_word(self, orthanc: OrthancProcess) -> None:
        orthanc.send(p.read_bytes() for p in sorted(TRAUMA.rglob("*.dcm")))
        orthanc.wait(lambda: orthanc.settled() and orthanc.results() == {"SR": 1, "KO": 1})
        (row,) = orthanc.rows()
        said = {(s["description"], s["state"], (s["reason"] or {}).get("code")) for s in row["series"]}
        assert said == {
            ("Brain Head 5.0", "assessed", None),
            ("Brain Bone 5.0", "not_analysed", "bone_kernel"),
            ("Coronal Brain/Coronal Head 3.0", "not_analysed", "not_axial"),
            ("2.0", "not_analysed", "localizer"),
        }
        best = row["series"][0]
        # Publishing another series of the study may have coloured the study before this one.
        orthanc.wait(lambda: orthanc.colour("series", best["id"]) and orthanc.colour("studies", row["id"]))
        assert orthanc.colour("series", best["id"]) == orthanc.colour("studies", row["id"])
        assert orthanc.colour("series", row["series"][1]["id"]) is None
        orthanc.wait(lambda: orthanc.answers(f"/triage/api/v1/series/{best['id']}/slices/0.png"))

        colour = orthanc.colour("series", best["id"])
        assert colour
        orthanc.http.delete(f"/series/{best['id']}/metadata/8310")
        if orthanc.labels("series", best["id"]) is not None:
            own = set(colour.split(","))
            assert orthanc.labels("series", best["id"]) == own
            for label in ("triage-green", "ward-7"):
                orthanc.http.put(f"/studies/{row['id']}/labels/{label}")
            orthanc.http.put(f"/studies/{row['id']}/metadata/8310", content="triage-green")
            orthanc.wait(lambda: orthanc.labels("studies", row["id"]) == own | {"ward-7"})
            orthanc.http.delete(f"/studies/{row['id']}/labels/ward-7")
        orthanc.wait(lambda: orthanc.colour("series", best["id"]) == colour)

        orthanc.http.delete(f"/series/{best['id']}")
        orthanc.wait(lambda: orthanc.results() == {})
        # The study loses its colour after its documents, in the same publication.
        orthanc.wait(lambda: orthanc.colour("studies", row["id"]) is None)
        end = time.monotonic() + 4
        while time.monotonic() < end:  # and none of the others is judged again
            assert orthanc.rows()[0]["state"] == "not_analysed"
            time.sleep(0.2)

    def test_a_corrected_patient_is_one_case(self, orthanc: OrthancProcess) -> None:
        files = axial(1)
        (first,) = orthanc.send(under("EMERGENCY-1", files))
        orthanc.wait(lambda: orthanc.settled() and orthanc.results() == {"SR": 1, "KO": 1})
        arrived = orthanc.rows()[0]["first_arrival"]
        time.sleep(1.5)
        (second,) = orthanc.send(under("0012345", files))
        assert second != first
        orthanc.wait(lambda: [r["patient_id"] for r in orthanc.rows()] == ["0012345"])
        orthanc.wait(
            lambda: orthanc.colour("series", first) is None and orthanc.colour("series", second) is not None
        )
        orthanc.wait(lambda: orthanc.results() == {"SR": 1, "KO": 1})
        (row,) = orthanc.rows()
        assert (row["patient_id"], row["first_arrival"]) == ("0012345", arrived)
        assert len(orthanc.get(f"series/{second}")["history"]) == 1
        beside = orthanc.send(axial(5)[:3])
        orthanc.wait(lambda: count(orthanc, *beside) == 3)
        # A sweep, which alone finds that images were deleted, must not bring the first one back.
        for left in (2, 1):
            (deleted, *_) = orthanc.http.get(f"/series/{beside[0]}").json()["Instances"]
            orthanc.http.delete(f"/instances/{deleted}")
            orthanc.wait(lambda left=left: count(orthanc, *beside) == left)
        assert {r["patient_id"] for r in orthanc.rows()} == {"0012345", "COPY0005in Orthanc"}

    def test_half_a_head_never_becomes_green(self, orthanc: OrthancProcess) -> None:
        heads = [axial(2), axial(3)[::-1]]
        series = [one for files in heads for one in orthanc.send(files[:14])]

        def given_up_and_never_green() -> bool:
            for row in orthanc.rows():
                assert row["urgency"] not in {"GREEN", "YELLOW"}
                assert row["urgency"] is None or row["preliminary"]
            return orthanc.settled()

        orthanc.wait(given_up_and_never_green)
        reasons = [orthanc.get(f"series/{one}")["reason"]["code"] for one in series]
        assert reasons == ["head_not_covered"] * 2
        assert orthanc.results() == {}
        for files in heads:
            orthanc.send(files[14:])
        orthanc.wait(lambda: all(orthanc.get(f"series/{one}")["state"] == "assessed" for one in series))
        orthanc.wait(lambda: orthanc.results() == {"SR": 2, "KO": 2})

    def test_a_late_slice_withdraws_the_colour(self, orthanc: OrthancProcess) -> None:
        files = axial(4)
        (series,) = orthanc.send(files[:-1])
        orthanc.wait(lambda: orthanc.results() == {"SR": 1, "KO": 1} and orthanc.colour("series", series))
        orthanc.send(files[-1:])
        # The colour is gone for the quiet time, and seen to be unless the machine is very busy.
        orthanc.wait(
            lambda: (
                orthanc.get(f"series/{series}")["urgency"] is None or orthanc.results() == {"SR": 2, "KO": 2}
            ),
            pause=0.1,
        )
        orthanc.wait(lambda: orthanc.results() == {"SR": 2, "KO": 2} and orthanc.colour("series", series))
        detail = orthanc.get(f"series/{series}")
        reports = [d for d in detail["documents"] if d["kind"] == "structured_report"]
        assert [r["predecessor_uid"] for r in reports] == [None, reports[0]["sop_instance_uid"]]
        assert [a["current"] for a in (detail["assessment"], *detail["history"])] == [True, False]
