"""One process at a time, by a lock that ends with the process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Hold a file's lock for a while, without waiting for it; whether it is held.

    Where a file system has no locks it is as if it were.
    """
    with path.open("ab") as file:
        try:
            _lock(file)
            held = True
        except (BlockingIOError, PermissionError):  # as Unix and Windows say that another has it
            held = False
        except OSError:
            held = True
        yield held


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
