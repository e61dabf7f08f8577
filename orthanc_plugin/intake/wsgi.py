"""One REST call of Orthanc, answered by a WSGI application."""

import base64
import io
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote, urlencode
from wsgiref.types import WSGIApplication

HEADERS_OF_THE_SERVER = frozenset({"content-length", "connection", "keep-alive", "transfer-encoding", "date"})
"""Set by Orthanc's own HTTP server."""
MAX_BODY = 20 * 2**20
"""Bytes of a request; no route needs nearly as many."""


class Output(Protocol):
    """Orthanc's answer object."""

    def AnswerBuffer(self, body: bytes, mime: str) -> None:  # noqa: N802
        """Status 200 with a body."""

    def SendHttpStatus(self, status: int, body: str, *size: int) -> None:  # noqa: N802
        """Another status; the body must be text. Its size follows up to version 4.1 of the Python plugin."""

    def SetHttpHeader(self, name: str, value: str) -> None:  # noqa: N802
        """Add a header."""


@dataclass(frozen=True, slots=True)
class Request:
    """What Orthanc says of a call. Repeated query parameters reach a plugin only once."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""

    @classmethod
    def from_orthanc(cls, uri: str, request: Mapping[str, Any]) -> "Request":
        """From the arguments of a REST callback."""
        body = request.get("body", b"")
        return cls(
            method=str(request["method"]),
            path=uri,
            query=dict(request.get("get", {})),
            headers={str(k).lower(): str(v) for k, v in request.get("headers", {}).items()},
            body=body.encode("utf-8", "surrogateescape") if isinstance(body, str) else bytes(body),
        )


def answer(app: WSGIApplication, request: Request, output: Output, *, authenticated: bool) -> None:
    """Let ``app`` answer a call.

    ``authenticated`` says whether Orthanc checked the login; only then is it passed on as ``REMOTE_USER``.
    """
    status, headers, body = call(app, request, authenticated=authenticated)
    mime = "application/octet-stream"
    for name, value in headers:
        if name.lower() == "content-type":
            mime = value
        elif name.lower() not in HEADERS_OF_THE_SERVER:
            output.SetHttpHeader(name, value)
    if status == 200:
        output.AnswerBuffer(body, mime)
    else:
        output.SetHttpHeader("Content-Type", mime)
        send_status(output, status, body.decode("utf-8"))


def send_status(output: Output, status: int, body: str) -> None:
    """Answer with another status than 200, whichever arguments this Python plugin wants for it."""
    try:
        output.SendHttpStatus(status, body)
    except TypeError:
        output.SendHttpStatus(status, body, len(body.encode()))


def call(
    app: WSGIApplication, request: Request, *, authenticated: bool
) -> tuple[int, list[tuple[str, str]], bytes]:
    """Run ``app`` once: status, headers, body."""
    started: list[tuple[int, list[tuple[str, str]]]] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: object = None
    ) -> Callable[[bytes], object]:
        started[:] = [(int(status.split(" ", 1)[0]), headers)]
        return lambda _: None

    parts: Iterable[bytes] = app(environ(request, authenticated=authenticated), start_response)
    try:
        body = b"".join(parts)
    finally:
        close = getattr(parts, "close", None)
        if close is not None:
            close()
    status, headers = started[0]
    return status, headers, body


def environ(request: Request, *, authenticated: bool) -> dict[str, Any]:
    """The WSGI environment of a call (PEP 3333)."""
    host, _, port = request.headers.get("host", "localhost").partition(":")
    made: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": request.path.encode("utf-8").decode("latin-1"),
        "QUERY_STRING": urlencode(request.query, quote_via=quote),
        "SERVER_NAME": host,
        "SERVER_PORT": port or "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(request.body)),
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": request.headers.get("x-forwarded-proto", "http"),
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        if name not in {"content-length", "content-type"}:
            made["HTTP_" + name.upper().replace("-", "_")] = value
    user = login(request.headers.get("authorization", "")) if authenticated else None
    if user is not None:
        made["REMOTE_USER"] = user
    return made


def login(authorization: str) -> str | None:
    """Login name of a Basic Authorization header (RFC 7617); ``None`` for any other."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, _ = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
    except ValueError:  # no base64, or no text
        return None
    return name if colon and name else None
