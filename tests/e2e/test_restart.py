"""Nothing is lost and nothing doubled by restarts, kills, damaged files and repeated sending.

With small seeded versions of the soak.
"""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from copies import copy_files, copy_series
from data import SHARED, needs_shared_data
from load import Reader, check_nothing_lost_or_doubled, results_by_series, send_all, series_uid
from mutation import mutants
from stack_process import FINAL, PATIENCE, StackProcess, alive, wait_until

from tests.e2e.conftest import configured

pytestmark = needs_shared_data
SERIES = SHARED / "ct_ich" / "series"
OPTIONS = {"HeadCTTriage": {"Previews": False, "LongQuietSeconds": 5}}
"""Nobody looks at previews here, and what is damaged need not be waited for."""


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackProcess]:
    with StackProcess(tmp_path_factory.mktemp("restarted"), configured(OPTIONS)) as running:
        yield running


@pytest.fixture
def stack(one: StackProcess) -> StackProcess:
    """One for all of them; it runs."""
    if one.process is None or one.process.poll() is not None:
        one.start()
    return one


def living(pids: list[int]) -> list[int]:
    """Those that still run."""
    return [pid for pid in pids if alive(pid)]


def test_a_restart_doubles_nothing(stack: StackProcess, tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    uids = [copy_series(SERIES / "CTICH-049", f, n, "restart") for n, f in enumerate(folders)]

    def results() -> dict[str, list[list[str]]]:
        of_series = {modality: results_by_series(stack, modality) for modality in ("SR", "KO")}
        return {modality: [found[uid] for uid in uids] for modality, found in of_series.items()}

    def said() -> list[Any]:
        details = (stack.api(f"series/{stack.series()[uid]['id']}") for uid in uids)
        return [(detail["assessment"], detail["history"]) for detail in details]

    stack.send(*folders)
    before = stack.wait_final(uids)
    stack.wait_published()
    first, judged = results(), said()
    assert [len(found) for of_series in first.values() for found in of_series] == [1, 1, 1, 1]

    stack.restart()
    stack.send(*folders)
    wait_until(lambda: bool(stack.worker_pids()), PATIENCE, lambda: "no worker after the restart")
    # Quiet for longer than the quiet time: whatever the second sending would have started has started.
    time.sleep(4)
    assert stack.wait_final(uids) == before
    stack.wait_published()
    assert (results(), said()) == (first, judged)


def test_many_at_once_while_the_worklist_is_read_and_kills(stack: StackProcess, tmp_path: Path) -> None:
    copies = [tmp_path / str(number) for number in range(3)]
    copied = [copy_series(SERIES / "CTICH-049", f, n, "kill") for n, f in enumerate(copies)]
    others = [f for folder in (SERIES, SHARED / "phe_sich" / "series") for f in sorted(folder.iterdir())[:2]]
    uids = [*copied, *map(series_uid, others)]

    def at_work(sent: int) -> bool:
        """Somebody judges, or on a busy machine has done so unseen."""
        states = [s["state"] for uid, s in stack.series().items() if uid in uids]
        return stack.api("status")["judging"] > 0 or sum(state in FINAL for state in states) == sent

    reader = Reader(stack)
    reader.start()
    send_all(stack, copies, parallel=len(copies))
    wait_until(lambda: at_work(len(copies)), PATIENCE, lambda: "nothing is judged", pause=0.02)
    stack.kill_workers()
    send_all(stack, others, parallel=len(others))
    wait_until(lambda: at_work(len(uids)), PATIENCE, lambda: "nothing is judged", pause=0.02)
    workers = stack.worker_pids()
    reader.stop()
    stack.kill_orthanc()
    assert not living(workers), "orphan workers"

    check_nothing_lost_or_doubled(stack, uids, 2 * PATIENCE)
    assert {stack.series()[uid]["state"] for uid in copied} == {"assessed"}


def test_damaged_files_through_orthanc_each_get_a_state(stack: StackProcess) -> None:
    source = SHARED / "real_studies" / "siemens_stroke_0019983" / "ct"
    files = [f.read_bytes() for f in sorted(source.iterdir())[:6]]
    taken = set()
    for number in range(6):
        for _, damaged in mutants(copy_files(files, number), seed=number, count=1):
            answers = [stack.http.post("/instances", content=content) for content in damaged]
            taken |= {a.json()["ParentSeries"] for a in answers if a.status_code == 200}
    tags = [stack.get(f"/series/{one}")["MainDicomTags"] for one in sorted(taken)]
    uids = [t.get("SeriesInstanceUID", "") for t in tags if t.get("Modality") not in {"SR", "KO"}]
    assert uids, "Orthanc took none of the files"
    final = stack.wait_final(uids)
    assert all(s["reason"] for s in final.values() if s["state"] in {"not_analysed", "failed"})
    wait_until(lambda: bool(stack.worker_pids()), PATIENCE, lambda: "no worker any more")


def test_killing_headct_up_ends_its_children(stack: StackProcess) -> None:
    assert stack.process is not None
    family = [stack.process.pid, *(c.pid for c in psutil.Process(stack.process.pid).children(recursive=True))]
    assert len(family) >= 4, "headct up, Orthanc, nginx, a worker"
    os.kill(stack.process.pid, signal.SIGKILL)
    stack.process.wait()
    wait_until(lambda: not living(family), PATIENCE, lambda: f"still running: {living(family)}")
