"""Folders in which workers keep large series while they judge them, one a process, gone with it.

A process that was killed leaves its folder. Whether one is alive the kernel knows: each holds a lock on its
own folder, which ends with it however it ends. What nobody holds is deleted, at every start and at intervals.
"""

import fcntl
import os
import shutil
import tempfile
import time
from functools import cache
from pathlib import Path

from orthanc_plugin.settings import Settings

PREFIX = "worker-"
OLD_PREFIX = "series-"
"""Of folders that workers of releases before this one left, which held no lock."""
ATTEMPTS = 5
"""To make a folder before anybody deletes it."""
OLD_SECONDS = 86_400.0
"""Not touched for this long, one of those is nobody's: no series may take more than two hours."""


class WorkFolder:
    """The folder of this process; made when it is first needed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock: int | None = None
        self._path: Path | None = None

    def path(self) -> Path:
        """Where files may lie.

        Raises:
            OSError: there is no room for it.
        """
        if self._path is not None and self._path.is_dir():
            return self._path
        self._root.mkdir(parents=True, exist_ok=True)
        for _attempt in range(ATTEMPTS):
            self._close()
            made = self._path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=self._root))
            self._lock = _locked(made)
            # Until it is locked another process may take it for a dead one's and delete it. Where there are
            # no locks at all, none does.
            if self._lock is not None and made.is_dir():
                break
        return made

    def remove(self) -> None:
        """Delete it with all that is in it."""
        if self._path is not None:
            shutil.rmtree(self._path, ignore_errors=True)
        self._path = None
        self._close()

    def _close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
        self._lock = None


def root(settings: Settings) -> Path:
    """Where these folders lie."""
    return settings.storage / "work"


def of_this_process(settings: Settings) -> WorkFolder:
    """The one that it keeps for as long as it lives."""
    return _one(root(settings))


_one = cache(WorkFolder)


def remove_dead(settings: Settings) -> int:
    """Delete what killed processes left; how many folders.

    Raises:
        OSError: the place cannot be read.
    """
    place = root(settings)
    if not place.is_dir():
        return 0
    removed = 0
    for folder in place.iterdir():
        # A link is none of ours, whatever its name is.
        if folder.is_symlink() or not folder.is_dir():
            continue
        if folder.name.startswith(PREFIX):
            removed += _remove_if_dead(folder)
        elif folder.name.startswith(OLD_PREFIX) and _untouched_for(folder) > OLD_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
    return removed


def _remove_if_dead(folder: Path) -> bool:
    lock = _locked(folder)
    if lock is None:
        return False
    try:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
    return True


def _locked(folder: Path) -> int | None:
    """A descriptor that holds the folder; ``None`` while a process has it, or where it is gone."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held; or a file system without locks, where none is ever taken for dead
        os.close(descriptor)
        return None
    return descriptor


def _untouched_for(folder: Path) -> float:
    try:
        return time.time() - max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
    except OSError:
        return 0.0
