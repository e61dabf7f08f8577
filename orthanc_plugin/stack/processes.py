"""Child processes that live and die together."""

import contextlib
import ctypes
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_libc = ctypes.CDLL(None, use_errno=True)

STOP_SECONDS = 20.0
"""How long a process may take to end in good order before it is killed."""


class Stopped(BaseException):
    """Somebody asked the stack to end (Ctrl-C, SIGTERM); not an error."""


class Child:
    """One program of the stack, writing to its own log file."""

    def __init__(self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                umask=0o077,  # images and logs are the owner's alone
                # A session of its own: Ctrl-C reaches us alone, and we end the children in order.
                start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - one system call; no thread has been started
            )

    @property
    def pid(self) -> int:
        """Process number."""
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """Exit status, negative for a signal, or None while it runs."""
        return self._process.poll()

    def last_lines(self, count: int = 8) -> str:
        """The end of the log, for a message to the person who started the stack."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])

    def stop(self) -> None:
        """End it in good order, by force after a while."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def _end_with_parent() -> None:
    """Run in the child: when we are killed, the child is asked to end, so no port stays taken."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def first_dead(children: Sequence[Child]) -> Child | None:
    """The first child that has ended, if one has."""
    return next((child for child in children if child.exit_status is not None), None)


def watch(children: Sequence[Child], pause: float = 0.5) -> Child:
    """Wait until a child ends by itself and return it."""
    while (dead := first_dead(children)) is None:
        time.sleep(pause)
    return dead


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
