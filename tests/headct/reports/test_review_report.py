"""Reviews are written and read back, of whatever series; their UIDs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
import report_cases as cases
from data import SHARED, needs_shared_data
from dicom_validators import dciodvfy, dsrdump, tid1500reader
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import MRImageStorage
from review_cases import (
    AT,
    EXCLUDED,
    IDENTITY,
    JAPAN,
    JUDGED,
    MACHINE_UID,
    RED,
    SATO,
    SERIES,
    UNJUDGED,
    dataset,
    items,
    read,
    write,
)

from headct.generator.generation import generate
from headct.generator.generation import write as write_series
from headct.images.reading import load_series
from headct.reports import review_report, structured_report
from headct.reports.documents import concept
from headct.reports.evidence import person_name
from headct.reports.identity import case_identity
from headct.reports.review_report import Subject
from headct.terms.review import Action, Exclusion, Person, Review, ReviewFinding, verdict
from headct.terms.urgency import Urgency

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


@settings(max_examples=12)
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


@pytest.mark.long
def test_many_thin_slices():
    series = cases.series(300)
    machine = structured_report.write(series, cases.green(series), sent_at=cases.MADE_AT)
    assert read(subject=Subject.of_report(machine, IDENTITY)).sop_instance_uids == series.sop_instance_uids


@pytest.mark.validator
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
