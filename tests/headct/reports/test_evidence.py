from copy import deepcopy
from dataclasses import replace

import pytest
import report_cases as cases
from hypothesis import given
from hypothesis import strategies as st

from headct.errors import ReportError
from headct.reports.evidence import evidence, patient_and_study, person_name

IMPOSSIBLE = [
    ("PatientBirthDate", "Unknown"),
    ("PatientBirthDate", "20230229"),
    ("StudyDate", "2026"),
    ("StudyTime", "256199"),
    ("PatientSex", "W"),
    ("PatientAge", "76"),
    ("PatientAge", "old"),
    ("TimezoneOffsetFromUTC", "Tokyo"),
    ("TimezoneOffsetFromUTC", "+2500"),
    ("StudyID", "S" * 17),
    ("StudyDescription", "D" * 65),
    ("StudyDescription", "line\nline"),
    ("Manufacturer", "M" * 65),
]


@pytest.mark.parametrize(("keyword", "value"), IMPOSSIBLE)
def test_an_impossible_value_is_left_out_and_the_rest_kept(keyword, value):
    found = patient_and_study(cases.header(0, **{keyword: value}))
    whole = patient_and_study(cases.header(0))
    assert not found.get(keyword)
    assert {e.keyword for e in whole} - {e.keyword for e in found} <= {keyword}
    assert all(found[e.tag] == e for e in whole if e.keyword != keyword)


@pytest.mark.parametrize(
    ("keyword", "written", "kept"),
    [
        ("PatientSex", "m", "M"),
        ("PatientSex", "Male", "M"),
        ("PatientSex", "female", "F"),
        ("PatientSex", "o", "O"),
        ("PatientAge", "076y", "076Y"),
    ],
)
def test_code_strings_are_written_as_the_standard_has_them(keyword, written, kept):
    header = cases.header(0, **{keyword: written})
    assert patient_and_study(header)[keyword].value == kept
    assert header[keyword].value == written


@pytest.mark.parametrize("keyword", [e.keyword for e in cases.header(0)])
def test_a_missing_attribute_never_stops_a_report(keyword):
    if keyword in ("StudyInstanceUID", "SeriesInstanceUID"):
        with pytest.raises(ReportError):
            evidence(cases.series(2, **{keyword: None}))
    elif keyword != "SOPInstanceUID":
        assert len(evidence(cases.series(2, **{keyword: None}))) == 2


@pytest.mark.parametrize("uid", ["1.2\\3", ""])
def test_what_cannot_be_referred_to_gets_no_report(uid):
    whole = cases.series(2)
    for damaged in (
        cases.series(2, StudyInstanceUID=uid),
        cases.series(2, SeriesInstanceUID=uid),
        replace(whole, sop_instance_uids=(whole.sop_instance_uids[0], uid)),
    ):
        with pytest.raises(ReportError):
            evidence(damaged)


def test_the_headers_stay_as_they_are():
    series = cases.series(3, PatientBirthDate="Unknown")
    before = deepcopy(series.headers)
    evidence(series)
    assert series.headers == before


def test_the_patient_id_is_never_changed():
    long = "P" * 80
    assert patient_and_study(cases.header(0, PatientID=long)).PatientID == long


def test_missing_patient_and_study_are_empty():
    found = patient_and_study(cases.header(0, PatientID=None, PatientName=None, StudyDate=None))
    assert "PatientID" in found
    assert not found.PatientID
    assert not found.PatientName
    assert not found.StudyDate


def test_values_that_cannot_be_converted_are_left_out():
    header = cases.as_read(cases.header(0))
    header.PatientBirthDate  # noqa: B018  the encoded value, converted on first use
    damaged = cases.as_read(cases.header(0, StudyTime="not a time", StudyDate="????????"))
    assert not patient_and_study(damaged).StudyTime
    assert not patient_and_study(damaged).StudyDate


@given(st.text(max_size=300))
def test_a_name_always_fits_its_attribute(text):
    name = person_name(text)
    groups = str(name).split("=") if name else []
    assert len(groups) <= 3
    assert all(len(group) <= 64 and group.count("^") <= 4 for group in groups)
    assert not any(c in str(name) for c in "\\\n\r\x1b\x00")


@pytest.mark.parametrize(
    "name", ["Doe^Jane", "Yamada^Tarou=山田^太郎=やまだ^たろう", "=山田^太郎", "Doe^Jane^^Dr^PhD"]
)
def test_a_right_name_is_kept(name):
    assert str(person_name(name)) == name


def test_a_long_name_is_cut_not_dropped():
    assert str(person_name("A" * 100 + "^B")) == "A" * 64
