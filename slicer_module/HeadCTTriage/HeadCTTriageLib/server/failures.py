"""What a request that failed on its way means, in words."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from http.client import BadStatusLine, RemoteDisconnected
from typing import Optional
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import ReadTimeoutError

from ..errors import UnreachableError
from ..translation import _

# OpenSSL's numbers of what is wrong with a certificate (openssl/x509_vfy.h).
_NOT_YET_VALID, _EXPIRED = 9, 10
_OTHER_NAME = {62, 64}
_NO_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}
_NO_WAY = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN}


def explain(error: Exception, url: str) -> UnreachableError:
    """The error for the doctor; ``url`` is the server's.

    ``requests`` wraps what happened several times over: the innermost cause that is known speaks.
    """
    host, where = urlsplit(url).hostname or url, urlsplit(url).netloc
    for cause in _causes(error):
        found = _connecting(cause, host, where) or _answering(cause, where, url)
        if found is not None:
            return found
    return broken(url)


def _connecting(cause: BaseException, host: str, where: str) -> Optional[UnreachableError]:
    kind = UnreachableError.NO_ANSWER
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _certificate(cause.verify_code, host)
    if type(cause).__name__ == "CertificateError":  # urllib3's own before version 2, of an address in numbers
        return _certificate(min(_OTHER_NAME), host)
    if isinstance(cause, ssl.SSLError):
        return _tls(cause, where)
    if isinstance(cause, socket.gaierror):
        kind = UnreachableError.NAME
        sentence = _("No computer is known by the name {host}.")
    elif isinstance(cause, ConnectionRefusedError):
        sentence = _("{where} refuses the connection: no server runs there, or the port is another.")
    elif isinstance(cause, OSError) and cause.errno in _NO_WAY:
        sentence = _("The network has no way to {host}.")
    elif isinstance(cause, requests.ConnectTimeout):
        sentence = _("{where} does not answer: it is switched off, or a firewall stands between.")
    else:
        return None
    return UnreachableError(sentence.format(host=host, where=where), kind)


def _answering(cause: BaseException, where: str, url: str) -> Optional[UnreachableError]:
    if isinstance(cause, (requests.ReadTimeout, ReadTimeoutError)):
        return slow(url)
    if isinstance(cause, BadStatusLine) and not isinstance(cause, RemoteDisconnected):
        sentence = _("What answers at {where} is no web server, or it wants https:// before its name.")
        return UnreachableError(sentence.format(where=where), UnreachableError.BROKEN)
    return None


def slow(url: str) -> UnreachableError:
    """It took the connection and then too long."""
    sentence = _("{where} took the question and did not answer in time.")
    return UnreachableError(sentence.format(where=urlsplit(url).netloc), UnreachableError.SLOW)


def broken(url: str) -> UnreachableError:
    """The connection ended early."""
    sentence = _("The connection to {where} broke before the answer was complete.")
    if urlsplit(url).scheme == "http":
        sentence = _(
            "The connection to {where} broke before the answer was complete. "
            "If this is always so, the server may want https:// before its name."
        )
    return UnreachableError(sentence.format(where=urlsplit(url).netloc), UnreachableError.BROKEN)


def lost_on_the_way(error: Exception) -> bool:
    """Whether the server closed the connection as the request was on its way: then it may be asked again.

    Orthanc does so after a second of silence, and has not answered.
    """
    return any(
        isinstance(cause, (RemoteDisconnected, ConnectionResetError, BrokenPipeError, ConnectionAbortedError))
        for cause in _causes(error)
    )


def _certificate(code: int, host: str) -> UnreachableError:
    if code == _EXPIRED:
        sentence = _("The certificate of {host} has expired.")
    elif code == _NOT_YET_VALID:
        sentence = _("The certificate of {host} is not valid yet: look at the clock of this computer.")
    elif code in _OTHER_NAME:
        sentence = _("The certificate that was shown is not of {host} but of another computer.")
    else:
        sentence = _(
            "The certificate of {host} is of an issuer that is not known here. "
            "If the hospital has an own one, choose its certificate file."
        )
    return UnreachableError(sentence.format(host=host), UnreachableError.CERTIFICATE)


def _tls(error: ssl.SSLError, where: str) -> UnreachableError:
    if error.reason in _NO_TLS:
        sentence = _("{where} does not encrypt: its address begins with http://, or the port is another.")
    else:
        sentence = _("No encryption could be agreed on with {where}.")
    return UnreachableError(sentence.format(where=where), UnreachableError.NOT_TLS)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Everything an error was made from, the innermost first."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and not any(one is other for other in found):
            found.append(one)
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return reversed(found)
