"""A thread that does the same again and again, whatever goes wrong: the one way in which ours run.

Nothing of it stands outside the guard: what has to be done once at the start is the first thing that a
round does. While rounds fail they come ever more slowly, and what is wrong is kept in words for as long as it
lasts.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from headct.language import Phrase
from headct.safe_log import failure
from orthanc_plugin.system_words import cause_of

log = logging.getLogger(__name__)

BACK_OFF = (1.0, 15.0)
"""First and longest pause after a round that failed, in seconds."""


def back_off(failed: int) -> float:
    """The pause after so many failures in a row."""
    first, longest = BACK_OFF
    return min(first * float(2 ** min(failed - 1, 10)), longest)


class Rounds:
    """Runs a function for as long as the process lives, or until it is told to end."""

    def __init__(self, name: str, work: Callable[[], float], *, at_least: float = 0.0) -> None:
        """Nothing runs yet.

        Args:
            name: of the thread, and of its lines in the log.
            work: one round; the seconds until the next one.
            at_least: the pause that :meth:`wake` does not cut short.
        """
        self.trouble: Phrase | None = None
        """Why the last round failed; ``None`` once one did not."""
        self._name = name
        self._work = work
        self._at_least = at_least
        self._failed = 0
        self._said = ""
        self._ended = threading.Event()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def ended(self) -> bool:
        """Whether no round follows the one that runs."""
        return self._ended.is_set()

    def start(self) -> None:
        """Run in a thread of its own."""
        self._thread = threading.Thread(target=self.run, name=self._name, daemon=True)
        self._thread.start()

    def run(self) -> None:
        """Run in this thread until told to end."""
        while not self.ended:
            self._woken.clear()
            pause = self.once()
            if self.trouble is not None:
                self._ended.wait(pause)
            elif not self._ended.wait(min(pause, self._at_least)):
                self._woken.wait(max(0.0, pause - self._at_least))

    def once(self) -> float:
        """One guarded round; the pause until the next."""
        try:
            pause = self._work()
        except BaseException as error:  # SystemExit of a library ends no thread of ours either
            self._failed += 1
            self.trouble = cause_of(error)
            if self._said != (said := failure(error)):  # not the same again every few seconds of a bad night
                log.warning("%s: %s", self._name, said)
            self._said = said
            return back_off(self._failed)
        if self._failed:
            log.warning("%s goes on", self._name)
        self._failed, self._said, self.trouble = 0, "", None
        return pause

    def pause(self, seconds: float) -> None:
        """Wait in the middle of a round, unless it is to end."""
        self._ended.wait(seconds)

    def wake(self) -> None:
        """Begin the next round soon."""
        self._woken.set()

    def end(self) -> None:
        """No round follows the one that runs."""
        self._ended.set()
        self._woken.set()

    def stop(self, seconds: float) -> None:
        """The same, and wait for the one that runs."""
        self.end()
        if self._thread is not None and self._thread.is_alive():
            self._thread.join(timeout=seconds)


def all_of(*works: Callable[[], object]) -> None:
    """Do all of these: what goes wrong with one keeps from no other.

    Raises:
        Exception: the first thing that went wrong.
    """
    troubles = Troubles()
    for work in works:
        with troubles.kept():
            work()
    troubles.raise_first()


class Troubles:
    """What went wrong in a row of things of which each is to be tried."""

    def __init__(self) -> None:
        self._first: Exception | None = None

    @contextmanager
    def kept(self, *, but: type[Exception] | tuple[()] = ()) -> Iterator[None]:
        """Keep what goes wrong inside; ``but`` what would go wrong with the others too."""
        try:
            yield
        except but:
            raise
        except Exception as error:
            self._first = self._first or error

    def raise_first(self) -> None:
        """Raise the first of them."""
        if self._first is not None:
            raise self._first
