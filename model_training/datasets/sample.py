"""What a network learns from: a head with its true bleed mask, with labels of its slices, or with both.

One form for whole stacks and for single slices, which are stacks of one. In a folder read piece by piece.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from headct.network.preprocessing import HeadVolume
from model_training.datasets.manifest import Entry
from model_training.datasets.source import SLICE_LABELS

SAMPLES = "samples"
_UNFINISHED = ".unfinished-"
_HU, _MASK, _LABELS, _GEOMETRY = "hu.npy", "mask.npy", "labels.npy", "geometry.json"

UNSAID = -1
"""Nobody looked, or nobody said."""

SliceLabels = NDArray[np.int8]
"""Shape (slabs, len(SLICE_LABELS)): 1, 0 or :data:`UNSAID`."""


def label_row(said: Mapping[str, bool]) -> SliceLabels:
    """What was said of one slab, shape (len(SLICE_LABELS),)."""
    return np.array([said.get(name, UNSAID) for name in SLICE_LABELS], np.int8)


@dataclass(frozen=True, slots=True)
class Sample:
    """A patient's head volume and, where there is one, the true bleed mask on the same grid."""

    volume: HeadVolume
    mask: NDArray[np.bool_]
    """Shape of ``volume.hu``; all false for bleed-free patients and where no mask exists."""
    labels: SliceLabels | None = None
    """What readers said of each slab; ``None`` where they spoke of the patient alone."""

    def write(self, path: Path) -> None:
        """Write a folder that :meth:`read` reads back; a process killed on the way leaves none."""
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(_UNFINISHED + path.name)
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        volume = self.volume
        np.save(unfinished / _HU, volume.hu)
        if self.mask.any():
            np.save(unfinished / _MASK, self.mask)
        if self.labels is not None:
            np.save(unfinished / _LABELS, self.labels)
        geometry = {
            "pixel_mm": volume.pixel_mm,
            "slab_heights_mm": volume.slab_heights_mm.tolist(),
            "slabs": volume.slabs,
            "to_source": volume.to_source.tolist(),
        }
        (unfinished / _GEOMETRY).write_text(json.dumps(geometry), encoding="utf-8")
        # A folder cannot be renamed over another one; between the two steps there is no sample at all.
        shutil.rmtree(path, ignore_errors=True)
        unfinished.rename(path)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what :meth:`write` wrote: arrays are mapped, read only, and cost what is looked at.

        Raises:
            FileNotFoundError: there is no such sample.
        """
        geometry = json.loads((path / _GEOMETRY).read_text(encoding="utf-8"))
        hu = np.load(path / _HU, mmap_mode="r")
        rows, columns = geometry["pixel_mm"]
        volume = HeadVolume(
            hu=hu,
            pixel_mm=(rows, columns),
            slab_heights_mm=np.array(geometry["slab_heights_mm"]),
            slabs=tuple(tuple(slab) for slab in geometry["slabs"]),
            to_source=np.array(geometry["to_source"]),
        )
        marked = (path / _MASK).exists()
        mask = np.load(path / _MASK, mmap_mode="r") if marked else np.broadcast_to(np.False_, hu.shape)
        return cls(volume, mask, np.load(path / _LABELS) if (path / _LABELS).exists() else None)


def sample_path(folder: Path, patient: Entry) -> Path:
    """Where a patient's sample lies in a folder of prepared data."""
    return folder / SAMPLES / patient.patient


def remove_unfinished(folder: Path) -> None:
    """Remove what killed processes left of samples they were writing."""
    for rest in (folder / SAMPLES).glob(f"{_UNFINISHED}*"):
        shutil.rmtree(rest, ignore_errors=True)
