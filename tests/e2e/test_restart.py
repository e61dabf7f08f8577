"""Nothing is lost and nothing doubled by restarts, kills and repeated sending."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from copies import copy_series
from data import SHARED, needs_shared_data
from stack_process import FINAL, PATIENCE, StackProcess, alive, wait_until

pytestmark = needs_shared_data
SERIES = SHARED / "ct_ich" / "series"
NewStack = Callable[..., StackProcess]
NO_PREVIEWS = {"HeadCTTriage": {"Previews": False}}
"""Nobody looks at them here."""


def results(stack: StackProcess) -> dict[str, list[str]]:
    return {modality: sorted(stack.documents(modality)) for modality in ("SR", "KO")}


def living(pids: list[int]) -> list[int]:
    """Those that still run."""
    return [pid for pid in pids if alive(pid)]


def test_a_restart_doubles_nothing(new_stack: NewStack, tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    uids = [copy_series(SERIES / "CTICH-049", f, n, "restart") for n, f in enumerate(folders)]
    stack = new_stack(NO_PREVIEWS).start()
    stack.send(*folders)
    before = stack.wait_final(uids)
    stack.wait_published()
    first = results(stack)
    assert {m: len(found) for m, found in first.items()} == {"SR": 2, "KO": 2}

    stack.restart()
    stack.send(*folders)
    wait_until(lambda: bool(stack.worker_pids()), PATIENCE, lambda: "no worker after the restart")
    # Quiet for longer than the quiet time: whatever the second sending would have started has started.
    time.sleep(4)
    assert stack.wait_final(uids) == before
    stack.wait_published()
    assert results(stack) == first


def test_killed_in_the_middle_everything_is_done_once(new_stack: NewStack, tmp_path: Path) -> None:
    folders = [tmp_path / str(n) for n in range(6)]
    uids = [copy_series(SERIES / "CTICH-049", f, n, "kill") for n, f in enumerate(folders)]
    stack = new_stack(NO_PREVIEWS).start()

    def at_work(sent: int) -> bool:
        """Somebody judges, or on a busy machine has done so unseen."""
        done = sum(s["state"] in FINAL for s in stack.series().values())
        return stack.api("status")["judging"] > 0 or done == sent

    stack.send(*folders[:3])
    wait_until(lambda: at_work(3), PATIENCE, lambda: "nothing is judged", pause=0.02)
    stack.kill_workers()
    stack.send(*folders[3:])
    wait_until(lambda: at_work(6), PATIENCE, lambda: "nothing is judged", pause=0.02)
    workers = stack.worker_pids()
    stack.kill_orthanc()
    assert not living(workers), "orphan workers"

    final = stack.wait_final(uids, seconds=2 * PATIENCE)
    assert {s["state"] for s in final.values()} == {"assessed"}
    stack.wait_published()
    assert {m: len(found) for m, found in results(stack).items()} == {"SR": 6, "KO": 6}


def test_killing_headct_up_ends_its_children(new_stack: NewStack) -> None:
    stack = new_stack(NO_PREVIEWS).start()
    assert stack.process is not None
    family = [stack.process.pid, *(c.pid for c in psutil.Process(stack.process.pid).children(recursive=True))]
    assert len(family) >= 4, "headct up, Orthanc, nginx, a worker"
    os.kill(stack.process.pid, signal.SIGKILL)
    stack.process.wait()
    wait_until(lambda: not living(family), PATIENCE, lambda: f"still running: {living(family)}")
