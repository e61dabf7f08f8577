"""A small disk that tests may fill: in memory, where one may be mounted."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk(folder: Path, megabytes: int, *more: str) -> Iterator[bool]:
    """A folder as a disk of its own, of this size, with more options; false where none can be mounted."""
    folder.mkdir(exist_ok=True)
    size = ",".join((f"size={megabytes}m", *more))
    mount = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and not subprocess.run(mount, capture_output=True, check=False).returncode
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take all that is left of a disk, to the last byte; the file that takes it."""
    filling, size = folder / "filling", 2**20
    with filling.open("ab", buffering=0) as file:
        while size:
            try:
                file.write(bytes(size))
            except OSError:
                size //= 2
    return filling
