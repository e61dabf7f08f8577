"""What the store keeps of documents as years pass, so that it does not grow without end.

Their bytes are kept compressed, those of earlier releases too in time, and come back as they were: whatever
Orthanc has, or a DICOM modality may have, can be sent once more as the same object. Bytes are let go only of
results whose images were deleted from Orthanc, and they with them, a month ago, and that were sent on to
nobody: should the images come again, they are judged as something new. What persons said is never let go.
"""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, attributes, undefer

from orthanc_plugin.forwarding.tables import Delivery
from orthanc_plugin.states import DocumentKind, SeriesState
from orthanc_plugin.store.tables import CopiedDocument, Document, Series

LET_GO_AFTER = timedelta(days=30)
"""Since the document was deleted from Orthanc."""
AT_ONCE = 50
"""Documents in one transaction, which keeps others from writing for some 50 ms."""


def age(session: Session, now: datetime) -> bool:
    """Compress some, let some go; whether there may be more."""
    return bool(_compress(session) + _let_go(session, now))


def _compress(session: Session) -> int:
    """Those that were written before bytes were compressed."""
    old = select(Document).options(undefer(Document.content)).where(~Document.compressed)
    rows = session.scalars(old.limit(AT_ONCE)).all()
    for document in rows:
        document.compressed = True
        attributes.flag_modified(document, "content")  # written anew, which compresses it
    return len(rows)


def _let_go(session: Session, now: datetime) -> int:
    if session.scalar(select(CopiedDocument.id).where(CopiedDocument.withdrawn_at.is_(None)).limit(1)):
        return 0  # what Orthanc made of one of ours is known by its bytes alone, where nothing else tells
    sent_on = select(Delivery.sop_instance_uid).where(Delivery.sop_instance_uid == Document.sop_instance_uid)
    rows = session.scalars(
        select(Document)
        .join(Series, Series.id == Document.series_id)
        .where(
            Series.state == SeriesState.WITHDRAWN,
            Document.kind != DocumentKind.REVIEW,
            Document.removed_at < now - LET_GO_AFTER,
            Document.let_go_at.is_(None),
            ~Document.to_forward,
            ~sent_on.exists(),
        )
        .limit(AT_ONCE)
    ).all()
    for document in rows:
        document.content, document.let_go_at = b"", now
    return len(rows)
