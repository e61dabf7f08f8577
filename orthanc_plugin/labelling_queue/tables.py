"""The table of the labelling queue, in the store."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from orthanc_plugin.store.base import Base


class Teaching(Base):
    """What a study's label would teach; there is no row of one that would teach nothing."""

    __tablename__ = "teaching"

    study_id: Mapped[str] = mapped_column(ForeignKey("studies.id"), primary_key=True)
    first_arrival: Mapped[datetime]
    minus_worth: Mapped[float]
    """So that the most instructive come first, as the earliest of equal ones do."""
    waiting: Mapped[bool]
    """An unread alert, left to the worklist: it has no place in the queue."""
    row: Mapped[dict[str, Any]]
    """:class:`orthanc_plugin.labelling_queue.views.LabellingRow`; empty while it is left to the worklist.
    Whoever changes what that is has all made anew, in a migration that sets ``standings.summed`` to 0."""

    __table_args__ = (Index("teaching_order", "waiting", "minus_worth", "first_arrival", "study_id"),)
