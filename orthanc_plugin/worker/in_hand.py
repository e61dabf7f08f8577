"""What a worker has in hand: read by the threads that keep its lease and end it with Orthanc."""

import logging
import time
from dataclasses import dataclass

from sqlalchemy.exc import OperationalError

from headct.safe_log import failure
from orthanc_plugin.store import queue
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.queue import Claim

log = logging.getLogger(__name__)


@dataclass(slots=True)
class InHand:
    """The series that is being judged."""

    claim: Claim | None = None
    """Of the model in service; the one in shadow judges without a lease."""
    busy_since: float | None = None
    """When the judging began, for the model in service or the one in shadow."""

    def take(self, claim: Claim | None = None) -> None:
        """Begin to judge."""
        self.claim, self.busy_since = claim, time.monotonic()

    def put_down(self) -> Claim | None:
        """It is over; what was claimed."""
        claim, self.claim, self.busy_since = self.claim, None, None
        return claim

    def give_back(self, database: Database) -> None:
        """Let another worker have the series, if the store can be told; else its lease will end."""
        claim = self.put_down()
        if claim is None:
            return
        try:
            with database.writing() as session:
                queue.release(session, claim, queue.utcnow())
        except OperationalError as error:
            log.warning("not released: %s", failure(error))
