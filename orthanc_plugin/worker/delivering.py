"""Results sent on to DICOM modalities: one attempt is one call, and its answer is known at once.

Orthanc sends the bytes that the store has, while we wait (``store-straight``). Not by its jobs: it forgets
finished ones, after ten by default, and what was forgotten would have to be sent again to be sure. The
waiting is done in a thread of its own, so that an archive which is slow or dead delays no judgement.

A worker that is killed between the archive's answer and the note of it has the document sent once more, the
same object of the same UID.
"""

import logging
from collections.abc import Iterator

from headct.errors import ReportError
from headct.reports import plain_text
from headct.safe_log import failure
from orthanc_plugin.forwarding import deliveries
from orthanc_plugin.forwarding.deliveries import Due
from orthanc_plugin.housekeeping import disk
from orthanc_plugin.rounds import Rounds
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import REPORTS, DeliveryTrouble, DocumentKind
from orthanc_plugin.store import queue
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.tables import Document
from orthanc_plugin.worker.orthanc_client import OrthancClient, TokenError

log = logging.getLogger(__name__)

IDLE_SECONDS = 1.0


class Deliverer:
    """Brings documents to where ``ForwardTo`` wants them."""

    def __init__(self, client: OrthancClient, database: Database, settings: Settings) -> None:
        self._client = client
        self._database = database
        self._settings = settings
        self.rounds = Rounds("sending on", self._round)

    def _round(self) -> float:
        try:
            busy = not disk.is_low(self._settings) and self.deliver_next()
        except TokenError:  # Orthanc was restarted: the worker ends too
            self.rounds.end()
            busy = False
        return 0.0 if busy else IDLE_SECONDS

    def deliver_next(self) -> bool:
        """Make one attempt; false when none is due.

        Raises:
            OrthancError, OperationalError: Orthanc or the store is in trouble.
        """
        if not self._settings.forward_to:
            return False
        with self._database.writing() as session:
            due = deliveries.claim(session, self._settings.forward_to, queue.utcnow())
            content = session.get_one(Document, due.sop_instance_uid).content if due is not None else b""
        if due is None:
            return False
        trouble, as_text = self._attempt(due, content)
        with self._database.writing() as session:
            if trouble is None:
                deliveries.delivered(session, due, queue.utcnow(), as_text=as_text)
            else:
                deliveries.failed(session, due, trouble, queue.utcnow())
        return True

    def _attempt(self, due: Due, content: bytes) -> tuple[DeliveryTrouble | None, bool]:
        """Why the receiver does not have it, if so, and whether what it has is plain text."""
        for form, as_text in _forms(due.kind, content):
            trouble = self._client.deliver(due.receiver, form)
            if trouble is not DeliveryTrouble.NOT_TAKEN:
                return trouble, as_text
        return DeliveryTrouble.NOT_TAKEN, False


def _forms(kind: DocumentKind, content: bytes) -> Iterator[tuple[bytes, bool]]:
    """The forms a document can be sent in, the best first, and which are plain text; made when needed."""
    yield content, False
    try:
        yield plain_text.in_default_encoding(content), False
        if kind in REPORTS:
            text = plain_text.write(content)
            yield text, True
            yield plain_text.in_default_encoding(text), True
    except ReportError as error:  # it was sent as it is, and not taken
        log.warning("a document has no plainer form: %s", failure(error))
