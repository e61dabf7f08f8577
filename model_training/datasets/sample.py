"""What a network learns from: a head volume with its true bleed mask, in a file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from headct.preprocessing import HeadVolume
from model_training.datasets.manifest import Patient


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


def sample_path(folder: Path, patient: Patient) -> Path:
    """Where a patient's sample lies."""
    return folder / f"{patient.patient}.npz"
