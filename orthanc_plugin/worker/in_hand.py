"""What a worker has in hand: read by the threads that keep its lease and end it with Orthanc."""

import logging
import time
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from headct.safe_log import failure
from orthanc_plugin.store import queue
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.queue import Claim

log = logging.getLogger(__name__)

SPARE_SECONDS = 90.0
"""How long what was never tried waits for anything else. Most series are judged in some seconds, 1,500 thin
slices in under a minute."""


@dataclass(slots=True)
class InHand:
    """The piece of work at hand, and the series where one is being judged."""

    claim: Claim | None = None
    """Of the model in service; the one in shadow judges without a lease."""
    busy_since: float | None = None
    """When this piece of work began, whatever it is."""

    def take(self, claim: Claim | None = None) -> None:
        """Begin a piece of work."""
        self.claim, self.busy_since = claim, time.monotonic()

    def put_down(self) -> Claim | None:
        """It is over; what was claimed."""
        claim, self.claim, self.busy_since = self.claim, None, None
        return claim

    def give_back(self, database: Database, *, setback: bool = False) -> None:
        """Let another worker have the series, if the store can be told; else its lease will end.

        ``setback``: something went wrong over it.
        """
        claim = self.put_down()
        if claim is None:
            return
        try:
            with database.writing() as session:
                queue.release(session, claim, queue.utcnow(), setback=setback)
        except SQLAlchemyError as error:
            log.warning("not released: %s", failure(error))

    def is_spare(self) -> bool:
        """Whether it took so long that new images come first: all but a first attempt to judge a series."""
        claim, since = self.claim, self.busy_since
        if since is None or time.monotonic() - since < SPARE_SECONDS:
            return False
        return claim is None or claim.tried_before
