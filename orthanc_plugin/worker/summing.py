"""Figures of drift monitoring and labelling queue are kept up, study by study, while nobody waits."""

import logging
from collections.abc import Callable

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from headct.safe_log import failure
from orthanc_plugin.drift import sums
from orthanc_plugin.labelling_queue import kept
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.standing import figures

log = logging.getLogger(__name__)

AT_ONCE = 20
"""Studies in one transaction, for a fifth of a second."""
_KEPT: tuple[Callable[[Session, str], None], ...] = (sums.keep, kept.keep)


def sum_next(database: Database) -> bool:
    """Make the figures of some studies anew; false when none is due.

    Raises:
        OperationalError: the store is in trouble.
    """
    with database.reading() as session:
        if not figures.to_be_made(session, 1):
            return False
    with database.writing() as session:
        sum_some(session, AT_ONCE)
    return True


def sum_some(session: Session, count: int) -> int:
    """Make the figures of so many studies anew, of those that changed; how many these were."""
    due = figures.to_be_made(session, count)
    for study_id, number in due:
        for keep in _KEPT:
            try:
                with session.begin_nested():
                    keep(session, study_id)
            except OperationalError:
                raise
            except Exception as error:  # its old figures stay; the others go on
                log.warning("no figures of a study: %s", failure(error))
        figures.made(session, study_id, number)
    return len(due)
