"""One program of the stack, started again whenever it ends unasked.

Without an end: at night nobody is there who could start it by hand. A program that was up is back at once,
however often it is killed. One that does not come up is tried at growing intervals: something else is wrong.
"""

import logging
import socket
import time
from collections.abc import Callable

from orthanc_plugin.stack.options import LOOPBACK
from orthanc_plugin.stack.processes import Child, Program

BACK_OFF = (0.5, 30.0)
"""Seconds before a program that was up is started again, and the longest pause between vain attempts."""
STEADY_SECONDS = 5.0
"""A program that listens on no port and ran for so long is up."""
_CONNECT_SECONDS = 1.0

log = logging.getLogger(__name__)


class Supervised:
    """A program that is started again when it ends; somebody has to look after it often."""

    def __init__(self, program: Program, before: Callable[[], object] = lambda: None) -> None:
        """``before``: what is done before each start."""
        self.program = program
        self._before = before
        before()
        self.child = Child(program)
        self.restarts = 0
        """How often it ended unasked."""
        self._up = False
        self._pause = BACK_OFF[0]
        self._due: float | None = None

    @property
    def dead(self) -> bool:
        """Whether it has ended, and is not started again yet."""
        return self.child.exit_status is not None

    def look_after(self) -> None:
        """Note that it is up or has ended, and start it again when that is due."""
        self.child.gather()
        if not self.dead:
            if not self._up and self._is_up():
                self._up, self._pause = True, BACK_OFF[0]
                if self.restarts:
                    log.warning("%s is up again", self.program.name)
        elif self._due is None:
            self._ended()
        elif time.monotonic() >= self._due:
            self._start()

    def _is_up(self) -> bool:
        return listens(self.program.port) if self.program.port else self.child.age > STEADY_SECONDS

    def _ended(self) -> None:
        self.restarts += 1
        log.warning(
            "%s ended unexpectedly (status %s, after %.0f s); it is started again in %.1f s, until it is up",
            self.program.name,
            self.child.exit_status,
            self.child.age,
            self._pause,
        )
        self._up = False
        self._wait()

    def _start(self) -> None:
        try:
            self._before()
            self.child.close()
            self.child = Child(self.program)
        except OSError as error:  # no memory, no processes, a full disk: that may pass
            log.warning("%s cannot be started (%s)", self.program.name, error.strerror)
            self._wait()
        else:
            self._due = None

    def _wait(self) -> None:
        self._due = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, BACK_OFF[1])


def listens(port: int) -> bool:
    """Whether somebody takes connections at a port of this machine."""
    try:
        with socket.create_connection((LOOPBACK, port), _CONNECT_SECONDS):
            return True
    except OSError:
        return False
