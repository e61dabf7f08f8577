"""Signed distances and smooth noise: the few shapes from which heads are made.

Points are `(x, y, z)` in millimetres, patient axes: x to the left, y to the back, z to the head. Distances
are negative inside.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Field = NDArray[np.floating[Any]]
"""One value a point or voxel; 32-bit throughout, for speed."""
Points = tuple[Field, Field, Field]
Triple = tuple[float, float, float]


def ellipsoid(p: Points, centre: Triple, radii: Triple) -> Field:
    """Approximate signed distance to an axis-aligned ellipsoid, in mm (first-order, exact on a sphere)."""
    near = np.zeros_like(p[0])
    slope = np.full_like(p[0], 1e-9)
    for c, m, r in zip(p, centre, radii, strict=True):
        u = c - m
        u *= u
        u *= 1 / (r * r)
        near += u
        u *= 1 / (r * r)
        slope += u
    k = np.sqrt(near)
    distance: Field = (near - k) / np.sqrt(slope)
    return distance


def capsule(p: Points, a: Triple, b: Triple, radius: float) -> Field:
    """Signed distance to the points within `radius` of the segment from `a` to `b`, in mm."""
    dx, dy, dz = (e - s for s, e in zip(a, b, strict=True))
    x, y, z = p[0] - a[0], p[1] - a[1], p[2] - a[2]
    t = np.clip((x * dx + y * dy + z * dz) / (dx * dx + dy * dy + dz * dz), 0, 1)
    x -= t * dx
    y -= t * dy
    z -= t * dz
    distance: Field = np.sqrt(x * x + y * y + z * z) - radius
    return distance


def smooth_union(a: Field, b: Field, blend_mm: float) -> Field:
    """Union of two shapes whose seam is rounded over `blend_mm`."""
    h = np.maximum(blend_mm - np.abs(a - b), 0)
    return np.minimum(a, b) - h * h / (4 * blend_mm)


def inside(distance: Field, edge_mm: float = 1.2) -> Field:
    """Fraction of a voxel inside a shape: 1 inside, 0 outside, a ramp of `edge_mm` between."""
    fraction: Field = np.clip(0.5 - distance / edge_mm, 0, 1)
    return fraction


def mirrored(p: Points) -> Points:
    """The points folded onto the left side, for paired structures."""
    return np.abs(p[0]), p[1], p[2]


def chosen(p: Points, index: Any) -> Points:
    """Some of the points."""
    return p[0][index], p[1][index], p[2][index]


def pieces(count: int, size: int = 32768) -> Iterator[slice]:
    """Slices of `count` points small enough to stay in the processor's cache: three times as fast."""
    return (slice(i, i + size) for i in range(0, count, size))


class SmoothNoise:
    """Band-limited noise of unit variance with a chosen wavelength, periodic; equal for equal generators."""

    _CELLS = 64
    _PERIODS = 8
    _BLOCKY_MM = 15.0
    """Below this wavelength the cells are hardly larger than voxels, and the nearest one will do."""

    def __init__(self, rng: np.random.Generator) -> None:
        n = self._CELLS
        k = np.fft.fftfreq(n, 1 / n)
        kz, ky, kx = np.meshgrid(k, k, np.fft.rfftfreq(n, 1 / n), indexing="ij", sparse=True)
        radius = np.sqrt(kx * kx + ky * ky + kz * kz)
        band = np.exp(-(((radius - self._PERIODS) / 2.0) ** 2))
        field = np.fft.irfftn(
            np.fft.rfftn(rng.standard_normal((n, n, n))) * band, s=(n, n, n), axes=(0, 1, 2)
        )
        self._field: Field = (field / field.std()).astype(np.float32)

    def __call__(self, p: Points, wavelength_mm: float) -> Field:
        """The noise at points, with `wavelength_mm` between one crest and the next."""
        scale = self._CELLS / self._PERIODS / wavelength_mm
        if wavelength_mm < self._BLOCKY_MM:
            x, y, z = (np.floor(c * scale).astype(np.int32) & (self._CELLS - 1) for c in p)
            nearest: Field = self._field[z, y, x]
            return nearest
        at = np.stack([p[2] * scale, p[1] * scale, p[0] * scale])
        out: Field = ndimage.map_coordinates(self._field, at, order=1, mode="grid-wrap", prefilter=False)
        return out
