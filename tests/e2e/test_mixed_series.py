"""Reports and other objects filed with a head's images, first or last: it is judged as without them."""

from pathlib import Path

import pytest
from copies import copy_series
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from stack_process import StackProcess, wait_until

from headct.generator.generation import generate, write

SR, STATE, CAPTURE = (f"1.2.840.10008.5.1.4.1.1.{n}" for n in ("88.67", "11.1", "7"))


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("head") / "epidural"
    write(generate("epidural", 7, salt="mixed series", matrix=256, thickness_mm=7.0), folder)
    return folder


def other(series: Path, modality: str, sop_class: str) -> Path:
    """An object that shows nothing, of the same patient, study and series; where it lies."""
    first, ds = dcmread(next(series.iterdir())), Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, generate_uid()
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "SeriesInstanceUID"):
        setattr(ds, keyword, first[keyword].value)
    ds.Modality = modality
    path = series.parent / f"{series.name}-{modality}.dcm"
    ds.save_as(path, enforce_file_format=True)
    return path


def test_a_head_is_judged_whatever_lies_beside_it(stack: StackProcess, head: Path, tmp_path: Path) -> None:
    plain = copy_series(head, tmp_path / "plain", 0, "mixed")
    stack.send(tmp_path / "plain")
    sent = {}
    for number, (modality, sop_class, first) in enumerate(
        [("SR", SR, True), ("OT", CAPTURE, True), ("PR", STATE, False)], start=1
    ):
        folder = tmp_path / str(number)
        sent[modality] = copy_series(head, folder, number, "mixed")
        beside = other(folder, modality, sop_class)
        for what in (beside, folder) if first else (folder, beside):
            stack.send(what)
    final = stack.wait_final([plain, *sent.values()])
    assert {final[uid]["modality"] for uid in final} == {"CT"}
    stack.wait_published()
    judged = {uid: stack.api(f"series/{final[uid]['id']}") for uid in final}
    assert {one["state"] for one in judged.values()} == {"assessed"}
    for key in ("urgency", "cautions", "findings"):
        assert len({str(one["assessment"][key]) for one in judged.values()}) == 1, key

    series = stack.get(f"/series/{final[sent['SR']]['id']}")
    assert series["MainDicomTags"]["Modality"] == "SR"
    images = [
        i for i in series["Instances"] if stack.http.get(f"/instances/{i}/metadata/SopClassUid").text != SR
    ]
    for image in images:
        stack.http.delete(f"/instances/{image}")

    def gone() -> bool:
        return sent["SR"] not in stack.series()

    wait_until(gone, 60, lambda: "the row stays without its images")
