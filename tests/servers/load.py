"""Many series at once on a real stack, interrupted or not, and what must hold afterwards."""

import random
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import httpx
import pydicom
from stack_process import PATIENCE, StackProcess, alive, wait_until


def series_uid(folder: Path) -> str:
    """SeriesInstanceUID of a one-series folder."""
    return str(
        pydicom.dcmread(next(iter(sorted(folder.iterdir()))), stop_before_pixels=True).SeriesInstanceUID
    )


def send_all(stack: StackProcess, folders: Sequence[Path], parallel: int = 8, patience: float = 600) -> None:
    """Send series in parallel; what was refused or broken off is sent again, as a scanner does."""
    deadline = time.monotonic() + patience

    def send(folder: Path) -> None:
        while True:
            try:
                return stack.send(folder)
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)

    with ThreadPoolExecutor(parallel) as pool:
        list(pool.map(send, folders))


class Reader(threading.Thread):
    """Reads the worklist without pause, as open pages do; remembers what went wrong."""

    def __init__(self, stack: StackProcess) -> None:
        super().__init__(daemon=True)
        self._url, self._auth = stack.url, (stack.user, stack.password)
        self._stopped = threading.Event()
        self.answers = 0
        self.wrong: list[str] = []

    def run(self) -> None:
        """Read until stopped; a server that is down does not count, a wrong answer does."""
        with httpx.Client(base_url=self._url, auth=self._auth, timeout=60, trust_env=False) as http:
            while not self._stopped.is_set():
                for path in ("/triage/api/v1/worklist", "/triage/"):
                    try:
                        answer = http.get(path)
                    except httpx.TransportError:
                        time.sleep(0.5)
                        continue
                    self.answers += 1
                    if answer.status_code != 200:
                        self.wrong.append(f"{path}: {answer.status_code}")
                self._stopped.wait(0.2)

    def stop(self) -> None:
        """End, and raise if an answer was wrong."""
        self._stopped.set()
        self.join(60)
        assert self.answers, "the worklist was never read"
        assert not self.wrong, self.wrong[:5]


def results_by_series(stack: StackProcess, modality: str) -> dict[str, list[str]]:
    """Results in Orthanc that no other result replaces (SOP instance UIDs), by the series they speak of."""
    of_series: dict[str, list[str]] = defaultdict(list)
    replaced: set[str] = set()
    for instance in stack.documents(modality):
        ds = pydicom.dcmread(BytesIO(stack.file(instance)))
        for study in ds.get("PredecessorDocumentsSequence", []):
            for series in study.ReferencedSeriesSequence:
                replaced |= {str(s.ReferencedSOPInstanceUID) for s in series.ReferencedSOPSequence}
        for study in ds.CurrentRequestedProcedureEvidenceSequence:
            for series in study.ReferencedSeriesSequence:
                of_series[str(series.SeriesInstanceUID)].append(str(ds.SOPInstanceUID))
    return {uid: [r for r in found if r not in replaced] for uid, found in of_series.items()}


def check_nothing_lost_or_doubled(stack: StackProcess, uids: Sequence[str], patience: float = 900) -> None:
    """Every series final; one report and one key object selection for each assessed one, none for others."""
    final = stack.wait_final(uids, patience)
    stack.wait_published(patience)
    failed = [uid for uid, s in final.items() if s["state"] == "failed"]
    assert not failed, f"failed: {failed}"
    assessed = {uid for uid, s in final.items() if s["state"] == "assessed"}
    assert assessed, "nothing was assessed"
    for modality in ("SR", "KO"):
        found = {u: r for u, r in results_by_series(stack, modality).items() if u in set(uids)}
        assert set(found) == assessed, f"{modality} missing or too many"
        doubled = {u: r for u, r in found.items() if len(r) != 1}
        assert not doubled, f"more than one {modality}: {doubled}"


def kill_something(stack: StackProcess, rng: random.Random) -> str:
    """``kill -9`` of the worker or of Orthanc, which is started again; no orphan worker is left."""
    workers = stack.worker_pids()
    if rng.random() < 0.5:
        stack.kill_workers()
        wait_until(lambda: bool(set(stack.worker_pids()) - set(workers)), PATIENCE, lambda: "no new worker")
        return "worker"
    stack.kill_orthanc()
    wait_until(lambda: not any(alive(p) for p in workers), PATIENCE, lambda: "an orphan worker lives on")
    return "orthanc"
