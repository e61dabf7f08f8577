"""The store's wishes to Orthanc: documents, metadata, labels. A repeat changes nothing."""

import logging
from collections.abc import Set

from headct.safe_log import failure
from headct.terms.urgency import Urgency
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import outbox, queue
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.outbox import PRELIMINARY_LABEL, UNSURE_LABEL, UNVERIFIED_LABEL, Publication
from orthanc_plugin.store.tables import Document
from orthanc_plugin.worker.orthanc_client import OrthancClient, TokenError

log = logging.getLogger(__name__)

OUR_LABELS = frozenset(label for u in Urgency for label in u.machine_labels()) | {
    PRELIMINARY_LABEL,
    UNSURE_LABEL,
    UNVERIFIED_LABEL,
}
"""Labels we set and remove."""
PERSONS_LABELS = frozenset(label for u in Urgency for label in u.person_labels())
"""Ours too where a review gave them; ``triage-black`` set by hand without a review is never touched."""


class Publisher:
    """Makes Orthanc show what the store says."""

    def __init__(self, client: OrthancClient, database: Database, settings: Settings) -> None:
        self._client = client
        self._database = database
        self._settings = settings

    def publish_next(self) -> bool:
        """Fulfil one wish; false when there is none.

        Raises:
            TokenError: Orthanc was restarted.
        """
        with self._database.writing() as session:
            wish = outbox.claim_publication(session, queue.utcnow())
        if wish is None:
            return False
        series_id, number = wish
        try:
            self._publish(series_id)
        except TokenError:
            raise
        except Exception as error:  # tried again, ever more slowly
            log.warning("publishing failed: %s", failure(error))
            with self._database.writing() as session:
                outbox.publication_failed(session, series_id, queue.utcnow())
        else:
            with self._database.writing() as session:
                outbox.published(session, series_id, number, queue.utcnow())
        return True

    def _publish(self, series_id: str) -> None:
        with self._database.reading() as session:
            wanted = outbox.publication(session, series_id)
        self._remove(wanted)
        ours = OUR_LABELS | PERSONS_LABELS if wanted.reviewed else OUR_LABELS
        there = self._client.instances(series_id) is not None
        if there:  # else the series is just being deleted, and its withdrawal will follow
            self._send(wanted)
            self._colour("series", series_id, wanted.series_labels, ours)
        self._colour("studies", wanted.study_id, wanted.study_labels, ours)

    def _remove(self, wanted: Publication) -> None:
        for uid, orthanc_id in wanted.remove:
            # A worker that was killed may have stored it and not lived to say so.
            for instance in (orthanc_id,) if orthanc_id else self._client.instances_of(uid):
                self._client.delete_instance(instance)
            with self._database.writing() as session:
                outbox.document_removed(session, uid, orthanc_id, queue.utcnow())

    def _send(self, wanted: Publication) -> None:
        lost = tuple(uid for uid, orthanc_id in wanted.keep if not self._client.has_instance(orthanc_id))
        for uid in wanted.send + lost:
            with self._database.reading() as session:
                content = session.get_one(Document, uid).content
            orthanc_id = self._client.store(content)
            with self._database.writing() as session:
                outbox.document_sent(
                    session, uid, orthanc_id, queue.utcnow(), forward=bool(self._settings.forward_to)
                )

    def _colour(self, level: str, identifier: str, labels: tuple[str, ...], ours: Set[str]) -> None:
        """Compare before writing: a write is an event, which would have us compare again."""
        value = ",".join(labels) or None
        if self._client.urgency(level, identifier) != value:
            self._client.set_urgency(level, identifier, value)
        present = self._client.labels(level, identifier)
        if present is not None:
            for label in sorted((ours & present) - set(labels)):
                self._client.set_label(level, identifier, label, present=False)
            for label in labels:
                if label not in present:
                    self._client.set_label(level, identifier, label, present=True)
