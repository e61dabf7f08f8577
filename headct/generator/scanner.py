"""A CT scanner: slices of a volume with thickness, tilt, kernel, noise, and what else lies in the gantry."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from headct.generator.fields import Field
from headct.generator.volume import Grid, Volume


class Kernel(StrEnum):
    """Reconstruction kernel."""

    SOFT = "soft"
    BONE = "bone"


class Plane(StrEnum):
    """Orientation of the slices."""

    AXIAL = "axial"
    CORONAL = "coronal"


_HALF_DEPTH_MM = 90.0
# Noise in the brain at 5 mm, and its correlation length, measured on real series: README of this package.
NOISE_SD_HU = {Kernel.SOFT: 3.8, Kernel.BONE: 41.0}
_NOISE_SIGMA_MM = {Kernel.SOFT: 0.52, Kernel.BONE: 0.10}


@dataclass(frozen=True, slots=True)
class Protocol:
    """How the scanner is set."""

    thickness_mm: float = 5.0
    increment_mm: float | None = None
    """Distance between slices; the thickness if None."""
    fine_base: bool = False
    """Half the increment and thickness through the skull base, as incremental scanners do."""
    tilt_deg: float = 0.0
    """Gantry tilt, positive when the top of the gantry leans towards the feet."""
    kernel: Kernel = Kernel.SOFT
    plane: Plane = Plane.AXIAL
    matrix: int = 512
    fov_mm: float = 230.0
    noise_sd_hu: float | None = None
    """At 5 mm, in the brain; the kernel's usual noise if None."""
    coverage: tuple[float, float] = (0.04, 0.97)
    """Part of the volume from feet to head (or front to back) that is scanned."""
    table_mm: float = 400.0
    """Table position of the volume's centre: scanners count from anywhere."""


@dataclass(frozen=True, slots=True)
class SlicePlan:
    """Where one slice lies, in the volume's axes, in mm."""

    corner: NDArray[np.float64]
    """Centre of the first pixel."""
    row: NDArray[np.float64]
    """Direction of increasing column index."""
    column: NDArray[np.float64]
    """Direction of increasing row index."""
    normal: NDArray[np.float64]
    pixel_mm: float
    thickness_mm: float
    location_mm: float


def planned(grid: Grid, protocol: Protocol) -> list[SlicePlan]:
    """The slices of a scan, from the feet up (coronal: from the front)."""
    low = np.asarray(grid.origin)
    high = low + (np.asarray(grid.shape[::-1]) - 1) * grid.spacing
    middle = (low + high) / 2
    row = np.array([1.0, 0, 0])
    if protocol.plane is Plane.AXIAL:
        a = np.radians(protocol.tilt_deg)
        column, normal = np.array([0, np.cos(a), -np.sin(a)]), np.array([0, np.sin(a), np.cos(a)])
        travel, reach = np.array([0.0, 0, 1]), high[2] - low[2]
    else:
        column, normal = np.array([0.0, 0, -1]), np.array([0.0, 1, 0])
        travel, reach = normal, high[1] - low[1]
    start = middle - travel * reach / 2
    pixel = protocol.fov_mm / protocol.matrix
    begin, end = (f * reach for f in protocol.coverage)
    # A tilted scan starts where the whole slice lies in the head, as the technician plans it.
    begin += abs(np.tan(np.radians(protocol.tilt_deg))) * _HALF_DEPTH_MM
    plans: list[SlicePlan] = []
    at = begin
    while at <= end:
        part = 0.5 if protocol.fine_base and at < 0.42 * reach else 1.0
        thickness = protocol.thickness_mm * part
        centre = start + travel * at
        corner = centre - (row + column) * (pixel * (protocol.matrix - 1) / 2)
        plans.append(SlicePlan(corner, row, column, normal, pixel, thickness, at))
        # The increment is measured along the normal; a tilted gantry sees the table pass slantwise.
        at += (protocol.increment_mm or protocol.thickness_mm) * part / float(travel @ normal)
    return plans


def _linear(positions: NDArray[np.float64], size: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Left neighbours and weights of the right ones; positions outside are marked by a weight of nan."""
    left = np.clip(np.floor(positions), 0, size - 2).astype(np.int64)
    weight = positions - left
    return left, np.where((weight < 0) | (weight > 1), np.nan, weight)


def sample(array: Field, grid: Grid, plan: SlicePlan, matrix: int, outside: float) -> Field:
    """One slice of an array on the grid, averaged over the slice's thickness, shape (matrix, matrix).

    Rows run along x, so a slice is two matrix products: one gathers and averages lines of the volume, the
    other resamples along x.
    """
    nz, ny, nx = grid.shape
    parts = max(1, int(np.ceil(plan.thickness_mm / 1.6)))
    steps = np.arange(matrix) * plan.pixel_mm
    offsets = ((np.arange(parts) + 0.5) / parts - 0.5) * plan.thickness_mm
    points = plan.corner + steps[:, None, None] * plan.column + offsets[:, None] * plan.normal
    iy, wy = _linear((points[..., 1] - grid.origin[1]) / grid.spacing[1], ny)
    iz, wz = _linear((points[..., 2] - grid.origin[2]) / grid.spacing[2], nz)
    lines = np.broadcast_to(np.arange(matrix)[:, None], iy.shape)
    known = ~np.isnan(wy * wz)
    rows, cols, data = [], [], []
    for dy, fy in ((0, 1 - wy), (1, wy)):
        for dz, fz in ((0, 1 - wz), (1, wz)):
            rows.append(lines[known])
            cols.append(((iz + dz) * ny + iy + dy)[known])
            data.append((fy * fz)[known] / parts)
    gather = sparse.csr_array(
        (np.concatenate(data).astype(np.float32), (np.concatenate(rows), np.concatenate(cols))),
        shape=(matrix, nz * ny),
    )
    # Work with differences from what lies outside, so that leaving the volume needs no special case.
    along = gather @ (array.reshape(nz * ny, nx) - np.float32(outside))
    ix, wx = _linear((plan.corner[0] + steps * plan.row[0] - grid.origin[0]) / grid.spacing[0], nx)
    wx = np.where(np.isnan(wx), 0, wx)
    inside = (plan.corner[0] + steps >= grid.origin[0]) & (ix < nx - 1)
    out = along[:, ix] * (1 - wx).astype(np.float32) + along[:, ix + 1] * wx.astype(np.float32)
    return np.asarray(out * inside + np.float32(outside), dtype=np.float32)


def _noise(rng: np.random.Generator, matrix: int, pixel_mm: float, kernel: Kernel) -> Field:
    """Noise of unit variance as filtered back-projection leaves it: short range, little at low frequency."""
    sigma = _NOISE_SIGMA_MM[kernel] / pixel_mm
    white = rng.standard_normal((matrix, matrix), dtype=np.float32)
    fine = ndimage.gaussian_filter(white, sigma, mode="wrap", truncate=3) if sigma > 0.3 else white
    fine = fine - 0.6 * ndimage.gaussian_filter(fine, 3.0 * max(sigma, 0.35), mode="wrap", truncate=2)
    return np.asarray(fine / fine.std(), dtype=np.float32)


def _holder(plan: SlicePlan, matrix: int) -> Field:
    """The head holder and its pads: a thin shell around the back of the head; HU above air."""
    x = plan.corner[0] + np.arange(matrix) * plan.pixel_mm
    y = (plan.corner[1] + np.arange(matrix) * plan.pixel_mm * plan.column[1])[:, None]
    r = np.hypot(x / 1.0, (y - 5) / 1.16)
    shell = np.clip(1.2 - np.abs(r - 106), 0, 1) * np.clip((y - 10) / 4, 0, 1)
    pads = np.clip(1.2 - np.abs(np.abs(x) - 108) / 2, 0, 1) * np.clip(1.2 - np.abs(y - 20) / 24, 0, 1)
    return np.asarray(320 * shell + 950 * pads * (plan.location_mm > 60), np.float32)


def scanned(volume: Volume, protocol: Protocol, seed: int) -> Iterator[tuple[SlicePlan, NDArray[np.int16]]]:
    """The slices one after the other, Hounsfield units, shape (matrix, matrix)."""
    sd5 = NOISE_SD_HU[protocol.kernel] if protocol.noise_sd_hu is None else protocol.noise_sd_hu
    n = protocol.matrix
    for index, plan in enumerate(planned(volume.grid, protocol)):
        hu = sample(volume.hu, volume.grid, plan, n, -1000.0)
        if protocol.kernel is Kernel.BONE:
            hu += 1.1 * (hu - ndimage.gaussian_filter(hu, 0.9 / plan.pixel_mm, truncate=2))
        if protocol.plane is Plane.AXIAL:
            hu = np.maximum(hu, _holder(plan, n) - 1000)
        rng = np.random.default_rng([seed, 2, index])
        sd = sd5 * np.sqrt(5.0 / plan.thickness_mm)
        # Less noise where fewer photons were stopped: in air around the head about half.
        quiet = np.where(hu < -900, np.float32(0.5), np.float32(1))
        hu += sd * quiet * _noise(rng, n, plan.pixel_mm, protocol.kernel)
        yield plan, np.clip(np.rint(hu), -1024, 3071).astype(np.int16)
