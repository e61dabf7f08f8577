"""A series to what the networks read: the head upright in one common crop, or the baseline's eight slices."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from headct import threads
from headct.images.coarse import block_sums
from headct.images.scans.positions import SLAB_MM
from headct.images.series import CTSeries
from headct.network.single_slices import as_picture

CROP_ROWS = 192
CROP_COLUMNS = 160
"""Crop of the main network: heads are about 1.2 times as long as wide, so a square would waste a fifth."""

CONTEXT = 1
"""Neighbours the main network sees on each side of a slab."""

HU_RANGE = (-20, 160)
"""The network sees nothing outside: air and bone values are signatures of scanner and export."""

BASELINE_SLICES = 8
BASELINE_SIZE = 256
BASELINE_WINDOW_HU = (0.0, 80.0)
"""Brain window of the baseline's images (width 80, level 40)."""

ABSENT_HU = -1000
"""A neighbour that is not there: nothing but air, as no slab beside a slab of a head ever is."""

_AIR_HU = -300
_GRID = 64
"""Columns of the coarse grid on which the head is found: 3 to 4 mm a pixel."""
_OPENING_MM = 10.0
"""Couches, head holders and fingers are thinner than twice this; heads, even of newborns, are not."""
_HEAD_HEIGHT_MM = 140.0
"""Vertex to below the posterior fossa. What lies lower (neck, shoulders) does not widen the crop."""
_MARGIN = 2
"""Crop pixels kept free around the head."""
_SMALLEST_PIXEL_MM = 0.8
"""Of the crop of a slice without neighbours; whole heads have 0.9 to 1.2."""
_ANGLES_DEG = np.arange(-44.0, 45.0, 2.0)
_ANGLE_PRIOR = 0.03
"""How much better a turn of 45 degrees has to fit: infants' round heads mirror well at any axis."""


class Missing(StrEnum):
    """What a network reads where a slab has no neighbour."""

    REPEATED = "repeated"
    """The slab itself: networks from before there was the other."""
    AIR = "air"
    """:data:`ABSENT_HU`. A slab with no neighbour at all is then read as a picture is
    (:func:`headct.network.single_slices.as_picture`)."""


@dataclass(frozen=True, slots=True)
class HeadVolume:
    """The head of one series, upright and cropped; every slab shares one in-plane transform."""

    hu: NDArray[np.int16]
    """Hounsfield units, shape (slabs, CROP_ROWS, CROP_COLUMNS); anterior and the patient's right first."""
    pixel_mm: tuple[float, float]
    """Size of a crop pixel along rows and columns."""
    slab_heights_mm: NDArray[np.float64]
    """Shape (slabs,)."""
    slabs: tuple[tuple[int, ...], ...]
    """Source slice numbers of each slab."""
    to_source: NDArray[np.float64]
    """Shape (2, 3): source (row, column) = ``to_source @ (crop row, crop column, 1)``."""

    @property
    def voxel_ml(self) -> NDArray[np.float64]:
        """Shape (slabs,): millilitres one voxel of each slab stands for."""
        return self.slab_heights_mm * self.pixel_mm[0] * self.pixel_mm[1] / 1000.0


def head_volume(series: CTSeries) -> HeadVolume:
    """Turn the head upright and crop to its outline, scalp included, so nothing in the skull is cut away.

    The crop is scaled to the head, not to millimetres: infants fill it as adults do, and a wrong pixel
    spacing in the header does not reach the network.
    """
    head = _Head.find(series.hu, series.spacing_mm, series.slab_positions_mm)
    transform, pixel_mm = head.crop_transform()
    return HeadVolume(
        hu=np.round(resample(series.hu, transform, (CROP_ROWS, CROP_COLUMNS))).astype(np.int16),
        pixel_mm=(pixel_mm, pixel_mm),
        slab_heights_mm=series.slab_heights_mm,
        slabs=series.slabs,
        to_source=transform,
    )


def head_slice(hu: NDArray[np.int16], spacing_mm: tuple[float, float]) -> HeadVolume:
    """The same of a slice without neighbours: a stack of one slab, of a thickness nobody knows.

    Near the vertex a slice shows a small part of the head; it is not enlarged to fill the crop.

    Args:
        hu: Hounsfield units, shape (rows, columns); anterior and the patient's right first.
        spacing_mm: of its rows and columns.
    """
    stack = hu[None]
    head = _Head.find(stack, spacing_mm, np.zeros(1))
    transform, pixel_mm = head.crop_transform(_SMALLEST_PIXEL_MM)
    return HeadVolume(
        hu=np.round(resample(stack, transform, (CROP_ROWS, CROP_COLUMNS))).astype(np.int16),
        pixel_mm=(pixel_mm, pixel_mm),
        slab_heights_mm=np.full(1, SLAB_MM),
        slabs=((0,),),
        to_source=transform,
    )


def neighbours(slabs: ArrayLike, count: int, context: int = CONTEXT) -> NDArray[np.intp]:
    """Numbers of slabs with those below and above, one more axis; beyond the ends, the end slabs.

    Args:
        slabs: numbers of slabs; beyond the ``count`` there are, they are the end slabs.
        count: of slabs in the head.
        context: neighbours on each side.
    """
    around = np.asarray(slabs, np.intp)[..., None] + np.arange(-context, context + 1)
    return np.asarray(np.clip(around, 0, count - 1), np.intp)


def stacked(
    hu: NDArray[np.int16],
    slabs: ArrayLike | None = None,
    context: int = CONTEXT,
    missing: Missing = Missing.REPEATED,
) -> NDArray[np.float32]:
    """Slabs with their neighbours as the networks read them, shape (slabs, rows, columns, 2 * context + 1).

    Args:
        hu: Hounsfield units of a head, shape (slabs, rows, columns).
        slabs: numbers of those wanted; every one when not given.
        context: neighbours on each side.
        missing: what stands for those that are not there.
    """
    count = len(hu)
    if missing is Missing.REPEATED:
        stack = hu[neighbours(np.arange(count) if slabs is None else slabs, count, context)]
    else:
        wanted = np.arange(count) if slabs is None else np.minimum(slabs, count - 1)
        beside = wanted[:, None] + np.arange(-context, context + 1)
        shown = as_picture(hu[0])[None] if count == 1 else hu
        stack = shown[neighbours(wanted, count, context)]
        stack[(beside < 0) | (beside >= count)] = ABSENT_HU
    return np.ascontiguousarray(np.moveaxis(stack, 1, -1), np.float32)


def eight_slices(series: CTSeries) -> NDArray[np.uint8]:
    """Eight equally spaced slices of the whole brain as 8-bit images, shape (8, 256, 256).

    The input of the research project's baseline: full frame, brain window, 0 to 255.
    """
    head = _Head.find(series.hu, series.spacing_mm, series.slab_positions_mm)
    picked = np.linspace(head.lowest, head.highest, BASELINE_SLICES + 2)[1:-1].round().astype(int)
    rows, columns = series.hu.shape[1:]
    scale = max(rows, columns) / BASELINE_SIZE
    offset = [((n - 1) - (BASELINE_SIZE - 1) * scale) / 2 for n in (rows, columns)]
    frame = np.array([[scale, 0.0, offset[0]], [0.0, scale, offset[1]]])
    low, high = BASELINE_WINDOW_HU
    hu = resample(series.hu[picked], frame, (BASELINE_SIZE, BASELINE_SIZE))
    grey: NDArray[np.uint8] = np.round(np.clip((hu - low) / (high - low), 0.0, 1.0) * 255.0).astype(np.uint8)
    return grey


def resample(
    stack: NDArray[np.generic], to_source: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Sample every slice of a stack (slices, rows, columns) on one affine grid, bilinear, edges repeated.

    Where the grid is coarser than the source by two or more, the source is averaged in blocks first, so
    that noise is reduced as a thicker pixel would and not aliased.

    Returns shape (slices, *shape).
    """
    step = int(max(1, round(float(np.sqrt(abs(np.linalg.det(to_source[:, :2])))) - 0.25)))
    rows, columns = (side // step for side in stack.shape[1:])
    offset = (step - 1) / 2
    at = np.indices(shape, dtype=np.float64).reshape(2, -1)
    points = ((to_source[:, :2] @ at + to_source[:, 2:]) - offset) / step
    limits = np.array([[rows - 1], [columns - 1]])
    points = np.clip(points, 0, limits)
    low = np.minimum(points.astype(np.intp), np.maximum(limits - 1, 0))
    part = (points - low).astype(np.float32)
    high = np.minimum(low + 1, limits)
    corners = [
        (r * columns + c, wr * wc)
        for r, wr in ((low[0], 1 - part[0]), (high[0], part[0]))
        for c, wc in ((low[1], 1 - part[1]), (high[1], part[1]))
    ]
    out: NDArray[np.float32] = np.zeros((len(stack), at.shape[1]), np.float32)

    def fill(number: int) -> None:
        flat = _block_mean(stack[number], step).ravel()
        for pixels, weights in corners:
            out[number] += flat.take(pixels) * weights

    threads.each(fill, range(len(stack)))
    return out.reshape(len(stack), *shape)


def _block_mean(image: NDArray[np.generic], step: int) -> NDArray[np.float32]:
    """Average ``step`` by ``step`` blocks; rows and columns that do not fill a block are left out."""
    return np.asarray(block_sums(image, step, step, np.float32) / np.float32(step * step), np.float32)


@dataclass(frozen=True, slots=True)
class _Head:
    """Where the head lies in a series, on a coarse grid."""

    mask: NDArray[np.bool_]
    """Shape (slabs, rows, columns) on the coarse grid, couch and holders removed."""
    bone: NDArray[np.float32]
    """Same shape: soft tissue and bone in 0 to 1, for the mirror axis."""
    step: int
    """Source pixels a coarse pixel."""
    spacing_mm: tuple[float, float]
    lowest: int
    highest: int
    """Slabs between which the brain lies, both included."""

    @classmethod
    def find(cls, hu: NDArray[np.int16], spacing_mm: tuple[float, float], z: NDArray[np.float64]) -> "_Head":
        step = max(1, hu.shape[2] // _GRID)
        coarse = hu[:, step // 2 :: step, step // 2 :: step]
        radius = max(1, round(_OPENING_MM / (step * float(np.mean(spacing_mm)))))
        mask = _largest_solid(coarse > _AIR_HU, radius)
        filled = np.flatnonzero(mask.any(axis=(1, 2)))
        if len(filled) == 0:
            # No head here; eligibility says so. The whole frame keeps this function total.
            mask[:] = True
            filled = np.arange(len(mask))
        highest = int(filled[-1])
        lowest = int(filled[z[filled] >= z[highest] - _HEAD_HEIGHT_MM][0])
        bone = (np.clip((coarse.astype(np.float32) + 100) / 500, 0, 1) * mask).astype(np.float32)
        return cls(mask, bone, step, spacing_mm, lowest, highest)

    def crop_transform(self, least_mm: float = 0.0) -> tuple[NDArray[np.float64], float]:
        """Crop pixel to source pixel, shape (2, 3), and the size of a crop pixel, at least so many mm."""
        spacing = np.array(self.spacing_mm)
        levels = slice(self.lowest, self.highest + 1)
        turn = np.deg2rad(_upright_angle(self.bone[levels].mean(axis=0)))
        # Unit vectors of the upright head's rows (towards the back) and columns (towards the left).
        axes = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        pixels = np.argwhere(self.mask[levels].any(axis=0))
        points = (pixels * self.step + self.step // 2) * spacing @ axes.T
        half = self.step * spacing / 2
        low, high = points.min(axis=0) - half, points.max(axis=0) + half
        room = np.array([CROP_ROWS, CROP_COLUMNS]) - 2 * _MARGIN
        pixel_mm = max(float(np.max((high - low) / room)), least_mm)
        middle = (low + high) / 2
        linear = (axes.T * pixel_mm) / spacing[:, None]
        centre = (axes.T @ middle) / spacing
        offset = centre - linear @ ((np.array([CROP_ROWS, CROP_COLUMNS]) - 1) / 2)
        return np.column_stack([linear, offset]), pixel_mm


def _largest_solid(body: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """The largest connected piece that survives an in-plane opening, grown back inside ``body``."""
    in_plane = ndimage.generate_binary_structure(3, 1)
    in_plane[0] = in_plane[2] = False
    core = ndimage.binary_erosion(body, in_plane, iterations=radius)
    labels, count = ndimage.label(core)
    if count == 0:
        return np.zeros_like(body)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return ndimage.binary_dilation(labels == sizes.argmax(), in_plane, iterations=radius, mask=body)


def _upright_angle(image: NDArray[np.float32]) -> float:
    """Rotation in degrees whose mirror image fits the image best; positive turns rows towards columns.

    A head mirrored at an axis turned by ``a`` is the head mirrored at the image's own axis and turned
    by ``2a``; the shift between the two is found by correlation.
    """
    size = 2 * max(image.shape)
    spectrum = np.fft.rfft2(image, (size, size))
    mirrored = np.ascontiguousarray(image[:, ::-1])

    def fit(angle: float) -> float:
        turned = np.fft.rfft2(_turned(mirrored, 2 * angle), (size, size))
        best = float(np.fft.irfft2(spectrum * np.conj(turned)).max())
        return best * (1 - _ANGLE_PRIOR * (angle / 45) ** 2)

    shares = threads.each(
        lambda share: [fit(a) for a in _ANGLES_DEG[share]], threads.shares(len(_ANGLES_DEG))
    )
    fits = [one for share in shares for one in share]
    best = int(np.argmax(fits))
    if 0 < best < len(fits) - 1:
        before, at, after = fits[best - 1 : best + 2]
        bend = before - 2 * at + after
        step = float(_ANGLES_DEG[1] - _ANGLES_DEG[0])
        return float(_ANGLES_DEG[best]) + (step * (before - after) / (2 * bend) if bend < 0 else 0.0)
    return float(_ANGLES_DEG[best])


def _turned(image: NDArray[np.float32], degrees: float) -> NDArray[np.float32]:
    a = np.deg2rad(degrees)
    matrix = np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
    middle = (np.array(image.shape) - 1) / 2
    turned: NDArray[np.float32] = ndimage.affine_transform(image, matrix, middle - matrix @ middle, order=1)
    return turned
