"""Addresses relative to the page, so that they hold under whatever path a proxy shows it."""

from urllib.parse import urljoin, urlsplit

from flask import request, url_for

from orthanc_plugin.health.views import StatusView
from orthanc_plugin.web.proxies import is_behind_proxy

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def to(endpoint: str, **values: object) -> str:
    """A route's address, relative to what was asked for."""
    return relative(url_for(endpoint, **values))  # type: ignore[arg-type]


def is_worklist() -> bool:
    """Whether the worklist was asked for, which is the only address that ends with a slash."""
    return request.path.rstrip("/") == "/triage"


def relative(target: str) -> str:
    """An absolute path of this application, relative to what was asked for.

    Orthanc takes a slash at the end of an address away; ``slash.js`` puts right what was asked for otherwise.
    """
    asked = request.path.rstrip("/") + ("/" if is_worklist() else "")
    here = f"{request.script_root}{asked}".split("/")[:-1]
    path, query, rest = target.partition("?")
    there = path.split("/")
    shared = 0
    while shared < min(len(here), len(there) - 1) and here[shared] == there[shared]:
        shared += 1
    return ("../" * (len(here) - shared) + "/".join(there[shared:]) or "./") + query + rest


def root() -> str:
    """Of all of Orthanc, relative to what was asked for."""
    return relative(f"{request.script_root}/")


def with_viewer(status: StatusView, *, in_full: bool = False) -> StatusView:
    """The status with the viewer's address as it holds for who asks.

    The setting is an address of its own, or one relative to Orthanc's. One on this machine's loopback, as
    ``headct up`` sets it, is of no use to who came by a proxy: there the viewer is at the proxy's host.

    Args:
        status: the viewer's address as the setting has it.
        in_full: for programs; a page takes one that is relative to itself.
    """
    if status.ohif_url is None:
        return status
    address = status.ohif_url
    parts = urlsplit(address)
    if parts.scheme:
        if parts.hostname in LOOPBACK and is_behind_proxy():
            address = parts._replace(scheme=request.scheme, netloc=request.host).geturl()
    elif in_full:
        address = urljoin(request.url_root, address)
    elif not address.startswith("/"):
        address = f"{root()}{address}"
    return status.model_copy(update={"ohif_url": address})
