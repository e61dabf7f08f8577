"""One CT series in memory, in the program's own order: feet first, rows to the back, columns to the left."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

DicomSource = bytes | Path
"""A DICOM file: its bytes or where it lies."""


@dataclass(frozen=True, slots=True)
class CTSeries:
    """A readable, geometrically consistent stack of axial CT slices.

    *Slices* are the series' own images, numbered from 0 at the feet. *Slabs* are what is judged: one
    slice each for slices of about 5 mm, averages of several for thin ones.
    """

    hu: NDArray[np.int16]
    """Hounsfield units, shape (slabs, rows, columns); row 0 anterior, column 0 the patient's right."""
    slabs: tuple[tuple[int, ...], ...]
    """Source slice numbers averaged into each slab."""
    slab_positions_mm: NDArray[np.float64]
    """Shape (slabs,): centre of each slab along the stack's normal, increasing towards the head."""
    slice_positions_mm: NDArray[np.float64]
    """Shape (slices,): the same for each source slice."""
    spacing_mm: tuple[float, float]
    """In-plane distance between rows and between columns."""
    gantry_tilt_deg: float
    """Angle between the slices' normal and the body axis about the left-right axis."""
    sop_instance_uids: tuple[str, ...]
    """One a source slice, in slice order."""
    headers: tuple[Dataset, ...]
    """The source datasets without pixel data, in slice order; the evidence for reports."""
    pixel_digest: str
    """SHA-256 over the stored pixel data in slice order, hex."""
    dropped: tuple[str, ...] = ()
    """Why images of the series were left out (duplicates, a localizer among axial images), one line each."""
    assumed: tuple[str, ...] = ()
    """What the headers do not say and was assumed: ``pixel_spacing``, ``slice_positions``, ``orientation``,
    ``rescale``. Figures in mm and ml rest on it."""

    noted: tuple[str, ...] = ()
    """Codes of cautions that the images gave while they were loaded."""
    beside: tuple[str, ...] = ()
    """SOP UIDs of the series' images in other passes of the scan, judged by themselves or left out."""

    @property
    def slab_heights_mm(self) -> NDArray[np.float64]:
        """Shape (slabs,): height each slab stands for, from the midpoints between its neighbours."""
        z = self.slab_positions_mm
        if len(z) == 1:
            return np.ones(1)
        mid = np.concatenate(
            [[z[0] - (z[1] - z[0]) / 2], (z[1:] + z[:-1]) / 2, [z[-1] + (z[-1] - z[-2]) / 2]]
        )
        return np.diff(mid)

    @property
    def voxel_ml(self) -> NDArray[np.float64]:
        """Shape (slabs,): millilitres one voxel of each slab stands for."""
        return self.slab_heights_mm * self.spacing_mm[0] * self.spacing_mm[1] / 1000.0


Sources = Sequence[DicomSource]
