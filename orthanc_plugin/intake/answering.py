"""REST calls answered on threads of our own, whose stacks are as large as Python takes them to be.

Orthanc's web server has threads of 100 kB: a parser that recurses in C ends the whole server there, long
before Python's own guard of 1,000 calls.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

STACK_BYTES = 16 * 2**20
"""Twice what the main thread of a program has; only what is used takes memory."""
MAX_THREADS = 64
"""More than Orthanc has of its own (``HttpThreadsCount``, 50), each of which waits for one of these."""

_Answer = TypeVar("_Answer")


class Answering:
    """Runs functions for threads of other making, which wait meanwhile."""

    def __init__(self) -> None:
        threading.stack_size(STACK_BYTES)  # of every thread that Python starts from here on
        self._threads = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="triage-answer")

    def run(self, work: Callable[[], _Answer]) -> _Answer:
        """What the function returns or raises."""
        return self._threads.submit(work).result()

    def stop(self) -> None:
        """Take no more; what is being answered is."""
        self._threads.shutdown(wait=False)
