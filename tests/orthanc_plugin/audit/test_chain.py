"""Whoever can write the store cannot take an entry away, change one or move one without its showing."""

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from store_samples import open_store

from headct.reports.seals import KeyRing
from orthanc_plugin.audit import beside, chain
from orthanc_plugin.audit.chain import Head
from orthanc_plugin.audit.checking import Check, Fault, FaultKind, cut_off
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.tables import AuditEntry

RING = KeyRing((b"k" * 32,))
OTHER = KeyRing((b"o" * 32,))
NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = 86_400


def add(database: Database, *events: str, running: int = 0, ring: KeyRing = RING) -> None:
    """Entries as others add them, and linked a moment later."""
    with database.writing() as session:
        chain.begin(session, ring, NOW)
        for number, event in enumerate(events):
            chain.add(session, event, NOW + timedelta(seconds=number), actor="sato", what=number)
    with database.writing() as session:
        while chain.link(session, ring, running, 7):
            pass


def checked(database: Database, ring: KeyRing = RING, at_once: int = 5) -> Check:
    check = Check(ring)
    with database.reading() as session:
        while check.go_on(session, at_once):
            pass
    return check


def faults(database: Database, ring: KeyRing = RING) -> list[Fault]:
    return checked(database, ring).faults


def run(folder: Path, statement: str) -> None:
    """What a person does to the store who has no key."""
    with closing(sqlite3.connect(folder / "triage.sqlite")) as connection:
        connection.execute(statement)
        connection.commit()


def end(database: Database) -> Head:
    with database.reading() as session:
        return chain.head(session)


@pytest.fixture
def long(database: Database) -> Database:
    """Twenty-one entries, the first of which says that the chain begins."""
    add(database, *(f"event{n}" for n in range(20)))
    return database


def test_a_chain_is_whole_and_says_how_it_began(long: Database) -> None:
    check = checked(long)
    assert (check.faults, check.entries, check.last.number) == ([], 21, 21)
    with long.reading() as session:
        first = session.scalar(select(AuditEntry).where(AuditEntry.number == 1))
        assert first is not None
        assert (first.event, first.detail) == (chain.BEGAN, {"earlier": 0})


def test_entries_from_before_the_chain_are_taken_in_under_its_mark(database: Database) -> None:
    with database.writing() as session:
        for number in range(9):
            chain.add(session, f"old{number}", NOW)
    add(database, "new")
    with database.reading() as session:
        found = session.scalars(select(AuditEntry).order_by(AuditEntry.number)).all()
    assert [entry.event for entry in found] == [chain.BEGAN, *(f"old{n}" for n in range(9)), "new"]
    assert found[0].detail == {"earlier": 9}
    assert faults(database) == []


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("DELETE FROM audit WHERE number = 8", Fault(FaultKind.MISSING, 8, 8)),
        ("DELETE FROM audit WHERE number BETWEEN 8 AND 12", Fault(FaultKind.MISSING, 8, 12)),
        ("DELETE FROM audit WHERE number = 1", Fault(FaultKind.MISSING, 1, 1)),
        ("UPDATE audit SET actor = 'tanaka' WHERE number = 8", Fault(FaultKind.ALTERED, 8, 8)),
        ("UPDATE audit SET detail = '{}' WHERE number = 8", Fault(FaultKind.ALTERED, 8, 8)),
        (
            "UPDATE audit SET at = '2020-01-01 00:00:00.000000' WHERE number = 8",
            Fault(FaultKind.ALTERED, 8, 8),
        ),
        ("UPDATE audit SET event = 'reviewed' WHERE number = 8", Fault(FaultKind.ALTERED, 8, 8)),
        ("UPDATE audit SET series_id = 's1' WHERE number = 8", Fault(FaultKind.ALTERED, 8, 8)),
        ("UPDATE audit SET running = 999999 WHERE number = 8", Fault(FaultKind.ALTERED, 8, 8)),
        ("UPDATE audit SET seal = '' WHERE number = 8", Fault(FaultKind.ALTERED, 8, 9)),
        ("UPDATE audit SET number = number + 100 WHERE number > 8", Fault(FaultKind.MISSING, 9, 108)),
        (
            "UPDATE audit SET number = CASE number WHEN 8 THEN -9 ELSE -8 END WHERE number IN (8, 9)",
            Fault(FaultKind.ALTERED, -9, -9),
        ),
    ],
)
def test_what_is_taken_away_altered_or_moved_shows(
    tmp_path: Path, long: Database, statement: str, found: Fault
) -> None:
    run(tmp_path, statement)
    if "-9" in statement:  # two entries change places
        run(tmp_path, "UPDATE audit SET number = -number WHERE number < 0")
        assert faults(long) == [Fault(FaultKind.ALTERED, 8, 10)]
    else:
        assert found in faults(long)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(seed=st.integers(0, 2**32))
def test_no_order_but_the_one_in_which_they_were_linked_is_whole(long: Database, seed: int) -> None:
    """Any other choice of the same rows under numbers without a gap."""
    with long.reading() as session:
        rows = [
            {c.key: getattr(row, c.key) for c in AuditEntry.__table__.columns}
            for row in session.scalars(select(AuditEntry).order_by(AuditEntry.number))
        ]
    chance = random.Random(seed)
    chosen = chance.sample(rows, chance.randint(1, len(rows)))
    check = Check(RING)
    for number, row in enumerate(chosen, start=1):
        entry = AuditEntry(**{**row, "number": number})
        check._look(None, entry)  # type: ignore[arg-type]
    assert bool(check.faults) == (chosen != rows[: len(chosen)])


def test_an_end_that_is_cut_off_shows_by_what_is_noted_beside_the_key(tmp_path: Path, long: Database) -> None:
    noted = end(long)
    with long.reading() as session:
        assert cut_off(session, noted) is None
    add(long, "more")
    with long.reading() as session:
        assert cut_off(session, noted) is None, "killed before it noted the end"
    run(tmp_path, "DELETE FROM audit WHERE number > 15")
    assert faults(long) == [], "which the chain alone does not tell"
    with long.reading() as session:
        assert cut_off(session, noted) == Fault(FaultKind.CUT_OFF, 16, 21)
        assert cut_off(session, None) == Fault(FaultKind.NOT_NOTED, 1, 15)


def test_a_chain_begun_anew_and_made_longer_is_another_one(tmp_path: Path, long: Database) -> None:
    noted = end(long)
    run(tmp_path, "UPDATE audit SET number = NULL, seal = NULL, event = 'nothing' WHERE event != 'event3'")
    run(tmp_path, "DELETE FROM audit WHERE event = 'event3'")
    add(long, *(f"other{n}" for n in range(30)))
    assert faults(long) == []
    with long.reading() as session:
        assert cut_off(session, noted) == Fault(FaultKind.CUT_OFF, 1, 21)


def test_a_lost_store_shows_as_all_that_was_lost(database: Database) -> None:
    with database.reading() as session:
        assert cut_off(session, None) is None, "the first start of all"
        assert cut_off(session, Head(5230, "x", 9)) == Fault(FaultKind.CUT_OFF, 1, 5230)


def test_seals_of_another_key_are_told_from_altered_ones(long: Database) -> None:
    assert faults(long, OTHER) == [Fault(FaultKind.UNKNOWN_KEY, 1, 21)]
    assert faults(long, KeyRing((*OTHER.keys, *RING.keys))) == []
    add(long, "since", ring=KeyRing((*OTHER.keys, *RING.keys)))
    assert faults(long, KeyRing((*OTHER.keys, *RING.keys))) == []


@pytest.mark.parametrize("event", [chain.BEGAN, chain.RELEASED, chain.FAULT, chain.STARTED])
def test_what_the_chain_says_of_itself_nobody_else_can(tmp_path: Path, long: Database, event: str) -> None:
    """Or a gap could be hidden under a mark that somebody adds and the program seals."""
    with long.reading() as session:
        seal = session.scalar(select(AuditEntry.seal).where(AuditEntry.number == 12))
    run(tmp_path, "DELETE FROM audit WHERE number BETWEEN 8 AND 12")
    with long.writing() as session:
        chain.add(session, event, NOW, through=12, seal=seal, kind="missing", first=8, last=12)
    add(long, "more")
    found = checked(long)
    assert found.faults == [Fault(FaultKind.MISSING, 8, 12)]
    assert found.noted == []
    with long.reading() as session:
        assert chain.FORGED in session.scalars(select(AuditEntry.event)).all()


class TestLettingGo:
    def years(self, database: Database) -> None:
        for day in range(6):
            add(database, *(f"day{day}.{n}" for n in range(4)), running=day * DAY)

    def release(self, database: Database, days: float, at_once: int = 100) -> None:
        more = True
        while more:
            with database.writing() as session:
                more = chain.release(session, RING, int(days * DAY), NOW, at_once)

    def events(self, database: Database) -> list[str]:
        with database.reading() as session:
            return list(session.scalars(select(AuditEntry.event).order_by(AuditEntry.number)))

    @pytest.mark.parametrize("at_once", [2, 3, 100])
    def test_what_is_older_goes_under_a_mark_where_the_chain_goes_on(
        self, database: Database, at_once: int
    ) -> None:
        self.years(database)
        noted = end(database)
        self.release(database, 3, at_once)
        found = self.events(database)
        assert found[0] == "day2.0"
        assert chain.RELEASED in found
        assert faults(database) == []
        with database.reading() as session:
            assert cut_off(session, noted) is None
        self.release(database, 3)
        assert self.events(database) == found, "nothing more is that old"
        for day in (6, 7):
            add(database, "later", running=day * DAY)
            self.release(database, 3)
            assert faults(database) == []
        assert self.events(database)[0] == "day4.0"

    def test_more_than_was_let_go_shows(self, tmp_path: Path, database: Database) -> None:
        self.years(database)
        self.release(database, 3)
        run(tmp_path, "DELETE FROM audit WHERE event = 'day2.0'")
        assert [fault.kind for fault in faults(database)] == [FaultKind.MISSING]

    def test_what_was_altered_stays_as_evidence_with_all_that_follows(
        self, tmp_path: Path, database: Database
    ) -> None:
        self.years(database)
        run(tmp_path, "UPDATE audit SET actor = 'nobody' WHERE event = 'day1.2'")
        self.release(database, 1)
        assert self.events(database)[0] == "day1.2"
        assert FaultKind.ALTERED in [fault.kind for fault in faults(database)]

    def test_a_time_that_was_altered_lets_nothing_go(self, tmp_path: Path, database: Database) -> None:
        """Neither an entry that says to be old, nor an end that says that years have passed since."""
        self.years(database)
        run(tmp_path, f"UPDATE audit SET running = {10**9} WHERE number = (SELECT max(number) FROM audit)")
        self.release(database, 30)
        add(database, "more", running=6 * DAY)
        self.release(database, 30)
        assert self.events(database)[0] == chain.BEGAN

    def test_no_clock_that_is_set_ages_anything(self, database: Database) -> None:
        self.years(database)
        with database.writing() as session:
            assert not chain.release(session, RING, 6 * DAY, NOW + timedelta(days=20_000), 100)
        assert self.events(database)[0] == chain.BEGAN


class TestBesideTheKey:
    def test_it_is_read_as_it_was_written_and_by_its_owner_alone(self, tmp_path: Path) -> None:
        file = tmp_path / beside.END_FILE
        assert beside.read(file, RING) is None
        for number in (3, 12345):
            beside.write(file, RING, Head(number, "seal", 77))
            assert beside.read(file, RING) == Head(number, "seal", 77)
        assert file.stat().st_mode & 0o077 == 0

    @pytest.mark.parametrize(
        "change",
        [lambda said: said.replace("3", "4"), lambda said: "", lambda said: "\0", lambda said: said[:-9]],
    )
    def test_what_nobody_vouches_for_is_not_read(self, tmp_path: Path, change: Callable[[str], str]) -> None:
        file = tmp_path / beside.END_FILE
        beside.write(file, RING, Head(3, "seal", 77))
        file.write_text(change(file.read_text()))
        assert beside.read(file, RING) is None
        beside.write(file, OTHER, Head(3, "seal", 77))
        assert beside.read(file, RING) is None


def test_two_that_link_at_once_make_one_chain(tmp_path: Path) -> None:
    """As Orthancs do that share a store."""
    first, second = open_store(tmp_path), Database(f"sqlite:///{tmp_path / 'triage.sqlite'}")
    for number in range(6):
        add((first, second)[number % 2], f"event{number}", f"again{number}", running=number)
    assert faults(first) == []
    assert replace(end(first), seal="") == Head(13, "", 5)
    first.close()
    second.close()
