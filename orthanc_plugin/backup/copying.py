"""Files copied with their digest, readable by their owner alone."""

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from orthanc_plugin.backup.errors import BackupError

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700
_CHUNK = 1 << 20


class UnreadableError(OSError):
    """A file is there and cannot be read; nothing is wrong with where it was to be copied."""


def copy(source: Path, target: Path) -> tuple[str, str]:
    """Copy a file's bytes to a new file; its SHA-256 and its MD5, by which Orthanc knows its files.

    Raises:
        FileNotFoundError: there is no such file (any more).
        UnreadableError: its disk is damaged, or it is no file.
        OSError: it may not be read, or cannot be written.
    """
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    # Not waiting for anybody at the other end, should it have become a pipe.
    with os.fdopen(os.open(source, os.O_RDONLY | os.O_NONBLOCK), "rb") as read:
        if not stat.S_ISREG(os.fstat(read.fileno()).st_mode):
            raise UnreadableError(errno.EINVAL, "not a file", str(source))
        make_folders(target.parent)
        with create(target) as written:
            while chunk := _read(read, source):
                sha256.update(chunk)
                md5.update(chunk)
                written.write(chunk)
    return sha256.hexdigest(), md5.hexdigest()


def create(path: Path) -> BinaryIO:
    """A new file."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE), "wb")


def _read(file: BinaryIO, path: Path) -> bytes:
    try:
        return file.read(_CHUNK)
    except OSError as error:
        raise UnreadableError(error.errno, error.strerror, str(path)) from error


def digest(path: Path) -> str:
    """SHA-256 of a file, as it lies on the disk where the system can be made to look there."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while chunk := file.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()


def make_folders(folder: Path) -> None:
    """A folder and those above it that are not there yet, the owner's alone."""
    if not folder.is_dir():
        make_folders(folder.parent)
        folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def files_below(folder: Path) -> Iterator[Path]:
    """Everything below a folder that is no folder, links included; none is followed.

    Raises:
        OSError: a folder cannot be read.
    """
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_dir(follow_symlinks=False):
            yield from files_below(Path(entry.path))
        else:
            yield Path(entry.path)


def flush(folder: Path) -> None:
    """A new name survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def require_room(folder: Path, needed: int, kept: int = 0) -> None:
    """See that there is room in a folder's file system.

    Args:
        folder: where it is to be written.
        needed: bytes.
        kept: bytes that are to stay free.

    Raises:
        BackupError: there is too little.
    """
    free = shutil.disk_usage(folder).free
    if free < needed + kept:
        also = f", and {size(kept)} are to stay free for triage" if kept else ""
        raise BackupError(f"no room in {folder}: {size(needed)} are needed{also}, {size(free)} are free")


def size(count: float) -> str:
    """Bytes in words."""
    for unit in ("bytes", "KB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def failure(error: OSError) -> str:
    """What the system says of a file; a full disk in plain words."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk became full ({error.filename or 'while writing'})"
    return f"{error.strerror or type(error).__name__}: {error.filename or ''}".rstrip(": ")
