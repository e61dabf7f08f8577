"""Ports that other machines have no business at, closed to them by a table of nftables that is ours alone.

Orthanc's DICOM port cannot be bound to one address, nor its HTTP port before Orthanc 1.12.10. It refuses what
strangers send, but they can connect, and hold on to it; a relay in front would hide the scanner's address.
Where no table can be made, as without the rights of root, it is told which port is open to whom.
"""

import logging
import os
import shutil
import subprocess
import time
from typing import Self

from orthanc_plugin.settings import OpenPort
from orthanc_plugin.stack.credentials import without_secrets
from orthanc_plugin.stack.options import Options
from orthanc_plugin.stack.stale import mark

BINDS_HTTP = (1, 12, 10)
"""The first Orthanc that knows ``HttpBindAddresses``."""
LOOK_SECONDS = 5.0
"""Between two looks whether the table is still there."""

_SECONDS = 20
_TRY_SECONDS = 2.0
_PAUSE_SECONDS = 0.02
_TABLE = (
    "table inet {name} {{ flags owner; chain input {{ "
    "type filter hook input priority filter - 5; policy accept; "
    'tcp dport != {{ {ports} }} return; iifname "lo" return; {senders}reject with tcp reset; }}; }}\n'
)
"""It belongs to the process that made it: no other can change it, and with that process it is gone."""

log = logging.getLogger(__name__)


class Firewall:
    """Closes the ports for as long as the stack runs, and not longer, however that ends."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._program = shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin")
        self._name = f"headct_{os.getpid()}"
        self._owner: subprocess.Popen[str] | None = None
        self._next_look = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.open()

    @property
    def is_closed(self) -> bool:
        """Whether the table is there."""
        return self._owner is not None and self._owner.poll() is None

    def close(self) -> None:
        """Put the table there, if that may be done here."""
        if self._program is None:
            return
        try:
            self._owner = self._started(self._program)
            if self._is_there(self._program):
                return
        except (OSError, subprocess.TimeoutExpired) as error:
            log.warning("no firewall: %s", type(error).__name__)
        self.open()

    def look(self) -> None:
        """Put it there again where its process was ended; to be called often."""
        if self._owner is not None and time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + LOOK_SECONDS
            if not self.is_closed:
                self.close()
                log.warning(
                    "the firewall's process ended; %s", "again" if self.is_closed else "ports are open"
                )

    def open(self) -> None:
        """Take the table away."""
        if self._owner is not None:
            self._owner.kill()
            self._owner.communicate()
            self._owner = None

    def _started(self, program: str) -> subprocess.Popen[str]:
        owner = subprocess.Popen(
            [program, "--interactive"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**without_secrets(os.environ), **mark(self._options.data)},
            start_new_session=True,
            text=True,
        )
        assert owner.stdin is not None
        # The pipe stays open: its end is how the process learns that we ended, however we did.
        owner.stdin.write(self.rules)
        owner.stdin.flush()
        return owner

    def _is_there(self, program: str) -> bool:
        """Whether the process could make the table."""
        end = time.monotonic() + _TRY_SECONDS
        command = [program, "list", "table", "inet", self._name]
        while self.is_closed and time.monotonic() < end:
            listed = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
            if listed.returncode == 0:
                return "reject" in listed.stdout
            if "No such file" not in listed.stderr:  # Operation not permitted, or not supported
                return False
            time.sleep(_PAUSE_SECONDS)
        return False

    @property
    def rules(self) -> str:
        """The table: this machine may, and each scanner to the DICOM port."""
        options = self._options
        hosts = sorted({ae.host for ae in options.calling_aes})
        kinds = [("ip6" if ":" in host else "ip", host) for host in hosts]
        senders = (f"tcp dport {options.dicom_port} {kind} saddr {host} return; " for kind, host in kinds)
        return _TABLE.format(
            name=self._name, ports=f"{options.http_port}, {options.dicom_port}", senders="".join(senders)
        )

    def open_ports(self, version: tuple[int, ...]) -> tuple[OpenPort, ...]:
        """Ports that are open to machines that have no business there.

        Args:
            version: of Orthanc.
        """
        if self.is_closed:
            return ()
        senders = tuple(f"{ae.title}@{ae.host}" for ae in self._options.calling_aes)
        dicom = OpenPort(kind="DICOM", port=self._options.dicom_port, senders=senders)
        http = OpenPort(kind="HTTP", port=self._options.http_port)
        return (dicom,) if version >= BINDS_HTTP else (dicom, http)
