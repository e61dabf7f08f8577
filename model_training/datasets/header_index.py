"""Which files make a series and whose it is: an index of headers on disk, for sources of a million files.

A flat folder of 750,000 images says nothing by its names; the headers have to be read, once. The index is an
SQLite file: memory holds a few batches of files while it is built and one patient while it is read, and a run
that was stopped goes on with the files that are missing.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from functools import partial
from itertools import groupby, islice
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from headct.errors import NotAnalysedError, UnusableInputError
from headct.images.headers import number, text
from headct.images.quiet import quiet
from headct.images.reading import read_headers
from model_training.datasets.parallel import in_processes
from model_training.datasets.source import FoundSeries, Source

_BATCH = 256
_TABLES = """
CREATE TABLE IF NOT EXISTS images (
    source TEXT, path TEXT, size INTEGER, changed INTEGER, run TEXT,
    person TEXT, study TEXT, series TEXT, image TEXT, patient_id TEXT, date TEXT, time TEXT,
    study_description TEXT, thickness_mm REAL, original INTEGER,
    PRIMARY KEY (source, path)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_person ON images (source, person, study, series);
CREATE TABLE IF NOT EXISTS prepared (
    source TEXT, person TEXT, fingerprint TEXT, entries TEXT,
    PRIMARY KEY (source, person)
) WITHOUT ROWID;
"""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Header:
    """What the index keeps of one file; all empty where it is no readable DICOM."""

    study: str = ""
    series: str = ""
    image: str = ""
    patient_id: str = ""
    date: str = ""
    time: str = ""
    study_description: str = ""
    thickness_mm: float | None = None
    original: bool = True


def open_index(path: Path) -> sqlite3.Connection:
    """The index and record of work of a folder of prepared data, locked against a second run.

    Raises:
        UnusableInputError: another run works there, or the file is no index.
    """
    database = sqlite3.connect(path, timeout=1.0)
    try:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA journal_mode = WAL")
        # A killed process loses nothing with it, a power cut the last patients alone.
        database.execute("PRAGMA synchronous = NORMAL")
        database.executescript(_TABLES)
        # Taken now and kept: the mode alone locks only with the first write.
        database.execute("BEGIN EXCLUSIVE")
        database.commit()
    except sqlite3.OperationalError as error:
        raise UnusableInputError(f"another run is preparing data in {path.parent}") from error
    except sqlite3.DatabaseError as error:
        raise UnusableInputError(f"{path} is damaged; remove it and run again") from error
    return database


def index(database: sqlite3.Connection, source: Source, run: str, workers: int) -> int:
    """Bring the index of one source up to date; files known with the same size and time are not opened.

    Args:
        database: from :func:`open_index`.
        source: where the files are.
        run: differs from run to run; files not seen in this one are forgotten.
        workers: number of processes that read headers.

    Returns:
        How many files the source has now.
    """
    unknown = (_unknown(database, source, run, batch) for batch in _batches(source.images(), _BATCH))
    count = 0
    with tqdm(desc=f"{source.name}: headers", unit="file") as bar:
        # Known files change the index, new ones come back from other processes: both a batch at a time.
        for rows, seen in in_processes(partial(_read_batch, source.root), unknown, workers):
            database.executemany(
                f"INSERT OR REPLACE INTO images VALUES ({', '.join('?' * 15)})",
                [
                    (source.name, name, size, changed, run, _person(source, name, header), *astuple(header))
                    for name, size, changed, header in rows
                ],
            )
            database.commit()
            count += seen
            bar.update(seen)
    database.execute("DELETE FROM images WHERE source = ? AND run <> ?", (source.name, run))
    database.commit()
    return count


def persons(database: sqlite3.Connection, source: Source) -> Iterator[tuple[str, list[FoundSeries]]]:
    """Patients of an indexed source in the order of their names, each with all series found."""
    rows = database.execute(
        "SELECT person, study, series, path, image, size, changed, patient_id, date, time,"
        " study_description, thickness_mm, original"
        " FROM images WHERE source = ? ORDER BY person, study, series, path",
        (source.name,),
    )
    for person, of_person in groupby(rows, key=lambda row: str(row[0])):
        yield (
            person,
            [_series(source, list(group)) for _, group in groupby(of_person, key=lambda row: row[1:3])],
        )


def count_persons(database: sqlite3.Connection, source: Source) -> int:
    """Patients of an indexed source."""
    query = "SELECT COUNT(DISTINCT person) FROM images WHERE source = ?"
    return int(database.execute(query, (source.name,)).fetchone()[0])


def recorded(database: sqlite3.Connection, source: str, person: str, fingerprint: str) -> str | None:
    """What :func:`record` kept under this fingerprint; ``None`` where it is another one's, or nothing."""
    query = "SELECT entries FROM prepared WHERE source = ? AND person = ? AND fingerprint = ?"
    row = database.execute(query, (source, person, fingerprint)).fetchone()
    return None if row is None else str(row[0])


def record(database: sqlite3.Connection, source: str, person: str, fingerprint: str, entries: str) -> None:
    """Keep what was prepared of one patient, or slice, so that a later run need not do it again."""
    database.execute(
        "INSERT OR REPLACE INTO prepared VALUES (?, ?, ?, ?)", (source, person, fingerprint, entries)
    )
    database.commit()


def stamp(path: Path) -> tuple[int, int] | None:
    """Size and time of a file; ``None`` where it is not, which is said when it is read."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _person(source: Source, name: str, header: _Header) -> str:
    return source.person(source.root / name, header.patient_id)


def _unknown(
    database: sqlite3.Connection, source: Source, run: str, files: list[Path]
) -> tuple[list[tuple[str, int, int]], int]:
    """Files of a batch that must be read, and the size of the batch; the others are marked as seen."""
    found = {}
    for file in files:
        status = file.stat()
        found[file.relative_to(source.root).as_posix()] = (status.st_size, status.st_mtime_ns)
    query = (
        f"SELECT path, size, changed FROM images WHERE source = ? AND path IN ({', '.join('?' * len(found))})"
    )
    known = {
        name
        for name, size, changed in database.execute(query, (source.name, *found))
        if found[name] == (size, changed)
    }
    database.executemany(
        "UPDATE images SET run = ? WHERE source = ? AND path = ?", [(run, source.name, n) for n in known]
    )
    return [(name, *stamp) for name, stamp in found.items() if name not in known], len(found)


def _read_batch(
    root: Path, batch: tuple[list[tuple[str, int, int]], int]
) -> tuple[list[tuple[str, int, int, _Header]], int]:
    files, seen = batch
    return [(name, size, changed, _header(root / name)) for name, size, changed in files], seen


@quiet()
def _header(file: Path) -> _Header:
    try:
        (header,) = read_headers([file])
    except NotAnalysedError:
        return _Header()
    kind = text(header, "ImageType").upper()
    return _Header(
        study=text(header, "StudyInstanceUID"),
        series=text(header, "SeriesInstanceUID") or f"no-series-uid:{file.parent.name}",
        image=text(header, "SOPInstanceUID"),
        patient_id=text(header, "PatientID"),
        date=text(header, "StudyDate"),
        time=text(header, "StudyTime"),
        study_description=text(header, "StudyDescription"),
        thickness_mm=number(header, "SliceThickness"),
        original=not kind or "ORIGINAL" in kind,
    )


def _series(source: Source, rows: list[tuple[str, ...]]) -> FoundSeries:
    person, study, series, *_ = first = rows[0]
    stamp = hashlib.sha256("\n".join(f"{row[3]} {row[5]} {row[6]}" for row in rows).encode())
    return FoundSeries(
        person=person,
        study=study,
        series=series,
        patient_id=first[7],
        when=min(row[8] + row[9] for row in rows),
        study_description=first[10],
        thickness_mm=None if first[11] is None else float(first[11]),
        original=bool(first[12]),
        files=tuple(source.root / row[3] for row in rows),
        images=tuple(row[4] for row in rows),
        stamp=stamp.hexdigest(),
    )


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
