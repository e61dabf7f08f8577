"""Questions to one server and their whole answers, within limits of time and size."""

from __future__ import annotations

import json
import ssl
import threading
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any, Optional

import requests
from requests.auth import HTTPBasicAuth

from ..errors import CancelledError, TriageError, UnreachableError, UnreadableError
from ..translation import _
from . import failures
from .address import server_url
from .transport import Adapter, Calls

CONNECT_SECONDS = 5.0
"""Within a hospital a server that is there takes a connection in milliseconds."""
SILENCE_SECONDS = 15.0
"""An Orthanc that stores a large study may leave a question waiting for seconds, hardly for longer."""
CONNECTIONS = 8
"""Kept open to the server; more images than that are not asked for at once."""
_PIECE = 2**16
_LATE, _CANCELLED, _CLOSED = "late", "cancelled", "closed"


@dataclass(frozen=True)
class Server:
    """Which server, and as whom."""

    url: str
    """As typed: :func:`address.server_url` reads it."""
    user: str
    password: str = field(repr=False)
    ca_file: str = ""
    """PEM file of the hospital's own certificate authority; then no other is trusted."""


@dataclass(frozen=True)
class Limit:
    """For one whole answer."""

    seconds: float
    bytes: int


@dataclass(frozen=True)
class Answer:
    """What the server said, whatever it is."""

    status: int
    body: bytes
    location: str = ""
    """Where it points to, of a redirection."""

    def json(self) -> Optional[dict[str, Any]]:
        """The JSON object that the body is; ``None`` where it is none."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None


class Connection:
    """To one server as one login; may be shared by threads."""

    def __init__(self, server: Server, language: str) -> None:
        """Nothing is looked at yet, no file either: all that takes time is done when asking.

        ``language``: in which the server is to answer, where it has words; such as ``ja`` or ``ja_JP``.
        """
        self.server = server
        self.language = language
        self._calls = Calls()
        self._closed = threading.Event()
        self._making = threading.Lock()
        self._session: Optional[requests.Session] = None

    def close(self) -> None:
        """Questions under way fail at once, later ones too."""
        self._closed.set()
        self._calls.end_all(_CLOSED)
        if self._session is not None:
            self._session.close()

    def ask(self, method: str, route: str, body: Any, limit: Limit) -> Answer:
        """A question and its whole answer. ``body`` is sent as JSON, ``None`` is none.

        It is asked once more if the server closed the connection under it: nothing that is asked here does
        more when it is asked twice.

        Raises:
            UnreachableError: no answer, or none in time, or from somebody not to be trusted.
            UnreadableError: the answer is larger than the limit.
        """
        url = server_url(self.server.url)
        session = self._ready()
        for again in (True, False):
            self._calls.start()
            timer = threading.Timer(limit.seconds, self._calls.end, (threading.get_ident(), _LATE))
            timer.daemon = True
            timer.start()
            failure: Optional[Exception] = None
            try:
                answer = self._answer(session, method, url + route, body, limit)
            except (requests.RequestException, OSError) as error:
                failure = error
            finally:
                timer.cancel()
                ended = self._calls.finish()
            # Ended within the header, an answer looks like a short one.
            if ended == _CANCELLED:
                raise CancelledError(_("It was cancelled."))
            if self._closed.is_set():
                raise _closed()
            if ended == _LATE:
                raise failures.slow(url)
            if failure is None:
                return answer
            if not (again and failures.lost_on_the_way(failure)):
                raise failures.explain(failure, url)
        raise AssertionError

    def cancel(self, thread: int) -> None:
        """The question that a thread waits for, if any, fails with :class:`CancelledError`."""
        self._calls.end(thread, _CANCELLED)

    def _answer(self, session: requests.Session, method: str, url: str, body: Any, limit: Limit) -> Answer:
        # requests would follow a redirection with the password in hand.
        with session.request(
            method,
            url,
            json=body,
            timeout=(CONNECT_SECONDS, SILENCE_SECONDS),
            allow_redirects=False,
            stream=True,
        ) as answer:
            if self._closed.is_set():
                raise _closed()
            pieces, size = [], 0
            for piece in answer.iter_content(_PIECE):
                pieces.append(piece)
                size += len(piece)
                if size > limit.bytes:
                    raise UnreadableError(_("The server's answer is larger than any that is expected."))
            announced = answer.headers.get("Content-Length", "")
            if announced.isdigit() and "Content-Encoding" not in answer.headers and int(announced) != size:
                raise requests.ConnectionError("cut off")  # urllib3 before version 2 does not look
            return Answer(answer.status_code, b"".join(pieces), answer.headers.get("Location", ""))

    def _ready(self) -> requests.Session:
        """The session, made by the first question."""
        with self._making:
            if self._closed.is_set():
                raise _closed()
            if self._session is None:
                self._session = self._made()
            return self._session

    def _made(self) -> requests.Session:
        session = requests.Session()
        # No proxy, no password file, no other certificates by environment: nothing leaves the building.
        session.trust_env = False
        session.auth = HTTPBasicAuth(self.server.user.encode(), self.server.password.encode())
        session.headers.update(
            {
                "X-Triage": "slicer",
                "User-Agent": "HeadCTTriage",
                "Accept-Language": self.language.replace("_", "-"),
            }
        )
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        if self.server.ca_file:
            session.verify = _usable(self.server.ca_file)
        for scheme in ("http://", "https://"):
            session.mount(scheme, Adapter(self._calls, CONNECTIONS))
        return session


def _usable(ca_file: str) -> str:
    """The file's path.

    Raises:
        UnreachableError: it cannot be read, or holds no certificate.
    """
    try:
        Path(ca_file).read_bytes()
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(ca_file)
    except FileNotFoundError:
        sentence = _("The certificate file does not exist: {file}.")
    except ssl.SSLError:  # an OSError too
        sentence = _("The certificate file holds no certificate in PEM form: {file}.")
    except OSError:
        sentence = _("The certificate file cannot be read: {file}.")
    else:
        return ca_file
    raise UnreachableError(sentence.format(file=ca_file), UnreachableError.CA_FILE)


def _closed() -> TriageError:
    return UnreachableError(_("The login was ended."), UnreachableError.CLOSED)
