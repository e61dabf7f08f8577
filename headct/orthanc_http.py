"""Orthanc over HTTP, from outside it: how connections are kept, and what is asked again.

For import, workers and training. It needs httpx, which their extras bring; nothing in headct imports this.
"""

import time
from collections.abc import Callable, Sequence
from ipaddress import ip_address

import httpx

from headct.errors import HeadCTError

LIMITS = httpx.Limits(keepalive_expiry=0.5)
"""Orthanc closes a connection after one idle second; a request sent at that moment would be lost."""
TIMEOUT = httpx.Timeout(120.0, connect=10.0)
PAUSES = (1.0, 3.0, 10.0)
"""Seconds before a request is repeated."""
_GATEWAY = frozenset({502, 503, 504})


class AwayError(HeadCTError):
    """Nobody answers; the message is the kind of trouble, fit to stand in brackets."""


class UntrustedError(AwayError):
    """The server's certificate is not trusted, which waiting does not change."""


def is_here(url: str) -> bool:
    """Whether an address leads to this very machine: nobody else can answer there, or listen in."""
    host = httpx.URL(url).host
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # another name
        return False


def is_gateway(answer: httpx.Response) -> bool:
    """Whether a proxy answers whose server does not now."""
    return answer.status_code in _GATEWAY


def ask(
    send: Callable[[], httpx.Response],
    pauses: Sequence[float] = PAUSES,
    *,
    is_away: Callable[[httpx.Response], bool] = is_gateway,
) -> httpx.Response:
    """An answer, whatever it says; asked for again when the line breaks or the server is away.

    Args:
        send: sends the request; may be called repeatedly, so a repeat must do no harm.
        pauses: seconds before each repetition.
        is_away: which answers are none.

    Raises:
        AwayError: there was none, the last time either.
    """
    left = list(pauses)
    while True:
        try:
            answer = send()
        except httpx.TransportError as error:
            trouble = type(error).__name__
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise UntrustedError(trouble) from None
        else:
            if not is_away(answer):
                return answer
            trouble = f"status {answer.status_code}"
        if not left:
            raise AwayError(trouble)
        time.sleep(left.pop(0))
