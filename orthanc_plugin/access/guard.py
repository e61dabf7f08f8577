"""The one guard before every request of Orthanc's web server.

Orthanc asks it after it checked the password and before it reads the body. The workers' own tokens pass by
it. It needs the standard library alone and works while triage is down.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from orthanc_plugin.access.callers import Callers
from orthanc_plugin.access.deeds import deed
from orthanc_plugin.access.pages import is_foreign, origin_of
from orthanc_plugin.access.roles import Logins, login
from orthanc_plugin.access.routes import Rule, name_of, parts_of, rule_of

METHODS = {1: "GET", 2: "POST", 3: "PUT", 4: "DELETE"}
"""Orthanc's numbers (``OrthancPluginHttpMethod``). It counts what it only knows of WebDAV as GET or PUT."""
OVERRIDES = ("x-http-method-override", "x-http-method", "x-method-override")
"""Headers by which a form says that it means another method. Orthanc believes the first."""
CLIENT_HEADER = "x-real-ip"
"""In which a proxy on this machine says who asks it; nginx of ``headct up`` overwrites what it was sent."""


@dataclass(frozen=True, slots=True)
class Request:
    """What Orthanc tells of a request."""

    method: str
    parts: tuple[str, ...]
    """Of the path."""
    headers: Mapping[str, str]
    """By name in small letters; of several of one name Orthanc knows the first."""
    arguments: Mapping[str, str]
    """Of a GET that is one: of ``?_method=DELETE`` Orthanc tells a DELETE without any."""
    address: str

    @classmethod
    def from_orthanc(cls, uri: str, told: Mapping[str, Any]) -> "Request":
        """From the arguments of the callback."""
        headers = {str(name).lower(): str(value) for name, value in told.get("headers", {}).items()}
        return cls(
            METHODS[int(told["method"])],
            parts_of(uri),
            headers,
            told.get("get", {}),
            _client(str(told.get("ip", "")), headers),
        )


class Guard:
    """Lets a request in or not, and tells the audit of those it does not."""

    def __init__(self, configuration: Mapping[str, Any], note: Callable[..., None]) -> None:
        """Stand before Orthanc's web server.

        Args:
            configuration: Orthanc's whole one.
            note: tells the audit, as :meth:`orthanc_plugin.audit.notes.Notes.note` does: at once, and it
                never raises.
        """
        self._logins = Logins.of(configuration)
        self._proxies = _proxies(configuration)
        self._dicom_web = _dicom_web(configuration)
        self._note = note
        self._callers = Callers()

    def admits(self, uri: str, told: Mapping[str, Any]) -> bool:
        """Whether Orthanc may take up a request."""
        request = Request.from_orthanc(uri, told)
        why = self.refusal(request)
        if why is not None:
            self._tell("route_refused", request, method=request.method, route=name_of(request.parts), why=why)
            return False
        rule = rule_of(request.method, self._usual(request.parts))
        if (done := deed(request.method, request.parts, rule)) is not None:
            self._tell(done[0], request, **done[1])
        self._callers.came(uri, told.get("headers", {}), request.address)
        return True

    def address_of(self, uri: str, answered: Mapping[str, Any]) -> str:
        """Where the request came from that this thread answers; empty where that is not known.

        Args:
            uri: of the request.
            answered: the other arguments of the callback that answers.
        """
        return self._callers.take(uri, answered.get("headers", {}))

    def _tell(self, event: str, request: Request, **detail: str) -> None:
        who = login(request.headers.get("authorization", "")) if self._logins.authentication else None
        self._note(event, actor=who or "", address=request.address, **detail)

    def refusal(self, request: Request) -> str | None:
        """Why a request is not let in, in a word; ``None`` where it is."""
        if "_method" in request.arguments or any(name in request.headers for name in OVERRIDES):
            return "method_override"
        rule = rule_of(request.method, self._usual(request.parts))
        role = self._logins.role(login(request.headers.get("authorization", "")))
        if rule.role is None or not role.may(rule.role):
            return "role"
        if not _is_bounded(request.headers, rule):
            return "too_large"
        # Triage refuses these by itself, in words.
        triage = request.parts[:1] == ("triage",)
        if (
            request.method != "GET"
            and not triage
            and is_foreign(request.method, request.headers, self._proxies)
        ):
            return "foreign_page"
        return None

    def _usual(self, parts: tuple[str, ...]) -> tuple[str, ...]:
        """With DICOMweb where it is unless an option has it elsewhere."""
        length = len(self._dicom_web)
        if length and parts[:length] == self._dicom_web:
            return ("dicom-web", *parts[length:])
        return parts


def _is_bounded(headers: Mapping[str, str], rule: Rule) -> bool:
    """Whether it is known before how much memory a body takes, and little enough."""
    length = headers.get("content-length")
    if length is None:
        return rule.streams or "transfer-encoding" not in headers
    return length.isascii() and length.isdigit() and len(length) < 20 and int(length) <= rule.largest


def _client(peer: str, headers: Mapping[str, str]) -> str:
    """Who asks: the peer, or whom a proxy on this machine says that it asks for."""
    try:
        if ip_address(peer).is_loopback:
            return str(ip_address(headers.get(CLIENT_HEADER, peer).strip()))
    except ValueError:
        pass
    return peer


def _proxies(configuration: Mapping[str, Any]) -> frozenset[str]:
    """Origins of the setting ``Proxies``."""
    section = configuration.get("HeadCTTriage")
    named = section.get("Proxies") if isinstance(section, dict) else None
    return frozenset(filter(None, map(origin_of, map(str, named if isinstance(named, list) else ()))))


def _dicom_web(configuration: Mapping[str, Any]) -> tuple[str, ...]:
    section = configuration.get("DicomWeb")
    return parts_of(str(section.get("Root", "/dicom-web/"))) if isinstance(section, dict) else ("dicom-web",)
