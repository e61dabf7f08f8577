"""A worker goes on whatever fails, and leaves what hangs for what is new."""

import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest
from bundles import threshold_bundle
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, OperationalError
from store_samples import after, arrive_and_judge, seen, settings

from orthanc_plugin.states import SeriesState, WorkerExit
from orthanc_plugin.store import model_history, outbox, queue
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.tables import Series
from orthanc_plugin.store.tables import Worker as WorkerRow
from orthanc_plugin.worker import __main__ as process
from orthanc_plugin.worker import copies, loop
from orthanc_plugin.worker.in_hand import SPARE_SECONDS, InHand
from orthanc_plugin.worker.loop import Worker
from orthanc_plugin.worker.orthanc_client import OrthancError, TokenError
from orthanc_plugin.worker.publishing import Publisher
from orthanc_plugin.worker.serving import Serving
from orthanc_plugin.worker.verifying import Verifier


class Orthanc:
    """Has no files to give."""

    well = True

    def instances(self, _: str) -> tuple[str, ...]:
        return ("i",)

    def reports_of(self, _: str) -> tuple[str, ...]:
        return ()

    def file(self, _: str) -> NoReturn:
        raise OrthancError("status 500")

    def refuses(self, error: Exception) -> bool:
        return isinstance(error, OrthancError) and self.well


@pytest.fixture
def client() -> Any:
    return Orthanc()


@pytest.fixture
def worker(database: Database, tmp_path: Path, client: Any, monkeypatch: pytest.MonkeyPatch) -> Worker:
    monkeypatch.setattr(Publisher, "publish_next", lambda _: False)
    for work in ("seek", "look_next", "list_next"):
        monkeypatch.setattr(Verifier, work, lambda *_: False)
    options = settings(
        tmp_path,
        Bundle=threshold_bundle(tmp_path / "threshold-1.0").folder,
        Previews=False,
        MinimumFreeGigabytes=0.1,
    )
    with database.writing() as session:
        queue.sign_of_life(session, "w", queue.utcnow())
    return Worker("w", client, database, options, Serving("w", database, options))


def arrive(database: Database, series: str = "s1", at: float = 0) -> None:
    with database.writing() as session:
        queue.arrive(session, seen(series, f"st-{series}"), after(at), settings(Path("/")))


def of(database: Database, series: str = "s1") -> Series:
    with database.reading() as session:
        return session.get_one(Series, series)


def away(*_: Any) -> NoReturn:
    raise OrthancError("status 500")


def odd(*_: Any) -> NoReturn:
    raise KeyError("x")


@pytest.mark.parametrize("fails", [away, odd])
def test_one_kind_of_work_that_fails_keeps_no_other_from_being_done(
    worker: Worker, database: Database, monkeypatch: pytest.MonkeyPatch, fails: Any
) -> None:
    done = []
    monkeypatch.setattr(copies, "compare_next", fails)
    monkeypatch.setattr(copies, "withdraw_next", lambda *_: done.append(1) is not None)
    for _turn in range(3):
        worker.step()
    assert len(done) == 3
    assert worker.in_hand.busy_since is None
    assert sum(duty.rests_until > 0 for duty in worker._duties) == 1


@pytest.mark.parametrize(
    ("error", "well", "attempts", "setbacks"),
    [
        (OrthancError("down"), False, 0, 1),
        (OSError(28, "No space left on device"), True, 0, 1),
        (OperationalError("", {}, Exception()), True, 0, 1),
        (OrthancError("refused"), True, 1, 1),
        (IntegrityError("", {}, Exception()), True, 1, 1),
        (KeyError("x"), True, 1, 1),
    ],
)
def test_what_goes_wrong_over_a_series_puts_it_behind_the_others(
    worker: Worker,
    database: Database,
    client: Orthanc,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    well: bool,
    attempts: int,
    setbacks: int,
) -> None:
    def raises(*_: Any) -> NoReturn:
        raise error

    arrive(database)
    client.well = well
    monkeypatch.setattr(Worker, "_fetch", raises)
    worker.step()
    row = of(database)
    assert (row.state, row.attempts, row.setbacks) == (SeriesState.ARRIVING, attempts, setbacks)
    assert worker.in_hand.claim is None


class Hours:
    """A clock that runs while somebody waits, until it is time to end; things happen at moments."""

    def __init__(self, seconds: float, happens: dict[float, Callable[[], None]] | None = None) -> None:
        self.now = 0.0
        self._seconds = seconds
        self._happens = happens or {}

    def monotonic(self) -> float:
        return self.now

    def is_set(self) -> bool:
        return self.now >= self._seconds

    def wait(self, seconds: float) -> None:
        self.now = round(self.now + seconds, 1)
        for moment in [at for at in self._happens if at <= self.now]:
            self._happens.pop(moment)()


def looks(worker: Worker, hours: Any, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When a worker looked for work."""
    found = []
    step = worker.step

    def look() -> bool:
        found.append(hours.now)
        return step()

    monkeypatch.setattr(loop, "time", hours)
    monkeypatch.setattr(worker, "step", look)
    worker.run(hours)
    return found


def test_at_rest_it_looks_seldom_and_at_once_when_something_is_written(
    worker: Worker, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def alive() -> None:
        with database.writing() as session:
            queue.sign_of_life(session, "other", queue.utcnow())

    looks(worker, Hours(2.0), monkeypatch)
    assert looks(worker, Hours(4.0), monkeypatch)[-3:] == [1.0, 2.0, 3.0]
    assert looks(worker, Hours(4.0, {1.4: alive}), monkeypatch)[-4:] == [1.0, 1.4, 2.4, 3.4]


def test_while_a_series_waits_it_looks_often(
    worker: Worker, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.writing() as session:
        queue.arrive(
            session, seen("s1", "st-s1"), queue.utcnow() + timedelta(seconds=50), settings(Path("/"))
        )
    assert looks(worker, Hours(4.0), monkeypatch)[-4:] == [3.2, 3.4, 3.6, 3.8]


def test_a_worker_whose_orthanc_is_another_ends(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> NoReturn:
        raise TokenError("401")

    monkeypatch.setattr(copies, "compare_next", refused)
    with pytest.raises(TokenError):
        worker.step()


class TestTheHeartbeat:
    @pytest.fixture(autouse=True)
    def exits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def leave(status: int) -> NoReturn:
            raise SystemExit(status)

        monkeypatch.setattr(os, "_exit", leave)

    def beat(self, database: Database, in_hand: InHand, tmp_path: Path) -> int | None:
        try:
            process.heartbeat(in_hand, "w", database, settings(tmp_path))
        except SystemExit as left:
            return int(str(left.code))
        return None

    def taken(self, database: Database, busy: float, *, tried: bool) -> InHand:
        arrive(database)
        with database.writing() as session:
            session.get_one(Series, "s1").setbacks = int(tried)
            claim = queue.claim(session, "w", queue.utcnow(), settings(Path("/")))
        return InHand(claim, time.monotonic() - busy)

    @pytest.mark.parametrize("tried", [False, True])
    @pytest.mark.parametrize("waits", [False, True])
    @pytest.mark.parametrize("busy", [1.0, SPARE_SECONDS + 1])
    def test_another_attempt_is_broken_off_for_what_is_new(
        self, database: Database, tmp_path: Path, tried: bool, waits: bool, busy: float
    ) -> None:
        in_hand = self.taken(database, busy, tried=tried)
        if waits:
            arrive(database, "new", 1)
        broken_off = tried and waits and busy > SPARE_SECONDS
        assert self.beat(database, in_hand, tmp_path) == (WorkerExit.GAVE_WAY if broken_off else None)
        row = of(database)
        expected = (SeriesState.ARRIVING, 0) if broken_off else (SeriesState.JUDGING, 1)
        assert (row.state, row.attempts) == expected
        with database.writing() as session:
            queue.worker_lost(session, "w", queue.utcnow(), settings(tmp_path))
            claim = queue.claim(session, "v", queue.utcnow(), settings(tmp_path))
        if waits:
            assert claim is not None
            assert claim.series_id == "new"

    def test_what_hangs_without_a_series_gives_way_too(self, database: Database, tmp_path: Path) -> None:
        in_hand = InHand(None, time.monotonic() - SPARE_SECONDS - 1)
        assert self.beat(database, in_hand, tmp_path) is None
        arrive(database)
        assert self.beat(database, in_hand, tmp_path) == WorkerExit.GAVE_WAY

    def test_a_series_that_takes_too_long_ends_the_process(self, database: Database, tmp_path: Path) -> None:
        in_hand = self.taken(database, 601.0, tried=False)
        assert self.beat(database, in_hand, tmp_path) == WorkerExit.TOO_LONG

    def test_the_end_of_the_pipe_ends_it_whatever_is_wrong(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(process.os, "read", lambda *_: b"")
        monkeypatch.setattr(process.sys, "stdin", Path(os.devnull).open())  # noqa: SIM115
        monkeypatch.setattr(InHand, "give_back", odd)
        with pytest.raises(SystemExit) as left:
            process.follow_pipe(InHand(), database)
        assert left.value.code == WorkerExit.DONE


def test_a_model_is_not_blamed_for_a_store_that_was_locked(database: Database, tmp_path: Path) -> None:
    blamed = []
    with pytest.MonkeyPatch.context() as patch, database.writing() as session:
        patch.setattr(model_history, "died_loading", lambda *_: blamed.append(1))
        for number, by_itself in enumerate((True, False)):
            session.add(WorkerRow(name=f"w{number}", started_at=after(0), seen_at=after(0), loading="d" * 64))
            session.flush()
            queue.worker_lost(session, f"w{number}", after(1), settings(tmp_path), by_itself=by_itself)
            assert len(blamed) == number


class TestPreviews:
    def claim(self, database: Database, worker: str) -> str | None:
        with database.writing() as session:
            due = outbox.claim_preview(session, worker, 3)
        return due[0] if due is not None else None

    @pytest.fixture(autouse=True)
    def judged(self, database: Database, tmp_path: Path) -> None:
        with database.writing() as session:
            arrive_and_judge(session, settings(tmp_path))
            for name in ("w", "v"):
                queue.sign_of_life(session, name, after(9))

    def test_one_worker_renders_a_series(self, database: Database) -> None:
        assert self.claim(database, "w") == "s1"
        assert self.claim(database, "v") is None
        with database.reading() as session:
            assert not outbox.previews_due(session, "v")

    def test_what_kills_each_worker_is_given_up(self, database: Database, tmp_path: Path) -> None:
        for name in ("w", "v", "u"):
            with database.writing() as session:
                queue.sign_of_life(session, name, after(10))
            assert self.claim(database, name) == "s1"
            with database.writing() as session:
                queue.worker_lost(session, name, after(11), settings(tmp_path))
        assert self.claim(database, "t") is None
        row = of(database)
        assert (row.preview_pending, row.preview_slices, row.state) == (False, 0, SeriesState.ASSESSED)

    def test_trouble_with_the_disk_counts_for_nothing(self, database: Database) -> None:
        for _turn in range(9):
            assert self.claim(database, "w") == "s1"
            with database.writing() as session:
                outbox.preview_put_off(session, "s1")
        with database.writing() as session:
            outbox.previews_done(session, "s1", session.scalars(select(Series.generation)).one())
        assert self.claim(database, "w") is None
        assert of(database).preview_slices == 33
