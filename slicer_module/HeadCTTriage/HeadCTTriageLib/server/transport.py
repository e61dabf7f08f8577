"""HTTP connections that another thread can end, whatever they wait for."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Optional

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


@dataclass
class _Call:
    connection: Optional[HTTPConnection] = None
    ended: str = ""
    """Why, if it was ended from elsewhere."""


class Calls:
    """The calls under way, one a thread.

    ``requests`` waits for each part of an answer as long as for the first, and cannot be told to stop. A
    connection whose socket is shut down fails at once in the thread that waits for it.
    """

    def __init__(self) -> None:
        self._under_way: dict[int, _Call] = {}

    def start(self) -> None:
        """This thread begins a call."""
        self._under_way[threading.get_ident()] = _Call()

    def goes_by(self, connection: HTTPConnection) -> None:
        """This thread's call goes by that connection; fails if it was ended before there was one."""
        call = self._under_way.get(threading.get_ident())
        if call is not None:
            call.connection = connection
            if call.ended:
                raise OSError(call.ended)

    def finish(self) -> str:
        """This thread's call is over; why it was ended from elsewhere, nothing if it was not."""
        return self._under_way.pop(threading.get_ident()).ended

    def end(self, thread: int, why: str) -> None:
        """Have the call of a thread fail, if there is one."""
        call = self._under_way.get(thread)
        if call is not None and not call.ended:
            call.ended = why
            sock = getattr(call.connection, "sock", None)
            if sock is not None:
                with suppress(OSError):  # closed already
                    sock.shutdown(socket.SHUT_RDWR)

    def end_all(self, why: str) -> None:
        """Have every call fail."""
        for thread in list(self._under_way):
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
            def connect(self) -> None:
                super().connect()
                calls.goes_by(self)

            def putrequest(self, *arguments: Any, **options: Any) -> None:
                calls.goes_by(self)
                super().putrequest(*arguments, **options)

        class Encrypted(Plain, HTTPSConnection):  # its connect() is between Plain's and HTTPConnection's
            pass

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class EncryptedPool(HTTPSConnectionPool):
            ConnectionCls = Encrypted

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": EncryptedPool}
