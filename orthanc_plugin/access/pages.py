"""Which page a request comes from, if any: another site's page changes nothing here.

A browser sends the password along with whatever a page has it ask for, so a login says nothing of what its
owner wants. What tells a page of ours from others: their scripts cannot add a header of their own across
sites, for Orthanc never answers the browser's question whether they may; and browsers say where a request
comes from, in headers that no page can change. A program, which no page leads, sends none of these.
"""

from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

OWN_HEADER = "x-triage"
"""Sent by our pages and by the panel in 3D Slicer."""


def is_foreign(method: str, headers: Mapping[str, str], proxies: Collection[str] = ()) -> bool:
    """Whether another site's page may be behind a change.

    Args:
        method: as Orthanc understood the request.
        headers: of the request, their names in small letters.
        proxies: origins under which reverse proxies show this server.
    """
    if OWN_HEADER in headers:
        return False
    host = headers.get("host", "").lower()
    # Either scheme: a proxy before Orthanc may end the encryption.
    ours = {f"http://{host}", f"https://{host}", *proxies}
    origin, site, page = (headers.get(name) for name in ("origin", "sec-fetch-site", "referer"))
    if origin is None and method != "POST" and _is_browser(headers):
        # Browsers give the origin of every PUT and DELETE, so this is a GET with ``_method``, which a picture
        # in any page can ask for.
        return True
    if site is not None:
        return site != "same-origin"
    if origin is not None:
        return origin.lower() not in ours
    if page is not None:
        return origin_of(page) not in ours
    return _is_browser(headers)


def _is_browser(headers: Mapping[str, str]) -> bool:
    # All browsers call themselves so since 1994, and no page can change it.
    marks = ("origin", "sec-fetch-site", "referer")
    return headers.get("user-agent", "").startswith("Mozilla/") or any(mark in headers for mark in marks)


def origin_of(address: str) -> str:
    """Scheme, host and port of an address; empty where there is none."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}".lower() if parts.netloc else ""
