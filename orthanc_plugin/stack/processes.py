"""Child processes that live and die together, and leave nothing behind."""

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from orthanc_plugin.stack.log_filter import Gathered, Words

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_libc = ctypes.CDLL(None, use_errno=True)

STOP_SECONDS = 20.0
"""How long a process may take to end in good order before it is killed."""
_LOOK_SECONDS = 0.05


class Stopped(BaseException):
    """Somebody asked the stack to end (Ctrl-C, SIGTERM); not an error."""


@dataclass(frozen=True, slots=True)
class Program:
    """One program of the stack and how it is started."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str]
    port: int
    """Where it listens once it is up, on loopback; 0 where that is no port."""
    stack_bytes: int = 0
    """Of each of its threads; 0 leaves what is usual."""
    files: int = 0
    """That it may have open, connections too, as far as the machine lets us; 0 leaves what is usual."""
    folder: Path | None = None
    """Where it runs, if not where we do."""
    words: Words | None = None
    """What alone is kept of its messages, if not all of them."""


class Child:
    """A running program, writing to its own log file. All that it starts is in its process group."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._started = time.monotonic()
        self._gathered = Gathered(program.log, program.words) if program.words is not None else None
        with ExitStack() as opened:
            output = (self._gathered or opened.enter_context(program.log.open("ab"))).fileno()
            self._process = subprocess.Popen(
                list(program.command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(program.environment),
                umask=0o077,  # images and logs are the owner's alone
                # A session of its own: Ctrl-C reaches us alone, and we end the children in order.
                start_new_session=True,
                # System calls alone, and we have no threads.
                preexec_fn=lambda: _prepare(program),  # noqa: PLW1509
                cwd=program.folder,
            )

    @property
    def pid(self) -> int:
        """Process number."""
        return self._process.pid

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._started

    @property
    def exit_status(self) -> int | None:
        """Exit status, negative for a signal, or None while it runs; with it all that it had started ends."""
        if self._process.returncode is None and self._has_ended():
            self._kill_group()
            self._process.wait()
        return self._process.returncode

    def gather(self) -> None:
        """Put what it wrote into its log, where that does not happen by itself; to be called often."""
        if self._gathered is not None:
            self._gathered.move()

    def close(self) -> None:
        """It has ended: the rest goes into its log."""
        if self._gathered is not None:
            self._gathered.close()

    def last_lines(self, count: int = 8) -> str:
        """The end of the log, for a message to the person who started the stack."""
        self.gather()
        return "\n".join(self.program.log.read_text(errors="replace").splitlines()[-count:])

    def stop(self) -> None:
        """End it in good order, by force after a while, and what it started with it."""
        if self.exit_status is None:
            self._process.terminate()
            deadline = time.monotonic() + STOP_SECONDS
            while self.exit_status is None:
                if time.monotonic() > deadline:
                    self._kill_group()
                self.gather()
                time.sleep(_LOOK_SECONDS)
        self.close()

    def _has_ended(self) -> bool:
        # It is left unburied: as long as it is, no other process or group can have its number.
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


def _prepare(program: Program) -> None:
    """Run in the child, before its program is."""
    # When we are killed, the child is asked to end, so no port stays taken.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    # What it leaves in memory when it ends has patients' data.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _allow(resource.RLIMIT_STACK, program.stack_bytes)
    _allow(resource.RLIMIT_NOFILE, program.files)


def _allow(what: int, wanted: int) -> None:
    """As much as wanted, or as may be had."""
    most = resource.getrlimit(what)[1]
    if wanted:
        resource.setrlimit(what, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most))


@contextlib.contextmanager
def stop_on_signals() -> Iterator[None]:
    """Within this block SIGINT, SIGTERM and SIGHUP raise :class:`Stopped`."""

    def stop(_number: int, _frame: object) -> None:
        # A second Ctrl-C must not cut the ending short.
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise Stopped

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
