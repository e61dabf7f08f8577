"""One REST call of Orthanc, answered by a WSGI application."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode
from wsgiref.types import WSGIApplication, WSGIEnvironment

from werkzeug.test import EnvironBuilder, run_wsgi_app

from orthanc_plugin.access.roles import login
from orthanc_plugin.intake.output import Output, send_status

HEADERS_OF_THE_SERVER = frozenset({"content-length", "connection", "keep-alive", "transfer-encoding", "date"})
"""Set by Orthanc's own HTTP server."""
HEADERS_OF_METHODS = frozenset({"allow"})
"""Set by the method of the answer's status."""
MOVED_FOR_GOOD = frozenset({301, 308})
"""Orthanc has one status for both, 301 or 307 by its version, and a method of its own for it."""
MAX_BODY = 20 * 2**20
"""Bytes of a request; no route needs nearly as many."""


@dataclass(frozen=True, slots=True)
class Request:
    """What Orthanc says of a call. Repeated query parameters reach a plugin only once."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    address: str = ""
    """Of who asks; empty where it is not known."""

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
            address=str(request.get("ip", "")),
        )


def answer(app: WSGIApplication, request: Request, output: Output, *, authenticated: bool) -> None:
    """Let an application answer a call.

    Args:
        app: the application.
        request: the call.
        output: where the answer goes.
        authenticated: Orthanc checked the login; only then is it passed on as ``REMOTE_USER``.
    """
    parts, status_line, headers = run_wsgi_app(
        app, environ(request, authenticated=authenticated), buffered=True
    )
    status, body = int(status_line.split(" ", 1)[0]), b"".join(parts)
    mime = "application/octet-stream"
    for name, value in headers:
        if name.lower() == "content-type":
            mime = value
        elif name.lower() not in HEADERS_OF_THE_SERVER | HEADERS_OF_METHODS:
            output.SetHttpHeader(name, value)
    named = {name.lower(): value for name, value in headers}
    if status == 200:
        output.AnswerBuffer(body, mime)
    elif status in MOVED_FOR_GOOD:
        output.Redirect(named["location"])
    elif status == 405:
        output.SendMethodNotAllowed(named.get("allow", ""))
    else:
        output.SetHttpHeader("Content-Type", mime)
        send_status(output, status, body.decode("utf-8"))


def environ(request: Request, *, authenticated: bool) -> WSGIEnvironment:
    """The WSGI environment of a call (PEP 3333)."""
    given = {}
    user = login(request.headers.get("authorization", "")) if authenticated else None
    if user is not None:
        given["REMOTE_USER"] = user
    if request.address:
        given["REMOTE_ADDR"] = request.address
    return EnvironBuilder(
        # Orthanc has decoded the path. What still looks like a query or an escape in it is part of a name.
        path=quote(request.path, errors="surrogatepass"),
        method=request.method,
        query_string=urlencode(request.query, errors="surrogatepass"),
        headers=request.headers.items(),
        # Not `data`, which is rewritten where it seems to be a form.
        input_stream=io.BytesIO(request.body),
        multithread=True,
        environ_overrides=given,
    ).get_environ()
