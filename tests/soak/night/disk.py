"""A small disk of the stack's own, that can be filled: a folder in memory, where root may mount one."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class Disk:
    """A folder, and whether it is a disk of its own."""

    folder: Path
    can_be_filled: bool

    def fill(self) -> None:
        """To the last byte."""
        size = _BLOCK
        with self._filling.open("ab", buffering=0) as file:
            while size:
                try:
                    file.write(bytes(size))
                except OSError:
                    size //= 2

    def free(self) -> None:
        """Of what filled it."""
        self._filling.unlink(missing_ok=True)

    @property
    def bytes_free(self) -> int:
        """That anybody could write."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    @property
    def _filling(self) -> Path:
        return self.folder / "filling"


@contextmanager
def disk(folder: Path, megabytes: int) -> Iterator[Disk]:
    """One of this size; the folder itself where nothing can be mounted."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and not subprocess.run(command, capture_output=True).returncode
    try:
        yield Disk(folder, mounted)
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
