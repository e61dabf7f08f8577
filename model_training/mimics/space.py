"""A head to draw in: where its landmarks lie, and how a shape becomes shares of voxels.

Places are given in axes of an adult's head of average size: x to the patient's left, y to the back, z up, in
mm, with the origin between the thalami, the inner table 66 mm to the sides, 84 mm to front and back, and its
vertex 76 mm up. They are laid into a head by its inner table, so they are where a textbook has them, not
where this patient's own brain has them; what must lie in fluid looks for the fluid nearby.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from headct.generator.fields import Field, Points, Triple, inside
from headct.network.preprocessing import HeadVolume
from model_training.evaluation.skull import inside_skull

HALF_BREADTH_MM, HALF_LENGTH_MM, VERTEX_MM = 66.0, 84.0, 76.0
"""Inner table of an adult of average size: the textbook proportions of :mod:`headct.generator.anatomy`."""
BROADEST_MM = 12.0
"""Height at which the inner table is broadest."""
SIZES = (0.7, 1.1)
"""Of a head against the average adult's, from infants to large men; beyond, the pixel spacing is wrong."""
PARTS = 5
"""Planes a slab is averaged from: a slice of 5 mm blurs what lies slantwise in it."""
EDGE_MM = 1.3
"""A crop pixel is about 1.1 mm, and scanners blur edges over as much."""
DEEP_MM = 18.0
"""Fluid this far from the inner table is in ventricles or cisterns, not in sulci."""
DARKER_HU = 13.0
"""Fluid is darker than brain by more than this."""

Array = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]
Shape = Callable[[Points], Field]
"""Signed distance of points to a shape, mm, negative inside."""
Box = tuple[Triple, Triple]
"""Two corners, the lower values first."""


def around(radius_mm: float, *places: Triple) -> Box:
    """The box that holds places with a margin."""
    low, high = (tuple(float(c) for c in pick(np.array(places), axis=0)) for pick in (np.min, np.max))
    return (
        (low[0] - radius_mm, low[1] - radius_mm, low[2] - radius_mm),
        (high[0] + radius_mm, high[1] + radius_mm, high[2] + radius_mm),
    )


@dataclass(frozen=True)
class Space:
    """One head with its axes."""

    hu: Array
    """Shape (slabs, rows, columns)."""
    within: Mask
    """Inside the inner table, bone left out."""
    size: float
    """Of the head, 1 for an adult of average size."""
    column0: float
    lean: float
    """The midline's column is ``column0 + lean * row``."""
    row0: float
    pixel: tuple[float, float]
    """Crop pixels a millimetre along y and along x."""
    z_mm: Array
    """Shape (slabs,): height of each slab's middle."""
    thick_mm: Array
    """Shape (slabs,): height of each slab."""

    @classmethod
    def of(cls, volume: HeadVolume) -> "Space | None":
        """The axes of a head, or ``None`` where no vault is seen to lay them by."""
        within = inside_skull(volume.hu)
        area = within.sum(axis=(1, 2))
        full = np.flatnonzero(area > 0.1 * np.sort(area)[-3:].mean())
        if len(area) < 8 or not len(full):
            return None
        top = np.concatenate([[0.0], np.cumsum(volume.slab_heights_mm)])
        middle = (top[1:] + top[:-1]) / 2
        below = top[full[-1] + 1] - middle
        size = 1.0
        for _ in range(3):
            broadest = int(np.argmin(np.abs(below - (VERTEX_MM - BROADEST_MM) * size)))
            rows, columns = (np.flatnonzero(within[broadest].any(axis=axis)) for axis in (1, 0))
            if len(rows) < 60 or len(columns) < 60:
                return None
            half = (rows[-1] - rows[0] + 1) / 2, (columns[-1] - columns[0] + 1) / 2
            size = float(np.clip(half[1] * volume.pixel_mm[1] / HALF_BREADTH_MM, *SIZES))
        lean, column0 = _midline(within[broadest : broadest + 5])
        return cls(
            hu=volume.hu.astype(np.float32),
            within=within,
            size=size,
            column0=column0,
            lean=lean,
            row0=float(rows[0] + rows[-1]) / 2,
            pixel=(float(half[0] / HALF_LENGTH_MM), float(half[1] / HALF_BREADTH_MM)),
            z_mm=(VERTEX_MM - below / size).astype(np.float32),
            thick_mm=(volume.slab_heights_mm / size).astype(np.float32),
        )

    @cached_property
    def depth_mm(self) -> Array:
        """Distance to the inner table within each slab, 0 outside; adult's mm."""
        depths = [ndimage.distance_transform_edt(level) for level in self.within]
        return (np.stack(depths) / float(np.mean(self.pixel))).astype(np.float32)

    @cached_property
    def tissue_hu(self) -> Array:
        """Without noise: what a drawn thing takes the place of."""
        return self.smoothed(self.hu)

    @cached_property
    def brain_hu(self) -> float:
        """Median of the brain."""
        return float(np.median(self.hu[self.within & (self.z_mm > 0)[:, None, None]]))

    @cached_property
    def noise_hu(self) -> float:
        """Standard deviation of the noise in the brain."""
        fine = (self.hu - self.tissue_hu)[self.within & (self.depth_mm > 10)]
        return float(1.5 * np.median(np.abs(fine))) if fine.size else 3.0

    @cached_property
    def fluid(self) -> Mask:
        """Ventricles and wide cisterns."""
        return self.within & (self.depth_mm > DEEP_MM) & (self.tissue_hu < self.brain_hu - DARKER_HU)

    def points(self, slabs: slice, off_mm: float = 0.0) -> Points:
        """Axes of the pixels of some slabs, three arrays of shape (slabs, rows, columns)."""
        axes = np.broadcast_arrays(*self._axes(slabs, off_mm))
        return axes[0], axes[1], axes[2]

    def _axes(self, slabs: slice, off_mm: float) -> Points:
        rows, columns = (np.arange(n, dtype=np.float32) for n in self.hu.shape[1:])
        x = (columns - self.column0 - self.lean * rows[:, None]) / self.pixel[1]
        y = ((rows - self.row0) / self.pixel[0])[:, None]
        z = self.z_mm[slabs] + off_mm * self.thick_mm[slabs]
        return x[None], y[None], z[:, None, None]

    def slabs(self, low_mm: float, high_mm: float) -> slice:
        """Those that reach between two heights."""
        some = np.flatnonzero(
            (self.z_mm + self.thick_mm / 2 > low_mm) & (self.z_mm - self.thick_mm / 2 < high_mm)
        )
        return slice(int(some[0]), int(some[-1]) + 1) if len(some) else slice(0, 0)

    def share(self, shape: Shape, box: Box, edge_mm: float = EDGE_MM) -> Array:
        """How much of each voxel a shape fills, 0 to 1, shape of ``hu``.

        Args:
            shape: signed distance, called once for each of ``PARTS`` planes of the slabs in reach.
            box: corners between which the shape lies.
            edge_mm: width of its blurred edge in the plane.
        """
        filled = np.zeros(self.hu.shape, np.float32)
        slabs = self.slabs(box[0][2], box[1][2])
        x, y, _ = self._axes(slabs, 0.0)
        seen = (x > box[0][0] - 2) & (x < box[1][0] + 2) & (y > box[0][1] - 2) & (y < box[1][1] + 2)
        rows, columns = (np.flatnonzero(seen[0].any(axis=axis)) for axis in (1, 0))
        if slabs.stop == slabs.start or not len(rows):
            return filled
        part = (slabs, slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        for plane in range(PARTS):
            axes = [
                axis[
                    :,
                    part[1] if axis.shape[1] > 1 else slice(None),
                    part[2] if axis.shape[2] > 1 else slice(None),
                ]
                for axis in self._axes(slabs, (plane + 0.5) / PARTS - 0.5)
            ]
            points = np.broadcast_arrays(*axes)
            filled[part] += inside(shape((points[0], points[1], points[2])), edge_mm) / PARTS
        return filled

    def near_fluid(self, place: tuple[float, float, float], within_mm: float) -> tuple[float, float, float]:
        """The middle of the deep fluid around a place; the place itself where there is none."""
        slabs = self.slabs(place[2] - within_mm, place[2] + within_mm)
        x, y, z = self.points(slabs)
        close = (x - place[0]) ** 2 + (y - place[1]) ** 2 + (z - place[2]) ** 2 < within_mm**2
        # A place at one side of the midline stays there.
        close &= self.fluid[slabs] & (x * np.sign(place[0]) > 4 if place[0] else np.abs(x) < 6)
        if close.sum() < 6:
            return place
        return float(x[close].mean()), float(y[close].mean()), float(z[close].mean())

    def table_point(self, direction: tuple[float, float, float]) -> tuple[float, float, float]:
        """Where a ray from the middle of the vault meets this head's inner table."""
        unit = np.asarray(direction) / np.linalg.norm(direction)
        x, _, z = self.points(slice(None))
        steps = np.arange(30.0, 110.0, 0.5)[:, None] * unit + (0.0, 0.0, BROADEST_MM)
        slabs = np.argmin(np.abs(z[:, 0, 0][None] - steps[:, 2:]), axis=1)
        rows = np.clip(np.rint(self.row0 + steps[:, 1] * self.pixel[0]), 0, x.shape[1] - 1).astype(int)
        columns = self.column0 + self.lean * rows + steps[:, 0] * self.pixel[1]
        columns = np.clip(np.rint(columns), 0, x.shape[2] - 1).astype(int)
        seen = np.abs(z[slabs, 0, 0] - steps[:, 2]) < self.thick_mm[slabs]
        inner = np.flatnonzero(self.within[slabs, rows, columns] & seen)
        at = steps[inner[-1]] if len(inner) else steps[0]
        return float(at[0]), float(at[1]), float(at[2])

    def grain(self, random: np.random.Generator, sigma: float = 0.6) -> Array:
        """Noise as this scan has it, for what replaces bone."""
        white = ndimage.gaussian_filter(random.standard_normal(self.hu.shape), (0, sigma, sigma))
        grain: Array = (white / white.std() * self.noise_hu).astype(np.float32)
        return grain

    def mixed(self, share: Array, density_hu: Array | float, hu: Array | None = None) -> Array:
        """The head with a share of each voxel turned into something else; the scan's noise stays."""
        before = self.hu if hu is None else hu
        return before + share * (density_hu - (self.tissue_hu if hu is None else self.smoothed(before)))

    def smoothed(self, hu: Array) -> Array:
        """The head without noise; bone does not shine into what lies beside it."""
        width = (0, 1.0, 1.0)
        soft = np.clip(hu, -50, 120)
        everywhere: Array = ndimage.gaussian_filter(soft, width)
        weight = np.maximum(ndimage.gaussian_filter(self.within.astype(np.float32), width), 1e-3)
        inner = ndimage.gaussian_filter(soft * self.within, width) / weight
        return np.where(self.within, inner, everywhere)


def _midline(within: Mask) -> tuple[float, float]:
    """Slope and start of the line halfway between both sides of the inner table."""
    rows, middles = [], []
    for level in within:
        for row in np.flatnonzero(level.sum(axis=1) > 20):
            columns = np.flatnonzero(level[row])
            rows.append(row)
            middles.append((columns[0] + columns[-1]) / 2)
    if len(rows) < 20:
        return 0.0, (within.shape[2] - 1) / 2
    slope, start = np.polyfit(rows, middles, 1)
    return float(slope), float(start)
