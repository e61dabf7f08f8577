"""A small disk of the stack's own, that can be filled: a folder in memory, where root may mount one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from small_disk import fill, small_disk


@dataclass(frozen=True, slots=True)
class Disk:
    """A folder, and whether it is a disk of its own."""

    folder: Path
    can_be_filled: bool

    def fill(self) -> None:
        """To the last byte."""
        fill(self.folder)

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
    with small_disk(folder, megabytes) as mounted:
        yield Disk(folder, mounted)
