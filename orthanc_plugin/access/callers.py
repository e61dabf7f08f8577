"""The address a request comes from, handed on from the guard to whoever answers it.

Orthanc tells the guard of it, and not the callback that answers. Both run on the same thread, the answer
right after the guard. What the guard is not asked about, such as a worker with its token, has other headers.
"""

import threading
from collections.abc import Mapping
from typing import Any


class Callers:
    """The last request that each thread of Orthanc's web server let in: one a thread is kept."""

    def __init__(self) -> None:
        # Not `threading.local`: Python forgets a thread of other making as soon as a callback returns.
        self._at: dict[int, tuple[str, Mapping[str, Any], str]] = {}

    def came(self, uri: str, headers: Mapping[str, Any], address: str) -> None:
        """A request is let in on this thread."""
        self._at[threading.get_ident()] = uri, headers, address

    def take(self, uri: str, headers: Mapping[str, Any]) -> str:
        """Where the request came from that this thread answers; empty where it is not the one let in last."""
        last = self._at.pop(threading.get_ident(), None)
        return last[2] if last is not None and last[:2] == (uri, headers) else ""
