"""(b) to (e): what a running stack does: from last image to report, C-STORE rate, memory, throughput."""

import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import psutil
from copies import copy_series
from stack_process import StackProcess

Rows = list[tuple[str, str]]


def latency(stack: StackProcess, source: Path, work: Path) -> Rows:
    """(b) Seconds from the last image stored to the report stored: one at a time, and 20 at once."""
    alone = []
    for number in range(20):
        uid = copy_series(source, work / f"alone{number}", number, "b")
        stack.send(work / f"alone{number}")
        sent_at = time.monotonic()
        alone.append(_reports(stack, [uid])[uid] - sent_at)
    folders = [work / f"together{n}" for n in range(20)]
    uids = [copy_series(source, folder, n, "t") for n, folder in enumerate(folders)]
    sent: dict[str, float] = {}

    def send(uid: str, folder: Path) -> None:
        stack.send(folder)
        sent[uid] = time.monotonic()

    watching = ThreadPoolExecutor(1).submit(_reports, stack, uids)
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(send, uids, folders))
    stored = watching.result()
    together = [stored[uid] - sent[uid] for uid in uids]
    return [
        ("last image to report, idle: median", f"{statistics.median(alone):.2f} s"),
        ("last image to report, idle: 95th percentile", f"{np.percentile(alone, 95):.2f} s"),
        ("last image to report, 20 series at once: median", f"{statistics.median(together):.2f} s"),
        ("last image to report, 20 series at once: slowest", f"{max(together):.2f} s"),
    ]


def _reports(stack: StackProcess, uids: Sequence[str]) -> dict[str, float]:
    """Wait for the report of each series; when it was first seen in Orthanc."""
    seen: dict[str, float] = {}
    known: set[str] = set()
    deadline = time.monotonic() + 300
    while set(uids) - set(seen):
        assert time.monotonic() < deadline, f"{len(uids) - len(seen)} reports missing"
        for instance in set(stack.documents("SR")) - known:
            now = time.monotonic()
            known.add(instance)
            evidence = stack.get(f"/instances/{instance}/simplified-tags")
            for study in evidence["CurrentRequestedProcedureEvidenceSequence"]:
                for series in study["ReferencedSeriesSequence"]:
                    seen.setdefault(series["SeriesInstanceUID"], now)
        time.sleep(0.05)
    return seen


def store_rate(source: Path, work: Path) -> Rows:
    """(c) Images a second by C-STORE with triage judging meanwhile, against triage off, in turns."""
    folders = [work / f"rate{n}" for n in range(12)]
    on: list[float] = []
    off: list[float] = []
    plain = {"Plugins": ["/usr/share/orthanc/plugins/libOrthancDicomWeb.so"]}
    with StackProcess(work / "on") as with_triage, ExitStack() as ends:
        without = StackProcess(work / "off", plain)
        ends.callback(without.stop)
        without.start(wait_for_triage=False)
        for turn in range(4):
            for stack, rates in ((with_triage, on), (without, off)):
                for n, folder in enumerate(folders):
                    copy_series(source, folder, n, f"c{turn}{id(rates)}")
                rates.append(_send_rate(stack, folders))
    ratio = statistics.median(on) / statistics.median(off)
    return [
        ("C-STORE with triage, a worker judging", f"{statistics.median(on):.0f} images/s"),
        ("C-STORE without triage", f"{statistics.median(off):.0f} images/s"),
        ("ratio", f"{ratio:.3f}"),
    ]


def _send_rate(stack: StackProcess, folders: Sequence[Path]) -> float:
    images = sum(len(list(f.iterdir())) for f in folders)
    # The first half gives the worker something to judge while the second half is timed.
    half = len(folders) // 2
    for folder in folders[:half]:
        stack.send(folder)
    time.sleep(2.5)
    start = time.monotonic()
    for folder in folders[half:]:
        stack.send(folder)
    return images / 2 / (time.monotonic() - start)


def load(stack: StackProcess, source: Path, work: Path, count: int = 200) -> Rows:
    """(d) and (e): memory after many series, and how many a minute are judged with nothing lost."""
    rss: list[float] = []
    uids: list[str] = []
    batch = 25
    elapsed = 0.0
    for first in range(0, count, batch):
        folders = {}
        for n in range(first, first + batch):
            folder = work / f"load{n % batch}"
            folders[copy_series(source, folder, n, "d")] = folder
        start = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(stack.send, folders.values()))
        final = stack.wait_final(folders, 600)
        elapsed += time.monotonic() - start
        assert all(s["state"] == "assessed" for s in final.values()), "a series was lost"
        uids += folders
        rss.append(resident_mb(stack))
    return [
        ("resident memory, Orthanc and one worker, after 25 series", f"{rss[0]:.0f} MB"),
        (f"resident memory after {count} series", f"{rss[-1]:.0f} MB"),
        ("resident memory, largest of all batches", f"{max(rss):.0f} MB"),
        ("series judged a minute, sending included", f"{60 * len(uids) / elapsed:.0f}"),
    ]


def resident_mb(stack: StackProcess) -> float:
    """Resident memory of Orthanc and its workers."""
    pids = [stack.orthanc_pid, *stack.worker_pids()]
    return sum(psutil.Process(pid).memory_info().rss for pid in pids) / 1e6
