"""Work shared among the processors, for what releases the interpreter's lock: decoders, NumPy, SciPy."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")


def each(work: Callable[[_T], _R], things: Iterable[_T]) -> list[_R]:
    """What the work gives for each thing, in their order.

    Raises:
        Exception: what the work raised for the first thing for which it did.
    """
    with ThreadPoolExecutor(max_workers=_processors()) as pool:
        return list(pool.map(work, things))


def shares(count: int) -> Iterator[slice]:
    """So many things in a row, in as many shares as there are processors."""
    size = max(1, -(-count // _processors()))
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def _processors() -> int:
    return os.cpu_count() or 1
