from contextlib import suppress
from dataclasses import replace

import highdicom as hd
import pytest
import report_cases as cases
from dicom_validators import dciodvfy, dsrdump
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO

from headct.errors import ReportError
from headct.reports import key_objects, structured_report
from headct.reports.identity import case_identity, result_uid

SERIES = cases.series()


def write(assessment=None, series=SERIES, **options):
    return key_objects.write(series, assessment or cases.bleeding(series), sent_at=cases.MADE_AT, **options)


def dataset(document):
    return dcmread(DicomBytesIO(document))


def test_round_trip():
    found = key_objects.read(write())
    identity = case_identity(SERIES)
    assert found.sop_instance_uid == result_uid(identity, cases.bleeding(SERIES).judged_by, "ko")
    assert found.study_instance_uid == "1.2.3.4"
    assert found.series_instance_uid == "1.2.3.4.0"
    assert found.key_slices == tuple(SERIES.sop_instance_uids[i] for i in (3, 1))
    assert found.device_uid == cases.BUNDLE.device_uid
    assert found.description.startswith("Red: urgent, specialist now\n")
    assert "the physician makes the final judgement" in found.description


def test_it_is_of_interest_and_filed_with_the_study():
    found = dataset(write())
    assert found.ConceptNameCodeSequence[0].CodeValue == "113000"
    assert (found.StudyInstanceUID, found.PatientID, found.PatientName) == ("1.2.3.4", "P-1", "Doe^Jane")
    assert (
        found.SeriesInstanceUID
        != dataset(
            structured_report.write(SERIES, cases.bleeding(SERIES), sent_at=cases.MADE_AT)
        ).SeriesInstanceUID
    )
    assert (found.Modality, found.SeriesNumber) == ("KO", 9503)


def test_the_same_arguments_give_the_same_bytes():
    assert write() == write()


def test_without_key_slices_the_middle_one_stands_in():
    assessment = replace(cases.green(SERIES), key_slices=())
    assert key_objects.read(write(assessment)).key_slices == (SERIES.sop_instance_uids[3],)


def test_no_probability_is_told():
    assert b"0.97" not in write()
    assert b"robabilit" not in write()


@pytest.mark.validator
@pytest.mark.parametrize("language", ["en", "ja"])
def test_validators_accept_it(tmp_path, language):
    path = tmp_path / "ko.dcm"
    path.write_bytes(write(language=language))
    dciodvfy(path)
    assert "Of Interest" in dsrdump(path)
    document = hd.ko.KeyObjectSelectionDocument.from_dataset(dcmread(path))
    assert len(document.content.get_references()) == 2


def test_a_report_is_not_key_objects():
    report = structured_report.write(SERIES, cases.bleeding(SERIES), sent_at=cases.MADE_AT)
    with pytest.raises(ReportError):
        key_objects.read(report)


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("document", cases.damaged(write(), 100), ids=range(100))
def test_damaged_key_objects_are_refused_or_read(document):
    with suppress(ReportError):
        key_objects.read(document)
