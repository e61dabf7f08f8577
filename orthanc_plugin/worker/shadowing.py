"""The model in shadow judges what was judged, once nobody waits for anything."""

import time

from headct.terms.assessment import Outcome
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import queue, shadow
from orthanc_plugin.store.database import Database
from orthanc_plugin.worker import judging
from orthanc_plugin.worker.fetching import Fetched, fetch_series
from orthanc_plugin.worker.orthanc_client import OrthancClient, OrthancError
from orthanc_plugin.worker.serving import Serving

SHADOW_SECONDS = 2.0
"""Between two looks for something that a model in shadow may judge, while there is nothing."""


class Shadowing:
    """Repeats assessments with the model in shadow, for comparison alone."""

    def __init__(
        self, worker: str, client: OrthancClient, database: Database, settings: Settings, serving: Serving
    ) -> None:
        self._worker = worker
        self._client = client
        self._database = database
        self._settings = settings
        self._serving = serving
        self._next_look = 0.0

    def repeat_next(self) -> bool:
        """Repeat one assessment; false when none is due.

        Raises:
            OrthancError, OSError: Orthanc or the disk is in trouble; the assessment stays due.
        """
        if time.monotonic() < self._next_look:
            return False
        with self._database.reading() as session:
            due_at_all = shadow.is_due(session)
        if not due_at_all:
            self._next_look = time.monotonic() + SHADOW_SECONDS
            return False
        with self._database.writing() as session:
            due = shadow.claim(session, self._worker, queue.utcnow())
        if due is None:
            return False
        try:
            outcome = self._repeat(due)
        except (OrthancError, OSError):
            with self._database.writing() as session:
                shadow.give_back(session, due)
            raise
        with self._database.writing() as session:
            if outcome is None:
                shadow.give_back(session, due)
            else:
                shadow.record(session, due, outcome, queue.utcnow())
        return True

    def _repeat(self, due: shadow.Due) -> Outcome | None:
        """What the model in shadow says; ``None`` when it cannot be loaded."""
        classifier = self._serving.shadow(due.digest)
        if classifier is None:
            return None
        fetched = fetch_series(self._client, due.series_id, self._settings) or Fetched(())
        try:
            return judging.look(fetched.sources, classifier, given_up=True).outcome
        finally:
            fetched.remove()
