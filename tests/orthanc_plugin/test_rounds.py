"""A thread of ours goes on whatever goes wrong, ever more slowly, and says what it is."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bundles import threshold_bundle
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from stack_process import PATIENCE
from store_samples import after, arrive_and_judge, open_store, seen, settings

from headct.errors import SettingsError
from headct.language import _
from orthanc_plugin import rounds
from orthanc_plugin.health.running import troubles, why_stopped
from orthanc_plugin.intake import supervisor
from orthanc_plugin.intake.supervisor import HOST, Supervisor
from orthanc_plugin.rounds import BACK_OFF, Rounds, all_of
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import SeriesState
from orthanc_plugin.store import database as databases
from orthanc_plugin.store import queue
from orthanc_plugin.store.clock import ClockWatch
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.tables import Series
from orthanc_plugin.system_words import cause_of, words_of


def works(*turns: object) -> Callable[[], float]:
    """What each turn raises; then all is well."""
    left: Iterator[object] = iter(turns)

    def work() -> float:
        error = next(left, None)
        if isinstance(error, BaseException):
            raise error.with_traceback(None)
        return 7.0

    return work


def test_it_waits_longer_each_time_and_says_why_until_it_works() -> None:
    many = Rounds("made", works(*[OSError(28, "No space left on device")] * 7))
    pauses = []
    for _turn in range(7):
        pauses.append(many.once())
        assert str(many.trouble) == "No space left on device"
    assert pauses == [1, 2, 4, 8, BACK_OFF[1], BACK_OFF[1], BACK_OFF[1]]
    assert (many.once(), many.trouble) == (7.0, None)


@pytest.mark.parametrize("error", [KeyError("x"), SystemExit(1), MemoryError(), RecursionError()])
def test_nothing_ends_the_thread(error: BaseException) -> None:
    done = threading.Event()
    work = works(error)

    def round_() -> float:
        pause = work()
        done.set()
        return pause

    one = Rounds("made", round_)
    one.start()
    assert done.wait(60)
    one.stop(60)


def test_it_is_woken_and_ends() -> None:
    turns = threading.Semaphore(0)

    def work() -> float:
        turns.release()
        return 3600.0

    one = Rounds("made", work, at_least=0.01)
    one.start()
    for _turn in range(3):
        assert turns.acquire(timeout=60)
        one.wake()
    one.stop(60)
    assert one.ended


def test_the_same_trouble_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    one = Rounds(
        "made", works(*(ValueError("Yamada^Tarou") for _ in range(5)), None, ValueError("Yamada^Tarou"))
    )
    for _turn in range(7):
        one.once()
    said = [r.getMessage() for r in caplog.records if r.name == rounds.__name__]
    assert len(said) == 3
    assert "Yamada" not in caplog.text


def test_all_are_done_whatever_goes_wrong_with_one() -> None:
    done = []
    with pytest.raises(KeyError):
        all_of(lambda: done.append(1), lambda: {}["x"], lambda: done.append(2), lambda: 1 / 0)
    assert done == [1, 2]


def test_what_is_said_names_no_patient() -> None:
    row = OperationalError("INSERT", {"name": "Yamada^Tarou"}, sqlite3.OperationalError("disk I/O error"))
    assert str(cause_of(row)) == "disk I/O error"
    assert "Yamada" not in str(words_of(KeyError("Yamada^Tarou")))
    assert str(words_of(OSError(30, "Read-only file system", "/data"))) == "Read-only file system: /data"
    assert str(cause_of(SettingsError(_("{a} is wrong", a="Workers")))) == "Workers is wrong"


class TestALockedStoreAtTheStart:
    """The thread that starts workers is still there when it is free again."""

    @pytest.fixture
    def watched(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
        monkeypatch.setattr(databases, "BUSY_SECONDS", 0.05)
        bundle = threshold_bundle(tmp_path / "bundle").folder
        options = settings(tmp_path, bundle=bundle, workers=0)
        database = open_store(tmp_path)
        with database.writing() as session:
            queue.sign_of_life(session, f"{HOST}/dead", after(0))
            queue.arrive(session, seen(), after(0), options)
            queue.claim(session, f"{HOST}/dead", after(9), options)
        made = Supervisor(options, database, ClockWatch(database, options), "token")
        yield made
        made.stop()
        database.close()

    def test_it_goes_on(self, watched: Supervisor, tmp_path: Path) -> None:
        locker = sqlite3.connect(tmp_path / "triage.sqlite", isolation_level=None)
        locker.execute("BEGIN IMMEDIATE")
        for _turn in range(3):
            watched.rounds.once()
            assert str(watched.trouble) == "database is locked"
        (told,) = troubles(watched, None)
        assert str(told) == "Nobody looks after the judging processes (database is locked)."
        locker.execute("COMMIT")
        watched.rounds.once()
        assert watched.trouble is None
        with watched._database.reading() as session:
            state = session.scalar(select(Series.state))
        assert state is SeriesState.ARRIVING, "what a killed Orthanc's worker had in hand was given back"

    def test_a_start_that_fails_halfway_can_be_tried_again(self, watched: Supervisor) -> None:
        watched.start()
        again = Supervisor(watched._settings, watched._database, watched._clock, "token")
        watched.stop()
        again.start()
        again.stop()

    def test_one_that_does_not_hold_the_store_leaves_it_alone(self, watched: Supervisor) -> None:
        watched.stop()
        with watched._database.reading() as session:
            assert session.scalar(select(Series.state)) is SeriesState.JUDGING


def test_a_worker_that_follows_on_one_that_could_not_is_counted_when_it_lasts(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    bundle = tmp_path / "bundle"
    python.write_text(f"#!/bin/sh\nread -r _\n[ -e {bundle} ] || {{ echo no bundle; exit 1; }}\nexec cat\n")
    python.chmod(0o755)
    options = settings(tmp_path, workers=1, python=python)
    watched = Supervisor(options, database, ClockWatch(database, options), "token")
    (slot,) = watched._slots
    try:
        watched.step()
        assert slot.process is not None
        slot.process.wait(PATIENCE)
        watched.step()
        assert (watched.alive, watched.problem) == (0, "no bundle")
        bundle.touch()
        slot.start_at = 0.0
        watched.step()
        assert slot.running
        assert (watched.alive, watched.problem) == (0, "no bundle"), "it may fail like the one before"
        monkeypatch.setattr(supervisor, "START_SECONDS", 0.0)
        watched.step()
        assert (watched.alive, watched.problem) == (1, "")
    finally:
        watched.stop()


def test_no_worker_and_why(database: Database, options: Settings) -> None:
    class Nobody:
        restarts, alive, trouble = 0, 0, None
        problem = "database is locked"

    reason = why_stopped(options.model_copy(update={"minimum_free_gigabytes": 0.0}), Nobody(), Nobody())
    assert reason is not None
    assert str(reason) == "No judging process is running (database is locked)."
    assert reason.say("ja") != str(reason)
    with database.writing() as session:
        arrive_and_judge(session, options)
