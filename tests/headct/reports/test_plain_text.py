"""The same words for archives that take less: as a Basic Text SR, and in the default encoding."""

from io import BytesIO

import pytest
import report_cases as cases
import review_cases
from dicom_validators import dciodvfy, dsrdump
from pydicom import dcmread
from pydicom.uid import BasicTextSRStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from headct.errors import ReportError
from headct.reports import key_objects, plain_text, review_report, structured_report

SERIES = cases.series()
FORBIDDEN = {"NUM", "SCOORD", "SCOORD3D", "TCOORD", "TABLE"}
"""Value types that a Basic Text SR cannot have (PS3.3 A.35.1.3.1)."""


def machine(language="en", predecessor=None, urgency=None, **attributes):
    series = cases.series(**attributes)
    said = cases.bleeding(series) if urgency is None else cases.bleeding(series, urgency)
    return structured_report.write(
        series, said, sent_at=cases.MADE_AT, language=language, predecessor=predecessor
    )


def dataset(document):
    return dcmread(BytesIO(document))


def value_types(item):
    for child in item.get("ContentSequence", []):
        yield child.ValueType
        yield from value_types(child)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_it_says_what_the_report_says(language):
    report = machine(language)
    text, known = plain_text.read(plain_text.write(report)), structured_report.read(report)
    assert text.summary == known.summary
    assert text.sop_instance_uids == known.sop_instance_uids
    assert not text.verified
    assert text.title == "Head CT triage report"


def test_a_review_stays_verified_and_keeps_its_words():
    report = review_cases.write()
    text, known = plain_text.read(plain_text.write(report)), review_report.read(report)
    assert text.verified
    assert text.summary == known.summary
    assert dataset(plain_text.write(report)).VerifyingObserverSequence == (
        dataset(report).VerifyingObserverSequence
    )


def test_a_repeat_is_the_same_object_and_another_than_the_report():
    report = machine()
    assert plain_text.write(report) == plain_text.write(report)
    text, full = dataset(plain_text.write(report)), dataset(report)
    assert text.SOPClassUID == text.file_meta.MediaStorageSOPClassUID == BasicTextSRStorage
    assert text.SOPInstanceUID == text.file_meta.MediaStorageSOPInstanceUID != full.SOPInstanceUID
    assert text.SeriesInstanceUID != full.SeriesInstanceUID
    assert (text.StudyInstanceUID, text.PatientID) == (full.StudyInstanceUID, full.PatientID)
    assert text.CurrentRequestedProcedureEvidenceSequence == full.CurrentRequestedProcedureEvidenceSequence


def test_it_follows_the_plain_text_of_the_report_before():
    first = machine()
    second = machine(predecessor=first, SeriesDescription="another", PatientID="P-2")
    before = plain_text.read(plain_text.write(first)).sop_instance_uid
    assert plain_text.read(plain_text.write(second)).predecessor_uids == (before,)


def test_it_has_nothing_that_its_class_cannot_have():
    text = dataset(plain_text.write(machine()))
    assert not set(value_types(text)) & FORBIDDEN
    assert "ContentTemplateSequence" not in text


@pytest.mark.parametrize("make", [machine, review_cases.write])
def test_validators_accept_it(tmp_path, make):
    for number, document in enumerate(
        (text := plain_text.write(make()), plain_text.in_default_encoding(text))
    ):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(document)
        dciodvfy(path)
        assert "Basic Text SR" in dsrdump(path)


def test_the_default_encoding_is_the_same_object_to_the_last_byte_of_the_patient():
    report = machine()
    # A PatientID that does not fit its character set: the bytes that came are the bytes that go.
    report = report.replace(b"P-1 ", b"\xffP-1")
    assert dataset(report).file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    plainer = plain_text.in_default_encoding(report)
    assert dataset(plainer).file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    assert b"\xffP-1" in plainer
    assert b"\xffP-1" in plain_text.write(report)
    clean = machine()
    assert dataset(plain_text.in_default_encoding(clean)) == dataset(clean)


def test_what_is_no_report_has_no_plain_text():
    keys = key_objects.write(SERIES, cases.bleeding(SERIES), sent_at=cases.MADE_AT)
    for document in (keys, b"", b"nothing of the kind", plain_text.write(machine())):
        with pytest.raises(ReportError):
            plain_text.write(document)
    with pytest.raises(ReportError):
        plain_text.read(machine())
    with pytest.raises(ReportError):
        plain_text.in_default_encoding(b"nothing")
