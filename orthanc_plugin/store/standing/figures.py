"""Figures that others keep of each study, and which of them are older than what is said of it now.

Drift monitoring and labelling queue keep what they need of a study, so that nobody reads the rows of years
for them. A worker makes the figures anew soon after anything changed.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from orthanc_plugin.store.tables import Standing

NEVER = -1
"""No change has that number."""
_PLAIN = {"synchronize_session": False}


def to_be_made(session: Session, limit: int) -> Sequence[tuple[str, int]]:
    """Studies of which something changed since, the newest first, and the number of that change."""
    wanted = select(Standing.study_id, Standing.number).where(Standing.number != Standing.summed)
    rows = session.execute(wanted.order_by(Standing.first_arrival.desc()).limit(limit))
    return [(study_id, number) for study_id, number in rows]


def outdate(session: Session, studies: Select[Any] | None = None) -> None:
    """What the figures of these studies, or of all, go by is another, though nothing is shown differently."""
    which = update(Standing).values(summed=NEVER)
    if studies is not None:
        which = which.where(Standing.study_id.in_(studies))
    session.execute(which, execution_options=_PLAIN)


def made(session: Session, study_id: str, number: int) -> None:
    """The figures of a study were made as of a change; another one may have come meanwhile."""
    session.execute(
        update(Standing).where(Standing.study_id == study_id).values(summed=number), execution_options=_PLAIN
    )
