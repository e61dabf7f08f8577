"""A restored store made right for where it is now: what belonged to the processes of the old machine ends.

The clock needs nothing here: the first look at it (:mod:`orthanc_plugin.store.clock`) sees another start of a
machine, and moves the times of the store where the new clock runs behind the old one.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from orthanc_plugin.backup.manifest import About
from orthanc_plugin.forwarding.tables import Receiver
from orthanc_plugin.intake.arrivals import CHANGES
from orthanc_plugin.states import SeriesState
from orthanc_plugin.store import positions, queue, sent_again
from orthanc_plugin.store.base import Base
from orthanc_plugin.store.tables import AuditEntry, Review, Series, ShadowAssessment, Study, Worker
from orthanc_plugin.store.transitions import give_back


@dataclass(frozen=True, slots=True)
class Settled:
    """What the restored store has."""

    studies: int
    reviews: int
    without_images: int
    """Series whose images are not all there."""


def settle(
    session: Session, about: About, last_change: int | None, without_images: Collection[str]
) -> Settled:
    """Make a store right that was restored just now.

    Args:
        session: of one transaction.
        about: the backup.
        last_change: the last entry of the restored Orthanc's log of changes; ``None`` where nobody knows.
        without_images: series of which images are not there.
    """
    now = queue.utcnow()
    _end_work(session)
    if last_change is not None:
        # An index older than the store numbers what comes next from there on.
        read = positions.position(session, CHANGES)
        positions.set_position(session, CHANGES, min(read, last_change))
    # The old machine's pauses after failures tell nothing of this one; and Orthanc may be older than the
    # store or newer: all is compared with it, the longest known first.
    session.execute(update(Receiver).values(misses=0, trouble=None, not_before=now))
    session.execute(
        update(Series).values(publish_not_before=now, publish_failures=0, checked_at=Series.first_arrival)
    )
    session.execute(
        update(Series)
        .where(Series.preview_slices > 0, Series.state != SeriesState.WITHDRAWN)
        .values(preview_pending=True, preview_attempts=0, preview_owner=None)
    )
    found = sent_again.note_missing(session, without_images, now)
    session.add(
        AuditEntry(
            at=now,
            event="restored",
            detail={
                "made_at": about.made_at.isoformat(),
                "program": about.program,
                "images": about.images,
                "without_images": found,
            },
        )
    )
    return Settled(_count(session, Study), _count(session, Review), found)


def _end_work(session: Session) -> None:
    """What the old machine had in hand is to be done again, and counts as no failed attempt."""
    for series in session.scalars(select(Series).where(Series.state == SeriesState.JUDGING)):
        give_back(series, queue.utcnow())
    session.execute(delete(ShadowAssessment).where(ShadowAssessment.ended_at.is_(None)))
    session.execute(delete(Worker))


def _count(session: Session, table: type[Base]) -> int:
    return session.scalar(select(func.count()).select_from(table)) or 0
