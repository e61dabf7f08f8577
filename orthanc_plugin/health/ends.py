"""Did Orthanc end in good order the last time? Files beside the store say so, whatever state that is in."""

import json
import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from headct.safe_log import failure
from orthanc_plugin.rounds import Rounds

RUNNING = "running"
"""Is there while triage runs: deleting a file works on a full disk too. Touched as a sign of life."""
ENDS = "unexpected-ends.json"
BEAT_SECONDS = 5.0
SHOWN = timedelta(days=1)
"""How long it is told: until everybody on duty has been there once."""

_PROCESS = uuid4().hex
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UnexpectedEnd:
    """The last time that Orthanc, or the machine, ended without a word."""

    at: datetime
    """Its last sign of life."""
    again: datetime
    """When triage was running again."""


class Ends:
    """Notes that we run, and knows how often that ended unasked."""

    def __init__(self, folder: Path) -> None:
        self.count = 0
        """Unexpected ends since the storage folder was made."""
        self._last: UnexpectedEnd | None = None
        self._folder = folder
        self._rounds = Rounds("life", self._beat)

    def start(self) -> None:
        """See how the last run ended; this one begins. Nothing here keeps triage from running."""
        try:
            self._read()
            self._note(datetime.now(UTC))
            (self._folder / RUNNING).write_text(_PROCESS)
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("how Orthanc ended last is not known: %s", failure(error))
        self._rounds.start()

    def stop(self) -> None:
        """We end in good order."""
        self._rounds.stop(1.0)
        marker = self._folder / RUNNING
        try:
            # Where another Orthanc works on the store it is that one's. On a full disk it is empty.
            if marker.exists() and marker.read_text() in {"", _PROCESS}:
                marker.unlink()
        except OSError as error:
            log.warning("that Orthanc ends cannot be noted: %s", failure(error))

    def told(self, now: datetime) -> UnexpectedEnd | None:
        """The last one, while persons should know of it."""
        return self._last if self._last is not None and abs(now - self._last.again) < SHOWN else None

    def _read(self) -> None:
        path = self._folder / ENDS
        if path.exists():
            said = json.loads(path.read_text())
            self.count = int(said["count"])
            self._last = UnexpectedEnd(*(datetime.fromisoformat(said[key]) for key in ("at", "again")))

    def _note(self, now: datetime) -> None:
        marker = self._folder / RUNNING
        if not marker.exists() or marker.read_text() == _PROCESS:
            return
        at = datetime.fromtimestamp(marker.stat().st_mtime, UTC)
        self.count += 1
        self._last = UnexpectedEnd(at, now)
        log.warning("Orthanc ended unexpectedly at about %s", at.isoformat(timespec="seconds"))
        said = {"count": self.count, "at": at.isoformat(), "again": now.isoformat()}
        written = self._folder / f"{ENDS}.new"
        written.write_text(json.dumps(said))
        written.replace(self._folder / ENDS)

    def _beat(self) -> float:
        with suppress(FileNotFoundError):  # we have ended meanwhile
            os.utime(self._folder / RUNNING)
        return BEAT_SECONDS
