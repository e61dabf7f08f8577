"""Work beside the Qt thread: it advances where the event loop holds Python's lock; nothing comes too late."""

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("slicer", reason="slicer-core is made for Python 3.11 alone")
pytest.importorskip("PySide6", reason="PySide6 cannot be imported")
from qt_host import hold_the_lock, run_until, start, turn

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

    with hold_the_lock():
        background.run(work, fail, fail)
        if not timer:
            background._timer.stop()
        before = steps
        turn(400)
        advanced = steps - before
    background.stop()
    assert advanced > 200 if timer else advanced <= 5


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
    started = time.monotonic()
    background.stop()
    assert time.monotonic() - started < 0.1
    may_end.set()
    until = time.monotonic() + 0.2
    run_until(lambda: time.monotonic() > until)
    assert seen == []
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "HeadCTTriage")


def test_many_answers_at_once_leave_the_event_loop_its_turn(background: Any) -> None:
    from qt_host import longest_gap

    seen: list[int] = []

    def slow(number: int) -> None:
        time.sleep(0.01)
        seen.append(number)

    def work(task: Any) -> None:
        for number in range(40):
            task.report(slow, number)

    with longest_gap() as longest:
        background.run(work, lambda answer: None, fail)
        run_until(lambda: not background.busy)
        assert longest() < 0.1
    assert seen == list(range(40))
