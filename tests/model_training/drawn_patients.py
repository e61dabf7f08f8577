"""Patients drawn for tests of cycles: a round brain, a ball of blood in those who bleed."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from drawn_heads import AIR, BLOOD, BRAIN, ball, grid, volume

from model_training.datasets.manifest import SPECIALIST, TEST, TRAIN, Entry, Manifest
from model_training.datasets.sample import Sample, sample_path

SLABS = 3
RADIUS_MM = {"RED": 16.0, "YELLOW": 9.0, "GREEN": 0.0}
Drawn = tuple[Entry, Sample]


def drawn(number: int, colour: str, *, radius_mm: float | None = None, **changes: Any) -> Drawn:
    """One patient of a hospital: reviewed by a specialist, no blood marked."""
    random = np.random.default_rng(number)
    radius = RADIUS_MM[colour] if radius_mm is None else radius_mm
    _, y, x = grid(SLABS)
    hu = np.where(np.hypot(x, y) < 70, BRAIN, AIR) + random.normal(0, 2, y.shape)
    blood = ball(SLABS, radius, *random.uniform(-25, 25, 2)) if radius else np.zeros(hu.shape, bool)
    sample = Sample(volume(np.where(blood, BLOOD, hu)), np.zeros(hu.shape, bool))
    bleeding = colour != "GREEN"
    values: dict[str, Any] = {
        "patient": f"P-{number:03}",
        "source": "labelled",
        "bleeding": bleeding,
        "masked": not bleeding,
        "bleed_ml": None if bleeding else 0.0,
        "urgency": colour,
        "urgency_by": SPECIALIST,
        "age_years": 40.0,
        "sex": "F",
        "slices": SLABS,
        "pixel_mm": 1.0,
        "split": TEST if number % 5 == 0 else TRAIN,
        "fold": number // 3 % 2,
        "pixel_digest": f"{number:064x}",
    }
    if changes.get("masked") and bleeding:
        sample = Sample(sample.volume, blood)
        values["bleed_ml"] = float(blood.sum(axis=(1, 2)) @ sample.volume.voxel_ml)
    return Entry(**{**values, **changes}), sample


def written(folder: Path, patients: Iterable[Drawn]) -> Path:
    """A folder of prepared data, as ``headct-train dataset`` writes it."""
    folder.mkdir(parents=True)
    made = list(patients)
    for patient, sample in made:
        if not patient.exclusion:
            sample.write(sample_path(folder, patient))
    sources = {p.source for p, _ in made}
    Manifest(tuple(p for p, _ in made), licences=dict.fromkeys(sources, "none")).write(folder)
    return folder
