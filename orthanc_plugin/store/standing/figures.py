"""Figures that others keep of each study, and which of them are older than what is said of it now.

Drift monitoring and labelling queue keep what they need of a study, so that nobody reads the rows of years for
them. A worker makes the figures anew soon after anything changed.
"""

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from orthanc_plugin.store.tables import Standing


def to_be_made(session: Session, limit: int) -> Sequence[tuple[str, int]]:
    """Studies of which something changed since, the newest first, and the number of that change."""
    wanted = select(Standing.study_id, Standing.number).where(Standing.number != Standing.summed)
    rows = session.execute(wanted.order_by(Standing.first_arrival.desc()).limit(limit))
    return [(study_id, number) for study_id, number in rows]


def made(session: Session, study_id: str, number: int) -> None:
    """The figures of a study were made as of a change; another one may have come meanwhile."""
    session.execute(
        update(Standing).where(Standing.study_id == study_id).values(summed=number),
        execution_options={"synchronize_session": False},
    )
