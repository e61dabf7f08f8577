"""What judging one series costs, step by step, in each precision: measured, not estimated.

The series is generated, so that everybody measures the same one: 33 slices of 512 x 512 pixels and 5 mm
with an epidural bleed, JPEG Lossless as a scanner sends it. A round judges it once with every precision and
number of threads, so that a machine that is busy for a while is so for all of them.
"""

import os
import platform
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any

from pydicom import dcmwrite

from headct.errors import ExportError
from headct.generator.encoding import TransferSyntax
from headct.generator.generation import generate
from headct.network.bundle import write_bundle
from headct.network.classifier import Classifier
from headct.network.contents import BundleContents
from headct.pipeline import assess
from model_training.learning.conversion import Precision

KIND, SEED = "epidural", 2
"""This head has 33 slices."""
REPEATS = 9
THREADS = (1, 2)


def series() -> list[bytes]:
    """The generated series' files."""
    files = []
    for image in generate(KIND, SEED, syntax=TransferSyntax.JPEG_LOSSLESS).images():
        buffer = BytesIO()
        dcmwrite(buffer, image, enforce_file_format=True)
        files.append(buffer.getvalue())
    return files


def judging_time(
    networks: Mapping[Precision, Sequence[bytes]], contents: BundleContents, repeats: int = REPEATS
) -> dict[str, Any]:
    """Median milliseconds of each step of :func:`headct.pipeline.assess`, warm, from bytes to findings.

    Args:
        networks: ``.tflite`` files, all that look at one head.
        contents: what they are run with: thresholds, input.
        repeats: rounds; one more goes before to warm up.

    Raises:
        ExportError: the series is not assessed with one of the networks.
    """
    sources = series()
    rounds: dict[tuple[Precision, int], list[dict[str, float]]] = {
        (n, t): [] for n in networks for t in THREADS
    }
    with tempfile.TemporaryDirectory() as folder:
        classifiers = {
            (name, threads): _classifier(Path(folder) / f"{name}-{threads}", network, contents, threads)
            for name, network in networks.items()
            for threads in THREADS
        }
        for _ in range(repeats + 1):
            for key, classifier in classifiers.items():
                assessment = assess(sources, classifier).outcome.assessment
                if assessment is None:
                    raise ExportError(f"the {key[0]} network does not judge the generated series")
                timings = assessment.timings
                rounds[key].append({**asdict(timings), "total": timings.total})
    return {
        "series": {
            "kind": f"generated: {KIND}",
            "slices": len(sources),
            "rows": 512,
            "columns": 512,
            "transfer_syntax": "JPEG Lossless",
        },
        "machine": {"cores": os.cpu_count(), "architecture": platform.machine(), "load": os.getloadavg()[0]},
        "repeats": repeats,
        "milliseconds": {
            name: {
                str(threads): {
                    step: round(1000 * median(r[step] for r in rounds[name, threads][1:]), 1)
                    for step in rounds[name, threads][0]
                }
                for threads in THREADS
            }
            for name in networks
        },
    }


def _classifier(
    folder: Path, networks: Sequence[bytes], contents: BundleContents, threads: int
) -> Classifier:
    bundle = write_bundle(folder, contents, networks, "Written to measure its speed.")
    return Classifier(bundle, threads=threads)
