"""``make soak``: the long runs. Writes a dated report under reports/ and exits 1 if anything failed.

Needs the real head CTs (shared/data); ``make test`` holds a small seeded version of each part. The tables of
coverage and of damaged series do with generated heads where those are not here; ``--all`` takes every real
series.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from places import put_first

put_first()

from copies import copy_files
from coverage_table import coverage_table
from damaged_series import damaged_series
from data import SHARED
from hostile_inputs import hostile_inputs
from load import Reader, check_nothing_lost_or_doubled, kill_something, send_all, series_uid
from mutation import mutants
from nesting import nesting_table
from night.running import a_night
from places import ROOT
from shuffled_labels import shuffled_labels
from siege import siege
from stack_process import StackProcess

from headct.eligibility.gate import admit
from headct.errors import NotAnalysedError

SERIES_LIMIT_SECONDS = 30.0
DRAWN = {"labels", "coverage", "damaged", "nesting", "hostile", "night", "siege"}
"""Parts that do with drawn or generated heads."""


def all_series() -> list[Path]:
    """Every series of ct_ich and phe_sich."""
    return sorted(f for source in ("ct_ich", "phe_sich") for f in (SHARED / source / "series").iterdir())


def sources_to_damage() -> list[list[bytes]]:
    """Twelve files each of a few real series of different scanners."""
    studies = SHARED / "real_studies"
    folders = [
        studies / "toshiba_trauma" / "axial_brain",
        studies / "siemens_stroke_0019983" / "ct",
        SHARED / "ct_ich" / "series" / "CTICH-049",
        SHARED / "phe_sich" / "series" / "PHESICH-0001",
    ]
    return [[f.read_bytes() for f in sorted(folder.iterdir())[:12]] for folder in folders]


def damaged_files(count: int, seed: int) -> str:
    """Mutated files through reader, eligibility and coverage: always a stack or a reason, in bounded time."""
    states: Counter[str] = Counter()
    slowest = 0.0
    read = 0
    sources = sources_to_damage()
    number = 0
    while read < count:
        for files in sources:
            for name, damaged in mutants(files, seed + number, 1):
                start = time.perf_counter()
                try:
                    admit(damaged, allow_partial=True)
                    states["readable"] += 1
                except NotAnalysedError as error:
                    states[error.reason.code.value] += 1
                except Exception as error:
                    raise AssertionError(f"mutant {name}: {type(error).__name__}") from error
                seconds = time.perf_counter() - start
                slowest = max(slowest, seconds)
                assert seconds < SERIES_LIMIT_SECONDS, f"mutant {name} took {seconds:.0f} s"
                read += sum(content not in files for content in damaged)
        number += 1
    outcomes = ", ".join(f"{state} {n}" for state, n in states.most_common())
    return f"{read} damaged files in {sum(states.values())} series, slowest {slowest:.1f} s: {outcomes}"


def damaged_files_through_orthanc(count: int, seed: int) -> str:
    """Mutated files through the real server: each series it accepted gets a state, each refusal a reason."""
    with tempfile.TemporaryDirectory() as folder, StackProcess(Path(folder)) as stack:
        sent = accepted = number = 0
        sources = sources_to_damage()
        while sent < count:
            # A series of its own each, else the second damage would meet the first one's images.
            files = copy_files(sources[number % len(sources)], number)
            for _, damaged in mutants(files, seed + number, 1):
                for content in damaged:
                    accepted += stack.http.post("/instances", content=content).status_code == 200
                sent += sum(content not in files for content in damaged)
            number += 1
        listed = [
            s for s in stack.get("/series?expand") if s["MainDicomTags"].get("Modality") not in {"SR", "KO"}
        ]
        uids = [s["MainDicomTags"].get("SeriesInstanceUID", "") for s in listed]
        final = stack.wait_final(uids, 900)
        states = Counter(s["state"] for s in final.values())
        without_reason = [
            u for u, s in final.items() if s["state"] in {"not_analysed", "failed"} and not s["reason"]
        ]
        assert not without_reason, f"no reason: {without_reason}"
        assert stack.worker_pids(), "no worker lives"
    sizes = f"{sent} damaged files sent among others, {accepted} accepted in all, {len(uids)} series"
    return f"{sizes}: {dict(states)}"


def everything_at_once() -> str:
    """All series in parallel while the worklist is read; the same again after a restart of everything."""
    folders = all_series()
    uids = [series_uid(f) for f in folders]
    with tempfile.TemporaryDirectory() as folder, StackProcess(Path(folder)) as stack:
        reader = Reader(stack)
        reader.start()
        start = time.monotonic()
        send_all(stack, folders, parallel=len(folders))
        sent = time.monotonic() - start
        check_nothing_lost_or_doubled(stack, uids)
        done = time.monotonic() - start
        reader.stop()
        stack.restart()
        send_all(stack, folders[:8])
        check_nothing_lost_or_doubled(stack, uids)
        states = Counter(s["state"] for s in stack.wait_final(uids).values())
    speed = f"sent in {sent:.0f} s, all done after {done:.0f} s, {reader.answers} pages read"
    return f"{len(folders)} series {speed}: {dict(states)}"


def killed(times: int, seed: int) -> str:
    """The same with ``kill -9`` of the worker and of Orthanc at random moments."""
    rng = random.Random(seed)
    folders = all_series()
    uids = [series_uid(f) for f in folders]
    what: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder, StackProcess(Path(folder)) as stack:
        sender = threading.Thread(target=send_all, args=(stack, folders, 4, 1800), daemon=True)
        sender.start()
        for _ in range(times):
            time.sleep(rng.uniform(1, 8))
            what[kill_something(stack, rng)] += 1
        sender.join(1800)
        assert not sender.is_alive(), "sending did not end"
        # A scanner that was cut off sends the whole study again.
        send_all(stack, folders)
        check_nothing_lost_or_doubled(stack, uids, 1800)
        states = Counter(s["state"] for s in stack.wait_final(uids).values())
    return f"{times} kills {dict(what)}, {len(folders)} series: {dict(states)}"


def main() -> int:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    names = ["files", "server", "parallel", "kills", "labels", "coverage", "damaged", "nesting"]
    names += ["hostile", "night", "siege"]
    parser.add_argument("--only", action="append", choices=names)
    parser.add_argument("--all", action="store_true", help="damage every real series, not a sample")
    parser.add_argument("--files", type=int, default=5000, help="mutated files through the reader")
    parser.add_argument("--server", type=int, default=300, help="mutated files through Orthanc")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument(
        "--minutes", type=float, default=60.0, help="of hostile inputs, of a bad night; a tenth of a siege"
    )
    options = parser.parse_args()
    parts: dict[str, Callable[[], str]] = {
        "files": lambda: damaged_files(options.files, options.seed),
        "server": lambda: damaged_files_through_orthanc(options.server, options.seed),
        "parallel": everything_at_once,
        "kills": lambda: killed(options.kills, options.seed),
        "labels": shuffled_labels,
        "nesting": nesting_table,
        "night": lambda: a_night(options.minutes, options.kills, options.seed),
        "coverage": coverage_table,
        "damaged": lambda: damaged_series(options.all),
        "siege": lambda: siege(options.minutes / 10),
        "hostile": lambda: hostile_inputs(options.minutes, options.seed),
    }
    wanted = options.only or list(parts)
    if set(wanted) - DRAWN and not SHARED.is_dir():
        print(f"make soak needs the real head CTs; there is no folder {SHARED}", file=sys.stderr)
        return 2
    now = datetime.now(UTC)
    version = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, cwd=ROOT
    )
    lines = [f"# Soak, {now:%Y-%m-%d %H:%M} UTC, {version.stdout.strip()}, seed {options.seed}", ""]
    failures = 0
    for name in wanted:
        start = time.monotonic()
        try:
            said, verdict = parts[name](), "passed"
        except Exception as error:
            traceback.print_exc()
            said, verdict = f"{type(error).__name__}: {error}".splitlines()[0], "FAILED"
            failures += 1
        lines.append(f"- {name}: {verdict} in {time.monotonic() - start:.0f} s. {said}")
        print(lines[-1], flush=True)
    report = ROOT / "reports" / f"soak-{now:%Y-%m-%d-%H%M}.md"
    report.parent.mkdir(exist_ok=True)
    report.write_text("\n".join(lines) + "\n")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
