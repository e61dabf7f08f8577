"""Log files that do not grow for ever: our own, and those that the programs of the stack write themselves.

These keep their files open and know of no rotation. What they wrote is copied and the file emptied: they go
on at its new end. A pipe through us would end their log, and them with it, whenever we are killed.
"""

import logging
import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from logging.handlers import RotatingFileHandler
from pathlib import Path

OWN = "up.log"
"""What `headct up` itself has to say."""
_AGAIN_SECONDS = 60.0
"""After a rotation that failed, as it does on a full disk."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a log is kept."""

    size: int = 20 * 2**20
    """Bytes after which a file is laid aside."""
    files: int = 5
    """How many that were laid aside are kept of each."""


def write_own(folder: Path, limits: Limits) -> None:
    """Have what we log in a file of its own, and on standard error."""
    own = logging.getLogger("orthanc_plugin.stack")
    own.setLevel(logging.INFO)
    own.propagate = False
    while own.handlers:
        own.removeHandler(handler := own.handlers[0])
        handler.close()
    file = RotatingFileHandler(
        folder / OWN, maxBytes=limits.size, backupCount=limits.files, encoding="utf-8", delay=True
    )
    file.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    shown = logging.StreamHandler(sys.stderr)
    shown.setFormatter(logging.Formatter("headct up: %(message)s"))
    own.addHandler(file)
    own.addHandler(shown)


class Rotation:
    """Lays aside the logs of others as they grow; somebody has to look often."""

    def __init__(self, logs: Sequence[Path], limits: Limits) -> None:
        self._logs = logs
        self._limits = limits
        self._not_before = 0.0

    def look(self) -> None:
        """Lay aside what has grown too large; a failure is told and tried again later."""
        if time.monotonic() < self._not_before:
            return
        for path in self._logs:
            try:
                if path.exists() and path.stat().st_size > self._limits.size:
                    lay_aside(path, self._limits.files)
            except OSError as error:
                self._not_before = time.monotonic() + _AGAIN_SECONDS
                log.warning("the log %s cannot be laid aside (%s)", path.name, error.strerror)


def lay_aside(path: Path, files: int) -> None:
    """Copy a log that is being written to ``NAME.1``, move the older ones on, and empty it."""
    numbered = [path.with_name(f"{path.name}.{number}") for number in range(1, files + 1)]
    for newer, older in reversed(list(pairwise(numbered))):
        if newer.exists():
            newer.replace(older)
    with path.open("r+b") as source:
        if numbered:
            numbered[0].unlink(missing_ok=True)
            _copy(source.fileno(), numbered[0])
        os.ftruncate(source.fileno(), 0)


def _copy(source: int, target: Path) -> None:
    """All of it, what is written meanwhile too; nothing where there is no room."""
    try:
        with (
            open(source, "rb", closefd=False) as read,
            open(target, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as write,
        ):
            while os.fstat(source).st_size > write.tell():
                shutil.copyfileobj(read, write)
                write.flush()
    except OSError:
        target.unlink(missing_ok=True)
        raise
