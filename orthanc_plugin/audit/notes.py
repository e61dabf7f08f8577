"""What anybody in Orthanc's process tells the audit: kept in memory until it is written.

Standard library alone, for the guard of all requests works while triage is down. Telling takes microseconds,
waits for nothing and never raises. What many tell in a flood is counted: the first of its kind is kept as it
is, the others of its minute become one with their number, and beyond some kinds a minute none is told apart.

>>> notes.note("login_refused", actor="sato", address="192.0.2.7")
>>> notes.note("route_refused", actor="sato", address="192.0.2.7", method="POST", route="/tools/shutdown")
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

MINUTE = 60.0
MOST_KINDS = 30
"""Of notes that are told apart in a minute. One on duty mistypes a password; a program tries thousands. So a
flood of a whole day adds some ten megabytes to the store, however many addresses it comes from."""
MOST_WHO = 10
"""Of those who do more than that, how many are counted apart: one page of another site asks for 40 routes."""
MOST_KEPT = 2_000
"""While nothing can be written, of hours in which there was a flood all the time."""
LONGEST = 200
"""Characters of one word."""
OTHERS = "others"
"""Stands for whoever is not told apart."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Note:
    """Something that happened, once or several times within a minute."""

    event: str
    actor: str
    """Login of who did it; empty where nobody said who they are."""
    address: str
    """Of their machine; empty where it is not known."""
    detail: tuple[tuple[str, str | int], ...]
    at: datetime
    """The first time."""
    count: int = 1

    @property
    def _kind(self) -> tuple[object, ...]:
        return self.event, self.actor, self.address, self.detail


class Notes:
    """What was told and is not written yet; of one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: list[Note] = []
        self._repeated: dict[tuple[object, ...], Note] = {}
        self._seen: set[tuple[object, ...]] = set()
        self._minute = clock()
        self._lost = 0

    def note(
        self, event: str, *, actor: str = "", address: str = "", times: int = 1, **detail: str | int
    ) -> None:
        """Tell the audit of something.

        Args:
            event: in the past tense, such as ``route_refused``.
            actor: login of who did it.
            address: of their machine.
            times: how often, where somebody else counted.
            detail: what else tells one from another: few words, the same ones again and again. A route is
                named as the table of routes has it, never as it was asked for: that may name a patient.
        """
        try:
            words = tuple((name, _tidy(said)) for name, said in sorted(detail.items()))
            told = Note(event, str(_tidy(actor)), str(_tidy(address)), words, datetime.now(UTC), times)
            with self._lock:
                self._add(told)
        except Exception as error:  # whoever tells of a refusal refuses all the same
            _log.warning("not noted: %s", type(error).__name__)

    def take(self) -> list[Note]:
        """All that is to be written now, in the order in which it happened."""
        with self._lock:
            self._turn()
            taken, self._kept = self._kept, []
            if self._lost:
                taken.append(Note("notes_lost", "", "", (), datetime.now(UTC), self._lost))
                self._lost = 0
            return taken

    def give_back(self, taken: list[Note]) -> None:
        """They could not be written."""
        with self._lock:
            self._kept = taken + self._kept
            self._bound()

    def finish(self) -> list[Note]:
        """The same as :meth:`take`, with what would still be counted: no more is told."""
        with self._lock:
            self._minute = -MINUTE
        return self.take()

    def _add(self, told: Note) -> None:
        self._turn()
        kind = told._kind
        if kind not in self._seen and len(self._seen) >= MOST_KINDS:
            told = replace(told, detail=())
            if told._kind not in self._seen and len(self._seen) >= MOST_KINDS + MOST_WHO:
                told = replace(told, actor=OTHERS, address=OTHERS)
            kind = told._kind
        if kind in self._repeated:
            before = self._repeated[kind]
            self._repeated[kind] = replace(before, count=before.count + told.count)
        elif kind in self._seen or told.actor == OTHERS:
            self._repeated[kind] = told
        else:
            self._seen.add(kind)
            self._kept.append(told)
            self._bound()

    def _turn(self) -> None:
        """A new minute begins: what was repeated in the last one is to be written."""
        now = self._clock()
        if now - self._minute < MINUTE:
            return
        self._minute = now
        self._kept += sorted(self._repeated.values(), key=lambda note: note.at)
        self._repeated.clear()
        self._seen.clear()
        self._bound()

    def _bound(self) -> None:
        """The newest go, for what came first tells how it began."""
        for lost in self._kept[MOST_KEPT:]:
            self._lost += lost.count
        del self._kept[MOST_KEPT:]


def _tidy(said: str | int) -> str | int:
    """What a text column takes and a log may show: no control characters, and no end of it."""
    if isinstance(said, int):
        return said
    short = said[:LONGEST]
    return short if short.isprintable() else "".join(c if c.isprintable() else "?" for c in short)


notes = Notes()
"""Of this process."""
