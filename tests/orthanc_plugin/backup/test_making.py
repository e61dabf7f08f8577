"""A backup is whole, or there is none."""

import errno
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from backup_samples import SR, FakeStack, contents

from orthanc_plugin.backup import copying, databases, manifest
from orthanc_plugin.backup.errors import BackupError, RestoreError
from orthanc_plugin.backup.making import UNFINISHED, backup
from orthanc_plugin.backup.restoring import check, find
from orthanc_plugin.backup.writing import Writer


def while_copying(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Have something happen once, when the index was copied for the first time."""
    waiting, done = [act], databases.copy_index

    def then(*arguments: Path) -> None:
        done(*arguments)
        if waiting:
            waiting.pop()()

    monkeypatch.setattr(databases, "copy_index", then)


def test_what_anybody_can_check(stack: FakeStack, tmp_path: Path) -> None:
    odd = stack.data / "a\\long\nname, 漢字".ljust(80, "-")
    odd.write_text("key")
    stack.add("s1", b"image")
    stack.add("s9", b"report", SR)
    made = backup(stack.data, tmp_path / "backup", images=True)
    assert made.said == {"studies": 1, "series": 1, "reviews": 0}
    found = contents(tmp_path / "backup")
    assert {b"image", b"report"} <= set(found.values())
    assert found[f"data/{odd.name}"] == b"key"
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"],
        cwd=tmp_path / "backup",
        capture_output=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    for path in [tmp_path / "backup", *(tmp_path / "backup").rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path
    assert check(tmp_path / "backup").images


def test_without_images_there_are_the_reports(stack: FakeStack, tmp_path: Path) -> None:
    stack.add("s1", b"image")
    stack.add("s9", b"report", SR)
    backup(stack.data, tmp_path / "backup")
    found = set(contents(tmp_path / "backup").values())
    assert b"report" in found
    assert b"image" not in found


def test_images_that_come_and_go_meanwhile(
    stack: FakeStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, stays = stack.add("s1", b"gone"), stack.add("s1", b"stays")

    def meanwhile() -> None:
        stack.delete(gone)
        stack.add("s1", b"new")

    while_copying(monkeypatch, meanwhile)
    made = backup(stack.data, tmp_path / "backup", images=True)
    found = set(contents(tmp_path / "backup").values())
    assert {b"stays", b"new"} <= found
    assert b"gone" not in found
    assert made.about.missing_files == 0
    with closing(databases.read_only(tmp_path / "backup" / made.about.index)) as index:
        listed = {row[0] for row in index.execute("SELECT uuid FROM AttachedFiles")}
    assert stays.name in listed
    assert gone.name not in listed


def test_a_file_deleted_after_it_was_copied_is_forgotten(
    stack: FakeStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stays, gone = stack.add("s1", b"stays"), stack.add("s1", b"gone")
    copied = Writer._copy_attachments

    def then(writer: Writer, index: Path) -> None:
        copied(writer, index)
        if gone.exists():
            stack.delete(gone)

    monkeypatch.setattr(Writer, "_copy_attachments", then)
    backup(stack.data, tmp_path / "backup", images=True)
    assert b"gone" not in contents(tmp_path / "backup").values()
    assert stays.read_bytes() in contents(tmp_path / "backup").values()


def test_what_orthanc_has_lost_or_damaged_is_said(stack: FakeStack, tmp_path: Path) -> None:
    stack.add("s1", b"whole")
    stack.add("s1", b"lost").unlink()
    stack.add("s1", b"rotten").write_bytes(b"rubble")
    about = backup(stack.data, tmp_path / "backup", images=True).about
    assert (about.missing_files, about.damaged_files) == (1, 1)


def test_a_damaged_store_is_no_backup(stack: FakeStack, tmp_path: Path) -> None:
    content = bytearray(stack.store.read_bytes())
    content[8192:24576] = os.urandom(16384)
    stack.store.write_bytes(content)
    with pytest.raises(BackupError, match=r"damaged|cannot be copied"):
        backup(stack.data, tmp_path / "backups", keep=3)
    assert list((tmp_path / "backups").iterdir()) == []


@pytest.mark.parametrize("name", ["store", "index"])
def test_a_database_that_is_not_there(stack: FakeStack, tmp_path: Path, name: str) -> None:
    getattr(stack, name).unlink()
    with pytest.raises(BackupError, match="is not there"):
        backup(stack.data, tmp_path / "backup")


class TestWhere:
    def test_nothing_is_overwritten(self, stack: FakeStack, tmp_path: Path) -> None:
        (tmp_path / "backup").mkdir()
        (tmp_path / "backup" / "letter").write_text("mine")
        with pytest.raises(BackupError, match="is there already"):
            backup(stack.data, tmp_path / "backup")
        assert contents(tmp_path / "backup") == {"letter": b"mine"}

    def test_an_empty_folder_will_do(self, stack: FakeStack, tmp_path: Path) -> None:
        (tmp_path / "backup").mkdir()
        backup(stack.data, tmp_path / "backup")
        check(tmp_path / "backup")

    @pytest.mark.parametrize("where", ["data/backup", "data/orthanc/backup", "linked/backup", "data"])
    def test_not_into_what_is_backed_up(self, stack: FakeStack, tmp_path: Path, where: str) -> None:
        (tmp_path / "linked").symlink_to(stack.data)
        before = contents(stack.data)
        with pytest.raises(BackupError, match="outside of it"):
            backup(stack.data, tmp_path / where)
        assert contents(stack.data) == before

    def test_a_name_as_long_as_can_be(self, stack: FakeStack, tmp_path: Path) -> None:
        backup(stack.data, tmp_path / ("b" * 255))
        with pytest.raises(BackupError, match="name too long"):
            backup(stack.data, tmp_path / ("b" * 256))

    def test_not_what_a_server_keeps(self, tmp_path: Path) -> None:
        stack = FakeStack(
            tmp_path / "data",
            {
                "HeadCTTriage": {"Database": "postgresql://db/triage"},
                "PostgreSQL": {"EnableIndex": True, "EnableStorage": False},
            },
        )
        with pytest.raises(BackupError, match=r"store of triage and Orthanc's index.*pg_dump"):
            backup(stack.data, tmp_path / "backup")
        with pytest.raises(BackupError, match="by other means"):
            backup(stack.data, tmp_path / "backup", images=True, servers=True)
        about = backup(stack.data, tmp_path / "backup", servers=True).about
        assert (about.store, about.index) == ("", "")
        assert "data/credentials" in contents(tmp_path / "backup")


class TestBrokenOff:
    def test_too_little_room_is_said_before_anything_is_written(
        self, stack: FakeStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=110_000_000))
        stack.add("s1", b"image" * 1_000_000)
        with pytest.raises(BackupError, match=r"5 MB are needed, and 107 MB .* 110 MB are free"):
            backup(stack.data, tmp_path / "backups" / "one", images=True)
        assert list((tmp_path / "backups").iterdir()) == []

    @pytest.mark.parametrize("after", [1, 3])
    def test_the_disk_becomes_full(
        self, stack: FakeStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
    ) -> None:
        for number in range(3):
            stack.add("s1", b"image %d" % number)
        left, created = [after], copying.create

        def create(path: Path) -> object:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, "No space left on device", str(path))
            return created(path)

        monkeypatch.setattr(copying, "create", create)
        with pytest.raises(BackupError, match="disk became full"):
            backup(stack.data, tmp_path / "backups" / "one", images=True)
        assert list((tmp_path / "backups").iterdir()) == []

    def test_killed_it_is_no_backup_and_the_next_one_tidies_up(
        self, stack: FakeStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        backups = tmp_path / "backups"
        monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)  # nobody tidies up after a kill
        with monkeypatch.context() as killed:
            killed.setattr(manifest, "check_files", lambda *_: os.kill(0, 0) or 1 / 0)
            with pytest.raises(ZeroDivisionError):
                backup(stack.data, backups, keep=2)
        (left,) = backups.iterdir()
        assert left.name.startswith(UNFINISHED)
        with pytest.raises(RestoreError, match="no finished backup"):
            check(left)
        monkeypatch.undo()
        assert backup(stack.data, backups, keep=2).folder == find(backups)
        assert not left.exists()

    def test_what_is_read_again_and_differs_is_no_backup(
        self, stack: FakeStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def spoil(path: Path) -> str:
            return "0" * 64 if path.name == "credentials" else digest(path)

        digest = copying.digest
        monkeypatch.setattr(copying, "digest", spoil)
        with pytest.raises(BackupError, match="read again"):
            backup(stack.data, tmp_path / "backups" / "one")
        assert list((tmp_path / "backups").iterdir()) == []


def test_so_many_generations_stay(stack: FakeStack, tmp_path: Path) -> None:
    backups = tmp_path / "backups"
    backups.mkdir()
    old = [f"headct-2026010{n}T000000Z" for n in range(1, 5)]
    for name in (*old, "headct-tomorrow", "letters"):
        (backups / name).mkdir()
    made = backup(stack.data, backups, keep=3)
    assert {p.name for p in backups.iterdir()} == {*old[2:], made.folder.name, "headct-tomorrow", "letters"}
    assert find(backups) == made.folder


def test_the_newest_stays_although_the_clock_was_set_back(stack: FakeStack, tmp_path: Path) -> None:
    (tmp_path / "headct-20990101T000000Z").mkdir()
    made = backup(stack.data, tmp_path, keep=1)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("headct-")] == [made.folder.name]


def test_it_changes_nothing(stack: FakeStack, tmp_path: Path) -> None:
    stack.add("s1", b"image")
    with closing(sqlite3.connect(stack.store)) as opened:  # as a running stack has it
        opened.execute("PRAGMA journal_mode=WAL")
        before = contents(stack.data)
        backup(stack.data, tmp_path / "backup", images=True)
        after = contents(stack.data)
    beside = {name for name in before | after if name.endswith(("-wal", "-shm"))}
    assert {n: c for n, c in before.items() if n not in beside} == {
        n: c for n, c in after.items() if n not in beside
    }
