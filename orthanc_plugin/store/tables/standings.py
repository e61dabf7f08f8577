"""Where studies stand in the worklist, so that nobody works it out of the rows of years at every look."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from headct.terms.urgency import Urgency
from orthanc_plugin.store.base import Base, few


class Standing(Base):
    """Where one study stands: derived of its other rows in the transaction that changes them."""

    __tablename__ = "standings"

    study_id: Mapped[str] = mapped_column(String(64), ForeignKey("studies.id"), primary_key=True)
    number: Mapped[int]
    """Of the last change: another one whenever anything shown of the study may be another."""
    summed: Mapped[int] = mapped_column(default=0)
    """The number that the figures kept of it go by, :mod:`orthanc_plugin.store.standing.figures`."""
    rule: Mapped[int]
    """By which rule it was derived."""
    shown: Mapped[bool]
    """Whether Orthanc still has anything of it."""
    earlier: Mapped[bool]
    """Assessed, not queued."""
    read_at: Mapped[datetime | None]
    """When a person last spoke of it, where it waits for nobody any more; empty while it waits."""
    place: Mapped[int]
    """A line of the order of work."""
    place_new: Mapped[int]
    """The same while it has just come."""
    place_ahead: Mapped[int]
    """The same while it seems to come from the future."""
    first_arrival: Mapped[datetime]
    urgency: Mapped[Urgency | None]
    """The one that counts."""
    unread_alert: Mapped[Urgency | None]
    """The worst that the machine says of its series and of which nobody knows, where that is an alert; empty
    in earlier studies, too."""
    pending: Mapped[bool]
    """Whether nothing is known of it yet, and something to come."""
    words: Mapped[str]
    """By which it is found."""

    __table_args__ = (
        Index("standings_listed", "shown", "read_at", "earlier"),
        Index("standings_arrived", "first_arrival"),
        few("standings_here", "first_arrival", where="shown = 1", postgresql="shown"),
        few("standings_unread_alerts", "first_arrival", where="unread_alert IS NOT NULL"),
        few("standings_to_sum", "first_arrival", where="number != summed"),
    )


class ChangeCount(Base):
    """How many transactions changed anything that the worklist shows: one row."""

    __tablename__ = "change_count"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int]
