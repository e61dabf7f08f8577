"""Previews of what was judged are rendered, alerts first."""

import logging
from collections.abc import Sequence
from typing import Any

from headct.errors import NotAnalysedError
from headct.images.reading import load_series
from headct.images.series import CTSeries
from headct.safe_log import failure
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import outbox
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.preview_files import Folder
from orthanc_plugin.store.tables import Series
from orthanc_plugin.worker import previews
from orthanc_plugin.worker.fetching import fetch_series
from orthanc_plugin.worker.orthanc_client import OrthancClient, OrthancError

log = logging.getLogger(__name__)


class Renderer:
    """Renders previews; keeps the series read last, whose turn it often is."""

    def __init__(self, worker: str, client: OrthancClient, database: Database, settings: Settings) -> None:
        self._worker = worker
        self._client = client
        self._database = database
        self._settings = settings
        self._last: tuple[str, int, CTSeries] | None = None

    def keep(self, series_id: str, generation: int, series: CTSeries | None) -> None:
        """This was just read."""
        self._last = (series_id, generation, series) if series is not None else None

    def render_next(self) -> bool:
        """Render one series; false when none is due.

        Raises:
            OrthancError, OSError: Orthanc or the disk is in trouble; the series stays due.
        """
        with self._database.reading() as session:
            if not outbox.previews_due(session, self._worker):
                return False
        with self._database.writing() as session:
            due = outbox.claim_preview(session, self._worker, self._settings.max_attempts)
            if due is None:
                return False
            series_id, generation = due
            current = session.get_one(Series, series_id).current
        if self._settings.previews:
            keys = current.content["key_slices"] if current is not None else []
            try:
                self._render(series_id, generation, keys)
            except Exception as error:  # the page does without them
                if isinstance(error, OrthancError | OSError) and not self._client.refuses(error):
                    with self._database.writing() as session:
                        outbox.preview_put_off(session, series_id)
                    raise
                log.warning("rendering failed: %s", failure(error))
        with self._database.writing() as session:
            outbox.previews_done(session, series_id, generation)
        return True

    def _render(self, series_id: str, generation: int, keys: Sequence[dict[str, Any]]) -> None:
        shown = keys[0]["sop_instance_uid"] if keys else None
        series = self._read(series_id, generation, shown)
        if series is not None:
            folder = Folder.of(self._settings.previews_folder, series_id)
            previews.render(series, folder, [key["number"] for key in keys])

    def _read(self, series_id: str, generation: int, shown: str | None) -> CTSeries | None:
        if self._last is not None and self._last[:2] == (series_id, generation):
            return self._last[2]
        fetched = fetch_series(self._client, series_id, self._settings)
        if fetched is None:
            return None
        try:
            return load_series(fetched.sources, holding=shown)
        except NotAnalysedError:
            return None  # images changed since; it will be judged again, and rendered then
        finally:
            fetched.remove()
