"""Reviews that Orthanc has and this store does not know, looked for before their images are judged."""

import logging
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from headct.reports.vouching import Vouching
from headct.safe_log import failure
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import queue
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.tables import Series
from orthanc_plugin.vouching import found, looking, rebuilding
from orthanc_plugin.vouching.keys import Keys
from orthanc_plugin.vouching.listing import ReviewList
from orthanc_plugin.worker.orthanc_client import OrthancClient, OrthancError

log = logging.getLogger(__name__)


class Verifier:
    """Looks at reports by the keys of this installation, and keeps the list of reviews."""

    def __init__(self, client: OrthancClient, database: Database, settings: Settings) -> None:
        self._client = client
        self._database = database
        self.keys = Keys.open(settings)
        ring = self.keys.ring
        self._list = ReviewList(settings.list_file, ring) if ring is not None else None
        self._keys_compared = False

    def seek(self, series_id: str) -> None:
        """Have all that is said of a study known before a series of it is judged.

        Raises:
            OrthancError, OperationalError, OSError: Orthanc, the store or the disk is in trouble.
        """
        with self._database.reading() as session:
            series = session.get_one(Series, series_id)
        if not series.reports_sought:
            reports = self._client.reports_of(series.study_id)
            listed = self._list.of_series(series_id) if self._list is not None else []
            with self._database.writing() as session:
                row = session.get_one(Series, series_id)
                rebuilding.from_list(session, row, listed, queue.utcnow())
                rebuilding.seek_waiting(session, row)
                found.note(session, row.study_id, reports, queue.utcnow())
        while self._look(series.study_id):
            pass
        if not series.reports_sought:
            with self._database.writing() as session:
                session.get_one(Series, series_id).reports_sought = True

    def look_next(self) -> bool:
        """Look at the next report that nobody looked at yet; false when there is none.

        Raises:
            OrthancError, OperationalError, OSError: Orthanc, the store or the disk is in trouble.
        """
        if not self._keys_compared:
            with self._database.writing() as session:
                found.look_again(session, self.keys.mark)
            self._keys_compared = True
        return self._look()

    def list_next(self) -> bool:
        """List reviews that are in the store alone; false when there are none.

        Raises:
            OperationalError: the store is in trouble.
        """
        if self._list is None:
            return False
        try:
            return self._list.add_some(self._database)
        except OSError as error:  # the store has them; a full disk stops nothing else
            log.warning("reviews could not be listed: %s", failure(error))
            return False

    def _look(self, study_id: str | None = None) -> bool:
        with self._database.reading() as session:
            row = found.next_unlooked(session, study_id)
        if row is None:
            return False
        try:
            file, received = self._client.file(row.instance_id), self._client.received(row.instance_id)
        except OrthancError as error:
            if not self._client.refuses(error):
                raise
            file, received = b"", None  # damaged on Orthanc's disk
        try:
            self._looked(row.id, file, received)
        except (SQLAlchemyError, OSError):
            raise
        except Exception as error:  # whatever is in it, it keeps nothing else waiting
            log.warning("a report could not be looked at: %s", failure(error))
            self._looked(row.id, b"", received)
        return True

    def _looked(self, row_id: int, file: bytes | None, received: datetime | None) -> None:
        with self._database.writing() as session:
            looking.looked(
                session,
                row_id,
                file,
                received=received,
                vouching=self._list.vouching if self._list is not None else Vouching(),
                keys_mark=self.keys.mark,
                now=queue.utcnow(),
            )
