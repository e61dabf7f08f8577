"""What was made to do harm, for as long as is asked: files, bodies and ZIPs, alone and through a real stack.

No process of ours dies and none takes more than it may. Orthanc may die of nested sequences alone.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx
import psutil
from dicom_stack import files as head_files
from dicom_stack import head
from hostile.bodies import bodies
from hostile.bounded import LARGE, files
from places import ROOT, TESTS
from stack_process import StackProcess, wait_until

from headct.reasons import ReasonCode

_ANSWERS = {code.value for code in ReasonCode} - {ReasonCode.INTERNAL_ERROR.value} | {"read"}
_TOO_LARGE = ReasonCode.TOO_LARGE.value
_REFUSED_MEGABYTES = 64
"""What a file may take that is too large: it is refused for what it says, not when memory has run out."""
_IN_EARNEST_MEGABYTES = 1024
"""What a file may take: as many items of sequences as are read take 450."""
_WORKER_MEGABYTES = 4096
_BACK_SECONDS = 10.0
_ROUTES = ("imports", "series/s1/review", "series/s1/rerun", "models/a/activate", "models/rollback")


def hostile_inputs(minutes: float, seed: int) -> str:
    """All of the corpus once in earnest, then damaged files and a live stack for half of the minutes each."""
    corpus = _read(["--large", "--megabytes", str(_IN_EARNEST_MEGABYTES)])
    damaged = _read(["--minutes", str(minutes / 2), "--seed", str(seed)])
    most = max(corpus, key=lambda line: line[2])
    said = f"{len(corpus)} files, at most {most[2]} MB ({most[0]}); {len(damaged)} damaged ones"
    return f"{said}: {dict(Counter(line[1] for line in damaged))}. {_stack(minutes / 2, seed)}"


def _read(arguments: list[str]) -> list[tuple[str, str, int]]:
    path = os.pathsep.join((str(TESTS / "faults"), str(ROOT)))
    process = subprocess.run(
        [sys.executable, "-m", "hostile.bounded", *arguments],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
    )
    lines = [tuple(json.loads(line)) for line in process.stdout.splitlines()]
    last = lines[-1][0] if lines else "the first"
    assert process.returncode == 0, f"died of what follows {last}"
    others = [
        line
        for line in lines
        if line[1] not in _ANSWERS or (line[1] == _TOO_LARGE and line[2] > _REFUSED_MEGABYTES)
    ]
    assert not others, others[:5]
    return lines


def _stack(minutes: float, seed: int) -> str:
    rng = random.Random(seed)
    made = [(name, make) for name, make in files({**LARGE, "many": 200_000, "zeros": 2**28}).items()]
    count: Counter[str] = Counter()
    options = {"HeadCTTriage": {"WorkerMegabytes": _WORKER_MEGABYTES}}
    with tempfile.TemporaryDirectory() as folder, StackProcess(Path(folder), options) as stack:
        end, number = time.monotonic() + 60 * minutes, 0
        workers = stack.worker_pids()
        while time.monotonic() < end:
            number += 1
            name, make = rng.choice(made)
            count["accepted"] += _post(stack, name, _renamed(make(), number), count)
            for route in _ROUTES:
                body = rng.choice(bodies()).make()
                answer = stack.http.post(
                    f"/triage/api/v1/{route}",
                    content=body,
                    headers={"X-Triage": "1", "Content-Type": "application/json"},
                )
                assert answer.status_code < 500, (route, body[:100])
                count["bodies"] += 1
            count["largest worker MB"] = max(
                [count["largest worker MB"], *map(_megabytes, stack.worker_pids())]
            )
            if number % 50 == 0:
                count["good"] += _good(stack, Path(folder), number)
        assert count["deaths of Orthanc"] or stack.worker_pids() == workers, "a worker was lost"
        states = Counter(found["state"] for found in stack.wait_final(stack.series(), 1800).values())
        assert not states["failed"]
    return f"Through a stack: {dict(count)}, states {dict(states)}"


def _renamed(data: bytes, number: int) -> bytes:
    """Under another series and image, where that can be read without unpacking."""
    for uid in (b"2.25.1\0\0", b"2.25.2\0\0", b"2.25.3\0\0"):
        data = data.replace(uid, (b"2.%d" % (100_000 + number)).ljust(len(uid), b"\0"), 1)
    return data


def _post(stack: StackProcess, name: str, data: bytes, count: Counter[str]) -> bool:
    try:
        return stack.http.post("/instances", content=data).status_code == 200
    except httpx.HTTPError:
        assert "nested" in name, f"Orthanc died of {name}"
    count["deaths of Orthanc"] += 1
    wait_until(lambda: _answers(stack), _BACK_SECONDS)
    return False


def _answers(stack: StackProcess) -> bool:
    try:
        return stack.http.get("/system").status_code == 200
    except httpx.HTTPError:
        return False


def _good(stack: StackProcess, folder: Path, number: int) -> bool:
    """A head among all this is looked at all the same."""
    sent = folder / f"good-{number}"
    sent.mkdir()
    uid = f"2.25.9{number}"
    for k, data in enumerate(head_files(head(), series=uid)):
        (sent / f"{k}.dcm").write_bytes(data)
    stack.send(sent)
    return stack.wait_final([uid], 600)[uid]["state"] in {"assessed", "not_analysed"}


def _megabytes(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss >> 20)
    except psutil.NoSuchProcess:
        return 0
