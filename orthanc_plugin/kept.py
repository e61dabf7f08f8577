"""An answer that is worked out again only after a while."""

import time
from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Kept(Generic[_T]):
    """Keeps what was worked out last, because pages ask every two seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last: tuple[float, _T] | None = None

    def get(self, work_out: Callable[[], _T]) -> _T:
        """What is kept, or what is worked out now; errors are not kept."""
        now = time.monotonic()
        if self._last is None or now - self._last[0] > self._seconds:
            self._last = now, work_out()
        return self._last[1]
