"""Structured reports in Orthanc that this store did not put there, looked at one by one."""

from collections.abc import Sequence
from datetime import datetime
from io import BytesIO

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from headct.errors import ReportError
from headct.reports import review_report
from headct.reports.review_meaning import ReviewContent
from headct.reports.vouching import Vouching, digest
from headct.terms.review import Doubt
from orthanc_plugin.states import DocumentKind, SeriesState
from orthanc_plugin.store import outbox
from orthanc_plugin.store.tables import AuditEntry, CopiedDocument, Document, FoundReport, Series, Study
from orthanc_plugin.vouching import rebuilding


def unknown(session: Session, instances: Sequence[str]) -> list[str]:
    """Those of some instances that are neither ours, nor copies of ours, nor found before."""
    known = {
        found
        for column in (Document.orthanc_id, CopiedDocument.id, FoundReport.instance_id)
        for found in session.scalars(select(column).where(column.in_(instances)))
    }
    return [instance for instance in instances if instance not in known]


def note(session: Session, study_id: str, instances: Sequence[str], now: datetime) -> None:
    """Structured reports are in Orthanc: those that are new here are to be looked at."""
    for instance in unknown(session, instances):
        session.add(FoundReport(instance_id=instance, study_id=study_id, found_at=now))


def next_unlooked(session: Session, study_id: str | None = None) -> FoundReport | None:
    """The next one to be looked at, of one study or of all; what may be a copy of ours is not yet."""
    wanted = select(FoundReport).where(
        FoundReport.looked_at.is_(None), FoundReport.instance_id.not_in(select(CopiedDocument.id))
    )
    if study_id is not None:
        wanted = wanted.where(FoundReport.study_id == study_id)
    return session.scalar(wanted.order_by(FoundReport.id).limit(1))


def look_again(session: Session, keys_mark: str) -> None:
    """There may be other keys than those by which nobody vouched for what is in doubt."""
    doubted = FoundReport.doubt.is_not(None) & (FoundReport.looked_with != keys_mark)
    session.execute(update(FoundReport).where(doubted).values(looked_at=None))


def forget(session: Session, instance_id: str, now: datetime) -> None:
    """It turned out to be a copy of a document of ours, and is deleted."""
    for row in session.scalars(select(FoundReport).where(FoundReport.instance_id == instance_id)):
        session.delete(row)
        _want(session, row.study_id, now)


def looked(
    session: Session,
    row_id: int,
    file: bytes | None,
    *,
    received: datetime | None,
    vouching: Vouching,
    keys_mark: str,
    now: datetime,
) -> None:
    """What a report in Orthanc is: another program's, a review that counts, or one that is to be read again.

    Args:
        session: of one transaction.
        row_id: of the report.
        file: its bytes; ``None`` where it is gone, empty where Orthanc cannot give them.
        received: when Orthanc received it.
        vouching: tells whose word it is.
        keys_mark: of the keys by which that is told.
        now: when.
    """
    row = session.get(FoundReport, row_id, with_for_update=True)
    if row is None:
        return
    if file is None and row.doubt is None:
        session.delete(row)
        return
    row.looked_at, row.looked_with = now, keys_mark
    if file is None:
        return  # deleted since: what it may have said stays in doubt
    row.found_at = min(row.found_at, received or now)
    before, row.doubt, row.waits = row.doubt, None, False
    if not file or review_report.claims(BytesIO(file)):
        _judge(session, row, file, vouching, now)
    if row.doubt is not None or before is not None:
        _want(session, row.study_id, now)
    if row.doubt is not None and before is None:
        detail = {"instance": row.instance_id, "why": row.doubt.value}
        session.add(AuditEntry(at=now, event="review_in_doubt", detail=detail))


def unverified(session: Session) -> list[Study]:
    """Studies with images that are to be read again, for somebody may have said what nobody vouches for."""
    doubted = select(FoundReport.study_id).where(FoundReport.doubt.is_not(None))
    studies = session.scalars(select(Study).where(Study.id.in_(doubted)))
    return [
        study
        for study in studies
        if study.unverified and any(s.state is not SeriesState.WITHDRAWN for s in study.series)
    ]


# --- Inside ---------------------------------------------------------------------------------------


def _judge(session: Session, row: FoundReport, file: bytes, vouching: Vouching, now: datetime) -> None:
    try:
        report = review_report.read(file)
    except ReportError:
        row.doubt, row.urgency = Doubt.DAMAGED, review_report.glimpse(file)
        return
    own = _ours(session, report)
    if own is not None and own.orthanc_id in (None, row.instance_id):
        session.delete(row)  # a worker is just about to note that it stored it, or will store it again
        return
    row.series_instance_uid = report.series_instance_uid
    row.urgency, row.review = report.review.urgency, report.review.to_json()
    if own is not None:
        return
    row.doubt = vouching.doubt(report)
    if row.doubt is None:
        row.waits = not rebuilding.from_report(session, row, report, file, now)


def _ours(session: Session, report: ReviewContent) -> Document | None:
    """What we have under its name, where that says the same."""
    own = session.get(Document, report.sop_instance_uid)
    if own is None or own.kind is not DocumentKind.REVIEW:
        return None
    return own if digest(review_report.read(own.content)) == digest(report) else None


def _want(session: Session, study_id: str, now: datetime) -> None:
    for series in session.scalars(select(Series).where(Series.study_id == study_id)):
        outbox.want(series, now)
