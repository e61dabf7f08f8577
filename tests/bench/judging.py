"""(a) One series judged: this program, and the research project's way, side by side on the same files."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import fields
from pathlib import Path

from headct.network.bundle import default_bundle, load_bundle
from headct.network.classifier import Classifier
from headct.pipeline import assess
from headct.terms.assessment import Timings

REPEATS = 9
HEADCT = Path(sys.executable).with_name("headct")


def judging(folder: Path) -> list[tuple[str, str]]:
    """Rows of the report: median seconds of each step, and of the baseline."""
    files = sorted(folder.iterdir())
    sources = [f.read_bytes() for f in files]
    classifier = Classifier(load_bundle(default_bundle()))
    timings = []
    for _ in range(REPEATS + 1):
        assessment = assess(sources, classifier).outcome.assessment
        assert assessment is not None, "the series to measure with is not eligible"
        timings.append(assessment.timings)
    timings = timings[1:]  # the first one warms up
    rows = [
        (f"judge {len(files)} slices, warm: {step.name}", _ms([getattr(t, step.name) for t in timings]))
        for step in fields(Timings)
    ]
    ours = statistics.median(t.total for t in timings)
    rows.append((f"judge {len(files)} slices, warm: total", _ms([t.total for t in timings])))
    rows.append(("- per judged slice", f"{ours / len(files) * 1000:.1f} ms"))
    start = time.perf_counter()
    subprocess.run([HEADCT, "assess", folder, "--json"], check=True, capture_output=True)
    from_start = time.perf_counter() - start
    rows.append(("- from process start (headct assess)", f"{from_start:.2f} s"))

    theirs = _baseline(folder)
    rows += [
        ("research project's way, 8 slices, AlexNet, Keras, warm: total", f"{theirs['warm'] * 1000:.0f} ms"),
        ("- of which reading, of which judging", f"{theirs['read']:.3f} s, {theirs['judge']:.3f} s"),
        ("- per judged slice", f"{theirs['warm'] / 8 * 1000:.1f} ms"),
        ("- from process start (import, load, judge)", f"{theirs['from_start']:.2f} s"),
        ("ratio of totals, ours to theirs, warm", f"{ours / theirs['warm']:.2f}"),
        ("ratio per judged slice", f"{ours / len(files) / (theirs['warm'] / 8):.2f}"),
        ("ratio from process start", f"{from_start / theirs['from_start']:.2f}"),
    ]
    return rows


def _baseline(folder: Path) -> dict[str, float]:
    script = Path(__file__).with_name("baseline.py")
    with tempfile.TemporaryDirectory() as weights:
        model = Path(weights) / "alexnet.keras"
        subprocess.run([sys.executable, script, "make", model], check=True, capture_output=True)
        start = time.perf_counter()
        # One judgement, then the process ends: what the prototype did for each case.
        subprocess.run([sys.executable, script, "judge", model, folder, "1"], check=True, capture_output=True)
        from_start = time.perf_counter() - start
        warm = subprocess.run(
            [sys.executable, script, "judge", model, folder, str(REPEATS)],
            check=True,
            capture_output=True,
            text=True,
        )
    return {"from_start": from_start, **json.loads(warm.stdout.splitlines()[-1])}


def _ms(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1000:.0f} ms"
