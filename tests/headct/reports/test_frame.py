"""What every document has around its content: whose time it is dated in, and which order it belongs to."""

from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO

import pytest
import report_cases as cases
import review_cases
from dicom_validators import dciodvfy
from pydicom import dcmread

from headct.reports import key_objects, review_report, structured_report
from headct.reports.identity import case_identity
from headct.reports.review_report import Subject

JAPAN = timezone(timedelta(hours=9))
AT = datetime(2026, 4, 5, 16, 7, 8, tzinfo=UTC)
"""In Japan it is the next day."""
LONG = "HOSPITAL-2026-000123456789"


def documents(series, sent_at=AT):
    """One of every writer."""
    assessment = cases.bleeding(series)
    report = structured_report.write(series, assessment, sent_at=sent_at)
    judged, seen = Subject.of_report(report, case_identity(series)), Subject.of_images(series.headers)
    return [
        report,
        key_objects.write(series, assessment, sent_at=sent_at),
        review_cases.write(subject=judged, sent_at=sent_at),
        review_cases.write(subject=seen, sent_at=sent_at),
    ]


def datasets(series, sent_at=AT):
    return [dcmread(BytesIO(document)) for document in documents(series, sent_at)]


def dated(document):
    return document.ContentDate, document.ContentTime, document.get("TimezoneOffsetFromUTC")


@pytest.mark.parametrize(
    ("zone", "date", "time", "offset"),
    [
        (UTC, "20260405", "160708", "+0000"),
        (JAPAN, "20260406", "010708", "+0900"),
        (timezone(timedelta(hours=-3, minutes=-30)), "20260405", "123708", "-0330"),
    ],
)
def test_a_document_is_dated_by_the_servers_clock_and_says_its_zone(zone, date, time, offset):
    for document in datasets(cases.series(), AT.astimezone(zone)):
        assert dated(document) == (date, time, offset)
        assert (document.InstanceCreationDate, document.InstanceCreationTime) == (date, time)
        assert (document.SeriesDate, document.SeriesTime) == (date, time)


def test_where_the_images_say_their_zone_all_times_of_a_document_are_in_it():
    series = cases.series(TimezoneOffsetFromUTC="+0900", StudyDate="20260406", StudyTime="005500")
    for document in datasets(series):
        assert dated(document) == ("20260406", "010708", "+0900")
        assert (document.StudyDate, document.StudyTime) == ("20260406", "005500")


def test_the_time_of_a_review_is_the_same_moment():
    for document in documents(cases.series(TimezoneOffsetFromUTC="-0500"))[2:]:
        (verified,) = dcmread(BytesIO(document)).VerifyingObserverSequence
        assert str(verified.VerificationDateTime).endswith("-0500")
        assert review_report.read(document).review.at == review_cases.RED.at


def test_a_time_without_zone_claims_none():
    assert dated(datasets(cases.series(), cases.MADE_AT)[0])[2] is None


def test_an_accession_number_that_fits_is_where_it_belongs():
    for document in datasets(cases.series(AccessionNumber="A" * 16)):
        assert document.AccessionNumber == "A" * 16
        assert "Accession" not in str(document.ContentSequence)


@pytest.mark.parametrize("number", [LONG, "A\\B", "東" * 17])
def test_one_that_does_not_fit_is_said_in_full_and_never_cut(number, tmp_path):
    series = cases.series(AccessionNumber=number)
    written = documents(series)
    for place, document in enumerate(written):
        found = dcmread(BytesIO(document))
        assert not found.AccessionNumber
        path = tmp_path / f"{place}.dcm"
        path.write_bytes(document)
        dciodvfy(path)
    assert number in structured_report.read(written[0]).summary
    assert key_objects.read(written[1]).description.splitlines()[-1].endswith(f": {number}")
    for review in written[2:]:
        assert number in review_report.read(review).summary
