"""What the person who starts the stack may choose, checked before anything starts."""

import errno
import ipaddress
import os
import re
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from headct.errors import SettingsError
from orthanc_plugin.stack.logs import Limits

DATA_FOLDER = Path("headct-data")
"""Where the stack keeps its data unless told otherwise."""
LOOPBACK = "127.0.0.1"
HTTP_PORT = 8042

_ZONES = Path("/usr/share/zoneinfo")
_OWN_RULE = re.compile(r"UTC\Z|GMT\Z|([A-Za-z]{3,}|<[+\-\w]+>)[+-]?\d")
"""Values of TZ that need no file (POSIX.1-2017, 8.3)."""


@dataclass(frozen=True, slots=True)
class CallingAE:
    """A DICOM application that may send: its AE title and the address it sends from."""

    title: str
    host: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``AET@HOST``. An AE title has 1 to 16 characters (DICOM PS3.5 section 6.2, VR AE)."""
        match = re.fullmatch(r"([\x21-\x5b\x5d-\x7e]{1,16})@([0-9A-Fa-f.:]+)", text)
        if not match:
            raise SettingsError(f"a calling AE is written AET@ADDRESS, such as CT1@192.0.2.10, not {text!r}")
        try:
            ipaddress.ip_address(match[2])
        except ValueError as error:
            raise SettingsError(f"{match[2]!r} in {text!r} is not an IP address") from error
        return cls(match[1], match[2])


@dataclass(frozen=True, slots=True)
class Options:
    """Where the stack keeps its data and where it listens."""

    data: Path
    http_port: int = HTTP_PORT
    dicom_port: int = 4242
    ohif_port: int = 3000
    listen: str = LOOPBACK
    calling_aes: tuple[CallingAE, ...] = ()
    annotations: bool = False
    """The annotation profile, :attr:`orthanc_plugin.settings.Settings.annotations`."""
    research: bool = False
    """The model for research only, :attr:`orthanc_plugin.settings.Settings.research`."""
    logs: Limits = field(default_factory=Limits)

    @property
    def local_only(self) -> bool:
        """Whether only this machine may connect."""
        return ipaddress.IPv4Address(self.listen).is_loopback

    @property
    def orthanc_url(self) -> str:
        """Orthanc's own address, as seen from this machine."""
        return f"http://{LOOPBACK}:{self.http_port}"

    @property
    def page_url(self) -> str:
        """The worklist page; other machines come to it by the front door."""
        return f"{self.orthanc_url}/triage/" if self.local_only else f"{self.ohif_url}triage/"

    @property
    def ohif_url(self) -> str:
        """The viewer."""
        return f"http://{self.shown_host}:{self.ohif_port}/"

    @property
    def shown_host(self) -> str:
        """The address for a browser: where we listen, or this machine's own when that is everywhere.

        Not ``localhost``: that may lead a browser to another program's port on ``::1``.
        """
        address = ipaddress.IPv4Address(self.listen)
        if address.is_unspecified:
            return _own_address()
        return str(address)

    @property
    def _ports(self) -> dict[str, int]:
        return {"HTTP": self.http_port, "DICOM": self.dicom_port, "OHIF": self.ohif_port}

    def check(self) -> None:
        """Refuse what cannot work or is not safe; nothing has been started yet.

        Raises:
            SettingsError: A bad address, a port given twice, an open DICOM port, or a time zone that nobody
                knows.
        """
        _check_time_zone()
        try:
            ipaddress.IPv4Address(self.listen)  # Orthanc's HTTP server knows no other
        except ValueError as error:
            raise SettingsError(f"{self.listen!r} is not an IPv4 address") from error
        if len(set(self._ports.values())) < len(self._ports):
            raise SettingsError("the HTTP, DICOM and OHIF ports must be three different numbers")
        if not self.local_only and not self.calling_aes:
            raise SettingsError(
                f"listening on {self.listen} needs at least one --calling-ae AET@ADDRESS: "
                "only named scanners may send from other machines"
            )

    def check_ports(self) -> None:
        """Refuse to start beside another server.

        Raises:
            SettingsError: A port is in use.
        """
        for name, port in self._ports.items():
            if not port_is_free(port):
                raise SettingsError(
                    f"the {name} port {port} is in use by another program; nothing was started"
                )


def _check_time_zone() -> None:
    """The C library takes a name that it does not know for UTC and says nothing."""
    zone = os.environ.get("TZ", "").removeprefix(":")
    if zone and not (_OWN_RULE.match(zone) or (_ZONES / zone).is_file()):
        raise SettingsError(
            f"TZ is {zone!r}, which this machine does not know as a time zone; write it like Asia/Tokyo, "
            "and have the package tzdata installed"
        )


def _own_address() -> str:
    """The address this machine has on its network. Nothing is sent: a datagram socket only picks a route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # of the range for documentation, RFC 5737
        except OSError:
            return LOOPBACK  # no network at all
        return str(probe.getsockname()[0])


def port_is_free(port: int) -> bool:
    """Whether nobody listens on the port, on any address of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # With this option Linux ignores finished connections but still refuses a port that is listened on.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
        return True
