"""Room that is held back for a start on a full disk.

A database makes its log anew at each start: on a full disk neither Orthanc's nor ours can be opened, and
nobody could read what is there, or be told why nothing new comes. ``headct up`` gives this room free before
it starts Orthanc. Once triage runs it is taken back, so that no image is stored in it and the next start has
it too.
"""

import contextlib
import os
from pathlib import Path

FILES = 8
"""As many files can be made where it is not bytes that are missing: each database makes two."""
BYTES = 4 * 2**20
"""Of each. Orthanc 1.10.1 and triage come up with 4 MB in all."""
_SMALLEST = 64 * 2**10
"""Less than any image of a head takes."""


class Reserve:
    """Files that hold nothing but room."""

    def __init__(self, storage: Path) -> None:
        """``storage``: the folder of the store, on the disk that is to have room."""
        self._folder = storage / "reserve"

    @property
    def held(self) -> int:
        """Bytes that are held back."""
        return sum(path.stat().st_blocks * 512 for path in self._files() if path.exists())

    def give(self) -> bool:
        """Let others have it, if there is less free than that; whether it was given."""
        try:
            found = os.statvfs(self._folder)
        except OSError:
            return False  # there never was one
        files_left = found.f_favail if found.f_files else FILES
        if found.f_bavail * found.f_frsize >= FILES * BYTES and files_left >= FILES:
            return False
        given = False
        for path in self._files():
            with contextlib.suppress(OSError):  # it was never taken, or nothing can be written here at all
                path.unlink()
                given = True
        return given

    def take(self) -> None:
        """Hold back what there is of it, to the last bit where there is less."""
        with contextlib.suppress(OSError):  # no room for it, or for another file: that is what it is about
            self._folder.mkdir(parents=True, exist_ok=True)
            for path in self._files():
                if not (path.exists() and path.stat().st_blocks * 512 >= BYTES) and not _grow(path):
                    return

    def _files(self) -> list[Path]:
        return [self._folder / f"{number}" for number in range(FILES)]


def _grow(path: Path) -> bool:
    """Make a file as large as it is to be, or as can be; whether it is."""
    with path.open("ab") as file:
        size = os.fstat(file.fileno()).st_size
        step = BYTES - size
        while step >= _SMALLEST:
            try:
                os.posix_fallocate(file.fileno(), size, step)
            except OSError:
                os.truncate(path, size)
                step //= 2
            else:
                size += step
                step = min(step, BYTES - size)
    return size >= BYTES
