"""HTTP connections that another thread can end, whatever they wait for."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class Calls:
    """Which connection serves which thread.

    ``requests`` waits for each part of an answer as long as for the first, and cannot be told to stop. A
    connection whose socket is shut down fails at once in the thread that waits for it.
    """

    def __init__(self) -> None:
        self._connections: dict[int, HTTPConnection] = {}
        self._ended: dict[int, str] = {}

    def begin(self, connection: HTTPConnection) -> None:
        """This thread's request goes out on that connection."""
        self._connections[threading.get_ident()] = connection

    def finish(self) -> str:
        """This thread's request is over; why it was ended from elsewhere, nothing if it was not."""
        thread = threading.get_ident()
        self._connections.pop(thread, None)
        return self._ended.pop(thread, "")

    def end(self, thread: int, why: str) -> None:
        """Have the request of a thread fail."""
        sock = getattr(self._connections.get(thread), "sock", None)
        if sock is not None:
            self._ended.setdefault(thread, why)
            with suppress(OSError):  # closed already
                sock.shutdown(socket.SHUT_RDWR)

    def end_all(self, why: str) -> None:
        """Have every request fail."""
        for thread in list(self._connections):
            self.end(thread, why)


class Adapter(HTTPAdapter):
    """Connections that tell :class:`Calls` whom they serve."""

    def __init__(self, calls: Calls, connections: int) -> None:
        """``connections``: kept open to one server."""
        self._calls = calls
        super().__init__(pool_maxsize=connections)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Called by ``requests``, also for a copied session."""
        super().init_poolmanager(*arguments, **options)
        calls = self._calls

        class Plain(HTTPConnection):
            def putrequest(self, *arguments: Any, **options: Any) -> None:
                calls.begin(self)
                super().putrequest(*arguments, **options)

        class Encrypted(HTTPSConnection):
            def putrequest(self, *arguments: Any, **options: Any) -> None:
                calls.begin(self)
                super().putrequest(*arguments, **options)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class EncryptedPool(HTTPSConnectionPool):
            ConnectionCls = Encrypted

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": EncryptedPool}
