import dataclasses
import json
from contextlib import suppress
from dataclasses import replace
from io import BytesIO

import highdicom as hd
import pytest
import report_cases as cases
from dicom_validators import dciodvfy, dsrdump, tid1500reader
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.uid import Comprehensive3DSRStorage

from headct.errors import ReportError
from headct.images.quiet import quiet
from headct.reports import codes, key_objects, plain_text, structured_report
from headct.reports.identity import case_identity, result_uid
from headct.terms.assessment import (
    Assessment,
    BundleIdentity,
    Finding,
    FindingKind,
    KeySlice,
    Location,
    Unsure,
)
from headct.terms.urgency import Urgency
from headct.triage.rubric import Rule

SERIES = cases.series()
GREEN = cases.green(SERIES)
BLEEDING = cases.bleeding(SERIES)


def write(assessment=BLEEDING, series=SERIES, **options):
    return structured_report.write(series, assessment, sent_at=cases.MADE_AT, **options)


def dataset(document):
    return dcmread(BytesIO(document))


def items(item):
    """All content items below, depth first."""
    for child in item.get("ContentSequence", []):
        yield child
        yield from items(child)


figures = st.none() | st.integers(1, 3000).map(lambda tenths: tenths / 10)
findings = st.builds(
    Finding,
    kind=st.sampled_from(FindingKind),
    slices=st.lists(st.integers(0, 5), unique=True).map(lambda s: tuple(sorted(s))),
    volume_ml=figures,
    thickness_mm=figures,
    location=st.none() | st.sampled_from(Location),
    mean_hu=st.none() | st.integers(-200, 1000).map(lambda tenths: tenths / 10),
    offset_mm=st.none() | st.integers(-300, 300).map(lambda tenths: tenths / 10),
)
words = (
    st.text("abcdefghijklmnopqrstuvwxyz_0123456789.- ", min_size=1, max_size=40).map(str.strip).filter(bool)
)
assessments = st.builds(
    Assessment,
    urgency=st.sampled_from(Urgency),
    alert_probability=st.floats(0, 1),
    haemorrhage_probability=st.floats(0, 1),
    findings=st.lists(findings, max_size=4).map(tuple),
    key_slices=st.lists(st.integers(0, 5), unique=True).map(lambda n: cases.key_slices(SERIES, *n)),
    bundle=st.builds(
        BundleIdentity, name=words, version=words, device_uid=st.just("2.25.7"), digest=st.just("ab" * 32)
    ),
    rubric_version=words,
    rules=st.lists(st.sampled_from(Rule).map(str) | words, unique=True, max_size=3).map(tuple),
    cautions=st.lists(words, unique=True, max_size=3).map(tuple),
    doubts=st.lists(st.sampled_from(Unsure), unique=True).map(tuple),
)


@settings(max_examples=10, deadline=None)
@given(assessments)
def test_round_trip(assessment):
    found = structured_report.read(write(assessment))
    for said in (
        "urgency",
        "findings",
        "key_slices",
        "bundle",
        "rubric_version",
        "rules",
        "cautions",
        "doubts",
    ):
        assert getattr(found, said) == getattr(assessment, said), said
    assert found.sop_instance_uids == SERIES.sop_instance_uids
    assert (found.study_instance_uid, found.series_instance_uid) == ("1.2.3.4", "1.2.3.4.0")
    assert (found.verified, found.predecessor_uid) == (False, None)
    assert found.observers == (f"{assessment.bundle.name} {assessment.bundle.version}",)


@pytest.mark.parametrize(("language", "says"), [("en", "unsure"), ("ja", "確信なし")])
def test_doubt_is_said_in_words_and_changes_no_urgency(language, says):
    doubtful = write(replace(GREEN, doubts=(Unsure.DIVIDED,)), language=language)
    found, plain = structured_report.read(doubtful), structured_report.read(write(GREEN, language=language))
    assert found.urgency is plain.urgency is Urgency.GREEN
    assert says in found.summary[0] and says in found.summary[1]
    assert not any(says in line for line in plain.summary)
    assert plain_text.read(plain_text.write(doubtful)).summary == found.summary
    assert found.sop_instance_uid == plain.sop_instance_uid, "there is one report of a case by a model"


def test_figures_are_rounded_to_a_tenth():
    finding = Finding(FindingKind.HAEMORRHAGE, (1,), 33.3333, 12.25001, offset_mm=None)
    found = structured_report.read(write(replace(BLEEDING, findings=(finding,))))
    assert (found.findings[0].volume_ml, found.findings[0].thickness_mm) == (33.3, 12.3)


def test_another_rubric_is_another_report():
    other = dataclasses.replace(BLEEDING, rubric_version=BLEEDING.rubric_version + "-hospital")
    assert dataset(write(other)).SOPInstanceUID != dataset(write()).SOPInstanceUID


def test_uids_come_from_what_was_judged():
    found = dataset(write())
    identity = case_identity(SERIES)
    assert found.SOPInstanceUID == result_uid(identity, BLEEDING.judged_by, "sr")
    assert found.SeriesInstanceUID == result_uid(identity, BLEEDING.judged_by, "sr-series")
    # What was said of the case plays no part: a repeat of the judgement is the same object.
    assert dataset(write(GREEN)).SOPInstanceUID == found.SOPInstanceUID


def test_the_same_arguments_give_the_same_bytes():
    assert write() == write()


def test_the_frame():
    found = dataset(write())
    assert found.SOPClassUID == Comprehensive3DSRStorage
    assert found.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert (found.Modality, found.SeriesNumber, found.SeriesDescription) == ("SR", 9103, "Head CT triage")
    assert (found.VerificationFlag, found.CompletionFlag) == ("UNVERIFIED", "COMPLETE")
    assert (found.PatientName, found.PatientID, found.StudyInstanceUID) == ("Doe^Jane", "P-1", "1.2.3.4")
    assert (found.StudyDescription, found.PatientAge) == ("Head CT", "076Y")
    assert (found.ContentDate, found.ContentTime) == ("20260405", "060708")
    assert found.SpecificCharacterSet == "ISO_IR 192"
    assert found.CodingSchemeIdentificationSequence[0].CodingSchemeDesignator == codes.OWN_SCHEME
    ours = [e for e in found.ContributingEquipmentSequence if "DeviceUID" in e]
    assert [e.DeviceUID for e in ours] == [cases.BUNDLE.device_uid]
    assert "1.2.0" in ours[0].SoftwareVersions


def test_all_images_are_evidence():
    (study,) = dataset(write()).CurrentRequestedProcedureEvidenceSequence
    (series,) = study.ReferencedSeriesSequence
    assert tuple(r.ReferencedSOPInstanceUID for r in series.ReferencedSOPSequence) == SERIES.sop_instance_uids


def test_a_revision_names_its_predecessor():
    first, longer = write(), cases.series(8)
    second = write(cases.bleeding(longer), longer, predecessor=first)
    assert structured_report.read(second).predecessor_uid == structured_report.read(first).sop_instance_uid
    assert dataset(second).SOPInstanceUID != dataset(first).SOPInstanceUID
    (study,) = dataset(second).PredecessorDocumentsSequence
    assert study.ReferencedSeriesSequence[0].SeriesInstanceUID == dataset(first).SeriesInstanceUID


@pytest.mark.parametrize("assessment", [GREEN, BLEEDING], ids=["green", "bleeding"])
def test_no_probability_and_no_place_is_told(assessment):
    found = dataset(write(assessment))
    told = json.dumps(found.to_json_dict()).lower()
    assert not [p for p in ("probab", "0.97", "0.99", "97.3", "0.03", "0.04") if p in told]
    assert not [item for item in items(found) if item.ValueType in ("SCOORD", "SCOORD3D")]


def test_green_is_nothing_flagged_and_never_normal():
    document = write(GREEN)
    assert structured_report.read(document).summary[0] == "Green: nothing flagged"
    assert "normal" not in json.dumps(dataset(document).to_json_dict()).lower()
    groups = [i for i in items(dataset(document)) if _code(i) == "125007"]
    assert len(groups) == 1


@pytest.mark.parametrize(
    ("language", "conclusion", "notice"),
    [
        (
            "en",
            "Black: suspected extreme severity, specialist now",
            "the physician makes the final judgement",
        ),
        ("ja", "黒: 最重症疑い・直ちに専門医へ", "最終判断は医師が行います"),
    ],
)
def test_the_summary_in_words(language, conclusion, notice):
    found = structured_report.read(write(cases.bleeding(SERIES, Urgency.BLACK), language=language))
    assert found.summary[0] == conclusion
    assert notice in found.summary[1]
    assert found.urgency is Urgency.BLACK


# --- What viewers need ---------------------------------------------------------------------------


def _code(item):
    concept = item.ConceptNameCodeSequence[0]
    return concept.get("CodeValue") or concept.LongCodeValue


@pytest.mark.parametrize("assessment", [GREEN, BLEEDING], ids=["green", "bleeding"])
def test_ohif_can_show_it(assessment):
    """What OHIF's SR extension takes for granted, in 3.13 and before; it throws where it is not so."""
    root = dataset(write(assessment))
    top = {_code(item): item for item in root.ContentSequence}
    # A report titled (126000, DCM) is shown by its regions alone, any other as a text tree.
    assert _code(root) != "126000"
    # The text tree reads the name of every item and shows separate items one a line.
    for item in items(root):
        assert item.ConceptNameCodeSequence[0].CodeMeaning
        if item.ValueType == "CONTAINER":
            assert item.ContinuityOfContent == "SEPARATE"
            assert len(item.ContentSequence) > 0
    # The words come before the long list of images.
    order = [_code(item) for item in root.ContentSequence]
    assert order.index("121111") < order.index("111028") < order.index("126010")
    # Older versions read the library and the groups whatever the title.
    library = [i for i in items(top["111028"]) if i.ValueType == "IMAGE"]
    assert len(library) == len(SERIES.headers)
    groups = [i for i in top["126010"].ContentSequence if _code(i) == "125007"]
    assert groups
    tracking = []
    for group in groups:
        names = [_code(item) for item in group.ContentSequence]
        assert names.count("112039") == names.count("112040") == 1
        tracking += [item.UID for item in group.ContentSequence if _code(item) == "112040"]
        for item in group.ContentSequence:
            assert item.ValueType != "NUM" or len(item.ContentSequence) > 0
    assert len(set(tracking)) == len(groups)


def test_every_figure_names_its_algorithm():
    numbers = [item for item in items(dataset(write())) if item.ValueType == "NUM"]
    assert len(numbers) == 9
    for number in numbers:
        told = {_code(child): child.TextValue for child in number.ContentSequence}
        assert (told["111001"], told["111003"]) == ("headct-bleed", "1.2.0")


# --- Names and malformed headers -----------------------------------------------------------------

JAPANESE = "Yamada^Tarou=山田^太郎=やまだ^たろう"


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        (None, "Doe^Jane"),
        ("ISO_IR 13", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
        ("ISO_IR 100", "Müller^Jörg"),
        ("ISO_IR 192", JAPANESE),
        ("GB18030", "Wang^XiaoDong=王^小东"),
        (["", "ISO 2022 IR 87"], JAPANESE),
        (["ISO 2022 IR 13", "ISO 2022 IR 87"], "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
    ],
)
def test_names_are_kept_from_every_character_set(tmp_path, character_set, name):
    source = cases.header(0, SpecificCharacterSet=character_set, PatientName=name)
    series = replace(cases.series(1), headers=(cases.as_read(source),))
    assessment = replace(GREEN, key_slices=())
    for document in (
        write(assessment, series),
        key_objects.write(series, assessment, sent_at=cases.MADE_AT),
    ):
        assert str(dataset(document).PatientName) == name


KEEPS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
malformed = st.dictionaries(
    st.sampled_from(
        [e.keyword for e in cases.header(0) if e.keyword not in ("SpecificCharacterSet", *KEEPS)]
        + ["InstitutionName", "StationName", "DeviceSerialNumber", "IssuerOfPatientID"]
    ),
    st.none() | st.text(max_size=100),
)


@settings(max_examples=12, deadline=None)
@given(malformed)
def test_malformed_headers_never_stop_a_report(attributes):
    number = attributes.pop("SeriesNumber", "3")
    series = cases.series(2, **attributes)
    for header in series.headers:
        header.add_new("SeriesNumber", "LO", number)
    assessment = replace(GREEN, key_slices=cases.key_slices(series, 1))
    found = structured_report.read(write(assessment, series))
    assert found.urgency is Urgency.GREEN
    assert key_objects.read(key_objects.write(series, assessment, sent_at=cases.MADE_AT)).key_slices


@pytest.mark.long
def test_many_thin_slices():
    series = cases.series(300)
    thick = Finding(FindingKind.HAEMORRHAGE, tuple(range(80, 140)), 80.0, 30.0, Location.DEEP, 60.0)
    assessment = replace(BLEEDING, findings=(thick,), key_slices=cases.key_slices(series, 100))
    document = write(assessment, series)
    found = structured_report.read(document)
    assert (found.findings, found.sop_instance_uids) == ((thick,), series.sop_instance_uids)
    assert len(document) < 300_000


@pytest.mark.parametrize(
    "name", ["Nocaret Unusual", "A^B^C^D^E^F^Nocaret", "Nocaret" * 20, JAPANESE + "=Nocaret"]
)
def test_logs_carry_no_patient_data(caplog, recwarn, capfd, name):
    with quiet():  # whoever makes such headers says so
        series = cases.series(PatientName=name, PatientBirthDate="Nocaret", PatientID="Nocaret" * 20)
    with caplog.at_level("DEBUG"):
        write(cases.green(series), series)
        key_objects.write(series, cases.green(series), sent_at=cases.MADE_AT)
    said = [caplog.text, *capfd.readouterr(), *(str(w.message) for w in recwarn)]
    assert not [text for text in said if "Nocaret" in text]


# --- Independent readers --------------------------------------------------------------------------


@pytest.mark.validator
@pytest.mark.parametrize(("make", "language"), [(cases.green, "en"), (cases.bleeding, "ja")])
@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"PatientBirthDate": "Unknown", "PatientSex": "W", "StudyDate": "x", "AccessionNumber": "A" * 40},
        {"PatientName": None, "PatientID": None, "StudyID": None, "StudyDate": None, "AccessionNumber": None},
        {"PatientName": "N" * 300, "FrameOfReferenceUID": "1.02.3", "Manufacturer": "M" * 80},
        {"PatientName": JAPANESE, "StudyDescription": "頭部CT"},
    ],
    ids=["ordinary", "malformed", "missing", "long", "japanese"],
)
def test_validators_accept_it(tmp_path, make, language, attributes):
    series, path = cases.series(**attributes), tmp_path / "sr.dcm"
    assessment = make(series)
    path.write_bytes(write(assessment, series, language=language))
    dciodvfy(path)
    assert "Head CT triage report" in dsrdump(path)
    measured = tid1500reader(path)["Measurements"]
    assert len(measured) == 1 + len(assessment.findings)
    if assessment.findings:
        assert [m["value"] for m in measured[1]["measurementItems"]] == ["33.4", "12.2", "62.1"]


def test_a_revision_passes_too(tmp_path):
    path = tmp_path / "sr.dcm"
    path.write_bytes(write(series=cases.series(8), predecessor=write()))
    dciodvfy(path)


# --- What is not ours ----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("document", cases.damaged(write(), 50), ids=range(50))
def test_damaged_reports_are_refused_or_read(document):
    with suppress(ReportError):
        structured_report.read(document)


def test_foreign_documents_are_refused():
    key_objects_document = key_objects.write(SERIES, BLEEDING, sent_at=cases.MADE_AT)
    foreign = dataset(write())
    foreign.ConceptNameCodeSequence[0].CodeValue = "126000"
    foreign.ConceptNameCodeSequence[0].CodingSchemeDesignator = "DCM"
    buffer = BytesIO()
    foreign.save_as(buffer)
    for document in (b"", b"no DICOM", key_objects_document, buffer.getvalue()):
        with pytest.raises(ReportError):
            structured_report.read(document)
    with pytest.raises(ReportError):
        write(predecessor=key_objects_document)


def test_highdicom_reads_it_back():
    report = hd.sr.srread(BytesIO(write()))
    assert isinstance(report, hd.sr.Comprehensive3DSR)
    groups = report.content.get_image_measurement_groups()
    assert len(groups) == 1 + len(BLEEDING.findings)
    assert [m.value for m in groups[1].get_measurements()] == [33.4, 12.2, 62.1]
    assert report.content.get_observer_contexts()


def test_key_slices_must_be_of_the_series():
    foreign = replace(BLEEDING, key_slices=(KeySlice(0, "9.9.9"),))
    with pytest.raises(ReportError):
        write(foreign)
    with pytest.raises(ReportError):
        key_objects.write(SERIES, foreign, sent_at=cases.MADE_AT)
