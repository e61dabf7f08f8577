"""Made heads to train on in tests: a ball of brain, every second one with a lump of blood."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from headct.network.preprocessing import CROP_COLUMNS, CROP_ROWS, HeadVolume
from model_training.datasets.manifest import Entry, Manifest
from model_training.datasets.sample import Sample, sample_path


def made_head(number: int, slabs: int = 6) -> tuple[Entry, Sample]:
    """Odd numbers bleed. Patients lie in two folds."""
    random = np.random.default_rng(number)
    r, c = np.indices((CROP_ROWS, CROP_COLUMNS))
    hu = np.full((slabs, CROP_ROWS, CROP_COLUMNS), -1000, np.int16)
    brain = np.hypot((r - 96) / 90, (c - 80) / 75) < 1
    hu[:, brain] = 35 + random.normal(0, 3, (slabs, brain.sum()))
    mask = np.zeros(hu.shape, bool)
    if number % 2:
        row, column = random.integers(70, 120, 2)
        mask[slabs // 3 : slabs * 2 // 3] = np.hypot(r - row, c - column) < 16
        hu[mask] = 75
    levels = tuple((i,) for i in range(slabs))
    volume = HeadVolume(hu, (1.0, 1.0), np.full(slabs, 5.0), levels, np.eye(2, 3))
    ml = float((mask.sum(axis=(1, 2)) * volume.voxel_ml).sum())
    patient = Entry(
        f"P{number}",
        "made",
        bool(mask.any()),
        bleed_ml=ml,
        age_years=40.0,
        split="train",
        fold=number // 2 % 2,
    )
    return patient, Sample(volume, mask)


def written(folder: Path, heads: int = 8, change: Callable[[Entry], Entry] = lambda patient: patient) -> Path:
    """A data folder with so many heads, as ``headct-train dataset`` writes it."""
    folder.mkdir()
    patients = []
    for number in range(heads):
        patient, sample = made_head(number)
        patients.append(change(patient))
        sample.write(sample_path(folder, patients[-1]))
    Manifest(tuple(patients), licences={"made": "none"}).write(folder)
    return folder
