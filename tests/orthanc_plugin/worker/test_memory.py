"""A series that needs more memory than a worker may take fails alone, for that reason, at once."""

import errno
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
from bundles import threshold_bundle
from store_samples import after, arrive_and_judge, claimed, judgement, seen, settings, state

from headct import pipeline
from headct.memory import ran_out
from headct.reasons import Reason, ReasonCode
from headct.terms.assessment import State
from headct.terms.urgency import Urgency
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import SeriesState
from orthanc_plugin.store import queue, results
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.tables import Series
from orthanc_plugin.worker import fetching, judging
from orthanc_plugin.worker.fetching import fetch
from orthanc_plugin.worker.loop import OutOfMemoryError, Worker
from orthanc_plugin.worker.serving import Serving

PIECE = 2**10


class Orthanc:
    """Has files of a series, each in pieces."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self._files = files

    def instances(self, _: str) -> tuple[str, ...]:
        return tuple(self._files)

    def reports_of(self, _: str) -> tuple[str, ...]:
        return ()

    @contextmanager
    def reading(self, instance: str) -> Iterator[Iterator[bytes] | None]:
        data = self._files[instance]
        yield None if data is None else (data[at : at + PIECE] for at in range(0, len(data), PIECE))


def short(*_: Any, **__: Any) -> NoReturn:
    raise MemoryError


@pytest.fixture
def worker(database: Database, tmp_path: Path) -> Worker:
    options = settings(tmp_path, Bundle=threshold_bundle(tmp_path / "threshold-1.0").folder)
    with database.writing() as session:
        queue.sign_of_life(session, "w", queue.utcnow())
    client: Any = Orthanc({"i": b"no image"})
    return Worker("w", client, database, options, Serving("w", database, options))


@pytest.mark.parametrize("where", ["look", "describe"])
def test_a_series_that_is_too_large_is_said_to_be_at_once(
    worker: Worker, database: Database, options: Settings, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    with database.writing() as session:
        queue.arrive(session, seen("s1"), after(0), options)
        queue.arrive(session, seen("s2"), after(1), options)
    with monkeypatch.context() as patched:
        patched.setattr(judging, where, short)
        with pytest.raises(OutOfMemoryError):
            worker._judge_next()
    assert worker.in_hand.claim is None
    with database.reading() as session:
        series = session.get_one(Series, "s1")
        assert series.state is SeriesState.NOT_ANALYSED
        assert series.reason_code == "too_large"
        assert series.attempts == 0
    # Whoever comes next goes on with the next.
    worker._out_of_memory = False
    assert worker._judge_next()
    with database.reading() as session:
        assert session.get_one(Series, "s2").reason_code == "unreadable"


def test_memory_that_ran_out_while_judging_is_no_error_of_the_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipeline, "_judge", short)
    classifier: Any = None
    outcome = pipeline.assess([b"x"], classifier).outcome
    assert outcome.state is State.NOT_ANALYSED
    assert outcome.reason == Reason(ReasonCode.TOO_LARGE)


def test_an_alert_stays_where_the_whole_is_too_large(database: Database, options: Settings) -> None:
    too_large = Reason(ReasonCode.TOO_LARGE)
    with database.writing() as session:
        for number, (urgency, stays) in enumerate(((Urgency.RED, True), (Urgency.GREEN, False))):
            name = f"s{number}"
            queue.arrive(session, seen(name), after(0), options)
            part = judgement(urgency, preliminary=True, series=name)
            assert results.record_assessed(session, claimed(session, options, 3), part, after(4), options)
            again = claimed(session, options, 1000)
            assert results.record_not_analysed(session, again, too_large, None, after(1001))
            assert (session.get_one(Series, name).current is not None) is stays
            assert state(session, name) is SeriesState.NOT_ANALYSED


def test_an_alert_stays_where_a_person_asks_for_it_again(database: Database, options: Settings) -> None:
    with database.writing() as session:
        arrive_and_judge(session, options)
        assert queue.rerun(session, "s1", "sato", after(100))
        again = claimed(session, options, 101)
        results.record_not_analysed(session, again, Reason(ReasonCode.TOO_LARGE), None, after(102))
        current = session.get_one(Series, "s1").current
        assert current is not None
        assert current.urgency is Urgency.RED


def test_what_ran_out_is_known_behind_other_errors() -> None:
    def behind(error: BaseException) -> BaseException:
        other = ValueError("other")
        other.__context__ = error
        return other

    for error in (MemoryError(), OSError(errno.ENOMEM, "x"), RuntimeError("can't start new thread")):
        assert ran_out(error)
        assert ran_out(behind(error))
    for error in (OSError(errno.ENOSPC, "x"), RuntimeError("other"), KeyError("MemoryError")):
        assert not ran_out(behind(error))


BOUND = """
from orthanc_plugin.worker.__main__ import bound_memory
bound_memory(1024)
try:
    bytearray(2**31)
except MemoryError:
    print("bound")
print(open("/proc/self/oom_score_adj").read().strip())
"""


def test_a_worker_bounds_itself() -> None:
    process = subprocess.run([sys.executable, "-c", BOUND], capture_output=True, text=True)
    assert process.stdout.split() == ["bound", "500"], process.stderr


# --- fetching -------------------------------------------------------------------------------------


def fetched(files: Sequence[bytes | None], options: Settings) -> list[tuple[type, bytes]] | None:
    named = {str(number): data for number, data in enumerate(files)}
    client: Any = Orthanc(named)  # type: ignore[arg-type]
    found = fetch(client, tuple(named), options)
    if found is None:
        return None
    kept = [(type(s), s if isinstance(s, bytes) else s.read_bytes()) for s in found.sources]
    found.remove()
    return kept


def test_large_files_are_kept_on_disk(options: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "IN_MEMORY_BYTES", 1000)
    files = [b"a" * 500, None, b"b" * 5000, b"c" * 300]
    kept = fetched(files, options)
    assert kept is not None
    assert [data for _, data in kept] == [data for data in files if data is not None]
    assert {kind is bytes for kind, data in kept if len(data) == 5000} == {False}
    assert not [p for p in (options.storage / "work").glob("*/*") if p.is_dir()]


def test_more_than_may_be_fetched_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = settings(tmp_path, MaxSeriesMegabytes=64)
    monkeypatch.setattr(fetching, "_MEGABYTE", 100)
    assert fetched([bytes(4000), bytes(4000)], options) is None
    assert fetched([bytes(3000), bytes(3000)], options) is not None
    folder = options.storage / "work"
    assert not folder.exists() or not list(folder.iterdir())
