"""What each slab shows, coarsely: head outline, brain, skull. The ground of coverage and eligibility.

Everything is counted in shares of the head itself, because pixel spacing is sometimes a placeholder.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from headct.images.coarse import block_sums
from headct.images.series import CTSeries
from headct.images.vessels import vessels

SOFT_HU = (-15.0, 90.0)
"""Brain, cerebrospinal fluid and blood in pixels averaged to about 2 mm; fat lies below, bone above."""
BODY_HU = -250.0
"""Between air and anything solid."""
BONE_HU = 150.0
"""Above blood; the thin skull of a newborn reaches it."""
AIR_HU = -500.0
FULL_OF_BRAIN, CLOSED_SKULL = 0.9, 0.75
"""Soft share and skull of slabs well above the skull's base, whose bone would pass for bright vessels."""

_GRID = 128
"""Pixels a side that are enough here."""
_RIM = 0.17
"""Scalp and skull as a share of the head's radius, left out of the interior."""
_SECTORS = 36

Share = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Levels:
    """One value a slab, shape (slabs,)."""

    head_cm2: Share
    """Area inside the outline, as far as the pixel spacing can be believed."""
    brain: Share
    """Soft tissue in the interior, as a share of the image."""
    soft: Share
    """Share of the interior that is soft tissue: nearly 1 within the skull, about half at its base."""
    air: Share
    """Share of the interior that is air: sinuses a little, lungs a lot."""
    skull: Share
    """Share of directions in which bone lies in the outer half of the head: 1 for a closed skull."""
    texture_hu: Share
    """Standard deviation of the interior's soft tissue: grey and white matter and fluid, or nothing."""
    mean_hu: Share
    """Mean of the interior's soft tissue."""
    sinus_hu: Share
    """Brightest place along the back of the vault; 0 in slabs that are not full of brain."""
    specks: Share
    """1 where bright specks lie on both sides of the brain; 0 in slabs that are not full of brain."""


def levels(series: CTSeries) -> Levels:
    """Measure every slab."""
    step = max(1, series.hu.shape[1] // _GRID, series.hu.shape[2] // _GRID)
    pixel_cm2 = series.spacing_mm[0] * series.spacing_mm[1] * step * step / 100.0
    measured = np.array([_level(_coarse(slab, step)) for slab in series.hu])
    measured[:, 0] *= pixel_cm2
    return Levels(*measured.T)


def _coarse(slab: NDArray[np.int16], step: int) -> NDArray[np.float32]:
    coarse: NDArray[np.float32] = (block_sums(slab, step, step) / (step * step)).astype(np.float32)
    return coarse


def _level(hu: NDArray[np.float32]) -> tuple[float, ...]:
    head = _outline(hu)
    area = np.count_nonzero(head)
    if area < 20:
        return (float(area), *[0.0] * 8)
    radius = np.sqrt(area / np.pi)
    interior = ndimage.distance_transform_edt(head) > _RIM * radius
    inside = hu[interior]
    soft = inside[(inside > SOFT_HU[0]) & (inside < SOFT_HU[1])]
    y, x = np.nonzero(head & (hu > BONE_HU))
    centre_y, centre_x = (c.mean() for c in np.nonzero(head))
    outer = np.hypot(y - centre_y, x - centre_x) > radius / 2
    angles = np.arctan2(y - centre_y, x - centre_x)[outer]
    sectors = np.unique(((angles + np.pi) / (2 * np.pi) * _SECTORS).astype(int) % _SECTORS)
    soft_share, skull = soft.size / max(inside.size, 1), len(sectors) / _SECTORS
    full = soft_share > FULL_OF_BRAIN and skull > CLOSED_SKULL
    return (
        float(area),
        soft.size / hu.size,
        soft_share,
        np.count_nonzero(inside < AIR_HU) / max(inside.size, 1),
        skull,
        float(soft.std()) if soft.size else 0.0,
        float(soft.mean()) if soft.size else 0.0,
        *(vessels(hu, head) if full else (0.0, 0.0)),
    )


def _outline(hu: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The largest solid thing, filled; thin things (couch, head holder, tubes) fall off by opening."""
    solid = ndimage.binary_opening(hu > BODY_HU, iterations=3)
    labels, count = ndimage.label(solid)
    if count == 0:
        return np.zeros(hu.shape, bool)
    largest = 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    filled: NDArray[np.bool_] = ndimage.binary_fill_holes(labels == largest)
    return filled
