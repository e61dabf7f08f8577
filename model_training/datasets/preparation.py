"""Public data to one form: head volumes with bleed masks, and a manifest that is frozen and hashed."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from headct.preprocessing import head_volume, resample
from headct.reading import load_series
from headct.series import CTSeries
from model_training.datasets.manifest import EXTERNAL, FOLDS, SPLIT_SEED, Manifest, Patient
from model_training.datasets.sample import Sample, sample_path

LICENCES = {
    "ct_ich": "CC BY 4.0; Hssayeni et al., Intracranial Hemorrhage Segmentation Using a Deep Convolutional"
    " Model, Data 2020, 5(1):14",
    "phe_sich": "PHE-SICH-CT-IDS, non-commercial use; measured on, never trained on",
}

DOUBTFUL = {
    "CTICH-058": "at most 0.3 ml, nearly isodense",
    "CTICH-070": "old bleed, median 15 HU",
    "CTICH-078": "an opposite contusion seems unmarked",
    "CTICH-079": "at most 0.3 ml, nearly isodense",
    "CTICH-085": "newborn",
}
"""Patients of ct_ich whose label is open to question or who are unlike the rest; reported apart."""


Masks = Callable[[CTSeries], NDArray[np.bool_]]
"""Gives the true mask of each slab on the grid of the series."""


def prepare(sources: dict[str, Path], folder: Path, folds: int = FOLDS) -> Manifest:
    """Read every series of the named sources, write one sample a patient and the manifest.

    Args:
        sources: source name (``ct_ich``, ``phe_sich``) to its folder.
        folder: where samples and manifest go; samples already there are kept.
        folds: number of folds of the cross-validation.
    """
    folder.mkdir(parents=True, exist_ok=True)
    patients = []
    for source, root in sources.items():
        for patient, masks in tqdm(list(_ADAPTERS[source](root)), desc=source, unit="patient"):
            series = load_series(sorted((root / "series" / patient.patient).glob("*.dcm")))
            path = sample_path(folder, patient)
            if not path.exists():
                volume = head_volume(series)
                whole = resample(masks(series), volume.to_source, volume.hu.shape[1:])
                Sample(volume, whole >= 0.5).write(path)
            patients.append(_replace(patient, pixel_digest=series.pixel_digest))
    manifest = Manifest(
        patients=_with_folds(patients, folds), licences={source: LICENCES[source] for source in sources}
    )
    manifest.write(folder)
    return manifest


def _ct_ich(root: Path) -> Iterator[tuple[Patient, Masks]]:
    with (root / "slices.csv").open(encoding="utf-8") as file:
        files = {(row["patient"], int(row["slice"])): row["mask"] for row in csv.DictReader(file)}
    with (root / "patients.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        name = row["patient"]
        patient = Patient(
            patient=name,
            source="ct_ich",
            bleeding=row["any_ich"] == "1",
            bleed_ml=float(row["bleed_ml"]),
            age_years=float(row["age_years"]),
            sex=row["sex"][:1],
            labels={k: row[k] == "1" for k in ("ivh", "iph", "sah", "edh", "sdh", "fracture")},
            doubtful=DOUBTFUL.get(name, ""),
        )

        def masks(series: CTSeries, name: str = name) -> NDArray[np.bool_]:
            # A slab of one slice each: these series are 5 mm throughout.
            whole = np.zeros(series.hu.shape, bool)
            for slab, members in enumerate(series.slabs):
                for member in members:
                    number = int(series.headers[member].InstanceNumber)
                    if path := files.get((name, number)):
                        with Image.open(root / path) as picture:
                            whole[slab] |= np.array(picture.convert("1"))
            return whole

        yield patient, masks


def _phe_sich(root: Path) -> Iterator[tuple[Patient, Masks]]:
    with (root / "slices.csv").open(encoding="utf-8") as file:
        names = sorted({row["patient"] for row in csv.DictReader(file)})
    for name in names:
        patient = Patient(name, "phe_sich", bleeding=True, masked=False, split=EXTERNAL)
        yield patient, lambda series: np.zeros(series.hu.shape, bool)


_ADAPTERS: dict[str, Callable[[Path], Iterator[tuple[Patient, Masks]]]] = {
    "ct_ich": _ct_ich,
    "phe_sich": _phe_sich,
}
TRAINED_ON = ("ct_ich",)
"""Sources whose patients are in folds; the others are only measured on."""


def _with_folds(patients: list[Patient], folds: int) -> tuple[Patient, ...]:
    """Deal the patients out to folds by patient, each fold alike in bleeds and their volumes."""
    chosen = [p for p in patients if p.source in TRAINED_ON]
    order = np.random.default_rng(SPLIT_SEED).permutation(len(chosen))
    # Neighbours in volume go to different folds; the permutation decides among equals.
    ranked = sorted((chosen[i] for i in order), key=lambda p: (not p.bleeding, -(p.bleed_ml or 0.0)))
    fold_of = {p.patient: i % folds for i, p in enumerate(ranked)}
    return tuple(_replace(p, fold=fold_of.get(p.patient)) for p in patients)


def _replace(patient: Patient, **changes: object) -> Patient:
    return Patient(**{**asdict(patient), **changes})
