"""A head that arrives while the front door is besieged, against one on an idle machine, in turns."""

import statistics
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import drawn_heads
import httpx
from attackers import guessing, held
from stack_process import StackProcess

CONNECTIONS = 200
GUESSERS = 50
MOST = 1.5
"""How much longer the median head may take under siege; on an idle machine heads differ by so much."""


def siege(minutes: float) -> str:
    """Heads one by one, every second of them under siege, with pages asked for meanwhile."""
    seconds: dict[bool, list[float]] = {False: [], True: []}
    pages: dict[bool, list[float]] = {False: [], True: []}
    answers: Counter[int] = Counter()
    besieged_for = 0.0
    head = drawn_heads.whole_head(28)
    with tempfile.TemporaryDirectory() as folder, StackProcess(Path(folder) / "stack") as stack:
        end, number = time.monotonic() + 60 * minutes, 0
        while time.monotonic() < end or number < 4:
            besieged = bool(number % 2)
            uid = drawn_heads.write_series(
                Path(folder) / str(number), head, PatientID=f"SIEGE-{number}", PatientAge="050Y"
            )
            began = time.monotonic()
            with ExitStack() as around:
                if besieged:
                    login = (stack.user, stack.password)
                    around.enter_context(held(stack.ohif_port, CONNECTIONS, login))
                    guessers = around.enter_context(guessing(stack.ohif_url, f"nobody{number}", GUESSERS))
                    time.sleep(2)
                start = time.monotonic()
                stack.send(Path(folder) / str(number))
                pages[besieged].append(_page(stack))
                stack.wait_final([uid])
                seconds[besieged].append(time.monotonic() - start)
                if besieged:
                    time.sleep(max(0.0, 15 - (time.monotonic() - began)))
                    answers += sum((one.answers for one in guessers), Counter[int]())
                    besieged_for += time.monotonic() - began
            number += 1
    idle, under = (statistics.median(seconds[which]) for which in (False, True))
    told = f"head judged after {idle:.2f} s idle, {under:.2f} s besieged ({len(seconds[True])} of each); "
    told += f"page {1000 * statistics.median(pages[False]):.0f} ms, besieged "
    told += f"{1000 * statistics.median(pages[True]):.0f} ms; "
    told += f"{60 * answers[401] / besieged_for:.1f} refused logins a minute looked at, "
    told += f"{60 * answers[429] / besieged_for:.0f} told to come again"
    assert 60 * answers[401] / besieged_for <= 10 + 60 / 15 * 5, told  # five at once each time it begins
    assert under <= MOST * idle, told
    return told


def _page(stack: StackProcess) -> float:
    """Seconds for the worklist page through the door."""
    start = time.monotonic()
    login = (stack.user, stack.password)
    httpx.get(f"{stack.ohif_url}/triage/", auth=login, timeout=60, trust_env=False).raise_for_status()
    return time.monotonic() - start
