"""The audit kept in Orthanc's process: what was told is written, and the chain kept up."""

import logging
import time
from collections.abc import Callable

from sqlalchemy.orm import Session

from headct.language import Phrase
from headct.reports.seals import KeyRing
from headct.safe_log import failure
from orthanc_plugin.audit import chain, refused_logins
from orthanc_plugin.audit.checking import Fault
from orthanc_plugin.audit.notes import OTHERS, Note, Notes
from orthanc_plugin.audit.starts import Start
from orthanc_plugin.audit.upkeep import Upkeep
from orthanc_plugin.rounds import Rounds
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import queue
from orthanc_plugin.store.database import Database

PAUSE_SECONDS = 1.0
"""Between two rounds."""
PROGRAM = "triage"
UNKNOWN = "unknown"
"""Stands for logins that Orthanc does not know: people type passwords, and worse, where a name belongs."""

log = logging.getLogger(__name__)


def steady() -> float:
    """Seconds since the machine started, its sleep included: a clock that nobody can set."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Auditor:
    """Keeps the audit of one store. Where several machines share it, each does what it finds to be done."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        ring: KeyRing | None,
        *,
        notes: Notes,
        start: Start,
        clock: Callable[[], float] = steady,
    ) -> None:
        """Nothing runs yet.

        Args:
            database: of the store.
            settings: all options.
            ring: the keys; without any, entries wait for their links.
            notes: what is told in this process.
            start: what this start is made with.
            clock: seconds.
        """
        self._database = database
        self._settings = settings
        self._ring = ring
        self._notes = notes
        self._logins = frozenset({*start.passwords, OTHERS, PROGRAM})
        self._start = start
        self._clock = clock
        self._chain: Upkeep | None = None
        self._rounds = Rounds("audit", self.keep)

    @property
    def trouble(self) -> Phrase | None:
        """Why the audit is not kept, while that is so."""
        return self._rounds.trouble

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What was found to be missing or altered lately."""
        return self._chain.told() if self._chain is not None else ()

    def start(self) -> None:
        """Keep it until told to end."""
        self._rounds.start()

    def stop(self) -> None:
        """End, and write and link what is left."""
        self._rounds.stop(5.0)
        try:
            self._write(self._notes.finish())
            if self._chain is not None:
                self._write([Note("stopped", PROGRAM, "", (), queue.utcnow())])
                self._chain.end()
        except Exception as error:  # nothing of the audit keeps Orthanc from ending
            log.warning("the last of the audit is not kept: %s", failure(error))

    def keep(self) -> float:
        """One round; the seconds until the next."""
        self._write(self._notes.take())
        pause = self._keep_chain()
        refused_logins.hand_over(self._settings.storage / refused_logins.FILE, self._notes.note)
        return pause

    def _keep_chain(self) -> float:
        if self._ring is None:
            return PAUSE_SECONDS
        if self._chain is None:
            self._chain = Upkeep(
                self._database, self._settings, self._ring, clock=self._clock, start=self._start
            )
        return self._chain.keep()

    def _write(self, taken: list[Note]) -> None:
        if not taken:
            return
        try:
            with self._database.writing() as session:
                for note in taken:
                    self._add(session, note)
        except BaseException:
            self._notes.give_back(taken)
            raise

    def _add(self, session: Session, note: Note) -> None:
        actor = note.actor if note.actor in self._logins else UNKNOWN
        detail = dict(note.detail)
        if note.address:
            detail["address"] = note.address
        if note.count > 1:
            detail["times"] = note.count
        chain.add(session, note.event, note.at, actor=actor, **detail)
