"""``make bench``: what it costs, measured side by side in one run. Writes a dated report under reports/."""

import argparse
import os
import platform
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from places import put_first

put_first()

from data import SHARED
from judging import judging
from places import ROOT
from polls import SIZES, polls
from server import latency, load, store_rate
from stack_process import StackProcess
from training import training

from headct.generator.encoding import TransferSyntax
from headct.generator.generation import generate, write

PARTS = ["judging", "rate", "latency", "load", "polls", "training"]


def series_to_measure(work: Path) -> tuple[Path, str]:
    """33 slices of 512 x 512, JPEG Lossless: the real one where it is, else a generated one."""
    real = SHARED / "real_studies" / "toshiba_trauma" / "axial_brain"
    if real.is_dir():
        return real, "a real series"
    folder = work / "source"
    write(generate("normal", seed=2, syntax=TransferSyntax.JPEG_LOSSLESS), folder)
    return folder, "a generated series"


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--series", type=int, default=200, help="series of the load")
    parser.add_argument("--studies", type=int, action="append", help="sizes of the houses that are polled")
    options = parser.parse_args()
    chosen = options.only or PARTS
    rows: list[tuple[str, str]] = []

    def add(measured: list[tuple[str, str]]) -> None:
        for what, value in measured:
            print(f"{what}: {value}", flush=True)
        rows.extend(measured)

    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        source, kind = series_to_measure(work)
        if "judging" in chosen:
            add(judging(source))
        if "rate" in chosen:
            add(store_rate(source, work))
        if {"latency", "load"} & set(chosen):
            with StackProcess(work / "stack") as stack:
                if "latency" in chosen:
                    add(latency(stack, source, work))
                if "load" in chosen:
                    add(load(stack, source, work, options.series))
        if "polls" in chosen:
            add(polls(work / "polls", options.studies or SIZES))
        if "training" in chosen:
            add(training(work))
    now = datetime.now(UTC)
    text = "\n".join(
        [
            f"# Benchmark, {now:%Y-%m-%d %H:%M} UTC",
            "",
            f"{os.cpu_count()} cores, {platform.machine()}; {kind} of 33 slices, 512 x 512, JPEG Lossless.",
            "",
            "| what | measured |",
            "|---|---|",
            *(f"| {what} | {value} |" for what, value in rows),
        ]
    )
    report = ROOT / "reports" / f"bench-{now:%Y-%m-%d-%H%M}.md"
    report.parent.mkdir(exist_ok=True)
    report.write_text(text + "\n")
    print(f"Written to {report.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
