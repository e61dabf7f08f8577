"""Answers that who asks has already are not sent again (RFC 9110, section 13.1.2)."""

from collections.abc import Callable
from hashlib import blake2b

from flask import Response, request


def unless_known(tag: str, answer: Callable[[], Response]) -> Response:
    """The answer; or that there is no news, where who asks names its tag. An empty tag is nobody's."""
    # Weak: the same case, however old by now; and proxies that compress make it so anyway.
    known = bool(tag) and request.if_none_match.contains_weak(tag)
    response = Response(status=304) if known else answer()
    if tag:
        response.set_etag(tag, weak=True)
    return response


def asks_by_itself() -> bool:
    """Whether the page asks, as it does every two seconds, and nobody has just opened it."""
    return request.headers.get("HX-Request") == "true"


def tag_of(text: str) -> str:
    """A tag that changes with every letter."""
    return blake2b(text.encode(), digest_size=12).hexdigest()
