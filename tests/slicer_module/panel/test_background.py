"""Work beside the Qt thread: it advances where the event loop holds Python's lock; nothing comes too late."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("slicer", reason="slicer-core is made for Python 3.11 alone")
pytest.importorskip("PySide6", reason="PySide6 cannot be imported")
from qt_host import hold_the_lock, rounds, run_until, start, turn

PATIENT = "Yamada^Hanako"


@pytest.fixture
def background(tmp_path: Path) -> Iterator[Any]:
    app = start(tmp_path)
    from HeadCTTriageLib.panel.background import Background

    made = Background()
    yield made
    made.stop()
    app.end()


def fail(error: Exception) -> None:
    raise AssertionError(error)


@pytest.mark.parametrize("timer", [True, False], ids=["as it is", "without its timer"])
def test_python_threads_advance_though_the_event_loop_holds_the_lock(background: Any, timer: bool) -> None:
    steps = 0

    def work(task: Any) -> None:
        nonlocal steps
        while not task.cancelled.is_set():
            steps += 1
            time.sleep(0.0001)

    advanced: list[int] = []
    with hold_the_lock():
        background.run(work, fail, fail)
        if not timer:
            background._timer.stop()
        for _ in range(10):  # of which a busy machine may spoil some
            before = steps
            turn(400)
            advanced.append(steps - before)
            if advanced[-1] > 200 if timer else advanced[-1] <= 5:
                break
    background.stop()
    assert max(advanced) > 200 if timer else min(advanced) <= 5


def test_answers_and_reports_come_on_the_qt_thread_in_order(background: Any) -> None:
    seen: list[tuple[str, int]] = []
    here = threading.get_ident()

    def note(what: str) -> None:
        seen.append((what, threading.get_ident()))

    def work(task: Any) -> str:
        assert threading.get_ident() != here
        task.report(note, "first")
        task.report(note, "second")
        return "last"

    background.run(work, note, fail)
    run_until(lambda: not background.busy)
    assert seen == [("first", here), ("second", here), ("last", here)]


def test_nothing_comes_of_a_task_once_it_is_cancelled(background: Any) -> None:
    may_end, seen = threading.Event(), []

    def work(task: Any) -> str:
        task.report(seen.append, "report")
        may_end.wait()
        return "answer"

    task = background.run(work, seen.append, seen.append)
    run_until(lambda: seen == ["report"])
    task.cancel()
    may_end.set()
    run_until(lambda: not background.busy)
    assert seen == ["report"]


def test_cancelled_between_the_end_of_the_work_and_its_delivery(background: Any) -> None:
    seen: list[str] = []
    task = background.run(lambda task: "answer", seen.append, seen.append)
    time.sleep(0.1)
    task.cancel()
    run_until(lambda: not background.busy)
    assert seen == []


def test_errors_for_doctors_are_handed_over_others_are_logged_without_their_message(
    background: Any, caplog: pytest.LogCaptureFixture
) -> None:
    from HeadCTTriageLib.errors import TriageError

    errors: list[Exception] = []

    def for_doctors(task: Any) -> None:
        raise TriageError("The server is away.")

    def of_ours(task: Any) -> None:
        raise KeyError(PATIENT)

    with caplog.at_level(logging.ERROR):
        for work in (for_doctors, of_ours):
            background.run(work, fail, errors.append)
            run_until(lambda: not background.busy)
    assert [str(error) for error in errors] == [
        "The server is away.",
        "Something went wrong inside this module (KeyError).",
    ]
    assert "KeyError" in caplog.text and "of_ours" in caplog.text and PATIENT not in caplog.text


def test_a_callback_that_fails_stops_nothing(background: Any, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[int] = []

    def stumble(answer: int) -> None:
        raise ValueError(PATIENT)

    background.run(lambda task: 1, stumble, fail)
    background.run(lambda task: 2, seen.append, fail)
    run_until(lambda: not background.busy)
    assert seen == [2] and "ValueError" in caplog.text and PATIENT not in caplog.text


def test_nothing_is_handed_back_after_the_end_and_nobody_waits_for_it(background: Any) -> None:
    may_end, seen = threading.Event(), []

    def work(task: Any) -> str:
        may_end.wait()
        return "late"

    background.run(work, seen.append, seen.append)
    threads = [thread for thread in threading.enumerate() if thread.name == "HeadCTTriage"]
    assert threads and all(thread.daemon for thread in threads)
    background.stop()
    assert not may_end.is_set(), "over, though the work is not"
    may_end.set()
    run_until(lambda: not any(thread.is_alive() for thread in threads))
    turn(50)
    assert seen == []


def test_many_answers_at_once_leave_the_event_loop_its_turn(background: Any) -> None:
    """40 answers of a hundredth of a second each are handed over a few at a time."""
    seen: list[int] = []
    at: Counter[int] = Counter()

    def work(task: Any) -> None:
        for number in range(40):
            task.report(slow, number)

    with rounds() as gone_round:

        def slow(number: int) -> None:
            time.sleep(0.01)
            seen.append(number)
            at[gone_round()] += 1

        background.run(work, lambda answer: None, fail)
        run_until(lambda: not background.busy)
    assert seen == list(range(40))
    assert max(at.values()) <= 10
