"""Signed distances and smooth noise: the few shapes from which heads are made.

Points are `(x, y, z)` in millimetres, patient axes: x to the left, y to the back, z to the head. Distances
are negative inside.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Field = NDArray[np.float32]
Points = tuple[Field, Field, Field]
Triple = tuple[float, float, float]


def ellipsoid(p: Points, centre: Triple, radii: Triple) -> Field:
    """Approximate signed distance to an axis-aligned ellipsoid, in mm (first-order, exact on a sphere)."""
    near = np.zeros_like(p[0])
    slope = np.zeros_like(p[0])
    for c, m, r in zip(p, centre, radii, strict=True):
        u = (c - np.float32(m)) / np.float32(r)
        near += u * u
        slope += u * u / np.float32(r * r)
    k = np.sqrt(near)
    return k * (k - 1) / np.sqrt(slope + np.float32(1e-9))


def capsule(p: Points, a: Triple, b: Triple, radius: float) -> Field:
    """Signed distance to the points within `radius` of the segment from `a` to `b`, in mm."""
    d = np.subtract(b, a).astype(np.float32)
    v = [c - np.float32(m) for c, m in zip(p, a, strict=True)]
    t = np.clip((v[0] * d[0] + v[1] * d[1] + v[2] * d[2]) / np.float32(d @ d), 0, 1)
    return np.sqrt(sum((c - t * e) ** 2 for c, e in zip(v, d, strict=True))) - np.float32(radius)


def smooth_union(a: Field, b: Field, blend_mm: float) -> Field:
    """Union of two shapes whose seam is rounded over `blend_mm`."""
    k = np.float32(blend_mm)
    h = np.maximum(k - np.abs(a - b), 0) / k
    return np.minimum(a, b) - h * h * k / 4


def inside(distance: Field, edge_mm: float = 1.2) -> Field:
    """Fraction of a voxel inside a shape: 1 inside, 0 outside, a ramp of `edge_mm` between."""
    return np.clip(np.float32(0.5) - distance / np.float32(edge_mm), 0, 1)


def mirrored(p: Points) -> Points:
    """The points folded onto the left side, for paired structures."""
    return np.abs(p[0]), p[1], p[2]


class SmoothNoise:
    """Band-limited noise of unit variance with a chosen wavelength, periodic, the same for equal generators."""

    _CELLS = 48
    _PERIODS = 8

    def __init__(self, rng: np.random.Generator) -> None:
        n = self._CELLS
        k = np.fft.fftfreq(n, 1 / n)
        kz, ky, kx = np.meshgrid(k, k, np.fft.rfftfreq(n, 1 / n), indexing="ij", sparse=True)
        radius = np.sqrt(kx * kx + ky * ky + kz * kz)
        band = np.exp(-(((radius - self._PERIODS) / 2.0) ** 2))
        field = np.fft.irfftn(np.fft.rfftn(rng.standard_normal((n, n, n))) * band, s=(n, n, n))
        self._field: Field = (field / field.std()).astype(np.float32)

    def __call__(self, p: Points, wavelength_mm: float) -> Field:
        """The noise at points, with `wavelength_mm` between one crest and the next."""
        scale = np.float32(self._CELLS / self._PERIODS / wavelength_mm)
        at = np.stack([p[2] * scale, p[1] * scale, p[0] * scale])
        out: Field = ndimage.map_coordinates(self._field, at, order=1, mode="grid-wrap", prefilter=False)
        return out
