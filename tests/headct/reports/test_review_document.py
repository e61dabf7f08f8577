"""The document of a review: its frame, its words, what viewers and validators make of it."""

import json
from dataclasses import replace
from io import BytesIO

import highdicom as hd
import pytest
import report_cases as cases
from dicom_validators import dciodvfy, dsrdump, tid1500reader
from pydicom.uid import CTImageStorage
from review_cases import (
    EXCLUDED,
    IDENTITY,
    JAPAN,
    JUDGED,
    MACHINE,
    MACHINE_UID,
    RED,
    SATO,
    UNJUDGED,
    dataset,
    items,
    read,
    write,
)

from headct.images.quiet import quiet
from headct.reports import codes, review_report, structured_report
from headct.reports.documents import concept
from headct.reports.review_report import Subject
from headct.terms.review import Action, Person, ReviewFinding
from headct.terms.urgency import Urgency


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


def test_it_says_which_reviews_of_others_came_before_it():
    others = ("2.25.7", "2.25.5")
    assert read(follows=others).follows == others
    assert read(follows=others).said_before == (MACHINE_UID, *others)
    assert read(follows=others).statement == read(follows=others[::-1]).statement != read().statement
    assert "follows" not in read().statement


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


@pytest.mark.validator
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
