"""What each slab shows, coarsely: head outline, brain, skull. The ground of coverage and eligibility.

Everything is counted in shares of the head itself, because pixel spacing is sometimes a placeholder.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headct import in_plane, threads
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
_THIN = 3
"""Pixels from the middle of what is thin to its edge."""

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
    shares = threads.each(lambda share: _levels(series.hu[share], step), threads.shares(len(series.hu)))
    measured = np.concatenate(shares)
    measured[:, 0] *= pixel_cm2
    return Levels(*measured.T)


def _levels(slabs: NDArray[np.int16], step: int) -> NDArray[np.float64]:
    hu = np.stack([(block_sums(slab, step, step) / (step * step)).astype(np.float32) for slab in slabs])
    heads = _outlines(hu)
    areas = np.count_nonzero(heads, axis=(1, 2))
    radii = np.sqrt(areas / np.pi)
    interiors = in_plane.within(heads, _RIM * radii)
    found = [_level(*slab) for slab in zip(hu, heads, interiors, areas.tolist(), radii.tolist(), strict=True)]
    return np.array(found)


def _level(
    hu: NDArray[np.float32],
    head: NDArray[np.bool_],
    interior: NDArray[np.bool_],
    area: int,
    radius: float,
) -> tuple[float, ...]:
    if area < 20:
        return (float(area), *[0.0] * 8)
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


def _outlines(hu: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The largest solid thing, filled; thin things (couch, head holder, tubes) fall off by opening."""
    solid = in_plane.dilated(in_plane.eroded(hu > BODY_HU, _THIN), _THIN)
    return in_plane.filled(in_plane.largest(solid))
