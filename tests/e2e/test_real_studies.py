"""Real studies as scanners sent them, through the real server: states, reasons, results in the PACS."""

import re
import time
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from data import SHARED, needs_shared_data
from dicom_validators import dciodvfy
from stack_process import PATIENCE, StackProcess, wait_until

from headct.reports import key_objects, structured_report
from headct.terms.urgency import Urgency

pytestmark = needs_shared_data

STUDIES = SHARED / "real_studies"
TRAUMA = STUDIES / "toshiba_trauma"
STROKES = ["siemens_stroke_0019983", "siemens_stroke_0226308"]


def series_uid(folder: Path) -> str:
    """SeriesInstanceUID of a folder that holds one series."""
    first = next(f for f in sorted(folder.iterdir()) if f.is_file())
    return str(
        pydicom.dcmread(first, stop_before_pixels=True, specific_tags=["SeriesInstanceUID"])[0x0020000E].value
    )


@pytest.fixture(scope="module")
def sent(stack: StackProcess) -> dict[str, dict]:
    """All real studies sent and judged; series by folder."""
    folders = [
        f for study in ("toshiba_trauma", *STROKES) for f in sorted((STUDIES / study).iterdir()) if f.is_dir()
    ]
    uids = {f"{f.parent.name}/{f.name}": series_uid(f) for f in folders}
    stack.send(*folders)
    final = stack.wait_final(uids.values())
    stack.wait_published()
    return {name: final[uid] for name, uid in uids.items()}


@pytest.mark.parametrize(
    ("series", "reason"),
    [
        ("toshiba_trauma/axial_bone", "bone_kernel"),
        ("toshiba_trauma/coronal", "not_axial"),
        ("toshiba_trauma/localizer", "localizer"),
        (f"{STROKES[0]}/mr", "not_ct"),
        (f"{STROKES[1]}/mr", "not_ct"),
    ],
)
def test_ineligible_series_say_why(sent: dict[str, dict], series: str, reason: str) -> None:
    assert sent[series]["state"] == "not_analysed"
    assert sent[series]["reason"]["code"] == reason
    assert sent[series]["urgency"] is None


ASSESSED = ["toshiba_trauma/axial_brain", f"{STROKES[0]}/ct", f"{STROKES[1]}/ct"]


@pytest.mark.parametrize("series", ASSESSED)
def test_eligible_series_are_assessed(stack: StackProcess, sent: dict[str, dict], series: str) -> None:
    assert sent[series]["state"] == "assessed"
    full = stack.api(f"series/{sent[series]['id']}")
    assert full["assessment"]["urgency"] == sent[series]["urgency"]
    assert not full["assessment"]["preliminary"]
    one = f"series/{full['id']}"
    wait_until(lambda: stack.api(one)["slices"] > 0, PATIENCE, stack.log)
    slices = f"/triage/api/v1/{one}/slices"
    wait_until(lambda: stack.http.get(f"{slices}/0.png").content.startswith(b"\x89PNG"), PATIENCE, stack.log)


def test_one_row_a_study(stack: StackProcess, sent: dict[str, dict]) -> None:
    uids = {name: s["series_instance_uid"] for name, s in sent.items()}
    for study in ("toshiba_trauma", *STROKES):
        own = {uid for name, uid in uids.items() if name.startswith(f"{study}/")}
        (row,) = [r for r in stack.rows() if own & {s["series_instance_uid"] for s in r["series"]}]
        assert {s["series_instance_uid"] for s in row["series"]} == own
        assert row["state"] == "assessed"
        assessed = [s for s in row["series"] if s["state"] == "assessed"]
        assert row["urgency"] == assessed[0]["urgency"]
        assert row["series"][0] == assessed[0], "the series that was judged comes first"


@pytest.mark.parametrize("series", ASSESSED)
def test_results_in_the_pacs(stack: StackProcess, sent: dict[str, dict], series: str, tmp_path: Path) -> None:
    one = sent[series]
    full = stack.api(f"series/{one['id']}")
    labels = ",".join(Urgency[one["urgency"]].machine_labels())
    for level, orthanc_id in (("series", one["id"]), ("studies", full["study_id"])):
        # The colours come after the documents, the series' before its study's.
        colour = f"/{level}/{orthanc_id}/metadata/HeadCTUrgency"
        wait_until(lambda path=colour: stack.http.get(path).text == labels, PATIENCE, stack.log)
        assert stack.http.get(f"/{level}/{orthanc_id}/metadata/8310").text == labels
        if "labels" in stack.get("/tools"):
            path = f"/{level}/{orthanc_id}/labels"
            wait_until(lambda path=path: set(stack.get(path)) == set(labels.split(",")), PATIENCE, stack.log)

    study_uid = stack.get(f"/studies/{full['study_id']}")["MainDicomTags"]["StudyInstanceUID"]
    for modality, reader in (("SR", structured_report.read), ("KO", key_objects.read)):
        query = {"Level": "Instance", "Query": {"Modality": modality, "StudyInstanceUID": study_uid}}
        (instance,) = stack.http.post("/tools/find", json=query).json()
        file = tmp_path / f"{modality}.dcm"
        file.write_bytes(stack.file(instance))
        dciodvfy(file)
        assert reader(file.read_bytes())
        written = pydicom.dcmread(file)
        assert written.StudyInstanceUID == study_uid
        assert written.SOPInstanceUID in {d["sop_instance_uid"] for d in full["documents"]}
        source = pydicom.dcmread(
            next(f for f in sorted((STUDIES / series).iterdir())), stop_before_pixels=True
        )
        assert str(written.PatientName) == str(source.PatientName)
        assert written.PatientID == source.PatientID


def test_no_patient_in_the_logs(stack: StackProcess, sent: dict[str, dict]) -> None:
    assert sent
    words = set()
    for folder in ("toshiba_trauma/axial_brain", *(f"{s}/ct" for s in STROKES)):
        header = pydicom.dcmread(next(iter(sorted((STUDIES / folder).iterdir()))), stop_before_pixels=True)
        words |= {str(header.PatientName), str(header.PatientID)} - {"", "Unknown"}
    log = (stack.data / "logs" / "orthanc.log").read_text()
    assert not [word for word in words if len(word) > 3 and re.search(rf"\b{re.escape(word)}\b", log)]


def test_images_are_never_changed(stack: StackProcess, sent: dict[str, dict]) -> None:
    one = sent["toshiba_trauma/axial_brain"]
    sent_images = {
        str(ds.SOPInstanceUID): ds for ds in map(pydicom.dcmread, (TRAUMA / "axial_brain").iterdir())
    }
    stored = [pydicom.dcmread(BytesIO(stack.file(i))) for i in stack.get(f"/series/{one['id']}")["Instances"]]
    assert len(stored) == len(sent_images)
    for image in stored:
        assert image == sent_images[str(image.SOPInstanceUID)]


def test_sent_again_changes_nothing(stack: StackProcess, sent: dict[str, dict]) -> None:
    one = sent["toshiba_trauma/axial_brain"]
    before = stack.api(f"series/{one['id']}")
    results = {m: sorted(stack.documents(m)) for m in ("SR", "KO")}
    stack.send(TRAUMA / "axial_brain")
    # Quiet for longer than the quiet time: whatever the second sending would have started has started.
    time.sleep(4)
    stack.wait_final([one["series_instance_uid"]])
    after = stack.api(f"series/{one['id']}")
    assert after["assessment"] == before["assessment"]
    assert after["documents"] == before["documents"]
    assert {m: sorted(stack.documents(m)) for m in ("SR", "KO")} == results
