"""The verified report of each review: written once by a worker, kept, then sent like every document."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydicom.dataset import Dataset
from sqlalchemy import select
from sqlalchemy.orm import Session

from headct.language import Language
from headct.reports import review_report
from headct.reports.review_meaning import Beside
from headct.reports.review_report import Subject
from headct.reports.seals import KeyRing
from headct.terms.review import Review
from orthanc_plugin.states import FINAL, DocumentKind, SeriesState
from orthanc_plugin.store import outbox, reviews, tables
from orthanc_plugin.store.reviews import NONE_WRITTEN
from orthanc_plugin.store.tables import AuditEntry, Document, Series


@dataclass(frozen=True, slots=True)
class Due:
    """A review whose report is to be written."""

    review_id: int
    series_id: str
    request_id: str
    review: Review
    case_identity: str
    machine_report: bytes | None
    """Of the result that the reader saw; ``None`` where the series was not assessed."""
    earlier: bytes | None
    """The same reader's review before this one."""
    follows: tuple[str, ...] = ()
    """Reports of the other readers' last reviews before this one."""
    beside: tuple[Beside, ...] = ()
    """Other series of the study that they had before them."""


def next_due(session: Session) -> Due | None:
    """The oldest review without a report."""
    row = session.scalar(
        select(tables.Review)
        .join(Series, Series.id == tables.Review.series_id)
        .where(
            tables.Review.report_uid.is_(None),
            Series.state != SeriesState.WITHDRAWN,
            # Of what was rebuilt only now is it known whether the images are the same.
            tables.Review.rebuilt.is_(None) | Series.state.in_(FINAL),
        )
        .order_by(tables.Review.id)
        .limit(1)
    )
    if row is None:
        return None
    series = session.get_one(Series, row.series_id)
    seen = session.get(tables.Assessment, row.assessment_id) if row.assessment_id else None
    if seen is None and row.copy_of:
        # Said of these images under another patient: the machine's report is the one under this patient.
        seen = series.current
    last = {r.login: r.report_uid for r in reviews.before(row) if r.report_uid}
    own = last.pop(row.login, None)
    return Due(
        review_id=row.id,
        series_id=row.series_id,
        request_id=row.request_id,
        review=Review.from_json(row.content),
        case_identity=seen.case_identity if seen else (row.rebuilt or {}).get("case_identity", ""),
        machine_report=_report_of(session, seen) if seen else None,
        earlier=session.get_one(Document, own).content if own else None,
        follows=tuple(last.values()),
        beside=_beside(row),
    )


def write(
    due: Due,
    headers: Callable[[], Sequence[Dataset]],
    sent_at: datetime,
    language: Language,
    ring: KeyRing | None = None,
) -> bytes:
    """The report as a DICOM file.

    Args:
        due: from :func:`next_due`.
        headers: of all images of the series; asked only where the machine wrote no report.
        sent_at: date and time of the document.
        language: of its summary.
        ring: seals it.

    Raises:
        ReportError: no report can be written of this review.
    """
    if due.machine_report is not None:
        subject = Subject.of_report(due.machine_report, due.case_identity)
    else:
        subject = Subject.of_images(headers(), due.case_identity or None)
    return review_report.write(
        due.review,
        subject,
        request_id=due.request_id,
        sent_at=sent_at,
        earlier=due.earlier,
        follows=due.follows,
        beside=due.beside,
        language=language,
        ring=ring,
    )


def record(session: Session, due: Due, report: bytes, now: datetime) -> None:
    """Keep the report and have it sent. Another worker may have been first."""
    row = session.get_one(tables.Review, due.review_id, with_for_update=True)
    if row.report_uid is not None:
        return
    content = review_report.read(report)
    row.report_uid = content.sop_instance_uid
    session.add(
        Document(
            sop_instance_uid=content.sop_instance_uid,
            series_id=due.series_id,
            kind=DocumentKind.REVIEW,
            content=report,
            predecessor_uid=next(iter(content.predecessor_uids), None),
            created_at=now,
        )
    )
    session.flush()
    outbox.want(session.get_one(Series, due.series_id), now)


def give_up(session: Session, due: Due, why: str, now: datetime) -> None:
    """No report can be written: the review stands without one, and the audit says so."""
    row = session.get_one(tables.Review, due.review_id, with_for_update=True)
    if row.report_uid is None:
        row.report_uid = NONE_WRITTEN
        session.add(
            AuditEntry(
                at=now,
                event="review_not_reported",
                series_id=due.series_id,
                detail={"review": due.review_id, "why": why},
            )
        )


def _beside(row: tables.Review) -> tuple[Beside, ...]:
    if row.rebuilt is not None:
        return tuple(map(Beside.parse, row.rebuilt["beside"]))
    return reviews.beside(row.first)


def _report_of(session: Session, assessment: tables.Assessment) -> bytes | None:
    return session.scalar(
        select(Document.content).where(
            Document.assessment_id == assessment.id,
            Document.kind == DocumentKind.STRUCTURED_REPORT,
            Document.let_go_at.is_(None),
        )
    )
