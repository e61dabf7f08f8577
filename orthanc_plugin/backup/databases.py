"""SQLite databases copied while they are used, each as it was at one moment, and checked after.

The store is copied with SQLite's own backup. Orthanc locks its index against all other programs
(``PRAGMA locking_mode=EXCLUSIVE``), so while it runs its files are read beside SQLite. That is sound by how
a write-ahead log works (https://sqlite.org/fileformat2.html#the_write_ahead_log): pages change in the
database only by being copied out of the log, and until the log begins anew, which changes its header, each
of them is still in it. So a copy of the database and then of its log, under one header, is what a power cut
would have left at the moment the log was read, and SQLite makes a database of it.
"""

import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from orthanc_plugin.backup.errors import BackupError

WAIT_SECONDS = 60.0
"""How long a writer is waited for; transactions are far shorter."""
PATIENCE_SECONDS = 600.0
"""How long a moment is waited for in which the log of Orthanc's index does not begin anew. It does every
1,000 pages, about 100 images; a second look at an index of 300 MB takes 0.3 s."""
PAUSE_SECONDS = 0.2
_CHUNK = 1 << 20
_WAL_HEADER = 32
"""Bytes; two of its numbers, the salts, differ from one beginning to the next."""


def copy_store(source: Path, target: Path, seconds: float = WAIT_SECONDS) -> None:
    """Copy a database that others use, as it is at one moment.

    Raises:
        sqlite3.Error: it is locked for longer than that, damaged, or none.
    """
    with (
        closing(sqlite3.connect(_uri(source, "mode=ro"), uri=True, timeout=seconds)) as read,
        closing(sqlite3.connect(target)) as written,
    ):
        read.execute("BEGIN")
        read.execute("SELECT count(*) FROM sqlite_master")  # from here on it is one moment, and ours to read
        read.backup(written)
    _settle(target)


def copy_index(source: Path, target: Path, patience: float = PATIENCE_SECONDS) -> None:
    """Copy Orthanc's index, whether Orthanc runs or not; ``target`` may hold an earlier copy.

    It is never opened: Orthanc, started just then, would find it locked and end.

    Raises:
        BackupError: no moment was found in which it can be copied.
        sqlite3.Error: it is damaged, or no database.
        OSError: there is none, or no room for its copy.
    """
    deadline = time.monotonic() + patience
    while not _copied_as_it_lies(source, target):
        if time.monotonic() > deadline:
            raise BackupError(f"Orthanc wrote into {source} all the time: run the backup when less arrives")
        time.sleep(PAUSE_SECONDS)
    _settle(target)


def damage(database: Path) -> str:
    """What SQLite finds wrong with a database that nobody uses; empty where nothing is."""
    try:
        with closing(read_only(database)) as connection:
            found = [row[0] for row in connection.execute("PRAGMA integrity_check(1)")]
    except sqlite3.Error as error:
        return str(error)
    return "" if found == ["ok"] else str(found[0])


def read_only(database: Path) -> sqlite3.Connection:
    """A database that nobody uses; nothing is written, not even beside it."""
    return sqlite3.connect(_uri(database, "mode=ro&immutable=1"), uri=True)


def _uri(path: Path, options: str) -> str:
    return f"file:{quote(str(path))}?{options}"


def _copied_as_it_lies(source: Path, target: Path) -> bool:
    """Whether one beginning of the log lasted while database and log were copied."""
    log, copied_log = (path.with_name(path.name + "-wal") for path in (source, target))
    before = _beginning(source, log)
    _copy_changed(source, target)
    copied_log.unlink(missing_ok=True)
    if before is None:
        return False
    if log.exists():
        try:
            shutil.copyfile(log, copied_log)
        except FileNotFoundError:  # Orthanc was just ended
            return False
    return _beginning(source, log) == before


def _beginning(source: Path, log: Path) -> tuple[int, bytes] | None:
    """Which file it is, and how its log begins; without one when it was written last.

    ``None`` while it is written in another way than through a log.
    """
    if source.with_name(source.name + "-journal").exists():
        return None
    found = source.stat()
    try:
        with log.open("rb") as file:
            return found.st_ino, file.read(_WAL_HEADER)
    except FileNotFoundError:
        return found.st_ino, f"{found.st_size} {found.st_mtime_ns}".encode()


def _copy_changed(source: Path, target: Path) -> None:
    """Make a file like another one, writing only what differs: a second look takes far less time."""
    target.touch()
    with source.open("rb") as read, target.open("r+b") as written:
        while chunk := read.read(_CHUNK):
            at = written.tell()
            if written.read(len(chunk)) != chunk:
                written.seek(at)
                written.write(chunk)
        written.truncate(read.tell())


def _settle(database: Path) -> None:
    """Take what is in the log into the database: one file, that changes nothing by being opened."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")
