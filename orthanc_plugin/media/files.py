"""What lies on a medium: the files of a folder or of a ZIP, one after the other.

Nothing is unpacked to disk, so no name in a ZIP can lead anywhere, and only one image at a time is in memory.
"""

import lzma
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from headct.errors import UnusableInputError
from orthanc_plugin.media.recognition import Content, UnusableFileError, recognise

MAX_ZIP_FILES = 1_000_000
MAX_ZIP_RATIO = 200
"""Of unpacked to packed size of a whole ZIP. Images shrink to a third; a bomb by a thousand and more."""
SMALL_ZIP_BYTES = 2**30
"""Unpacked size up to which the ratio does not matter: images of nothing shrink well too."""
_SMALL_FILE_BYTES = 2**26
"""The same of one file: the largest plain image has 32 MB."""

_ZIP = b"PK\x03\x04"
_PROGRAM = (b"META-INF/", b"[Content_Types].xml", b"mimetype")
"""First names in the ZIPs that are really programs (Java) and documents (Office, OpenDocument)."""
_LOCAL_HEADER = 30
"""Bytes before the first name in a ZIP."""


@dataclass(frozen=True, slots=True)
class MediumFile:
    """A file on a medium, not read yet."""

    name: str
    """Where a person finds it: the path below the medium, and below the ZIP."""
    size: int
    """Bytes it takes on the medium."""
    open: Callable[[], IO[bytes]]
    in_zip: bool = False


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A part of a medium that cannot be looked into."""

    name: str
    reason: str


def total_bytes(path: Path) -> int:
    """Size of all files of a medium, from the file system's tables alone.

    Raises:
        UnusableInputError: there is nothing at the path.
    """
    if not path.exists():
        raise UnusableInputError(f"there is no file or folder {path}")
    return sum(_size(file) for file in _walk(path, [])) if path.is_dir() else _size(path)


def files(path: Path) -> Iterator[MediumFile | Unreadable]:
    """All files of a medium in the order of their names, ZIPs opened; each is to be read before the next.

    Raises:
        UnusableInputError: the path is a file that cannot be read, or a ZIP that cannot be used.
    """
    if not path.is_dir():
        try:
            yield from _file_or_zip(path, path.name)
        except (UnusableFileError, OSError) as error:
            raise UnusableInputError(f"{path}: {_reason(error)}") from error
        return
    unreadable: list[Unreadable] = []
    for file in _walk(path, unreadable):
        yield from _drain(unreadable)
        name = str(file.relative_to(path))
        try:
            yield from _file_or_zip(file, name)
        except (UnusableFileError, OSError) as error:
            yield Unreadable(name, _reason(error))
    yield from _drain(unreadable)


def look(file: MediumFile) -> Content:
    """Tell what a file is, and read it if it is DICOM.

    Raises:
        UnusableFileError: it cannot be read, is damaged DICOM, or a ZIP inside a ZIP.
    """
    try:
        if file.in_zip and _is_zip(file):
            raise UnusableFileError("a ZIP inside a ZIP; unpack it first")
        with file.open() as stream:
            return recognise(stream)
    except (OSError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError) as error:
        raise UnusableFileError(_reason(error)) from error


def _reason(error: Exception) -> str:
    match error:
        case UnusableFileError():
            return str(error)
        case OSError():
            return error.strerror or "cannot be read"
        case RuntimeError():
            return "packed in a way that cannot be read here; unpack it first"
    return "damaged ZIP"


def _walk(folder: Path, unreadable: list[Unreadable]) -> Iterator[Path]:
    """Regular files in the order of their names; no link to another folder is followed."""

    def note(error: OSError) -> None:
        unreadable.append(Unreadable(os.path.relpath(error.filename, folder), _reason(error)))

    for parent, folders, names in os.walk(folder, onerror=note):
        folders.sort()
        for name in sorted(names):
            file = Path(parent, name)
            try:
                regular = stat.S_ISREG(file.stat().st_mode)
            except OSError as error:
                note(error)
                continue
            if regular:
                yield file


def _drain(unreadable: list[Unreadable]) -> Iterator[Unreadable]:
    while unreadable:
        yield unreadable.pop(0)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _file_or_zip(path: Path, name: str) -> Iterator[MediumFile | Unreadable]:
    file = MediumFile(name, _size(path), lambda: path.open("rb"))
    if _is_zip(file):
        yield from _zip(path, file)
    else:
        yield file


def _is_zip(file: MediumFile) -> bool:
    """Whether it is a ZIP and, by the first name in it, no program or document."""
    with file.open() as stream:
        head = stream.read(_LOCAL_HEADER + max(map(len, _PROGRAM)))
    return head.startswith(_ZIP) and not head[_LOCAL_HEADER:].startswith(_PROGRAM)


def _zip(path: Path, whole: MediumFile) -> Iterator[MediumFile | Unreadable]:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, RuntimeError, ValueError, EOFError) as error:
        raise UnusableFileError("damaged ZIP") from error
    with archive:
        entries = sorted((e for e in archive.infolist() if not e.is_dir()), key=lambda e: e.filename)
        _refuse_bombs(entries, whole.size)
        for entry in entries:
            name = f"{whole.name}/{entry.filename}"
            if entry.flag_bits & 1:
                yield Unreadable(name, "packed with a password; unpack it first")
            elif (
                entry.file_size > _SMALL_FILE_BYTES and entry.file_size > MAX_ZIP_RATIO * entry.compress_size
            ):
                yield Unreadable(name, "grows beyond reason (a ZIP bomb)")
            else:
                yield MediumFile(name, entry.compress_size, _opener(archive, entry), in_zip=True)


def _opener(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    # The library gives no more bytes than the entry declares.
    return lambda: archive.open(entry)


def _refuse_bombs(entries: list[zipfile.ZipInfo], size: int) -> None:
    """A ZIP whose files lie over each other, or that grows beyond reason, was made to do harm."""
    unpacked = sum(entry.file_size for entry in entries)
    if (
        len(entries) > MAX_ZIP_FILES
        or sum(entry.compress_size for entry in entries) > size
        or (unpacked > SMALL_ZIP_BYTES and unpacked > MAX_ZIP_RATIO * size)
    ):
        raise UnusableFileError("this ZIP grows beyond reason (a ZIP bomb)")
