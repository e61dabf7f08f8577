"""Processes of an earlier stack on the same data folder that outlived it, known by a mark they inherited.

Where `headct up` and a program of it were killed, nobody was left to end the rest, and a port stays taken.
"""

import contextlib
import logging
import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path

MARK = "HEADCT_STACK"
"""Variable in the environment of all that a stack starts, and of what that starts: the data folder."""
WAIT_SECONDS = 10.0
"""How long each may take to end in good order before it is killed."""

_PROC = Path("/proc")

log = logging.getLogger(__name__)


def mark(data: Path) -> dict[str, str]:
    """What the environment of a process says of the data folder it works for."""
    return {MARK: str(data)}


def end_stale(data: Path) -> None:
    """End what an earlier stack left; for who holds the data folder's lock and has started nothing yet."""
    for pid in _marked(data):
        # The descriptor stays with this process: another one that gets its number is never meant.
        with contextlib.suppress(ProcessLookupError), _opened(pid) as descriptor:
            if not _is_marked(pid, data):
                continue
            log.warning(
                "process %s was left over by an earlier `headct up` on this data folder; it is ended", pid
            )
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)
            if not _ended(descriptor):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                _ended(descriptor)


@contextlib.contextmanager
def _opened(pid: int) -> Iterator[int]:
    descriptor = os.pidfd_open(pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _ended(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], WAIT_SECONDS)[0])


def _marked(data: Path) -> list[int]:
    ours = _ancestors()
    numbers = [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]
    return [pid for pid in numbers if pid not in ours and _is_marked(pid, data)]


def _is_marked(pid: int, data: Path) -> bool:
    try:
        environment = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:  # gone, or somebody else's
        return False
    return f"{MARK}={data}".encode() in environment.split(b"\0")


def _ancestors() -> set[int]:
    """Ourselves and those we come from, whatever their environment says."""
    found = {os.getpid()}
    pid = os.getppid()
    while pid > 1 and pid not in found:
        found.add(pid)
        pid = int((_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    return found
