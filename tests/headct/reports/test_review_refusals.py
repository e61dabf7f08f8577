"""Reviews that are not written, and documents that are no reviews."""

from contextlib import suppress
from dataclasses import replace
from io import BytesIO

import pytest
import report_cases as cases
from pydicom.dataset import Dataset
from review_cases import (
    IDENTITY,
    MACHINE,
    RED,
    SATO,
    SERIES,
    dataset,
    read,
    write,
)

from headct.errors import ReportError
from headct.reports import key_objects, review_report, structured_report
from headct.reports.review_report import Subject
from headct.terms.review import Person


@pytest.mark.parametrize(
    ("images", "says"),
    [
        ([], "not of one series"),
        ([b""], "no study or series"),
        ([b"no DICOM at all" * 50], None),
        ([cases.header(0, StudyInstanceUID=None)], "no study or series"),
        ([cases.header(0), cases.header(1, SeriesInstanceUID="1.2.9")], "not of one series"),
        ([cases.header(0, SOPInstanceUID=None)], "a UID of the images is none"),
        ([cases.header(0, SeriesInstanceUID="1.2\\3")], "a UID of the images is none"),
    ],
)
def test_images_that_cannot_be_referred_to_are_refused(images, says):
    with pytest.raises(ReportError, match=says):
        Subject.of_images(images)


@pytest.mark.parametrize(
    "by",
    [
        Person("", "Sato^Hanako", "A"),
        Person("sato", " ^ ", "A"),
        Person("sato", "Sato^Hanako", "\n"),
        Person("sato", "Sato^\ud800", "A"),
    ],
)
def test_a_reader_without_a_name_is_refused(by):
    with pytest.raises(ReportError, match="reader"):
        write(replace(RED, by=by))


def test_a_request_without_a_name_is_refused():
    with pytest.raises(ReportError, match="request"):
        write(request_id=" ")


def test_a_name_beyond_what_dicom_allows_is_cut():
    assert read(replace(RED, by=replace(SATO, name="A" * 100 + "\\^B"))).review.by.name == "A" * 64


def test_reviews_and_reports_are_not_taken_for_each_other():
    review = write()
    key = key_objects.write(SERIES, cases.bleeding(SERIES), sent_at=cases.MADE_AT)
    assert review_report.is_review(dataset(review))
    for other in (dataset(MACHINE), dataset(key), cases.header(0), Dataset()):
        assert not review_report.is_review(other)
    with pytest.raises(ReportError, match="not a triage report"):
        structured_report.read(review)
    with pytest.raises(ReportError, match="not a triage report"):
        structured_report.write(SERIES, cases.green(SERIES), sent_at=cases.MADE_AT, predecessor=review)
    with pytest.raises(ReportError, match="not a triage report"):
        Subject.of_report(review, IDENTITY)
    with pytest.raises(ReportError, match="not a review"):
        review_report.read(MACHINE)
    with pytest.raises(ReportError, match="not a review"):
        write(earlier=MACHINE)
    for nothing in (b"", b"no DICOM", key):
        with pytest.raises(ReportError):
            review_report.read(nothing)


def test_an_earlier_review_is_the_same_readers_of_the_same_series():
    for earlier in (
        write(replace(RED, by=replace(SATO, login="ito"))),
        write(subject=Subject.of_images(cases.series(SeriesInstanceUID="1.2.3.9").headers)),
    ):
        with pytest.raises(ReportError, match="not this reader's"):
            write(earlier=earlier)


def changed(change):
    found = dataset(write())
    change(found)
    buffer = BytesIO()
    found.save_as(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "change",
    [
        lambda found: setattr(found, "VerificationFlag", "UNVERIFIED"),
        lambda found: delattr(found, "VerifyingObserverSequence"),
        lambda found: delattr(found, "CurrentRequestedProcedureEvidenceSequence"),
        lambda found: found.ContentSequence.pop(),
    ],
)
def test_a_review_that_lacks_something_is_refused(change):
    with pytest.raises(ReportError):
        review_report.read(changed(change))


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("document", cases.damaged(write(), 100), ids=range(100))
def test_damaged_reviews_are_refused_or_read(document):
    with suppress(ReportError):
        review_report.read(document)
