import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO

import highdicom as hd
import pytest
import report_cases as cases
from data import SHARED, needs_shared_data
from dicom_validators import dciodvfy, dsrdump, tid1500reader
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, MRImageStorage

from headct.errors import ReportError
from headct.generator.generation import generate
from headct.generator.generation import write as write_series
from headct.images.quiet import quiet
from headct.images.reading import load_series
from headct.reports import codes, key_objects, review_report, structured_report
from headct.reports.documents import concept
from headct.reports.evidence import person_name
from headct.reports.identity import case_identity
from headct.reports.review_report import Subject
from headct.terms.review import Action, Exclusion, Person, Review, ReviewFinding, verdict
from headct.terms.urgency import Urgency

SERIES = cases.series()
IDENTITY = case_identity(SERIES)
MACHINE = structured_report.write(SERIES, cases.bleeding(SERIES), sent_at=cases.MADE_AT)
MACHINE_UID = structured_report.read(MACHINE).sop_instance_uid
JUDGED = Subject.of_report(MACHINE, IDENTITY)
UNJUDGED = Subject.of_images(SERIES.headers)
JAPAN = timezone(timedelta(hours=9))
SATO = Person("sato", "Sato^Hanako=佐藤^花子=さとう^はなこ", "中央病院")
AT = datetime(2026, 4, 5, 6, 17, 8, 90, JAPAN)
RED = Review(SATO, AT, Action.RELABEL, Urgency.RED, {ReviewFinding.SUBDURAL: True}, comment="右硬膜下血腫")
EXCLUDED = Review(SATO, AT, Action.EXCLUDE, None, reason=Exclusion.POST_OPERATIVE)


def write(review=RED, subject=JUDGED, request_id="request-1", **options):
    options = {"sent_at": cases.MADE_AT, **options}
    return review_report.write(review, subject, request_id=request_id, **options)


def read(*arguments, **options):
    return review_report.read(write(*arguments, **options))


def dataset(document):
    return dcmread(BytesIO(document))


def items(item):
    """All content items below, depth first."""
    for child in item.get("ContentSequence", []):
        yield child
        yield from items(child)


# --- Written and read back -----------------------------------------------------------------------

anything = st.text(st.characters(), max_size=40)
"""Control characters and halves of surrogate pairs too: what a browser may send."""
japanese = st.text("出血あり右の硬膜下血腫。ﾔﾏﾀﾞー①髙𠮷 \n\t\\=^é", max_size=40)
named = (anything | japanese).filter(str.strip)
names = st.sampled_from([SATO.name, "Doe^Jane", "=山田^太郎", "Sato", "Müller^Jörg^^Dr"]) | japanese.map(
    person_name
).filter(bool).map(str)
zones = st.sampled_from([UTC, JAPAN, timezone(-timedelta(hours=3, minutes=30))])
times = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=zones)


@st.composite
def reviews(draw):
    action = draw(st.sampled_from(Action))
    reason = draw(st.sampled_from(Exclusion)) if action is Action.EXCLUDE else None
    findings = draw(st.dictionaries(st.sampled_from(ReviewFinding), st.booleans()))
    if findings.get(ReviewFinding.HAEMORRHAGE) is False:
        findings = {
            f: p and f in (ReviewFinding.MIDLINE_SHIFT, ReviewFinding.FRACTURE) for f, p in findings.items()
        }
    return Review(
        by=Person(draw(named), draw(names), draw(named)),
        at=draw(times),
        action=action,
        urgency=None if reason else draw(st.sampled_from(Urgency)),
        findings=findings,
        reason=reason,
        comment=draw(named if reason is Exclusion.OTHER else anything | japanese),
        blind=draw(st.booleans()),
    )


@settings(max_examples=25)
@given(
    reviews(), st.sampled_from([JUDGED, UNJUDGED]), named, st.none() | zones, st.sampled_from(["en", "ja"])
)
def test_round_trip(review, subject, request_id, zone, language):
    found = read(review, subject, request_id, sent_at=cases.MADE_AT.replace(tzinfo=zone), language=language)
    assert found.review == review
    assert found.request_id == request_id
    assert (found.study_instance_uid, found.series_instance_uid) == ("1.2.3.4", "1.2.3.4.0")
    assert found.sop_instance_uids == SERIES.sop_instance_uids
    judged = subject is JUDGED
    assert found.case_identity == (IDENTITY if judged else None)
    assert found.based_on == (MACHINE_UID if judged else None)
    assert found.predecessor_uids == ((MACHINE_UID,) if judged else ())
    assert not review.comment or review.comment in found.summary


def test_labels_are_rebuilt_from_the_documents_alone():
    ito = replace(
        RED,
        by=Person("ito", "Ito^Jun", "St. Elsewhere"),
        at=AT + timedelta(microseconds=1),
        urgency=Urgency.GREEN,
        blind=True,
    )
    sure = replace(RED, at=AT + timedelta(hours=1), action=Action.CONFIRM, urgency=Urgency.GREEN)
    given_reviews = [RED, ito, sure]
    first = write(RED)
    archive = [first, write(ito), write(sure, request_id="request-2", earlier=first)]
    table = sorted((review_report.read(document) for document in archive[::-1]), key=lambda r: r.review.at)
    assert [row.review for row in table] == given_reviews
    assert {row.case_identity for row in table} == {IDENTITY}
    assert verdict([row.review for row in table]) == verdict(given_reviews)
    assert len({row.sop_instance_uid for row in table}) == 3


# --- Identity ------------------------------------------------------------------------------------


def test_the_same_arguments_give_the_same_bytes():
    turned = replace(RED, findings={ReviewFinding.FRACTURE: False, ReviewFinding.SUBDURAL: True})
    straight = replace(RED, findings={ReviewFinding.SUBDURAL: True, ReviewFinding.FRACTURE: False})
    assert write(turned) == write(straight)
    assert write(turned, UNJUDGED) == write(straight, Subject.of_images(SERIES.headers))


def uids(*arguments, **options):
    found = dataset(write(*arguments, **options))
    (tracking,) = [i.UID for i in items(found) if concept(i).value == "112040"]
    return found.SOPInstanceUID, found.SeriesInstanceUID, tracking


def test_uids_derive_from_case_reader_and_request_alone():
    same = uids()
    assert len(set(same)) == 3
    later = {"sent_at": cases.MADE_AT + timedelta(days=1), "earlier": write(request_id="request-0")}
    assert uids(replace(EXCLUDED, at=AT + timedelta(days=1)), language="ja", **later) == same
    ito = replace(RED, by=replace(SATO, login="ito"))
    fewer = Subject.of_images(SERIES.headers[:-1])
    others = [
        uids(request_id="request-2"),
        uids(ito),
        uids(subject=replace(JUDGED, case_identity="0" * 64)),
        uids(subject=UNJUDGED),
        uids(subject=fewer),
    ]
    assert len({uid for triple in [same, *others] for uid in triple}) == 18
    assert uids(subject=Subject.of_images(SERIES.headers[::-1])) == uids(subject=UNJUDGED)


# --- The document --------------------------------------------------------------------------------


@pytest.mark.parametrize("subject", [JUDGED, UNJUDGED], ids=["judged", "unjudged"])
def test_the_frame(subject):
    found = dataset(write(subject=subject, sent_at=cases.MADE_AT.replace(tzinfo=JAPAN)))
    assert (found.CompletionFlag, found.VerificationFlag) == ("COMPLETE", "VERIFIED")
    (verified,) = found.VerifyingObserverSequence
    assert str(verified.VerifyingObserverName) == SATO.name
    assert verified.VerifyingOrganization == SATO.organisation
    assert verified.VerificationDateTime == "20260405061708.000090+0900"
    assert found.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert (found.Modality, found.SeriesNumber) == ("SR", 9903)
    assert found.SeriesDescription == "Head CT triage: review"
    assert (found.ContentDate, found.ContentTime) == ("20260405", "060708")
    assert (found.PatientName, found.PatientID, found.StudyInstanceUID) == ("Doe^Jane", "P-1", "1.2.3.4")
    assert (found.PatientBirthDate, found.PatientAge) == ("19500102", "076Y")
    assert found.StudyDescription == "Head CT"
    assert found.Manufacturer == "headct-triage"
    scanner = found.ContributingEquipmentSequence[0]
    assert (scanner.Manufacturer, scanner.ManufacturerModelName) == ("ACME", "Scanner 64")
    (study,) = found.CurrentRequestedProcedureEvidenceSequence
    (series,) = study.ReferencedSeriesSequence
    assert {image.ReferencedSOPClassUID for image in series.ReferencedSOPSequence} == {CTImageStorage}


def test_the_time_is_written_in_utc_where_there_is_no_zone():
    (verified,) = dataset(write()).VerifyingObserverSequence
    assert verified.VerificationDateTime == "20260404211708.000090+0000"


def test_the_reader_is_the_observer_and_no_device_is():
    told = {i.ConceptNameCodeSequence[0].CodeValue: i for i in items(dataset(write()))}
    assert told["121005"].ConceptCodeSequence[0].CodeValue == "121006"
    assert str(told["121008"].PersonName) == SATO.name
    assert (told["121009"].TextValue, told["128774"].TextValue) == (SATO.organisation, SATO.login)
    assert "121012" not in told
    assert structured_report.read(MACHINE).observers == ("headct-bleed 1.2.0",)


def test_the_machines_report_comes_first_then_the_readers_own():
    first = write()
    first_uid = review_report.read(first).sop_instance_uid
    second = read(request_id="request-2", earlier=first)
    assert second.predecessor_uids == (MACHINE_UID, first_uid)
    without = read(subject=UNJUDGED, request_id="request-2", earlier=first)
    assert (without.based_on, without.predecessor_uids) == (None, (first_uid,))


def test_only_a_persons_black_is_black():
    black = replace(RED, urgency=Urgency.BLACK)
    document = write(black)
    (urgency,) = [item for item in items(dataset(document)) if concept(item) == codes.URGENCY]
    assert urgency.ConceptCodeSequence[0].CodeValue == "reviewed-BLACK"
    assert "not expected to change the outcome" in review_report.read(document).summary[0]
    assert not set(codes.REVIEWED_URGENCIES.values()) & set(codes.URGENCIES.values())


@pytest.mark.parametrize(
    ("review", "language", "summary"),
    [
        (
            replace(RED, findings={ReviewFinding.FRACTURE: False, ReviewFinding.SUBDURAL: True}, blind=True),
            "en",
            (
                "Red: urgent, specialist treatment at once",
                "urgency set by the reader",
                "subdural bleed: present",
                "skull fracture: absent",
                "右硬膜下血腫",
                "given before the machine's answer was shown",
            ),
        ),
        (
            replace(RED, action=Action.CONFIRM, urgency=Urgency.GREEN, comment=""),
            "ja",
            ("緑: 専門的治療は不要", "緊急度の判定に同意", "硬膜下出血：あり"),
        ),
        (EXCLUDED, "en", ("Excluded from training: after an operation",)),
        (EXCLUDED, "ja", ("学習データから除外: 術後",)),
    ],
)
def test_the_summary_in_words(review, language, summary):
    assert read(review, language=language).summary == summary


def test_viewers_can_show_it():
    """What OHIF takes for granted of a tree; see the machine's report."""
    found = dataset(write())
    assert codes.REVIEW_TITLE.value == found.ConceptNameCodeSequence[0].CodeValue
    order = [item.ConceptNameCodeSequence[0].CodeValue for item in found.ContentSequence]
    assert order.index("121111") < order.index("111028") < order.index("126010")
    for item in items(found):
        assert item.ConceptNameCodeSequence[0].CodeMeaning
        if item.ValueType == "CONTAINER":
            assert item.ContinuityOfContent == "SEPARATE"
            assert len(item.ContentSequence) > 0
    report = hd.sr.srread(BytesIO(write()))
    (group,) = report.content.get_image_measurement_groups()
    assert codes.ACTION in [evaluation.name for evaluation in group.get_qualitative_evaluations()]
    (observer,) = report.content.get_observer_contexts()
    assert observer.observer_identifying_attributes.login_name == "sato"


MALFORMED = {
    "PatientName": "山田^太郎",
    "PatientBirthDate": "Unknown",
    "StudyDate": None,
    "AccessionNumber": "A" * 40,
}
EVERYTHING = replace(
    RED,
    by=Person("l" * 100, "Sato", "O\\" * 60),
    findings=dict.fromkeys(ReviewFinding, True),
    comment="a\\b\r\n\x00\x1b\ud800 ",
    blind=True,
)


@pytest.mark.parametrize(
    ("review", "attributes", "judged"),
    [
        (RED, {}, True),
        (EXCLUDED, {}, False),
        (EVERYTHING, MALFORMED, True),
        (EVERYTHING, MALFORMED, False),
    ],
)
def test_validators_accept_it(tmp_path, review, attributes, judged):
    series, path = cases.series(**attributes), tmp_path / "review.dcm"
    machine = structured_report.write(series, cases.green(series), sent_at=cases.MADE_AT)
    subject = Subject.of_report(machine, "0" * 64) if judged else Subject.of_images(series.headers)
    path.write_bytes(write(review, subject, "request-2", earlier=write(review, subject), language="ja"))
    dciodvfy(path)
    assert "Head CT triage review" in dsrdump(path)
    found = tid1500reader(path)
    assert found["VerificationFlag"] == "VERIFIED"
    assert len(found["Measurements"][0]["qualitativeEvaluations"]) >= 4


# --- Where the series comes from -----------------------------------------------------------------

JAPANESE = "Yamada^Tarou=山田^太郎=やまだ^たろう"


@pytest.mark.parametrize("judged", [True, False])
@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("ISO_IR 13", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
        (["", "ISO 2022 IR 87"], JAPANESE),
        ("GB18030", "Wang^XiaoDong=王^小东"),
    ],
)
def test_patients_names_are_kept_from_every_character_set(judged, character_set, name):
    header = cases.as_read(cases.header(0, SpecificCharacterSet=character_set, PatientName=name))
    subject = Subject.of_images([header])
    if judged:
        series = replace(cases.series(1), headers=(header,))
        assessment = replace(cases.green(SERIES), key_slices=())
        subject = Subject.of_report(
            structured_report.write(series, assessment, sent_at=cases.MADE_AT), IDENTITY
        )
    assert str(dataset(write(subject=subject)).PatientName) == name


def test_a_generated_series_from_files_that_end_after_the_header(tmp_path):
    series = generate("water_phantom", 1, matrix=64, thickness_mm=10.0)
    whole = [path.read_bytes() for path in write_series(series, tmp_path)]
    cut = [data[: data.index(b"\xe0\x7f\x10\x00") + 12] for data in whole]
    document = write(subject=Subject.of_images(cut))
    assert document == write(subject=Subject.of_images(whole))
    found = review_report.read(document)
    assert found.review == RED
    assert found.sop_instance_uids == tuple(d.SOPInstanceUID for d in series.datasets)
    path = tmp_path / "review.dcm"
    path.write_bytes(document)
    dciodvfy(path)


def test_a_series_that_is_no_ct(tmp_path):
    series = cases.series(3, Modality="MR", SOPClassUID=MRImageStorage)
    document = write(EXCLUDED, Subject.of_images(series.headers, IDENTITY))
    found = review_report.read(document)
    assert (found.case_identity, found.based_on) == (IDENTITY, None)
    (study,) = dataset(document).CurrentRequestedProcedureEvidenceSequence
    images = study.ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert {image.ReferencedSOPClassUID for image in images} == {MRImageStorage}
    assert b"Computed Tomography" not in document
    path = tmp_path / "review.dcm"
    path.write_bytes(document)
    dciodvfy(path)


def test_1500_thin_slices():
    series = cases.series(1500)
    machine = structured_report.write(series, cases.green(series), sent_at=cases.MADE_AT)
    assert read(subject=Subject.of_report(machine, IDENTITY)).sop_instance_uids == series.sop_instance_uids


@needs_shared_data
def test_a_real_series(tmp_path):
    paths = sorted((SHARED / "real_studies/toshiba_trauma/axial_brain").iterdir())
    series = load_series(paths)
    machine = structured_report.write(series, cases.bleeding(series), sent_at=cases.MADE_AT)
    for subject in (
        Subject.of_report(machine, case_identity(series)),
        Subject.of_images([path.read_bytes() for path in paths]),
    ):
        path = tmp_path / "review.dcm"
        path.write_bytes(write(subject=subject))
        dciodvfy(path)
        dsrdump(path)
        tid1500reader(path)
        found = review_report.read(path.read_bytes())
        assert found.review == RED
        assert set(found.sop_instance_uids) == set(series.sop_instance_uids)
        written, source = dataset(path.read_bytes()), series.headers[0]
        assert (written.PatientID, str(written.PatientName)) == (source.PatientID, str(source.PatientName))
        assert found.study_instance_uid == written.StudyInstanceUID == source.StudyInstanceUID


# --- What is refused -----------------------------------------------------------------------------


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


@pytest.mark.parametrize("judged", [True, False])
@pytest.mark.parametrize("name", ["Nocaret Unusual", "Nocaret" * 20])
def test_logs_carry_no_name(caplog, recwarn, capfd, name, judged):
    with quiet():  # whoever makes such headers says so
        series = cases.series(PatientName=name, PatientBirthDate="Nocaret")
    machine = structured_report.write(series, cases.green(series), sent_at=cases.MADE_AT)
    with caplog.at_level("DEBUG"):
        subject = Subject.of_report(machine, IDENTITY) if judged else Subject.of_images(series.headers)
        read(replace(RED, by=Person("Nocaret", name, "Nocaret"), comment="Nocaret"), subject)
    said = [caplog.text, *capfd.readouterr(), *(str(w.message) for w in recwarn)]
    assert not [text for text in said if "Nocaret" in text]


def test_no_probability_is_told():
    assert "robabilit" not in json.dumps(dataset(write()).to_json_dict())
