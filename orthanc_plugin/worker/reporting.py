"""The verified report of a review is written, one after the other."""

import logging
from datetime import datetime

from pydicom.dataset import Dataset
from sqlalchemy.exc import OperationalError

from headct.errors import ReportError
from headct.images.objects import Kind, kind
from headct.reports.seals import KeyRing
from headct.safe_log import failure
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import queue, review_documents
from orthanc_plugin.store.database import Database
from orthanc_plugin.worker import judging
from orthanc_plugin.worker.fetching import fetch_series
from orthanc_plugin.worker.orthanc_client import OrthancClient, OrthancError

log = logging.getLogger(__name__)


def report_next(client: OrthancClient, database: Database, settings: Settings, ring: KeyRing | None) -> bool:
    """Write the report of the oldest review without one; false when there is none.

    Without keys all wait: of a report without a seal nobody could say later whose it is.

    Raises:
        OrthancError, OperationalError, OSError: Orthanc, the store or the disk is in trouble.
    """
    if ring is None:
        return False
    with database.reading() as session:
        due = review_documents.next_due(session)
    if due is None:
        return False
    try:
        report = review_documents.write(
            due,
            lambda: _headers(client, due.series_id, settings),
            datetime.now().astimezone(),
            settings.report_language,
            ring,
        )
        with database.writing() as session:
            review_documents.record(session, due, report, queue.utcnow())
    except Exception as error:  # the review stands; what is behind it in the queue goes on
        if isinstance(error, OperationalError | OSError | OrthancError) and not client.refuses(error):
            raise
        log.warning("no report could be written of a review: %s", failure(error))
        why = str(error) if isinstance(error, ReportError) else type(error).__name__
        with database.writing() as session:
            review_documents.give_up(session, due, why, queue.utcnow())
    return True


def _headers(client: OrthancClient, series_id: str, settings: Settings) -> list[Dataset]:
    """Of all images of a series that Orthanc has."""
    fetched = fetch_series(client, series_id, settings)
    if fetched is None:
        raise ReportError("the series is too large to be read")
    try:
        found = (judging.first_header([source]) for source in fetched.sources)
        return [h for h in found if h is not None and kind(h) is not Kind.NO_IMAGE]
    finally:
        fetched.remove()
