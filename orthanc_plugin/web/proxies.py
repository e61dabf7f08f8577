"""Which proxies are believed: those whose address for browsers the setting ``Proxies`` names.

A plugin of Orthanc does not hear who connects, so no proxy can be told by its own address. What it says of
itself counts where that is one of the named addresses; anybody else's headers are as if they were not there.
Links are relative and need none of it: it is for the origin of changes and for addresses given in full.
"""

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import request
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wsgi import get_current_url

_BELIEVED = "headct.behind_proxy"


class NamedProxies:
    """The application as browsers see it through the proxies that are named."""

    def __init__(self, app: WSGIApplication, addresses: Iterable[str]) -> None:
        self._app = app
        self._addresses = frozenset(addresses)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """One request."""
        shown = dict(environ)
        _as_the_headers_say(shown, start_response)
        try:
            address = get_current_url(shown, root_only=True)
        except ValueError:  # it is none
            address = ""
        if address in self._addresses:
            environ = {**shown, _BELIEVED: True}
        return self._app(environ, start_response)


def is_behind_proxy() -> bool:
    """Whether the request came by a proxy that is named."""
    return bool(request.environ.get(_BELIEVED, False))


def _nothing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    return ()


_as_the_headers_say = ProxyFix(_nothing, x_for=0, x_proto=1, x_host=1, x_prefix=1)
"""Writes into the environment what the nearest proxy says of itself."""
