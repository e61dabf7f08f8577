"""What is restored is what was backed up, made right for where it is now; anything else is refused."""

import fcntl
import gzip
import json
import os
import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from backup_samples import SR, FakeStack, contents
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from places import ROOT
from sqlalchemy import select
from store_samples import seen

from headct.errors import SettingsError
from headct.reports.seals import KeyRing
from orthanc_plugin.audit import beside
from orthanc_plugin.audit.beside import END_FILE
from orthanc_plugin.audit.chain import Head
from orthanc_plugin.audit.checking import Check, cut_off
from orthanc_plugin.backup import command
from orthanc_plugin.backup.errors import RestoreError
from orthanc_plugin.backup.making import backup
from orthanc_plugin.backup.restoring import check, restore
from orthanc_plugin.forwarding.tables import Receiver
from orthanc_plugin.settings import Settings
from orthanc_plugin.stack.options import Options
from orthanc_plugin.stack.running import UNFINISHED_RESTORE, running
from orthanc_plugin.states import DeliveryTrouble, SeriesState
from orthanc_plugin.store import clock, outbox, positions, queue, sent_again
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.tables import AuditEntry, Series, Worker


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup with images."""
    folder = tmp_path_factory.mktemp("whole")
    stack = FakeStack(folder / "data")
    stack.add("s1", b"image")
    stack.add("s9", b"report", SR)
    return backup(stack.data, folder / "backup", images=True).folder


def test_what_comes_back(made: Path, tmp_path: Path) -> None:
    restored = restore(made, tmp_path / "new" / "data")
    found = contents(tmp_path / "new" / "data")
    kept = {n.removeprefix("data/"): c for n, c in contents(made).items() if n.startswith("data/")}
    store = "orthanc/headct-triage/triage.sqlite"
    assert {n: c for n, c in found.items() if n != store} == {n: c for n, c in kept.items() if n != store}
    assert restored.settled is not None
    assert (restored.settled.studies, restored.settled.without_images) == (1, 0)
    for path in (tmp_path / "new").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_altered_it_is_refused_and_nothing_is_left(made: Path, data: st.DataObject) -> None:
    work = made.parent / "altered"
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(made, work / "backup")
    files = sorted(p for p in (work / "backup").rglob("*") if p.is_file())
    path = data.draw(st.sampled_from(files), "file")
    content = path.read_bytes()
    match data.draw(st.sampled_from(["flip", "cut", "lengthen", "remove", "add", "link"]), "what"):
        case "flip" if content:
            at = data.draw(st.integers(0, len(content) - 1))
            path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        case "cut" if content:
            path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
        case "lengthen":
            path.write_bytes(content + b"\n")
        case "remove":
            path.unlink()
        case "link":
            path.rename(work / "moved")
            path.symlink_to(work / "moved")
        case _:
            path.with_name(path.name + "-wal").write_bytes(content)
    for attempt in (lambda: restore(work / "backup", work / "target"), lambda: check(work / "backup")):
        with pytest.raises(RestoreError):
            attempt()
    assert not (work / "target").exists()


def test_only_into_what_is_empty(made: Path, tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("mine")
    with pytest.raises(RestoreError, match="not empty"):
        restore(made, tmp_path)
    for inside in (made / "data" / "new", made.parent, made):
        with pytest.raises(RestoreError, match="in each other"):
            restore(made, inside)
    (tmp_path / "empty").mkdir()
    restore(made, tmp_path / "empty")
    with pytest.raises(RestoreError, match="not empty"):
        restore(made, tmp_path / "empty")


def test_not_where_a_stack_runs(made: Path, tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RestoreError, match="a stack runs"):
            restore(made, tmp_path)


def test_broken_off_it_is_never_taken_for_a_stack(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "data"
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)  # nobody tidies up after a kill
    monkeypatch.setattr(os, "sync", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        restore(made, target)
    assert (target / UNFINISHED_RESTORE).exists()
    with pytest.raises(RestoreError, match="broken off"):
        restore(made, target)
    monkeypatch.setattr(Options, "check", lambda _: None)
    with pytest.raises(SettingsError, match="broken off"), running(Options(target)):
        pass


class TestVersions:
    def test_a_newer_store_is_refused(self, stack: FakeStack, tmp_path: Path) -> None:
        with closing(sqlite3.connect(stack.store)) as store:
            store.execute("UPDATE alembic_version SET version_num = '9999'")
            store.commit()
        backup(stack.data, tmp_path / "backup")
        with pytest.raises(RestoreError, match="newer version"):
            restore(tmp_path / "backup", tmp_path / "new")
        assert not (tmp_path / "new").exists()

    def test_an_older_one_is_brought_to_this_version(self, stack: FakeStack, tmp_path: Path) -> None:
        last = ROOT / "tests" / "orthanc_plugin" / "store" / "last_release" / "store.sqlite.gz"
        stack.store.write_bytes(gzip.decompress(last.read_bytes()))
        said = backup(stack.data, tmp_path / "backup").said
        settled = restore(tmp_path / "backup", tmp_path / "new").settled
        assert settled is not None
        assert settled.reviews == said["reviews"] > 0


class TestOnAnotherMachine:
    """What belonged to the old machine's processes ends there."""

    @pytest.fixture
    def store(self, stack: FakeStack) -> Database:
        return Database(f"sqlite:///{stack.store}")

    def restored(self, stack: FakeStack, tmp_path: Path, *, images: bool = True) -> Database:
        backup(stack.data, tmp_path / "backup", images=images)
        restore(tmp_path / "backup", tmp_path / "new")
        return Database(f"sqlite:///{tmp_path / 'new' / 'orthanc' / 'headct-triage' / 'triage.sqlite'}")

    def test_work_in_hand(self, stack: FakeStack, store: Database, tmp_path: Path) -> None:
        now = queue.utcnow()
        with store.writing() as session:
            queue.arrive(session, seen("s2", "st2"), now - timedelta(seconds=60), stack.options)
            assert queue.claim(session, "old/1", now, stack.options) is not None
            queue.sign_of_life(session, "old/1", now)
            session.add(
                Receiver(
                    name="PACS",
                    misses=9,
                    trouble=DeliveryTrouble.SILENT,
                    not_before=now + timedelta(hours=1),
                )
            )
            positions.set_position(session, "changes", 900)
        stack.add("s1", b"image")
        with self.restored(stack, tmp_path).reading() as session:
            row = session.get_one(Series, "s2")
            assert (row.state, row.attempts, row.lease_owner) == (SeriesState.ARRIVING, 0, None)
            assert session.scalars(select(Worker)).all() == []
            assert session.get_one(Receiver, "PACS").misses == 0
            assert session.get_one(Receiver, "PACS").not_before <= queue.utcnow()
            # Orthanc's next change has the number 2: with the saved position it would not be seen.
            assert positions.position(session, "changes") == 1
            assert session.scalars(select(AuditEntry.event)).all()[-1] == "restored"

    def test_a_store_older_than_the_index_reads_on(
        self, stack: FakeStack, store: Database, tmp_path: Path
    ) -> None:
        with store.writing() as session:
            positions.set_position(session, "changes", 1)
        for _ in range(3):
            stack.add("s1", b"image")
        with self.restored(stack, tmp_path).reading() as session:
            assert positions.position(session, "changes") == 1

    def test_who_did_what(self, stack: FakeStack, store: Database, tmp_path: Path) -> None:
        """What was done between the copies of store and key is lost, and no fault of the new machine."""
        key = stack.options.key_file
        ring = KeyRing.read_or_make(key)
        beside.write(key.with_name(END_FILE), ring, Head(1_000, "of a moment later", 5))
        with self.restored(stack, tmp_path).reading() as session:
            new = tmp_path / "new" / "orthanc" / "headct-triage" / "secrets"
            end = beside.read(new / END_FILE, ring)
            assert end is not None
            assert cut_off(session, end) is None
            check = Check(ring)
            assert not check.go_on(session, 1_000)
            assert (check.faults, check.last.number) == ([], end.number)
            assert (
                session.scalars(select(AuditEntry.event).order_by(AuditEntry.number)).all()[-1] == "restored"
            )

    def test_a_clock_that_is_behind(self, stack: FakeStack, store: Database, tmp_path: Path) -> None:
        now = clock.Clocks.read()
        with store.writing() as session:
            clock.observe(session, now)
            arrived = session.get_one(Series, "s1").last_arrival
        database = self.restored(stack, tmp_path)
        there = clock.Clocks(now.wall - timedelta(days=1), steady=100.0, boot="another machine")
        with database.writing() as session:
            assert clock.observe(session, there) == timedelta(days=-1)
            assert session.get_one(Series, "s1").last_arrival == arrived - timedelta(days=1)

    def test_images_that_stayed_behind(self, stack: FakeStack, store: Database, tmp_path: Path) -> None:
        options: Settings = stack.options
        with store.writing() as session:
            session.get_one(Series, "s1").files_digest = "d" * 64
            outbox.previews_done(session, "s1", session.get_one(Series, "s1").generation)
        stack.add("s1", b"image")
        database = self.restored(stack, tmp_path, images=False)
        with database.writing() as session:
            assert sent_again.count_missing(session) == 1
            assert sent_again.are_missing(session, "s1")
            assert session.get_one(Series, "s1").current is not None, "what was said counts"
            assert not outbox.previews_due(session, "new/1")
            now = queue.utcnow()
            queue.arrive(session, seen(), now, options)  # sent again
            due = sent_again.claim_comparison(session, now + timedelta(seconds=3), options)
            assert due is not None
            sent_again.compared(session, due, "d" * 64, now + timedelta(seconds=4))
            assert not sent_again.are_missing(session, "s1")
            assert outbox.previews_due(session, "new/1")


class TestCommands:
    def test_there_and_back(self, stack: FakeStack, tmp_path: Path) -> None:
        run = CliRunner().invoke
        said = run(command.backup, [str(tmp_path / "b"), "--data", str(stack.data), "--keep", "2"])
        assert said.exit_code == 0, said.output
        assert "without images; 1 studies, 1 series, 0 reviews" in said.output
        with closing(sqlite3.connect(stack.store)) as store:
            ((told,),) = store.execute("SELECT detail FROM audit WHERE event = 'exported'").fetchall()
        assert json.loads(told)["what"] == "backup"
        assert "is whole" in run(command.restore, [str(tmp_path / "b"), "--check"]).output
        said = run(command.restore, [str(tmp_path / "b"), "--to", str(tmp_path / "new")])
        assert said.exit_code == 0, said.output
        assert f"headct up --data {tmp_path / 'new'}" in said.output

    def test_a_backup_counts_though_the_store_takes_no_entry(self, stack: FakeStack, tmp_path: Path) -> None:
        with closing(sqlite3.connect(stack.store)) as store:
            store.execute(
                "CREATE TRIGGER no BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no room for Mr. X'); END"
            )
        said = CliRunner().invoke(command.backup, [str(tmp_path / "b"), "--data", str(stack.data)])
        assert said.exit_code == 0, said.output
        assert "the audit of the stack does not have this: IntegrityError" in said.output
        assert "Mr. X" not in said.output
        assert check(tmp_path / "b")

    def test_every_refusal_is_one_line(self, stack: FakeStack, tmp_path: Path) -> None:
        run = CliRunner().invoke
        for said in (
            run(command.backup, [str(stack.data / "b"), "--data", str(stack.data)]),
            run(command.backup, [str(tmp_path / "b"), "--data", str(tmp_path)]),
            run(command.restore, [str(tmp_path), "--to", str(tmp_path / "new")]),
        ):
            assert said.exit_code == 1
            assert len(said.output.strip().splitlines()) == 1
        assert run(command.restore, [str(tmp_path)]).exit_code == 2
