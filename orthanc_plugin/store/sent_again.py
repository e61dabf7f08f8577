"""Images that are here and come again, which replace those of the same UIDs where Orthanc lets them.

Scanners send studies twice, and send them again when they were damaged. Until somebody has compared, what was
said counts; where the files are the same it goes on counting, however often they come. Where they differ the
series is judged as something new. The same holds of series restored from a backup without their images, which
Orthanc lists and does not have until they are sent again.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, exists, func, select
from sqlalchemy.orm import Session

from orthanc_plugin.settings import Settings
from orthanc_plugin.states import FINAL, NOT_FINAL, SeriesState
from orthanc_plugin.store import outbox, reviews, times
from orthanc_plugin.store.tables import MissingImages, Series
from orthanc_plugin.store.transitions import audit, requeue
from orthanc_plugin.store.withdrawal import withdraw_assessment

COMPARE_SECONDS = 60
"""A comparison not finished by then is taken up by anyone."""


@dataclass(frozen=True, slots=True)
class Due:
    """A series whose files are to be compared with those that were judged."""

    series_id: str
    modality: str
    sent_again_at: datetime


def as_new(series: Series, now: datetime, not_before: datetime) -> None:
    """Its images are others than before: nothing that was said counts until it is judged again."""
    if series.current is not None or series.reviews:
        # What counts may change: readers did not see these images; or what they said counts again.
        outbox.want(series, now)
    # An alert seen in a part of the series is not unseen by more images: it stays until they are judged.
    if series.current is not None and not series.current.preliminary:
        withdraw_assessment(series, now)
    series.known_since = series.sent_again_at = series.superseded_by = None
    series.preview_pending = False
    requeue(series, now, not_before)


def note(series: Series, images: int, now: datetime, settings: Settings) -> bool:
    """Images of a series came; true when it has as many as before and they need only be compared."""
    known = series.state.final and series.files_digest is not None
    if images != series.instance_count or not (known or series.state is SeriesState.JUDGING):
        return False
    series.sent_again_at = now
    series.not_before = now + timedelta(seconds=settings.quiet_seconds)
    return True


def claim_comparison(session: Session, now: datetime, settings: Settings) -> Due | None:
    """The next series to be compared."""
    longest = max(COMPARE_SECONDS, settings.quiet_seconds)
    due = times.due(Series.not_before, now, longest)
    series = session.scalar(
        select(Series)
        # As what it is not: nearly all there is has the states that it is in.
        .where(Series.sent_again_at.is_not(None), Series.state.not_in(NOT_FINAL), due)
        .order_by(Series.sent_again_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if series is None or series.sent_again_at is None:
        return None
    series.not_before = now + timedelta(seconds=COMPARE_SECONDS)
    return Due(series.id, series.modality, series.sent_again_at)


def compared(session: Session, due: Due, files_digest: str | None, now: datetime) -> None:
    """Its files are the same, or it is to be judged again. What came meanwhile is compared later.

    Args:
        session: of one transaction.
        due: from :func:`claim_comparison`.
        files_digest: of the files as they are now.
        now: when.
    """
    series = session.get(Series, due.series_id, with_for_update=True)
    if series is None or series.sent_again_at != due.sent_again_at or series.state not in FINAL:
        return
    if files_digest is not None and files_digest == series.files_digest:
        series.sent_again_at = None
        were_read(session, series)
        return
    # Later than what readers saw, for they saw the images before.
    series.last_arrival = times.later_than(due.sent_again_at, reviews.last_word(session, series.study_id))
    as_new(series, now, now)
    audit(session, "images_replaced", series.id, now)


def note_missing(session: Session, series_ids: Collection[str], now: datetime) -> int:
    """Of these series, and of no others, images are not there; how many of them the store knows."""
    session.execute(delete(MissingImages))
    here = session.scalars(select(Series.id).where(Series.state != SeriesState.WITHDRAWN))
    found = [series_id for series_id in here if series_id in series_ids]
    session.add_all(MissingImages(series_id=series_id, since=now) for series_id in found)
    return len(found)


def are_missing(session: Session, series_id: str) -> bool:
    """Whether images of a series are not there, as far as is known."""
    return session.get(MissingImages, series_id) is not None


def were_read(session: Session, series: Series) -> None:
    """All files of the series were read, if they have a digest: none is missing."""
    if series.files_digest is not None:
        session.execute(delete(MissingImages).where(MissingImages.series_id == series.id))


def count_missing(session: Session) -> int:
    """Series that are here without their images."""
    # From the few that are missing, not from the series of years.
    here = exists().where(Series.id == MissingImages.series_id, Series.state != SeriesState.WITHDRAWN)
    return session.scalar(select(func.count()).select_from(MissingImages).where(here)) or 0
