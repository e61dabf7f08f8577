"""One head under every character set in use: the same assessment, and the right name everywhere."""

from pathlib import Path

import pydicom
import pytest
from data import SHARED, needs_shared_data
from pydicom.uid import generate_uid
from stack_process import StackProcess

SOURCE = SHARED / "ct_ich" / "series" / "CTICH-049"

THREE_GROUPS = "Yamada^Tarou=山田^太郎=やまだ^たろう"
CASES = [
    pytest.param([], "Yamada^Tarou", id="none"),
    pytest.param(["ISO_IR 13"], "ﾔﾏﾀﾞ^ﾀﾛｳ", id="IR 13"),
    pytest.param(["ISO 2022 IR 13", "ISO 2022 IR 87"], "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう", id="IR 13 and 87"),
    pytest.param(["", "ISO 2022 IR 87"], THREE_GROUPS, id="IR 87"),
    pytest.param(["ISO_IR 192"], THREE_GROUPS, id="UTF-8"),
    pytest.param(["GB18030"], "Wang^XiaoDong=王^小东", id="GB18030"),
]


def renamed(target: Path, charset: list[str], name: str) -> str:
    """A copy of the head under that name and character set; returns its SeriesInstanceUID."""
    target.mkdir()
    salt = ["character sets", *charset]
    for file in sorted(SOURCE.iterdir()):
        ds = pydicom.dcmread(file)
        ds.SpecificCharacterSet = charset or None
        if not charset:
            del ds.SpecificCharacterSet
        ds.PatientName = name
        ds.PatientID = f"CS-{'-'.join(charset).replace(' ', '') or 'none'}"
        for tag in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
            setattr(ds, tag, generate_uid(entropy_srcs=[*salt, str(ds[tag].value)]))
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.save_as(target / file.name)
    return str(ds.SeriesInstanceUID)


@pytest.fixture(scope="module")
def sent(stack: StackProcess, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    """All copies judged: the full series by name and character set."""
    folder = tmp_path_factory.mktemp("character_sets")
    uids = {}
    for number, case in enumerate(CASES):
        charset, name = case.values
        uids[str(charset)] = renamed(folder / str(number), charset, name)
    stack.send(folder)
    final = stack.wait_final(uids.values())
    stack.wait_published()
    return {key: stack.api(f"series/{final[uid]['id']}") for key, uid in uids.items()}


@needs_shared_data
@pytest.mark.parametrize(("charset", "name"), CASES)
def test_same_assessment_right_name(
    stack: StackProcess, sent: dict[str, dict], charset: list[str], name: str
) -> None:
    series = sent[str(charset)]
    plain = sent["[]"]
    assert series["state"] == "assessed"

    def judged(one: dict) -> dict:
        varying = {"judged_at", "seconds", "key_slices"}
        numbers = [k["number"] for k in one["assessment"]["key_slices"]]
        return {k: v for k, v in one["assessment"].items() if k not in varying} | {"numbers": numbers}

    assert judged(series) == judged(plain)

    (row,) = [r for r in stack.rows() if r["id"] == series["study_id"]]
    groups = [*name.split("="), "", ""]
    shown = row["patient_name"]
    assert [shown["alphabetic"], shown["ideographic"], shown["phonetic"]] == groups[:3]

    page = stack.http.get("/triage/").text
    best = (groups[1] or groups[0]).split("^")
    assert all(part in page for part in best)

    (report,) = [d for d in series["documents"] if d["kind"] == "structured_report"]
    written = pydicom.dcmread(pydicom.filebase.DicomBytesIO(stack.file(report["orthanc_id"])))
    assert str(written.PatientName) == name
