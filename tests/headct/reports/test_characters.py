"""A patient's number comes out of every document with the bytes it came with, and the rest stays readable."""

from dataclasses import replace
from io import BytesIO

import patient_bytes
import pytest
import report_cases as cases
import review_cases
from dicom_validators import dciodvfy
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.tag import Tag

from headct.images import headers
from headct.images.quiet import quiet
from headct.reports import key_objects, plain_text, review_report, structured_report
from headct.reports.evidence import evidence
from headct.reports.identity import case_identity
from headct.reports.review_report import Subject
from headct.terms.urgency import Urgency

SOME = [
    "Shift JIS, declared JIS",
    "a control after",
    "GBK",
    "Latin 1, undeclared",
    "a yen sign",
    "spaces before",
]
JAPANESE = ["kanji", "kanji beside kana", "GBK", "GB18030", "Shift JIS, declared JIS", "plain, undeclared"]
NOT_JAPANESE = ["Latin 1, undeclared", "Korean", "Cyrillic", "an unknown set", "UTF-8, declared empty"]


def documents(series):
    """One of every writer, and what is read of each."""
    assessment = cases.bleeding(series)
    report = structured_report.write(series, assessment, sent_at=cases.MADE_AT)
    judged, seen = Subject.of_report(report, case_identity(series)), Subject.of_images(series.headers)
    return [
        report,
        key_objects.write(series, assessment, sent_at=cases.MADE_AT),
        review_cases.write(subject=judged),
        review_cases.write(subject=seen),
    ]


def stored(document, keyword="PatientID"):
    with quiet():
        return dcmread(BytesIO(document)).get_item(keyword).value or b""


@pytest.mark.parametrize("kind", patient_bytes.KINDS)
def test_the_bytes_are_those_that_came(kind):
    series = patient_bytes.series(kind, slices=3)
    headers.demographics(series.headers[0])
    report = structured_report.write(series, cases.green(series), sent_at=cases.MADE_AT)
    # A space more or less at the end is nobody else.
    assert stored(report).rstrip(b" ") == patient_bytes.padded(patient_bytes.KINDS[kind][0]).rstrip(b" ")


@pytest.mark.parametrize("kind", SOME)
def test_they_are_in_every_document_and_read_as_in_the_images(kind):
    series = patient_bytes.series(kind)
    image = series.headers[0]
    found = documents(series)
    assert structured_report.read(found[0]).findings == cases.bleeding(series).findings
    assert key_objects.read(found[1]).key_slices
    for document in found[2:]:
        assert review_report.read(document).review == review_cases.RED
    with quiet():
        for document in map(dcmread, map(BytesIO, found)):
            for keyword in ("PatientID", "PatientName", "AccessionNumber", "StudyID"):
                assert headers.text(document, keyword) == headers.text(image, keyword)
                assert headers.stored(document, keyword) == headers.stored(image, keyword)


@settings(max_examples=6, deadline=None)
@given(st.binary(max_size=40), st.sampled_from([declared for _, declared in patient_bytes.KINDS.values()]))
def test_any_bytes_under_any_character_set(number, declared):
    patient_bytes.KINDS["any"] = number, declared
    try:
        series = patient_bytes.series("any", slices=4)
    finally:
        del patient_bytes.KINDS["any"]
    report = structured_report.write(series, cases.green(series), sent_at=cases.MADE_AT)
    assert stored(report).rstrip(b" \0") == number.rstrip(b" \0")
    assert structured_report.read(report).urgency is Urgency.GREEN


@pytest.mark.parametrize("kind", [*JAPANESE, *NOT_JAPANESE])
def test_words_are_japanese_where_the_character_set_has_letters_for_it(kind):
    series = patient_bytes.series(kind, slices=3)
    report = structured_report.write(series, cases.green(series), sent_at=cases.MADE_AT, language="ja")
    summary = "".join(structured_report.read(report).summary)
    assert summary.isascii() == (kind in NOT_JAPANESE)
    # No item needs a character set of its own.
    with quiet():
        tree = dcmread(BytesIO(report)).ContentSequence
    assert not any("SpecificCharacterSet" in item for item in tree)


@pytest.mark.parametrize("kind", ["spaces before a letter", "kanji", "Korean", "plain, undeclared"])
def test_documents_in_other_character_sets_are_valid(kind, tmp_path):
    for number, document in enumerate(documents(patient_bytes.series(kind))[:2]):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(document)
        dciodvfy(path)


@pytest.mark.parametrize("kind", SOME[:3])
def test_the_bytes_stay_in_what_plainer_receivers_get(kind):
    series = patient_bytes.series(kind)
    report = structured_report.write(series, cases.green(series), sent_at=cases.MADE_AT)
    text = plain_text.write(report)
    for document in (text, plain_text.in_default_encoding(text), plain_text.in_default_encoding(report)):
        assert stored(document) == stored(report)
    assert plain_text.read(plain_text.in_default_encoding(text)) == plain_text.read(text)
    assert structured_report.read(plain_text.in_default_encoding(report)) == structured_report.read(report)


def test_the_same_arguments_give_the_same_bytes():
    series = patient_bytes.series("kanji beside kana")
    assert documents(series) == documents(series)


def test_other_texts_come_as_stored_with_the_number():
    series = patient_bytes.series("GBK", PatientName="Doe^Jane", StudyDescription="Head")
    series.headers[0]["StudyDescription"] = (
        series.headers[0].get_item("PatientID")._replace(tag=Tag("StudyDescription"))
    )
    report = structured_report.write(series, cases.green(series), sent_at=cases.MADE_AT)
    assert stored(report, "PatientName") == b"Doe^Jane"
    assert stored(report, "StudyDescription") == stored(report) != b""


def test_plain_documents_are_in_utf_8():
    series = cases.series(SpecificCharacterSet="ISO_IR 100", PatientName="Müller^Ute")
    (first, *_) = evidence(replace(series, headers=tuple(map(cases.as_read, series.headers))))
    assert "SpecificCharacterSet" not in first
    for document in documents(series):
        found = dcmread(BytesIO(document))
        assert (found.SpecificCharacterSet, found.PatientName) == ("ISO_IR 192", "Müller^Ute")


def test_two_numbers_that_read_alike_are_two_cases():
    like = ["Latin 1, declared UTF-8", "a control after", "a hard space before", "spaces before"]
    for kind in like:
        series = patient_bytes.series(kind)
        read = headers.text(series.headers[0], "PatientID")
        other = replace(series, headers=tuple(cases.header(i, PatientID=read) for i in range(6)))
        assert case_identity(other) != case_identity(series)


@pytest.mark.parametrize("kind", ["GBK", "Cyrillic", "kanji", "64 letters", "spaces after", "zeros after"])
def test_results_already_in_archives_keep_their_identity(kind):
    series = patient_bytes.series(kind)
    text = headers.text(series.headers[0], "PatientID")
    assert headers.identifier(series.headers[0], "PatientID") == text


def test_zero_characters_are_part_of_no_text_and_tell_patients_apart_all_the_same() -> None:
    """No database takes them."""
    said = []
    for number in ("P1", "P1X", "P1\0X", "P\0001X"):
        dataset = Dataset()
        dataset.PatientID, dataset.StudyDescription = number, number
        file = BytesIO()
        dataset.save_as(file, implicit_vr=False, little_endian=True)
        read = dcmread(BytesIO(file.getvalue()), force=True)
        assert headers.text(read, "StudyDescription") == number.replace("\0", "")
        said.append(headers.identifier(read, "PatientID"))
    assert len(set(said)) == len(said)
    assert said[:2] == ["P1", "P1X"]
    assert not any("\0" in one for one in said)
