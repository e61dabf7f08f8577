"""One function over many items in several processes, in order, without ever holding more than a few."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import TypeVar

from headct.errors import UnusableInputError

_AHEAD = 4
"""Items a process that are handed out ahead: enough that none waits, few enough that none piles up."""

A = TypeVar("A")
B = TypeVar("B")


def in_processes(function: Callable[[A], B], items: Iterable[A], workers: int) -> Iterator[B]:
    """Results in the order of the items, which are taken only as fast as they are worked off.

    Args:
        function: of a module, so that other processes find it.
        items: may be endless.
        workers: number of processes; 1 works in this one.

    Raises:
        UnusableInputError: a process was killed from outside.
    """
    if workers <= 1:
        yield from map(function, items)
        return
    # Spawned, not forked: a fork would inherit open databases.
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_end_with_parent) as pool:
        waiting: deque[Future[B]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= _AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise UnusableInputError(
                "a worker process was ended from outside, perhaps for want of memory; try fewer workers"
            ) from error
        finally:
            for future in waiting:
                future.cancel()


def _end_with_parent() -> None:
    """A killed parent closes nothing: without this its workers would wait for ever."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
