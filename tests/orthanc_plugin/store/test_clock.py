"""The server's clock is set, by seconds or by years: nothing is stuck, lost or out of order."""

import dataclasses
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from clock_samples import DAY, YEAR, Machine, place, rows
from hypothesis import given, strategies
from hypothesis import settings as run_with
from sqlalchemy import select
from sqlalchemy.orm import Session
from store_samples import (
    MEMORY,
    START,
    after,
    judgement,
    open_store,
    seen,
    settings,
)
from worklist_samples import place as line

from headct.terms.urgency import Urgency
from orthanc_plugin.cases.views import WorklistRow
from orthanc_plugin.health import figures
from orthanc_plugin.health.figures import Known
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import SeriesState
from orthanc_plugin.store import clock, imports, queue, results
from orthanc_plugin.store.clock import Clocks
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.tables import ClockJump, Series, Study


@pytest.fixture
def machine(database: Database, options: Settings) -> Machine:
    return Machine(database, options)


def arrive(machine: Machine, name: str = "1", **changes: object) -> None:
    with machine.database.writing() as session:
        queue.arrive(session, seen(f"s{name}", f"st{name}", **changes), after(machine.now), machine.options)


def waits(machine: Machine) -> dict[str, float]:
    """How long each case has waited, in the order of the worklist."""
    with machine.database.reading() as session:
        shown = rows(session, machine.now)
    assert all(row.waiting_known for row in shown)
    return {row.id: round(row.waiting_seconds) for row in shown}


class TestASetClockThatIsSeen:
    @pytest.mark.parametrize("by", [-10 * YEAR, -DAY, -600.0, 600.0, DAY, 56 * YEAR])
    def test_waiting_and_order_stay(self, machine: Machine, by: float) -> None:
        arrive(machine, "b")
        machine.go_on(300)
        machine.set_clock(by)
        arrive(machine, "a")
        machine.go_on(60)
        assert waits(machine) == {"stb": 360, "sta": 60}

    def test_there_and_back_again(self, machine: Machine) -> None:
        arrive(machine, "1")
        machine.go_on(100)
        machine.set_clock(DAY)
        arrive(machine, "2")
        machine.go_on(100)
        machine.set_clock(-DAY)
        assert waits(machine) == {"st1": 200, "st2": 100}
        with machine.database.reading() as session:
            assert [jump.seconds for jump in session.scalars(select(ClockJump))] == [DAY, -DAY]

    def test_set_while_triage_was_not_running(self, machine: Machine) -> None:
        arrive(machine)
        machine.go_on(100)
        machine.off -= DAY
        machine.real += 100
        machine.start_triage()
        assert waits(machine) == {"st1": 200}

    def test_a_battery_that_is_empty(self, machine: Machine) -> None:
        """The clock begins in 1970, and is put right when the network is there."""
        arrive(machine, "1")
        machine.go_on(100)
        machine.start_again(down=1000, off=-56 * YEAR)
        arrive(machine, "2")
        machine.go_on(100)
        assert waits(machine) == {"st1": 200, "st2": 100}  # what passed while it was off nobody knows
        machine.set_clock(56 * YEAR)
        assert waits(machine) == {"st1": 200, "st2": 100}

    def test_a_clock_that_is_ahead_at_the_start(self, machine: Machine) -> None:
        """What came before the machine was off is right when the clock is put right."""
        arrive(machine, "1")
        machine.go_on(100)
        machine.start_again(down=1000, off=DAY)
        arrive(machine, "2")
        machine.go_on(100)
        machine.set_clock(-DAY)
        assert waits(machine) == {"st1": 1200, "st2": 100}

    def test_small_steps_and_sleep_are_no_jumps(self, machine: Machine) -> None:
        machine.set_clock(0.4)
        machine.go_on(8 * 3600)  # the other clock counts sleep too
        with machine.database.reading() as session:
            assert clock.last_jump(session) is None

    def test_it_is_told_for_a_day(self, machine: Machine) -> None:
        machine.set_clock(-600)
        machine.go_on(3600)
        with machine.database.reading() as session:
            told = Known.of(session, machine.options, after(machine.now)).clock_set
            assert told is not None
            assert (told.at, told.seconds) == (after(-600), -600)
            known = figures.metrics(session, machine.options, after(machine.now))
            assert (known.clock_jumps, known.last_clock_jump_seconds) == (1, -600)
            assert Known.of(session, machine.options, after(machine.now + DAY)).clock_set is None

    def test_a_store_of_several_machines_is_left_alone(self, database: Database, options: Settings) -> None:
        with database.writing() as session:
            queue.arrive(session, seen(), after(0), options)
            for host in ("a", "b"):
                clock.observe(session, Clocks(after(0), 0, "boot"), host)
            assert clock.observe(session, Clocks(after(DAY), 0, "boot"), "a") == timedelta(days=1)
            assert session.get_one(Series, "s1").first_arrival == START
            assert clock.last_jump(session) is not None

    def test_nothing_is_written_while_nothing_happens(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(clock, "observe", None)
        for _ in range(100):
            machine.go_on(0.5)


class TestEarlierStudies:
    """A clock that is years ahead must not make today's studies old."""

    @pytest.fixture
    def options(self, options: Settings) -> Settings:
        return options.model_copy(update={"earlier_after_days": 30})

    @staticmethod
    def judged(session: Session, options: Settings, name: str, study_date: str, now: datetime) -> Study:
        queue.arrive(session, seen(f"s{name}", f"st{name}"), now, options)
        claim = queue.claim(session, "w", now + timedelta(seconds=5), options)
        assert claim is not None
        made = judgement(Urgency.GREEN, series=f"s{name}")
        today = imports.today(session, options.earlier_after_days, now)
        description = dataclasses.replace(
            made.description,
            demographics=dataclasses.replace(made.description.demographics, study_date=study_date),
            earlier=imports.is_old(study_date, options.earlier_after_days, today),
        )
        made = dataclasses.replace(made, description=description)
        assert results.record_assessed(session, claim, made, now + timedelta(seconds=6), options)
        return session.get_one(Study, f"st{name}")

    def test_what_was_queued_lately_tells(self, session: Session, options: Settings) -> None:
        assert not self.judged(session, options, "1", "20260301", after(0)).earlier
        ahead = after(10 * YEAR)
        assert not self.judged(session, options, "2", "20260302", ahead).earlier
        assert self.judged(session, options, "3", "20250101", ahead).earlier

    def test_the_age_is_counted_from_now_where_the_clock_is_right(
        self, session: Session, options: Settings
    ) -> None:
        assert self.judged(session, options, "0", "20200101", after(0)).earlier
        assert not self.judged(session, options, "1", "20260131", after(0)).earlier
        assert self.judged(session, options, "2", "20260129", after(0)).earlier
        assert not self.judged(session, options, "3", "20990101", after(0)).earlier
        assert self.judged(session, options, "4", "20260129", after(0)).earlier

    def test_what_a_wrong_clock_put_there_comes_back(self, database: Database, options: Settings) -> None:
        machine = Machine(database, options)
        machine.set_clock(10 * YEAR)
        with database.writing() as session:
            for name, written in (("1", "20260301"), ("2", "20250101")):
                assert self.judged(session, options, name, written, after(machine.now)).earlier
        machine.set_clock(-10 * YEAR)
        with database.reading() as session:
            assert not session.get_one(Study, "st1").earlier
            assert session.get_one(Study, "st2").earlier


@contextmanager
def new_store() -> Iterator[tuple[Database, Settings]]:
    folder = Path(tempfile.mkdtemp(prefix="triage-clock-", dir=MEMORY))
    database = open_store(folder)
    try:
        yield database, settings(folder)
    finally:
        database.close()
        shutil.rmtree(folder)


JUMPS = strategies.sampled_from([-20 * YEAR, -DAY, -3600.0, -90.0, -1.0, 1.0, 90.0, 3600.0, DAY, 20 * YEAR])
STEPS = strategies.lists(
    strategies.one_of(
        strategies.just(("arrive", 0.0)),
        strategies.tuples(strategies.just("jump"), JUMPS),
        strategies.tuples(strategies.just("pass"), strategies.sampled_from([0.5, 3.0, 20.0, 70.0])),
        strategies.tuples(strategies.just("judge"), strategies.sampled_from([float(u) for u in Urgency])),
    ),
    min_size=3,
    max_size=12,
)


@run_with(max_examples=12)
@given(STEPS, strategies.booleans())
def test_whatever_the_clock_does(steps: list[tuple[str, float]], watched: bool) -> None:
    with new_store() as (database, options):
        machine = Machine(database, options)
        if not watched:
            machine.watch.look = timedelta  # type: ignore[method-assign]
        came: dict[str, float] = {}
        for step, by in steps:
            match step:
                case "arrive":
                    arrive(machine, f"{len(came)}")
                    came[f"st{len(came)}"] = machine.real
                case "jump":
                    machine.set_clock(by)
                case "pass":
                    machine.go_on(by)
                case "judge":
                    with database.writing() as session:
                        judge_one(session, machine, Urgency(int(by)))
            with database.reading() as session:
                check_worklist(rows(session, machine.now), came, machine, watched=watched)
        # In the longest pause everything is taken up.
        for seconds in (0.0, options.long_quiet_seconds + 6):
            machine.go_on(seconds)
            with database.writing() as session:
                while judge_one(session, machine, Urgency.GREEN):
                    pass
        with database.reading() as session:
            assert {s.state for s in session.scalars(select(Series))} <= {SeriesState.ASSESSED}
            assert {row.id for row in rows(session, machine.now)} == set(came)


def judge_one(session: Session, machine: Machine, urgency: Urgency) -> bool:
    claim = queue.claim(session, "w", after(machine.now), machine.options)
    if claim is None:
        return False
    made = judgement(urgency, series=claim.series_id)
    return results.record_assessed(session, claim, made, after(machine.now), machine.options)


def check_worklist(
    shown: tuple[WorklistRow, ...], came: dict[str, float], machine: Machine, *, watched: bool
) -> None:
    places = [place(row) for row in shown]
    for row, where in zip(shown, places, strict=True):
        assert row.waiting_known or where in {"alert", "unknown", "yellow"}
        if watched:
            # Steps too small to be told from a slow clock are left alone.
            assert abs(
                row.waiting_seconds - (machine.real - came[row.id])
            ) <= clock.SLACK.total_seconds() * len(came)
    assert [line(row) for row in shown] == sorted(line(row) for row in shown)
