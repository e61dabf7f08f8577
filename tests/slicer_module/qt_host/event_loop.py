"""Turning Qt's event loop in tests: until something is so, with a stop-watch, and as Slicer turns it."""

import ctypes
import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import PySide6
from PySide6.QtCore import QCoreApplication, QTimer
from stack_process import PATIENCE

# Calls through PyDLL keep Python's global lock; PySide6's own let it go while the loop waits.
_turn_holding = ctypes.PyDLL(str(Path(PySide6.__file__).parent / "Qt" / "lib" / "libQt6Core.so.6"))[
    "_ZN16QCoreApplication4execEv"
]
_holds_the_lock = False


def run_until(so: Callable[[], object], seconds: float = PATIENCE, what: str = "") -> None:
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


@contextmanager
def rounds() -> Iterator[Callable[[], int]]:
    """How often the event loop has gone round, at a given moment."""
    gone = 0

    def beat() -> None:
        nonlocal gone
        gone += 1

    timer = QTimer()
    timer.setInterval(0)
    timer.timeout.connect(beat)
    timer.start()
    try:
        yield lambda: gone
    finally:
        timer.stop()


@contextmanager
def longest_gap() -> Iterator[Callable[[], float]]:
    """The most processor seconds that this thread took between two rounds of the event loop.

    What it waits for, a processor or Python's lock while a test's server has it, does not count.
    """
    gaps = [0.0]
    # What all the tests before left in this process is not the panel's to search for garbage.
    gc.collect()
    gc.freeze()
    last = time.thread_time()
    timer = QTimer()
    timer.setInterval(0)

    def beat() -> None:
        nonlocal last
        now = time.thread_time()
        gaps.append(now - last)
        last = now

    timer.timeout.connect(beat)
    timer.start()
    try:
        yield lambda: max(gaps)
    finally:
        timer.stop()
        gc.unfreeze()
