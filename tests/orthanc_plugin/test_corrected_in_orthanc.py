"""What people correct with Orthanc's own commands, and what a scanner sends again, on a real Orthanc."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from bundles import threshold_bundle
from drawn_heads import ball, whole_head, write_series
from edits import edited
from orthanc_process import FINAL, ORTHANC, PLUGIN, OrthancProcess
from pydicom import dcmread

from headct.reports import structured_report

pytestmark = [
    pytest.mark.skipif(
        not (ORTHANC.exists() and PLUGIN.exists()), reason="Orthanc with its Python plugin is not installed"
    ),
    pytest.mark.long,
]

PERSON = {"Name": "Sato^Hanako", "Organisation": "St. Elsewhere", "Role": "administrator"}
AIR = (-1024).to_bytes(2, "little", signed=True)
"""What fills a slice of which nothing arrived."""
KEEP = {"Keep": ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"], "Force": True}


class Server(OrthancProcess):
    """With heads of which each is another patient's."""

    def head(self, folder: Path, patient: str, radius_mm: float = 20.0) -> list[bytes]:
        hu = whole_head()
        hu[ball(len(hu), radius_mm)] = 65.0 + len(patient) / 100
        write_series(folder, hu, PatientID=patient, PatientName=f"{patient}^Test")
        return [path.read_bytes() for path in sorted(folder.glob("*.dcm"))]

    def row(self, patient: str) -> Any:
        (found,) = [r for r in self.get("worklist")["rows"] if r["patient_id"] == patient]
        return found

    def queued(self) -> set[str]:
        return {row["patient_id"] for row in self.get("worklist")["rows"]}

    def earlier(self) -> list[Any]:
        return list(self.get("worklist")["earlier"])

    def judged(self, files: list[bytes], patient: str) -> Any:
        """Sent, assessed, and its results are in Orthanc."""
        self.send(files)
        self.wait(lambda: patient in self.queued() and self.row(patient)["state"] == "assessed")
        self.wait(lambda: self.documents(self.row(patient)["id"]) == ["KO", "SR"])
        return self.row(patient)

    def read(self, row: Any, urgency: str) -> None:
        series = row["series"][0]["id"]
        word = {"action": "relabel", "urgency": urgency, "request_id": row["patient_id"]}
        word["based_on"] = self.get(f"series/{series}")["based_on"]
        route = f"/triage/api/v1/series/{series}/review"
        self.http.post(route, json=word, headers={"X-Triage": "test"}).raise_for_status()
        self.wait(lambda: self.documents(row["id"]) == ["KO", "SR", "SR"])

    def documents(self, study: str) -> list[str]:
        """Modalities of the results in a study, one for each."""
        series = self.http.get(f"/studies/{study}/series").json()
        kinds = ((s["MainDicomTags"]["Modality"], len(s["Instances"])) for s in series)
        return sorted(kind for kind, count in kinds if kind != "CT" for _ in range(count))

    def ask(self, path: str, **body: Any) -> Any:
        answer = self.http.post(path, json=body)
        answer.raise_for_status()
        return answer.json()

    def patient_of(self, row: Any) -> str:
        study = self.http.get(f"/studies/{row['id']}").json()
        return f"/patients/{study['ParentPatient']}"

    def nothing_waits(self) -> bool:
        """Whether all that came was noticed, compared with what was there, judged and shown."""
        last = self.http.get("/changes?last").json()["Last"]
        store = self.folder / "orthanc" / "headct-triage" / "triage.sqlite"
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as looking:
            ((noticed,),) = looking.execute("SELECT sequence FROM positions WHERE log = 'changes'")
            ((waiting,),) = looking.execute(
                "SELECT count(*) FROM series"
                " WHERE sent_again_at IS NOT NULL OR preview_pending OR publish_wanted != publish_done"
            )
        final = all(s["state"] in FINAL for row in self.rows() for s in row["series"])
        return noticed >= last and not waiting and final


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    bundle = threshold_bundle(tmp_path_factory.mktemp("bundle") / "threshold").folder
    options = {
        "Bundle": str(bundle),
        "LongQuietSeconds": 10,
        "Previews": False,
        "WorkerNiceness": 0,
        "People": {"tester": PERSON},
    }
    one = Server(tmp_path_factory.mktemp("orthanc"), options)
    one.configuration["OverwriteInstances"] = True
    one.start_triage()
    yield one
    one.stop()
    one.http.close()


def test_a_patient_corrected_after_the_reading_is_one_case(orthanc: Server, tmp_path: Path) -> None:
    before = orthanc.judged(orthanc.head(tmp_path, "edit"), "edit")
    assert before["urgency"] in {"RED", "BLACK"}
    orthanc.read(before, "GREEN")
    orthanc.ask(
        f"{orthanc.patient_of(before)}/modify", Replace={"PatientID": "right"}, Force=True, KeepSource=False
    )
    orthanc.wait(lambda: "right" in orthanc.queued() and orthanc.row("right")["urgency"] == "GREEN")
    row = orthanc.row("right")
    orthanc.wait(lambda: orthanc.documents(row["id"]) == ["KO", "SR", "SR"])
    assert (row["reviewed"], row["reopened"]) == (True, False)
    assert row["machine_urgency"] == before["machine_urgency"]
    assert row["first_arrival"] == before["first_arrival"]
    assert "edit" not in orthanc.queued() and orthanc.earlier() == []
    for document in orthanc.get(f"series/{row['series'][0]['id']}")["documents"]:
        if not document["withdrawn"]:
            file = orthanc.http.get(f"/instances/{document['orthanc_id']}/file").content
            assert dcmread(BytesIO(file)).PatientID == "right"


def test_what_is_merged_into_another_study_keeps_its_word(orthanc: Server, tmp_path: Path) -> None:
    moved = orthanc.judged(orthanc.head(tmp_path / "a", "moved"), "moved")
    orthanc.read(moved, "YELLOW")
    other = orthanc.judged(orthanc.head(tmp_path / "b", "other", radius_mm=0.0), "other")
    orthanc.ask(f"/studies/{other['id']}/merge", Resources=[moved["id"]], KeepSource=False)
    # The documents that the merge brought along look like those of the end, until they are deleted.
    orthanc.wait(orthanc.nothing_waits)
    orthanc.wait(lambda: "moved" not in orthanc.queued() and orthanc.row("other")["urgency"] == "YELLOW")
    orthanc.wait(lambda: orthanc.documents(other["id"]) == ["KO", "KO", "SR", "SR", "SR"])
    assert orthanc.row("other")["first_arrival"] == moved["first_arrival"]


@pytest.mark.parametrize("kept", [True, False])
def test_a_copy_is_earlier_while_its_source_is_here(orthanc: Server, tmp_path: Path, *, kept: bool) -> None:
    """Anonymised, with the UIDs kept and with new ones."""
    name = f"source{kept}"
    source = orthanc.judged(orthanc.head(tmp_path, name), name)
    how = {**(KEEP if kept else {}), "Replace": {"PatientName": "Nobody"}}
    made = orthanc.ask(f"/studies/{source['id']}/anonymize", **how)
    orthanc.wait(lambda: [r for r in orthanc.earlier() if r["id"] == made["ID"] and r["urgency"]])
    orthanc.wait(lambda: orthanc.documents(made["ID"]) == ["KO", "SR"])
    (copy,) = [r for r in orthanc.earlier() if r["id"] == made["ID"]]
    assert copy["aside"] and copy["urgency"] == source["urgency"]
    assert orthanc.row(name)["urgency"] == source["urgency"] and not orthanc.row(name)["reviewed"]
    orthanc.http.delete(f"/studies/{source['id']}").raise_for_status()
    orthanc.wait(lambda: made["ID"] in {r["id"] for r in orthanc.get("worklist")["rows"]})
    (copy,) = [r for r in orthanc.get("worklist")["rows"] if r["id"] == made["ID"]]
    assert copy["first_arrival"] == source["first_arrival"]
    report = next(
        d for d in orthanc.get(f"series/{copy['series'][0]['id']}")["documents"] if not d["withdrawn"]
    )
    file = orthanc.http.get(f"/instances/{report['orthanc_id']}/file").content
    assert name.encode() not in file


def test_a_damaged_study_is_sent_again_whole_and_then_once_more(orthanc: Server, tmp_path: Path) -> None:
    whole = orthanc.head(tmp_path, "resend")
    blank = [
        edited(file, lambda ds: setattr(ds, "PixelData", AIR * (len(ds.PixelData) // 2))) for file in whole
    ]
    orthanc.send([*whole[:10], *blank[10:14], *whole[14:]])
    orthanc.wait(lambda: "resend" in orthanc.queued() and orthanc.row("resend")["state"] == "not_analysed")
    orthanc.send(whole)
    orthanc.wait(lambda: orthanc.row("resend")["state"] == "assessed")
    orthanc.wait(lambda: orthanc.documents(orthanc.row("resend")["id"]) == ["KO", "SR"])
    orthanc.read(orthanc.row("resend"), "GREEN")
    series = orthanc.row("resend")["series"][0]["id"]
    orthanc.wait(orthanc.nothing_waits)
    history = orthanc.get(f"series/{series}")
    orthanc.send(whole)

    def compared_and_always_read() -> bool:
        row = orthanc.row("resend")
        assert (row["reviewed"], row["urgency"], row["state"]) == (True, "GREEN", "assessed")
        return orthanc.nothing_waits()

    orthanc.wait(compared_and_always_read)
    assert orthanc.get(f"series/{series}") == history, "nothing was judged again"
    file = orthanc.http.get(f"/instances/{history['documents'][0]['orthanc_id']}/file").content
    assert structured_report.read(file).sop_instance_uid == history["documents"][0]["sop_instance_uid"]
