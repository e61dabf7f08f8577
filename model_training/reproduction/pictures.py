"""Eight equally spaced slices of each patient's brain, as the research project cut them, in one file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from headct.errors import UnusableInputError
from headct.images.reading import load_series
from headct.network.preprocessing import BASELINE_SLICES, eight_slices
from model_training.datasets.manifest import Entry


@dataclass(frozen=True, slots=True)
class Pictures:
    """The pictures of all patients, in the manifest's order."""

    patients: tuple[str, ...]
    grey: NDArray[np.uint8]
    """Shape (patients, 8, 256, 256); see :func:`headct.network.preprocessing.eight_slices`."""

    @property
    def flat(self) -> NDArray[np.uint8]:
        """One picture after the other, shape (pictures, 256, 256, 1)."""
        return self.grey.reshape(-1, *self.grey.shape[2:], 1)

    @classmethod
    def cut(cls, root: Path, patients: Sequence[Entry]) -> Self:
        """Read every patient's series under ``root/series/PATIENT``.

        Raises:
            UnusableInputError: a series is missing, or its pixels are not those the manifest knows.
        """
        grey = []
        for patient in tqdm(patients, desc="pictures", unit="patient"):
            files = sorted((root / "series" / patient.patient).glob("*.dcm"))
            if not files:
                raise UnusableInputError(f"{root / 'series'} holds no series of {patient.patient}")
            series = load_series(files)
            if series.pixel_digest != patient.pixel_digest:
                raise UnusableInputError(f"the series of {patient.patient} is not the one in the manifest")
            grey.append(eight_slices(series))
        return cls(tuple(p.patient for p in patients), np.stack(grey))

    def write(self, path: Path) -> None:
        """Write a compressed ``.npz``; :meth:`read` reads it back."""
        unfinished = path.with_suffix(".unfinished.npz")
        np.savez_compressed(unfinished, patients=self.patients, grey=self.grey)
        unfinished.replace(path)

    @classmethod
    def read(cls, path: Path, patients: Sequence[Entry]) -> Self:
        """Read what :meth:`write` wrote.

        Raises:
            UnusableInputError: it holds other patients than these.
        """
        with np.load(path) as file:
            pictures = cls(tuple(file["patients"].tolist()), file["grey"])
        if pictures.patients != tuple(p.patient for p in patients):
            raise UnusableInputError(f"{path} holds other patients than the manifest: choose another run")
        return pictures


def of_each_picture(of_patients: NDArray[np.generic]) -> NDArray[np.generic]:
    """What holds of a patient holds of their eight images: the project labelled them so."""
    return np.repeat(of_patients, BASELINE_SLICES, axis=0)
