"""A scanned object on a regular grid in patient axes."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from headct.generator.fields import Field, Points, Triple


@dataclass(frozen=True)
class Grid:
    """Regular points: `origin` is the first voxel's centre, arrays are indexed [z, y, x]."""

    origin: Triple
    spacing: Triple
    shape: tuple[int, int, int]
    """Voxels along z, y, x."""

    @staticmethod
    def covering(low: Triple, high: Triple, spacing: Triple) -> "Grid":
        """The grid from one corner to the other, both in mm."""
        n = [int(np.ceil((b - a) / s)) + 1 for a, b, s in zip(low, high, spacing, strict=True)]
        return Grid(low, spacing, (n[2], n[1], n[0]))

    @cached_property
    def axes(self) -> tuple[Field, Field, Field]:
        """Coordinates along x, y and z, in mm."""
        return tuple(  # type: ignore[return-value]
            (o + s * np.arange(n)).astype(np.float32)
            for o, s, n in zip(self.origin, self.spacing, reversed(self.shape), strict=True)
        )

    @property
    def points(self) -> Points:
        """Coordinates of every voxel, three arrays of the grid's shape."""
        x, y, z = self.axes
        zz, yy, xx = np.meshgrid(z, y, x, indexing="ij")
        return xx, yy, zz

    @property
    def voxel_ml(self) -> float:
        """Millilitres of one voxel."""
        return float(np.prod(self.spacing)) / 1000.0


@dataclass(frozen=True)
class Volume:
    """Hounsfield units on a grid, with what was put in."""

    grid: Grid
    hu: Field
    lesions: dict[str, Field]
    """Fraction of each voxel that each kind of lesion fills, by kind."""
    midline_shift_mm: float = 0.0
    """Displacement of the septum pellucidum, positive to the left."""
