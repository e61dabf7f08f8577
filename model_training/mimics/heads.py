"""The heads of the bench: real bleed-free ones that a bundle never saw, and generated ones."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pydicom import dcmwrite
from pydicom.dataset import Dataset

from headct.generator.generation import generate
from headct.images.reading import load_series
from headct.network.bundle import Bundle
from headct.network.preprocessing import HeadVolume, head_volume
from model_training.datasets.manifest import Entry, Manifest
from model_training.datasets.sample import Sample, sample_path
from model_training.gate.judging import trained_on

REAL, GENERATED = "real", "generated"
KINDS = ("normal", "normal_elderly", "normal", "normal_elderly", "normal_child")
"""Kinds of generated heads, in turn; infants have too little of what mimics need."""
FIRST_SEED = 9000
"""Far from the seeds of demo and tests."""
MATRIX = 256
"""Pixels a side of generated slices: as fine as the crop."""


@dataclass(frozen=True, slots=True)
class BenchHead:
    """A bleed-free head, which is one patient of the bench."""

    name: str
    kind: str
    """``REAL`` or ``GENERATED``."""
    age_years: float | None
    volume: HeadVolume


def unseen(manifest: Manifest, bundle: Bundle) -> tuple[tuple[Entry, ...], dict[str, int]]:
    """Bleed-free patients of whom the bundle saw nothing, one series each, and why others are left out."""
    known = trained_on(bundle, manifest, "judged")
    chosen: dict[str, Entry] = {}
    left_out: dict[str, set[str]] = {}
    for p in manifest.patients:
        if p.bleeding or p.exclusion:
            continue
        if why := known.get(p.who):
            left_out.setdefault(why, set()).add(p.who)
        else:
            chosen.setdefault(p.who, p)
    return tuple(chosen.values()), {why: len(who) for why, who in left_out.items()}


def real(data: Path, patients: tuple[Entry, ...]) -> Iterator[BenchHead]:
    """Prepared heads, one at a time."""
    for p in patients:
        yield BenchHead(p.patient, REAL, p.age_years, Sample.read(sample_path(data, p)).volume)


def generated(count: int) -> Iterator[BenchHead]:
    """Generated heads, one at a time; always the same."""
    for n in range(count):
        series = generate(KINDS[n % len(KINDS)], FIRST_SEED + n, matrix=MATRIX)
        volume = head_volume(load_series([_bytes(image) for image in series.images()]))
        yield BenchHead(f"generated-{n}", GENERATED, series.truth.age_years, volume)


def _bytes(image: Dataset) -> bytes:
    held = BytesIO()
    dcmwrite(held, image, enforce_file_format=True)
    return held.getvalue()
