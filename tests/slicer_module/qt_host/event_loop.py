"""Turning Qt's event loop in tests: until something is so, with a stop-watch, and as Slicer turns it."""

import ctypes
import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import PySide6
from PySide6.QtCore import QCoreApplication, QTimer

# Calls through PyDLL keep Python's global lock; PySide6's own let it go while the loop waits.
_turn_holding = ctypes.PyDLL(str(Path(PySide6.__file__).parent / "Qt" / "lib" / "libQt6Core.so.6"))[
    "_ZN16QCoreApplication4execEv"
]
_holds_the_lock = False


def run_until(so: Callable[[], object], seconds: float = 30.0, what: str = "") -> None:
    """Let events happen until a condition holds.

    Raises:
        AssertionError: it did not in time.
    """
    deadline = time.monotonic() + seconds
    while not so():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what or so}")
        turn()


def turn(milliseconds: int = 5) -> None:
    """Let what is due happen for so long."""
    # Not quit(), which would close the windows.
    QTimer.singleShot(milliseconds, lambda: QCoreApplication.exit(0))
    if _holds_the_lock:
        _turn_holding()
    else:
        QCoreApplication.exec()


@contextmanager
def hold_the_lock() -> Iterator[None]:
    """Within it the event loop keeps Python's global lock while it waits, as Slicer's does."""
    global _holds_the_lock
    _holds_the_lock = True
    try:
        yield
    finally:
        _holds_the_lock = False


def felt() -> float:
    """A clock in seconds that stands still while this thread waits for a processor (Linux's schedstat)."""
    waited = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat").read_text().split()[1]
    return time.monotonic() - int(waited) / 1e9


@contextmanager
def longest_gap(clock: Callable[[], float] = felt) -> Iterator[Callable[[], float]]:
    """The longest time in seconds in which the event loop did not turn.

    Args:
        clock: as a user would feel it on an idle machine; or ``time.thread_time``, which counts only what
            this thread itself works, and not that it waits for Python's lock while a test's server has it.
    """
    gaps = [0.0]
    # What all the tests before left in this process is not the panel's to search for garbage.
    gc.collect()
    gc.freeze()
    last = clock()
    timer = QTimer()
    timer.setInterval(0)

    def beat() -> None:
        nonlocal last
        now = clock()
        gaps.append(now - last)
        last = now

    timer.timeout.connect(beat)
    timer.start()
    try:
        yield lambda: max(gaps)
    finally:
        timer.stop()
        gc.unfreeze()
