"""Public data to one form: head volumes with bleed masks, and a manifest that is frozen and hashed."""

import csv
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from headct.errors import UnusableInputError
from headct.preprocessing import CROP_COLUMNS, CROP_ROWS, HeadVolume, head_volume, resample
from headct.reading import load_series
from headct.series import CTSeries

MANIFEST = "manifest.json"
FOLDS = 4
SPLIT_SEED = 2020

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


@dataclass(frozen=True, slots=True)
class Patient:
    """One patient's series in the manifest."""

    patient: str
    source: str
    bleeding: bool
    bleed_ml: float | None
    """True volume where masks exist and the pixel spacing can be trusted."""
    under_18: bool | None
    fold: int | None
    """Held out in this fold; ``None`` for patients that are only measured on."""
    doubtful: str = ""
    pixel_digest: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """Who is in the data, in which fold, and from where."""

    patients: tuple[Patient, ...]
    crop: tuple[int, int] = (CROP_ROWS, CROP_COLUMNS)
    split_seed: int = SPLIT_SEED
    licences: dict[str, str] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """Digest of the whole manifest."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    @property
    def training(self) -> tuple[Patient, ...]:
        """Patients that are in a fold."""
        return tuple(p for p in self.patients if p.fold is not None)

    @property
    def external(self) -> tuple[Patient, ...]:
        """Patients that are only measured on."""
        return tuple(p for p in self.patients if p.fold is None)

    def write(self, folder: Path) -> None:
        """Write ``manifest.json``; :meth:`read` reads it back."""
        body = {"sha256": self.sha256, **asdict(self)}
        (folder / MANIFEST).write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read ``manifest.json``.

        Raises:
            UnusableInputError: there is none, or it was changed by hand.
        """
        try:
            body = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        except OSError as error:
            raise UnusableInputError(f"{folder} holds no prepared data: run headct-train dataset") from error
        digest = body.pop("sha256")
        patients = tuple(Patient(**p) for p in body.pop("patients"))
        manifest = cls(patients=patients, **{**body, "crop": tuple(body["crop"])})
        if manifest.sha256 != digest:
            raise UnusableInputError(f"{folder / MANIFEST} does not have the hash that was recorded in it")
        return manifest


@dataclass(frozen=True, slots=True)
class Sample:
    """A patient's head volume and, where there is one, the true bleed mask on the same grid."""

    volume: HeadVolume
    mask: NDArray[np.bool_]
    """Shape of ``volume.hu``; all false for bleed-free patients and where no mask exists."""

    def write(self, path: Path) -> None:
        """Write a compressed ``.npz``; :meth:`read` reads it back."""
        volume = self.volume
        np.savez_compressed(
            path,
            hu=volume.hu,
            mask=self.mask,
            pixel_mm=np.array(volume.pixel_mm),
            heights=volume.slab_heights_mm,
            to_source=volume.to_source,
            slabs=np.array([len(s) for s in volume.slabs]),
            slices=np.array([n for s in volume.slabs for n in s]),
        )

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what :meth:`write` wrote."""
        with np.load(path) as data:
            ends = np.cumsum(data["slabs"])[:-1]
            volume = HeadVolume(
                hu=data["hu"],
                pixel_mm=(float(data["pixel_mm"][0]), float(data["pixel_mm"][1])),
                slab_heights_mm=data["heights"],
                slabs=tuple(tuple(int(n) for n in part) for part in np.split(data["slices"], ends)),
                to_source=data["to_source"],
            )
            return cls(volume, data["mask"])


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


def sample_path(folder: Path, patient: Patient) -> Path:
    """Where a patient's sample lies."""
    return folder / f"{patient.patient}.npz"


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
            under_18=float(row["age_years"]) < 18,
            fold=None,
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
        patient = Patient(name, "phe_sich", bleeding=True, bleed_ml=None, under_18=None, fold=None)
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
