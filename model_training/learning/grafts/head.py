"""The head that a graft is drawn into, and what a graft is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from headct.findings.scoring import HEAD_PIXEL_MM

Array = NDArray[np.floating[Any]]
BONE_HU = 120
SLAB_MM = 5.0
_SMALLEST_BRAIN = 2500
"""Pixels of brain a slab needs to be grafted into: below, it is skull base or vertex."""


@dataclass(frozen=True, slots=True)
class Head:
    """The anatomy that grafts follow, on a window of slabs."""

    hu: Array
    """Shape (slabs, rows, columns)."""
    depth_mm: Array
    """Distance to the inner table, 0 outside the skull."""
    tissue_hu: Array
    """Smoothed, so that sulci and ventricles stand out from noise."""
    brain_hu: float
    """Median of the brain."""
    middle: int
    """Slab the graft is meant for."""

    @classmethod
    def of(cls, hu: NDArray[np.generic], depth_mm: Array, middle: int) -> "Head | None":
        """Anatomy of a window of slabs, or ``None`` where the middle one shows too little brain.

        Args:
            hu: Hounsfield units, shape (slabs, rows, columns).
            depth_mm: from :func:`inner_depth`, same shape.
            middle: slab the graft is meant for.
        """
        inside = depth_mm[middle] > 0
        if inside.sum() < _SMALLEST_BRAIN:
            return None
        values = hu.astype(np.float32)
        tissue = ndimage.gaussian_filter(np.clip(values, -20, 100), (0, 0.9, 0.9))
        return cls(values, depth_mm, tissue, float(np.median(values[middle][inside])), middle)

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Voxels within the skull."""
        return self.depth_mm > 0

    def point(self, random: np.random.Generator, where: NDArray[np.bool_]) -> tuple[int, int] | None:
        """A pixel of the middle slab, of those given."""
        rows, columns = np.nonzero(where)
        if not len(rows):
            return None
        n = int(random.integers(len(rows)))
        return int(rows[n]), int(columns[n])

    def distance_mm(self, at: tuple[int, int], flat: float = 1.0, off_mm: float = 0.0) -> Array:
        """Distance of each voxel from a pixel of the middle slab; ``flat`` stretches along the body axis."""
        slabs, rows, columns = (np.arange(n, dtype=np.float32) for n in self.hu.shape)
        z = ((slabs - self.middle) * SLAB_MM + off_mm) * flat
        r, c = (rows - at[0]) * HEAD_PIXEL_MM, (columns - at[1]) * HEAD_PIXEL_MM
        distance: Array = np.sqrt(z[:, None, None] ** 2 + r[:, None] ** 2 + c**2)
        return distance


@dataclass(frozen=True, slots=True)
class Graft:
    """What is drawn in: how much of each voxel becomes which density, and how the brain gives way."""

    share: Array
    """0 to 1, shape of the head's window."""
    density_hu: Array | float
    push_mm: Array | None = None
    """How far the brain is pushed away from the graft; along the depth for collections at the inner table."""
    centre: tuple[int, int] | None = None
    """Pixel the brain is pushed away from; ``None`` for collections at the inner table."""
    halo: Array | float = field(default=0.0)
    """Hounsfield units taken away around it: oedema."""


Kind = Callable[[Head, np.random.Generator], Graft | None]


def inner_depth(slab: NDArray[np.int16]) -> Array:
    """Distance in mm to the inner table, shape (rows, columns), 0 outside the skull and in air."""
    bone = slab > BONE_HU
    closed = ndimage.binary_closing(bone, iterations=2) | bone
    inside = ndimage.binary_fill_holes(closed) & ~bone & (slab > -30)
    inside = ndimage.binary_opening(inside, iterations=3)
    labels, count = ndimage.label(inside)
    if count == 0:
        return np.zeros(slab.shape, np.float32)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    kept = np.isin(labels, np.flatnonzero(sizes >= max(300, sizes.max() // 6)))
    # The opening rounds the corners off at the table; what it took there is given back.
    kept = ndimage.binary_dilation(kept, iterations=2, mask=ndimage.binary_fill_holes(closed) & ~bone)
    depth: Array = (ndimage.distance_transform_edt(kept) * HEAD_PIXEL_MM).astype(np.float32)
    return depth
