"""Databases are copied as they were at one moment, however they are written meanwhile."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orthanc_plugin.backup import databases
from orthanc_plugin.backup.errors import BackupError


class Writer:
    """Writes as Orthanc does: it keeps the database for itself, and its log begins anew now and then."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "locking_mode=EXCLUSIVE"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.executescript("CREATE TABLE one(x); CREATE TABLE other(x); CREATE TABLE big(x)")
        self.written = 0

    def write(self, times: int = 1) -> None:
        """Rows that go together."""
        for _ in range(times):
            self._connection.executescript(
                f"BEGIN; INSERT INTO one VALUES ({self.written}); INSERT INTO other VALUES ({self.written});"
                "DELETE FROM big; INSERT INTO big VALUES (randomblob(60000)); COMMIT"
            )
            self.written += 1

    def begin_log_anew(self) -> None:
        """What SQLite does by itself every thousand pages."""
        self._connection.execute("PRAGMA wal_checkpoint(RESTART)")
        self.write()

    def close(self) -> None:
        """As Orthanc ends."""
        self._connection.close()


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    made = Writer(tmp_path / "index")
    made.write(5)
    yield made
    made.close()


def rows(copy: Path) -> int:
    """How often was written, if the copy is of one moment."""
    assert databases.damage(copy) == ""
    assert not copy.with_name(f"{copy.name}-wal").exists()
    with closing(databases.read_only(copy)) as connection:
        one, other = (
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("one", "other")
        )
    assert one == other
    return int(one)


def meddling(monkeypatch: pytest.MonkeyPatch, step: str, *acts: Callable[[], object]) -> None:
    """Have something happen after each time that a step is done."""
    waiting, module = list(acts), databases.shutil if step == "copyfile" else databases
    done = getattr(module, step)

    def then(*arguments: object) -> object:
        result = done(*arguments)
        if waiting:
            waiting.pop(0)()
        return result

    monkeypatch.setattr(module, step, then)


def test_while_orthanc_keeps_it_for_itself(writer: Writer, tmp_path: Path) -> None:
    with closing(sqlite3.connect(writer.path, timeout=0)) as another, pytest.raises(sqlite3.OperationalError):
        another.execute("SELECT * FROM one")
    databases.copy_index(writer.path, tmp_path / "copy")
    assert rows(tmp_path / "copy") == 5


def test_written_and_checkpointed_while_it_is_copied(
    writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meddling(monkeypatch, "_copy_changed", lambda: writer.write(3))
    databases.copy_index(writer.path, tmp_path / "copy")
    assert rows(tmp_path / "copy") == 8


@pytest.mark.parametrize("step", ["_copy_changed", "copyfile"])
def test_its_log_begins_anew_while_it_is_copied(
    writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    meddling(monkeypatch, step, writer.begin_log_anew, writer.begin_log_anew)
    databases.copy_index(writer.path, tmp_path / "copy")
    assert rows(tmp_path / "copy") == 7


@pytest.mark.parametrize("step", ["_copy_changed", "copyfile"])
def test_orthanc_ends_meanwhile(
    writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    meddling(monkeypatch, step, writer.close)
    databases.copy_index(writer.path, tmp_path / "copy")
    assert rows(tmp_path / "copy") == 5


def test_a_log_that_never_lasts_is_no_backup(
    writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meddling(monkeypatch, "_copy_changed", *[writer.begin_log_anew] * 100)
    with pytest.raises(BackupError, match="when less arrives"):
        databases.copy_index(writer.path, tmp_path / "copy", patience=0.0)


def test_after_a_kill_what_is_in_the_log_counts(writer: Writer, tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    killed.mkdir()
    for name in ("index", "index-wal"):
        (killed / name).write_bytes((tmp_path / name).read_bytes())
    with (killed / "index-wal").open("ab") as log:
        log.write(b"half of a frame")
    databases.copy_index(killed / "index", tmp_path / "copy")
    assert rows(tmp_path / "copy") == 5


def test_a_store_that_is_being_written(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "store", isolation_level=None)) as writing:
        writing.execute("PRAGMA journal_mode=WAL")
        writing.executescript("CREATE TABLE one(x); INSERT INTO one VALUES (1); CREATE TABLE other(x)")
        writing.executescript("INSERT INTO other VALUES (1); BEGIN IMMEDIATE; INSERT INTO one VALUES (2)")
        databases.copy_store(tmp_path / "store", tmp_path / "copy")
        writing.execute("COMMIT")
    assert rows(tmp_path / "copy") == 1


def test_a_store_that_stays_locked(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "store", isolation_level=None)) as locking:
        locking.executescript("CREATE TABLE one(x); BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            databases.copy_store(tmp_path / "store", tmp_path / "copy", seconds=0.1)


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
def test_damage_is_found(writer: Writer, tmp_path: Path, at: float) -> None:
    writer.write(50)
    databases.copy_index(writer.path, tmp_path / "copy")
    content = bytearray((tmp_path / "copy").read_bytes())
    middle = int(at * len(content)) // 4096 * 4096
    content[middle : middle + 4096] = b"\xff" * 4096
    (tmp_path / "copy").write_bytes(content)
    assert databases.damage(tmp_path / "copy")
