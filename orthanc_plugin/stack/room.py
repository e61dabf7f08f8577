"""Room for Orthanc to start in; while there is none, whoever asks is told so in its place."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from headct.errors import SettingsError
from headct.language import Phrase
from orthanc_plugin.housekeeping.reserve import Reserve
from orthanc_plugin.stack import orthanc
from orthanc_plugin.stack.credentials import Credentials
from orthanc_plugin.stack.options import LOOPBACK, Options
from orthanc_plugin.stack.stand_in import StandIn, why_not

LOOK_SECONDS = 5.0
"""Between two looks whether there is room again."""
RECENT_SECONDS = 60.0
"""What ended so soon after there was no room ended for want of it."""

log = logging.getLogger(__name__)
_Made = TypeVar("_Made")


class Room:
    """Sees to it for as long as the stack is up."""

    def __init__(self, options: Options) -> None:
        self._folder = options.data / "orthanc"
        self._data = options.data
        self._reserve = Reserve(_storage(options))
        self._stand_in = StandIn(LOOPBACK, options.http_port)
        self._next_look = self._short_at = 0.0
        self._said: str | None = None

    def make(self) -> None:
        """Before each start of Orthanc: give it its port, and what is held back for it."""
        self._stand_in.close()
        self._give()

    def look(self, *, dead: bool) -> None:
        """Answer for an Orthanc that is dead for want of room."""
        if not dead:
            self._said = None
        elif time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + LOOK_SECONDS
            if (why := self._why_not()) is not None:
                self._say(why)

    def was_short(self) -> bool:
        """Whether there is none, or was none just now."""
        if (why := self._why_not()) is not None:
            self._say(why)
        return self._short_at > 0 and time.monotonic() - self._short_at < RECENT_SECONDS

    def wait_for(self, prepare: Callable[[], _Made]) -> _Made:
        """What cannot be written now is written when there is room.

        Raises:
            SettingsError: It cannot, and not for want of room.
        """
        while True:
            self._give()
            try:
                made = prepare()
            except OSError as error:
                if not self.was_short():
                    where = error.filename or self._data
                    raise SettingsError(f"{where} cannot be written: {error.strerror}") from error
            else:
                self._stand_in.close()
                return made
            time.sleep(LOOK_SECONDS)

    def close(self) -> None:
        """Say no more."""
        self._stand_in.close()

    def _give(self) -> None:
        if self._reserve.give():
            log.warning("the disk is full: the room that was held back for a start is given free")

    def _why_not(self) -> Phrase | None:
        return why_not(self._folder if self._folder.is_dir() else self._data)

    def _say(self, why: Phrase) -> None:
        self._short_at = time.monotonic()
        self._stand_in.say(why)
        if self._said != str(why):
            log.warning("Orthanc cannot run (%s); tried again until it can", why)
        self._said = str(why)


def _storage(options: Options) -> Path:
    """The folder of the store; its usual one where the configuration is wrong, which is told elsewhere."""
    try:
        return orthanc.storage_of(options, orthanc.configuration(options, Credentials("", "")))
    except SettingsError:
        return orthanc.storage_of(options, {})
