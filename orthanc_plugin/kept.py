"""What was worked out a moment ago is given again, because pages ask every two seconds."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

_R = TypeVar("_R")


class Kept(Generic[_R]):
    """Keeps what was worked out last."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last: tuple[float, _R] | None = None
        self._lock = threading.Lock()
        """One works it out, the others wait for it."""

    def get(self, work_out: Callable[[], _R]) -> _R:
        """What is kept, or what is worked out now; errors are not kept."""
        with self._lock:
            now = time.monotonic()
            if self._last is None or now - self._last[0] > self._seconds:
                self._last = now, work_out()
            return self._last[1]
