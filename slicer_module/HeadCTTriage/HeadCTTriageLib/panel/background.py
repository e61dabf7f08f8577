"""Work off the Qt thread; what came of it is handed back on the Qt thread.

While Slicer's event loop runs, the Qt thread holds Python's global lock, so that Python's threads stand
still. They advance when Python code on the Qt thread lets the lock go. As long as work is under way a timer
does that: it waits a moment for answers.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
import traceback
from typing import Any, Callable, TypeVar

import qt

from ..errors import TriageError
from ..translation import _

T = TypeVar("T")

TICK_MS = 15
YIELD_SECONDS = 0.01
"""Of each tick; the rest is the event loop's, so that nobody notices a delay."""
DELIVER_SECONDS = 0.03
"""For answers in one tick; more of them wait for the next."""


class Task:
    """A piece of work under way; the work is given it, to look whether it is still wanted and to report."""

    def __init__(self, queued: Callable[[Callable[[], None]], None]) -> None:
        self.cancelled = threading.Event()
        self._queued = queued

    def cancel(self) -> None:
        """On the Qt thread: from now on nothing of it is handed back, even if it is finished already."""
        self.cancelled.set()

    def report(self, callback: Callable[..., None], *values: Any) -> None:
        """On any thread: have a callback called on the Qt thread, unless the task was cancelled."""
        self._queued(lambda: None if self.cancelled.is_set() else callback(*values))


class Background:
    """Threads for work that waits, and the way back. Used on the Qt thread alone."""

    def __init__(self) -> None:
        self._answers: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._under_way: set[Task] = set()
        self._stopped = False
        self._timer = qt.QTimer()
        self._timer.interval = TICK_MS
        self._timer.timeout.connect(self._tick)

    @property
    def busy(self) -> bool:
        """Whether anything is under way, wanted or not."""
        return bool(self._under_way)

    def run(
        self,
        work: Callable[[Task], T],
        done: Callable[[T], None],
        failed: Callable[[TriageError], None],
    ) -> Task:
        """Start work in a thread.

        Args:
            work: on a thread of its own; touches nothing of Qt or the scene.
            done: on the Qt thread, with what the work gave.
            failed: on the Qt thread, with what it raised; an error that is not for doctors is logged without
                its message, which may name a patient, and handed over as one that is.

        Neither is called once the task is cancelled.
        """
        task = Task(self._answers.put)

        def thread() -> None:
            callback: Callable[[Any], None] = done
            try:
                answer: Any = work(task)
            except TriageError as error:
                callback, answer = failed, error
            except Exception as error:
                callback, answer = failed, _inside(error)
            task.report(callback, answer)
            self._answers.put(lambda: self._under_way.discard(task))

        self._under_way.add(task)
        if not self._stopped:
            self._timer.start()
        # A thread that waits for a dead server must not keep Slicer from closing, as a pool's would.
        threading.Thread(target=thread, name="HeadCTTriage", daemon=True).start()
        return task

    def stop(self) -> None:
        """Cancel everything; nothing is handed back any more."""
        self._stopped = True
        for task in self._under_way:
            task.cancel()
        self._timer.stop()

    def _tick(self) -> None:
        try:
            answer = self._answers.get(timeout=YIELD_SECONDS)
            until = time.monotonic() + DELIVER_SECONDS
            while not self._stopped:
                _call(answer)
                if time.monotonic() > until:
                    break
                answer = self._answers.get_nowait()
        except queue.Empty:
            pass
        if not self._under_way:
            self._timer.stop()


def _call(answer: Callable[[], None]) -> None:
    try:
        answer()
    except Exception as error:
        _inside(error)


def _inside(error: Exception) -> TriageError:
    kind = type(error).__name__
    frames = "".join(traceback.format_tb(error.__traceback__))
    logging.getLogger(__name__).error("%s at\n%s", kind, frames)
    return TriageError(_("Something went wrong inside this module ({kind}).").format(kind=kind))
