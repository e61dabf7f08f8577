"""The server's address, as a doctor types it and as the program uses it."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from urllib.parse import urlsplit

from ..errors import UnreachableError
from ..translation import _

_PAGES = re.compile(r"/(?:triage|app|ui|ohif|dicom-web)(?:/.*)?\Z|/[^/]*\.html\Z")
"""Pages of the server that somebody may copy from a browser: only what stands before them is the address."""
_HOST = re.compile(r"(?!-)[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?")
_PREFIX = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]+)*")
HTTPS_PORT = 443


def server_url(typed: str) -> str:
    """``scheme://host[:port][/prefix]`` of what was typed: ``pacs.local:8042`` is ``http://pacs.local:8042``.

    Full-width characters are read as their narrow ones. Without a scheme it is ``http``, at port 443
    ``https``. What this gives is given back for itself.

    Raises:
        UnreachableError: it is no address, or holds a password, which would be kept with the address.
    """
    text = "".join(unicodedata.normalize("NFKC", typed).split())
    if "@" in text:
        raise _wrong(_("Write the address without user and password: they have fields of their own."))
    given, found, rest = text.partition("://")
    if not found:
        rest = text
    if _is_ipv6(rest):
        rest = f"[{rest}]"
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _no_address() from None
    path = _PAGES.sub("", parts.path.rstrip("/")).rstrip("/")
    scheme = given.lower() if found else "https" if port == HTTPS_PORT else "http"
    if scheme not in {"http", "https"} or port == 0 or not _PREFIX.fullmatch(path):
        raise _no_address()
    standard = HTTPS_PORT if scheme == "https" else 80
    return f"{scheme}://{_host(host)}{'' if port in {None, standard} else f':{port}'}{path}"


def in_clear(url: str) -> bool:
    """Whether password and images would travel unencrypted to another machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "http" or host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


def _host(host: str) -> str:
    if _is_ipv6(host):
        return f"[{ipaddress.IPv6Address(host).compressed}]"
    try:
        ascii_host = host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise _no_address() from None
    if not _HOST.fullmatch(ascii_host):
        raise _no_address()
    return ascii_host


def _is_ipv6(text: str) -> bool:
    try:
        # A zone, such as %eth0, holds for one machine alone and has no place in an address on the network.
        return "%" not in text and bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False


def _no_address() -> UnreachableError:
    return _wrong(_("This is no address of a server. One looks like https://pacs.hospital:8042."))


def _wrong(sentence: str) -> UnreachableError:
    return UnreachableError(sentence, UnreachableError.ADDRESS)
