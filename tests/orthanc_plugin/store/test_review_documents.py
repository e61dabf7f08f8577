"""The verified report of a review: written once, of what the reader saw, whatever happens in between."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from pydicom.dataset import Dataset
from report_cases import MADE_AT, bleeding, header, series
from sqlalchemy import select
from sqlalchemy.orm import Session
from store_samples import after, seen

from headct.errors import ReportError
from headct.reasons import Reason, ReasonCode
from headct.reports import review_report, structured_report
from headct.reports.identity import case_identity
from headct.terms.review import Action, Person, Review
from headct.terms.urgency import Urgency
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import DocumentKind
from orthanc_plugin.store import outbox, queue, results, review_documents, reviews, withdrawal
from orthanc_plugin.store.results import Description, Judgement, NewDocument
from orthanc_plugin.store.tables import AuditEntry, Document, Series

SATO, ITO = (Person(login, f"{login.title()}^Hanako", "St. Elsewhere") for login in ("sato", "ito"))
JUDGED = series()
SAID = bleeding(JUDGED)
REPORT = structured_report.write(JUDGED, SAID, sent_at=MADE_AT)


def judged(session: Session, options: Settings, bundle: str = "") -> Series:
    if session.get(Series, "s1") is None:
        queue.arrive(session, seen(), after(0), options)
    claim = queue.claim(session, "w", after(30), options)
    assert claim is not None
    said = replace(SAID, bundle=replace(SAID.bundle, digest=bundle or SAID.bundle.digest))
    report = structured_report.write(JUDGED, said, sent_at=MADE_AT)
    judgement = Judgement(
        assessment=said,
        case_identity=case_identity(JUDGED),
        pixel_digest=JUDGED.pixel_digest,
        preliminary=False,
        description=Description(),
        documents=(
            NewDocument(
                structured_report.read(report).sop_instance_uid, DocumentKind.STRUCTURED_REPORT, report
            ),
        ),
    )
    assert results.record_assessed(session, claim, judgement, after(31), options)
    return session.get_one(Series, "s1")


def say(session: Session, urgency: Urgency, by: Person = SATO, request_id: str = "r1") -> None:
    session.flush()
    session.expire_all()
    series = session.get_one(Series, "s1")
    review = Review(by, after(40), Action.RELABEL, urgency)
    now = after(40)
    seen = reviews.based_on(series)
    reviews.record(session, "s1", review, seen=seen, request_id=request_id, asked=f"{urgency}", now=now)


def no_headers() -> Sequence[Dataset]:
    raise AssertionError("the machine's report says it all")


def written(session: Session) -> review_report.ReviewContent:
    due = review_documents.next_due(session)
    assert due is not None
    report = review_documents.write(due, no_headers, MADE_AT, "en")
    review_documents.record(session, due, report, after(50))
    return review_report.read(report)


def test_of_what_the_reader_saw_and_sent_like_every_document(session: Session, options: Settings) -> None:
    judged(session, options)
    say(session, Urgency.RED)
    # The machine judges again before the report is written.
    queue.rerun(session, "s1", "sato", after(20))
    judged(session, options, bundle="f" * 64)
    wish = session.get_one(Series, "s1").publish_wanted
    content = written(session)
    first = structured_report.read(REPORT).sop_instance_uid
    assert content.review.urgency is Urgency.RED and content.review.by == SATO
    assert (content.based_on, content.predecessor_uids) == (first, (first,))
    kept = session.get_one(Document, content.sop_instance_uid)
    assert (kept.kind, kept.predecessor_uid, kept.assessment_id) == (DocumentKind.REVIEW, first, None)
    assert session.get_one(Series, "s1").publish_wanted == wish + 1
    assert review_documents.next_due(session) is None


def test_a_second_word_follows_the_first(session: Session, options: Settings) -> None:
    judged(session, options)
    say(session, Urgency.RED)
    say(session, Urgency.YELLOW, ITO)
    say(session, Urgency.GREEN, request_id="r2")
    first, other, second = (written(session) for _ in range(3))
    machine = structured_report.read(REPORT).sop_instance_uid
    assert other.predecessor_uids == (machine,)
    assert second.predecessor_uids == (machine, first.sop_instance_uid)


def test_two_workers_write_one(session: Session, options: Settings) -> None:
    judged(session, options)
    say(session, Urgency.RED)
    due = review_documents.next_due(session)
    assert due is not None
    early, late = (review_documents.write(due, no_headers, at, "en") for at in (MADE_AT, after(60)))
    review_documents.record(session, due, early, after(50))
    review_documents.record(session, due, late, after(61))
    found = session.scalars(select(Document).where(Document.kind == DocumentKind.REVIEW)).all()
    assert [d.content for d in found] == [early]


def test_a_series_that_was_not_analysed(session: Session, options: Settings) -> None:
    queue.arrive(session, seen(), after(0), options)
    claim = queue.claim(session, "w", after(3), options)
    assert claim is not None
    reason = Reason(ReasonCode.BONE_KERNEL)
    results.record_not_analysed(session, claim, reason, None, after(4))
    say(session, Urgency.RED)
    due = review_documents.next_due(session)
    assert due is not None
    report = review_documents.write(due, lambda: [header(n) for n in range(3)], MADE_AT, "en")
    review_documents.record(session, due, report, after(50))
    content = review_report.read(report)
    assert content.predecessor_uids == () and len(content.sop_instance_uids) == 3


def test_where_none_can_be_written_the_review_stands(session: Session, options: Settings) -> None:
    queue.arrive(session, seen(), after(0), options)
    claim = queue.claim(session, "w", after(3), options)
    assert claim is not None
    results.record_not_analysed(session, claim, Reason(ReasonCode.UNREADABLE), None, after(4))
    say(session, Urgency.RED)
    due = review_documents.next_due(session)
    assert due is not None
    with pytest.raises(ReportError) as why:
        review_documents.write(due, list, MADE_AT, "en")
    review_documents.give_up(session, due, str(why.value), after(50))
    assert review_documents.next_due(session) is None
    assert session.get_one(Series, "s1").verdict.label is Urgency.RED
    events = session.scalars(select(AuditEntry.event).where(AuditEntry.series_id == "s1")).all()
    assert events[-1] == "review_not_reported"


def test_a_deleted_series_takes_its_reviews_along_and_brings_them_back(
    session: Session, options: Settings
) -> None:
    judged(session, options)
    say(session, Urgency.RED)
    due = review_documents.next_due(session)
    assert due is not None
    review_documents.record(session, due, review_documents.write(due, no_headers, MADE_AT, "en"), after(50))
    (uid,) = (d.sop_instance_uid for d in session.get_one(Series, "s1").documents if d.kind == "review")
    outbox.document_sent(session, uid, "o1", after(51))
    withdrawal.withdraw(session, "s1", after(60))
    assert (uid, "o1") in outbox.publication(session, "s1").remove
    outbox.document_removed(session, uid, "o1", after(61))
    queue.arrive(session, seen(), after(70), options)
    assert uid in outbox.publication(session, "s1").send
