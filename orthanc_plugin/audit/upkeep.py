"""The chain kept up: entries are linked, the end is noted beside the key, all is looked at, old ones go."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from sqlalchemy.orm import Session

from headct.reports.seals import KeyRing
from orthanc_plugin.audit import beside, chain, starts
from orthanc_plugin.audit.beside import END_FILE
from orthanc_plugin.audit.checking import Check, Fault, cut_off
from orthanc_plugin.audit.starts import Start
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import queue
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.tables import AuditEntry

PAUSE_SECONDS, BUSY_SECONDS = 1.0, 0.1
LINKED_AT_ONCE = 200
"""In one transaction, which keeps others from writing for some 20 ms."""
CHECKED_AT_ONCE = 250
"""Every second: some 10 ms of Orthanc's one interpreter. A chain of five years takes an hour or two."""
CHECK_SECONDS = 86_400.0
NOTED_SECONDS = 5.0
"""The end is noted beside the key so often at most."""
RELEASE_SECONDS = 3_600.0
RELEASED_AT_ONCE = 1_000
TOLD_SECONDS = 30 * 86_400
"""How long the pages tell of a fault. The command does for as long as it is kept."""
YEAR_SECONDS = 31_557_600
"""365.25 days."""

log = logging.getLogger(__name__)


class Upkeep:
    """The chain in the store of this process, begun or gone on with."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        ring: KeyRing,
        *,
        clock: Callable[[], float],
        start: Start,
    ) -> None:
        """See whether the end that was noted beside the key is there, and note this start.

        Args:
            database: of the store.
            settings: all options.
            ring: the keys.
            clock: seconds.
            start: what this start is made with.
        """
        self._database, self._ring, self._clock = database, ring, clock
        self._file = settings.secrets_folder / END_FILE
        self._kept_seconds = settings.audit_years * YEAR_SECONDS
        self._noted = beside.read(self._file, ring)
        self._next_note = self._next_release = self._next_check = 0.0
        now = queue.utcnow()
        with database.writing() as session:
            fault = cut_off(session, self._noted)
            chain.begin(session, ring, now)
            noted = self._noted.running if self._noted is not None else 0
            ran = max(noted, chain.trusted_running(session, ring))
            own = [chain.add(session, chain.STARTED, now, **starts.told(start, session, ring, ran))]
            own += _entries(session, [fault] if fault is not None else [])
            chain.append(session, ring, ran, own)
            self._told = [(one.running or 0, Fault.of(one)) for one in chain.marks(session, chain.FAULT)]
            self._last = chain.head(session)
        self._began = clock() - ran
        self._check: Check | None = None

    def keep(self) -> float:
        """One round; the seconds until the next."""
        if self._link():
            return BUSY_SECONDS
        self._look()
        if self._clock() >= self._next_release:
            self._release()
        if self._clock() >= self._next_note:
            self._note_end()
        return PAUSE_SECONDS

    def end(self) -> None:
        """Link what is left."""
        while self._link():
            pass
        self._note_end()

    def told(self) -> tuple[Fault, ...]:
        """Faults that were found lately."""
        return tuple(fault for at, fault in self._told if self._running - at < TOLD_SECONDS)

    @property
    def _running(self) -> int:
        """Seconds for which the program has run since the chain began, as far as is known."""
        return max(0, int(self._clock() - self._began))

    def _link(self) -> bool:
        """Link some; whether others wait. What was linked a moment ago is still to be there."""
        with self._database.reading() as session:
            lost, waits = cut_off(session, self._last), chain.is_unlinked(session)
            if lost is None:
                self._last = chain.head(session)
        if lost is not None:
            self._tell([lost])
        if not waits:
            return False
        with self._database.writing() as session:
            more = chain.link(session, self._ring, self._running, LINKED_AT_ONCE)
            last = chain.head(session)
        self._last = last
        return more

    def _tell(self, faults: Iterable[Fault]) -> None:
        """Note in the chain itself what was found."""
        new = list(faults)
        with self._database.writing() as session:
            chain.append(session, self._ring, self._running, _entries(session, new))
            last = chain.head(session)
        self._last = last
        self._told += [(self._running, fault) for fault in new]

    def _look(self) -> None:
        """Look at some more of the chain, all of it once at the start and then every day."""
        if self._check is None:
            if self._clock() < self._next_check:
                return
            self._check = Check(self._ring)
        with self._database.reading() as session:
            if self._check.go_on(session, CHECKED_AT_ONCE):
                return
        known = {*self._check.noted, *(fault for _at, fault in self._told)}
        new = [fault for fault in self._check.faults if fault not in known]
        if new:
            self._tell(new)
        self._check, self._next_check = None, self._clock() + CHECK_SECONDS

    def _release(self) -> None:
        with self._database.writing() as session:
            more = chain.release(session, self._ring, self._kept_seconds, queue.utcnow(), RELEASED_AT_ONCE)
        self._next_release = self._clock() + (BUSY_SECONDS if more else RELEASE_SECONDS)

    def _note_end(self) -> None:
        if self._last != self._noted:
            beside.write(self._file, self._ring, self._last)
            self._noted = self._last
        self._next_note = self._clock() + NOTED_SECONDS


def _entries(session: Session, faults: Iterable[Fault]) -> list[AuditEntry]:
    found = list(faults)
    for fault in found:
        log.warning("audit: %s", fault.sentence.say("en"))
    now = queue.utcnow()
    return [
        chain.add(session, chain.FAULT, now, kind=f.kind.value, first=f.first, last=f.last) for f in found
    ]


def settle_restored(database: Database, key_file: Path) -> None:
    """A store was restored: its end is noted beside the restored key, whatever was noted there.

    Raises:
        SealError, OSError: the key cannot be used.
    """
    ring = KeyRing.read(key_file)
    with database.writing() as session:
        chain.begin(session, ring, queue.utcnow())
        while chain.link(session, ring, 0, LINKED_AT_ONCE):
            pass
        beside.write(key_file.with_name(END_FILE), ring, chain.head(session))
