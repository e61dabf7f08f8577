"""Programs that end are started again, leave nothing behind, and their logs do not grow for ever."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stack_process import PATIENCE, alive, free_ports, wait_until

from orthanc_plugin.stack import logs, supervision
from orthanc_plugin.stack.logs import Limits, Rotation, lay_aside
from orthanc_plugin.stack.processes import Child, Program
from orthanc_plugin.stack.stale import end_stale, mark
from orthanc_plugin.stack.supervision import Supervised

SLEEP = "import time; time.sleep(600)"
PARENT = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {SLEEP!r}])
print(child.pid, flush=True)
time.sleep(600)
"""

Start = Callable[..., Child]


def program(folder: Path, code: str, **more: int) -> Program:
    return Program(
        "it",
        [sys.executable, "-c", code],
        folder / "log",
        {**os.environ, **mark(folder)},
        more.pop("port", 1),
        **more,
    )


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Child] = []

    def run(code: str, **more: int) -> Child:
        started.append(Child(program(tmp_path, code, **more)))
        return started[-1]

    yield run
    for child in started:
        child.stop()


def said(folder: Path) -> str:
    """What a program wrote first, once it did."""
    wait_until(lambda: (folder / "log").read_text().endswith("\n"), PATIENCE, lambda: "it says nothing")
    return (folder / "log").read_text().split()[0]


class TestChildren:
    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
    def test_what_it_started_ends_with_it(self, tmp_path: Path, start: Start, number: int) -> None:
        child = start(PARENT)
        grandchild = int(said(tmp_path))
        os.kill(child.pid, number)
        wait_until(lambda: child.exit_status is not None, PATIENCE, lambda: "it lives on", pause=0.01)
        assert child.exit_status == -number
        wait_until(lambda: not alive(grandchild), PATIENCE, lambda: "what it started lives on", pause=0.01)

    def test_stopped_in_good_order_too(self, tmp_path: Path, start: Start) -> None:
        child = start(PARENT)
        grandchild = int(said(tmp_path))
        child.stop()
        wait_until(lambda: not alive(grandchild), PATIENCE, lambda: "what it started lives on", pause=0.01)

    def test_one_that_hears_nothing_is_killed(
        self, tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("orthanc_plugin.stack.processes.STOP_SECONDS", 0.2)
        child = start(
            "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True);" + SLEEP
        )
        said(tmp_path)
        child.stop()
        assert child.exit_status == -signal.SIGKILL

    def test_threads_get_the_stack_asked_for_and_no_memory_is_dumped(
        self, tmp_path: Path, start: Start
    ) -> None:
        asked = 16 * 2**20
        code = "import resource as r; print(r.getrlimit(r.RLIMIT_STACK)[0], r.getrlimit(r.RLIMIT_CORE))"
        start(code, stack_bytes=asked)
        assert said(tmp_path) == str(asked)
        assert "(0, 0)" in (tmp_path / "log").read_text()


class TestStale:
    def test_only_what_an_earlier_stack_on_the_same_data_left_is_ended(self, tmp_path: Path) -> None:
        one, other = tmp_path / "one", tmp_path / "other"
        marked = {folder: {**os.environ, **mark(folder)} for folder in (one, other)}
        command = [sys.executable, "-c", SLEEP]
        left, anothers, unmarked = (
            subprocess.Popen(command, env=environment) for environment in (marked[one], marked[other], None)
        )
        try:
            end_stale(one)
            assert left.wait(PATIENCE) == -signal.SIGTERM
            assert anothers.poll() is None
            assert unmarked.poll() is None
        finally:
            for process in (left, anothers, unmarked):
                process.kill()
                process.wait()

    def test_nor_ourselves(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        code = "from pathlib import Path; from orthanc_plugin.stack.stale import end_stale;"
        code += f"end_stale(Path({str(tmp_path)!r}))"
        environment = {**os.environ, **mark(tmp_path)}
        subprocess.run([sys.executable, "-c", code], env=environment, check=True)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No pauses to speak of; what is logged."""
    monkeypatch.setattr(supervision, "BACK_OFF", (0.01, 0.08))
    told: list[str] = []
    monkeypatch.setattr(supervision.log, "warning", lambda message, *words: told.append(message % words))
    return told


class TestSupervised:
    def test_it_is_started_again_without_an_end(self, tmp_path: Path, impatient: list[str]) -> None:
        one = Supervised(program(tmp_path, "raise SystemExit(3)"))

        def often() -> bool:
            one.look_after()
            return one.restarts > 4

        wait_until(often, PATIENCE, lambda: "it is given up", pause=0.005)
        assert all("status 3" in line for line in impatient)
        pauses = [line.partition("again in ")[2].split()[0] for line in impatient]
        assert pauses[0] < pauses[-1] == "0.1", "one that does not come up is tried less and less often"
        one.child.stop()

    def test_one_that_was_up_is_back_at_once_however_often_it_is_killed(
        self, tmp_path: Path, impatient: list[str]
    ) -> None:
        (port,) = free_ports(1)
        listening = f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(600)"
        one = Supervised(program(tmp_path, listening, port=port))
        for kill in range(1, 4):

            def is_up() -> bool:
                one.look_after()
                return not one.dead and supervision.listens(port)

            wait_until(is_up, PATIENCE, lambda: (tmp_path / "log").read_text(), pause=0.01)
            one.look_after()
            os.kill(one.child.pid, signal.SIGKILL)
            wait_until(lambda: one.dead, PATIENCE, lambda: "it lives on", pause=0.01)
            one.look_after()
            assert one.restarts == kill
        assert all("again in 0.0 s" in line for line in impatient if "ended" in line)
        one.child.stop()

    def test_one_that_cannot_be_started_is_tried_again(
        self, tmp_path: Path, impatient: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one = Supervised(program(tmp_path, "raise SystemExit(0)"))
        wait_until(lambda: one.dead, PATIENCE, lambda: "it lives on", pause=0.01)

        def none_left(_program: Program) -> Child:
            raise OSError(11, "Resource temporarily unavailable")

        monkeypatch.setattr(supervision, "Child", none_left)

        def told() -> bool:
            one.look_after()
            return sum("cannot be started" in line for line in impatient) > 1

        wait_until(told, PATIENCE, lambda: str(impatient), pause=0.005)
        monkeypatch.undo()

        def again() -> bool:
            one.look_after()
            return one.restarts > 1

        wait_until(again, PATIENCE, lambda: "it is given up", pause=0.05)


class TestLogs:
    def test_what_is_written_on_is_laid_aside(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        rotation = Rotation([path, tmp_path / "none"], Limits(size=10, files=2))
        with path.open("ab", buffering=0) as writer:  # as the programs of the stack do
            for word in (b"first......", b"second......", b"third......"):
                writer.write(word)
                rotation.look()
            writer.write(b"last")
            rotation.look()
        found = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
        assert found == {"log": b"last", "log.1": b"third......", "log.2": b"second......"}
        assert (tmp_path / "log.1").stat().st_mode & 0o077 == 0

    def test_none_are_kept(self, tmp_path: Path) -> None:
        (tmp_path / "log").write_bytes(b"x" * 11)
        lay_aside(tmp_path / "log", 0)
        assert [(file.name, file.stat().st_size) for file in tmp_path.iterdir()] == [("log", 0)]

    def test_without_room_nothing_is_lost_and_it_is_told_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        path = tmp_path / "log"
        path.write_bytes(b"x" * 11)
        rotation = Rotation([path], Limits(size=10, files=2))
        with monkeypatch.context() as broken, caplog.at_level(logging.WARNING):
            broken.setattr(logging.getLogger("orthanc_plugin.stack"), "propagate", True)
            broken.setattr("orthanc_plugin.stack.logs.shutil.copyfileobj", full)
            rotation.look()
            rotation.look()
        assert [file.name for file in tmp_path.iterdir()] == ["log"]
        assert path.stat().st_size == 11

    def test_our_own_is_bounded_too(self, tmp_path: Path) -> None:
        logs.write_own(tmp_path, Limits(size=200, files=1))
        own = logging.getLogger("orthanc_plugin.stack.supervision")
        for number in range(50):
            own.warning("line %s", number)
        found = sorted(file.name for file in tmp_path.iterdir())
        assert found == [logs.OWN, f"{logs.OWN}.1"]
        assert all((tmp_path / name).stat().st_size <= 200 for name in found)
        logs.write_own(tmp_path, Limits())
        handlers = logging.getLogger("orthanc_plugin.stack").handlers
        assert len(handlers) == 2, "those of an earlier start are gone"
        handlers.clear()
