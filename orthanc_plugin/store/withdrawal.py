"""What no longer counts, and what counts again: results, documents, whole series."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from headct.terms.urgency import Urgency
from orthanc_plugin.states import DocumentKind, SeriesState
from orthanc_plugin.store import copies, outbox
from orthanc_plugin.store.tables import Document, Series
from orthanc_plugin.store.transitions import audit, move

ALERTS = (Urgency.RED, Urgency.BLACK)


def withdraw(session: Session, series_id: str, now: datetime, *, superseded_by: str | None = None) -> bool:
    """Orthanc no longer has the series, or has it under another patient: nothing of it counts any more."""
    series = session.get(Series, series_id)
    if series is None or series.state is SeriesState.WITHDRAWN:
        return False
    unread = superseded_by is None and may_be_missed(series)
    move(series, SeriesState.WITHDRAWN, now)
    series.lost_unread = unread
    series.superseded_by = superseded_by
    series.preview_pending = False
    series.sent_again_at = None
    withdraw_assessment(series, now)
    for document in series.documents:
        document.withdrawn_at = document.withdrawn_at or now
    outbox.want(series, now)
    # Images under their first patient count again when those under the corrected one are deleted.
    for other in session.scalars(select(Series).where(Series.superseded_by == series.id)):
        other.superseded_by = None
    copies.settle(session, series, now)
    audit(session, "withdrawn", series.id, now, superseded_by=superseded_by)
    return True


def withdraw_assessment(series: Series, now: datetime) -> None:
    """What the machine says of the series now counts no longer; its reports stay."""
    if series.current is not None:
        series.current.withdrawn_at = now
        withdraw_regions(series, now)


def withdraw_regions(series: Series, now: datetime, keep: Collection[str] = ()) -> None:
    """What is drawn is of the current result alone: two regions would lie over each other. Reports stay.

    Args:
        series: whose regions.
        now: when.
        keep: SOP instance UIDs of those that stay.
    """
    for document in series.documents:
        if document.kind is DocumentKind.SEGMENTATION and document.sop_instance_uid not in keep:
            document.withdrawn_at = document.withdrawn_at or now


def send_again(document: Document) -> None:
    """What was withdrawn counts again."""
    document.withdrawn_at = document.removed_at = document.sent_at = None


def is_unread_alert(series: Series) -> bool:
    """Whether the machine gives an alert, and nobody spoke of the study since it has what it has.

    So does a report that nobody vouches for, until somebody has read the case again.
    """
    alert = series.current is not None and series.current.urgency in ALERTS and _is_unread(series)
    return alert or (_waits(series) and any(found.may_be_alert for found in series.study.unverified))


def may_be_missed(series: Series) -> bool:
    """Whether nobody knows what it shows, or nobody has read that it is an alert."""
    return is_unread_alert(series) or (series.state.unknown and _is_unread(series))


def _is_unread(series: Series) -> bool:
    of_study = series.study.series
    first_judged = min((a.created_at for a in series.assessments), default=None)
    spoken = any(s.reviews for s in of_study)
    return _waits(series) and (not spoken or series.unseen(of_study, first_judged))


def _waits(series: Series) -> bool:
    return not (series.study.earlier or series.aside)
