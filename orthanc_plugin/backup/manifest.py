"""What stands beside the files of a backup: what it is, and the digest of each file.

``SHA256SUMS`` is in the form of ``sha256sum``, so that anybody can check a backup without this program. It is
written last: without it a folder is no backup.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Self

from orthanc_plugin.backup import copying
from orthanc_plugin.backup.errors import RestoreError

FORMAT = 1
"""Raised when older programs could not restore it rightly."""
SUMS = "SHA256SUMS"
ABOUT = "backup.json"
DATA = "data"
"""The data folder as it will be restored."""
_LINE = re.compile(rb"(\\?)([0-9a-f]{64})  (.+)")


@dataclass(frozen=True, slots=True)
class About:
    """What a backup is."""

    made_at: datetime
    """On the clock of the machine, in UTC."""
    program: str
    host: str
    data: str
    """The folder it was made of."""
    images: bool
    store: str = ""
    """Place of the store; empty where a server keeps it."""
    index: str = ""
    """Place of Orthanc's index; empty where a server keeps it."""
    places: dict[str, str] = field(default_factory=dict)
    """Files and folders of the settings, and where they lie in the restored data folder."""
    images_folder: str = ""
    """Place of Orthanc's files."""
    missing_files: int = 0
    """Of Orthanc's, that its index lists and that are not there."""
    damaged_files: int = 0
    """Of Orthanc's, that are not what its index says; they are in the backup as they are."""
    skipped: list[str] = field(default_factory=list)
    """What was neither file nor folder."""
    format: int = FORMAT

    def write(self, folder: Path) -> str:
        """Write it; its SHA-256."""
        path = folder / ABOUT
        text = json.dumps({**asdict(self), "made_at": self.made_at.isoformat()}, indent=2)
        with copying.create(path) as file:
            file.write(f"{text}\n".encode("ascii"))
        return copying.digest(path)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Of a backup.

        Raises:
            RestoreError: it is none, or of a newer program.
        """
        if not (folder / SUMS).is_file() or not (folder / ABOUT).is_file():
            raise RestoreError(f"{folder} is no finished backup: it lacks {SUMS} or {ABOUT}")
        try:
            found = json.loads((folder / ABOUT).read_bytes())
            if found["format"] > FORMAT:
                raise RestoreError(
                    f"{folder} was made by a newer version ({found['program']}): install that first"
                )
            return cls(**{**found, "made_at": datetime.fromisoformat(found["made_at"])})
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise RestoreError(f"{folder} is damaged: {ABOUT} cannot be read") from error


def write_sums(folder: Path, sums: Mapping[str, str]) -> None:
    """Write the digests of all files, at once or not at all."""
    unfinished = folder / f"{SUMS}.new"
    with copying.create(unfinished) as file:
        for path in sorted(sums):
            name = os.fsencode(path)
            escaped = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
            mark = b"\\" if escaped != name else b""
            file.write(mark + sums[path].encode() + b"  " + escaped + b"\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(folder / SUMS)


def read_sums(folder: Path) -> dict[str, str]:
    """The digests of all files of a backup.

    Raises:
        RestoreError: the list is damaged, or names files outside of the backup.
    """
    found: dict[str, str] = {}
    try:
        lines = (folder / SUMS).read_bytes().split(b"\n")
    except OSError as error:
        raise RestoreError(f"{folder} cannot be read: {copying.failure(error)}") from error
    if lines.pop() != b"":
        raise RestoreError(f"{folder} is damaged: {SUMS} is cut off")
    for line in lines:
        match = _LINE.fullmatch(line)
        name = _unescaped(match[3]) if match and match[1] else match[3] if match else b""
        path = os.fsdecode(name)
        if not match or path in found or not _is_inside(path):
            raise RestoreError(f"{folder} is damaged: {SUMS} has a line that is none")
        found[path] = match[2].decode()
    return found


def check_list(folder: Path, sums: Mapping[str, str]) -> None:
    """See that the files are there and no others; not what is in them.

    Raises:
        RestoreError: files are missing, or were added.
    """
    try:
        there = {str(path.relative_to(folder)): path for path in copying.files_below(folder)}
    except OSError as error:
        raise RestoreError(f"{folder} cannot be read: {copying.failure(error)}") from error
    if links := sorted(path for path, file in there.items() if file.is_symlink() or not file.is_file()):
        raise RestoreError(f"the backup was altered: {links[0]} is not a file")
    there.pop(SUMS, None)
    if missing := sorted(set(sums) - set(there)):
        raise RestoreError(f"the backup was altered: {len(missing)} files are missing, such as {missing[0]}")
    if added := sorted(set(there) - set(sums)):
        raise RestoreError(f"the backup was altered: {len(added)} files were added, such as {added[0]}")


def check_files(folder: Path, sums: Mapping[str, str]) -> None:
    """Read all files again and compare.

    Raises:
        RestoreError: one was altered.
    """
    check_list(folder, sums)
    for path, expected in sums.items():
        try:
            found = copying.digest(folder / path)
        except OSError as error:
            raise RestoreError(f"{path} cannot be read: {copying.failure(error)}") from error
        if found != expected:
            raise altered(path)


def altered(path: str) -> RestoreError:
    """A file is not what was backed up."""
    return RestoreError(f"the backup was altered: {path} is not what was backed up")


def _is_inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts and str(PurePosixPath(path)) == path


def _unescaped(name: bytes) -> bytes:
    meant = {b"\\\\": b"\\", b"\\n": b"\n", b"\\r": b"\r"}
    return re.sub(rb"\\[\\nr]", lambda match: meant[match[0]], name)
