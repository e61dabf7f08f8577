"""What a report is that others put into Orthanc: another program's, a review that counts, or one in doubt."""

from datetime import datetime
from io import BytesIO

from sqlalchemy.orm import Session

from headct.errors import ReportError
from headct.reports import review_report
from headct.reports.review_meaning import ReviewContent
from headct.reports.vouching import Vouching, digest
from headct.terms.review import Doubt
from orthanc_plugin.states import DocumentKind
from orthanc_plugin.store.tables import AuditEntry, Document, FoundReport
from orthanc_plugin.vouching import rebuilding
from orthanc_plugin.vouching.found import want


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
        want(session, row.study_id, now)
    if row.doubt is not None and before is None:
        detail = {"instance": row.instance_id, "why": row.doubt.value}
        session.add(AuditEntry(at=now, event="review_in_doubt", detail=detail))


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
