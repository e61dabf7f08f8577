"""Blood that is where it should be and dense: high haematocrit."""

from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headct.generator.fields import Field, Points, capsule, ellipsoid, mirrored
from model_training.mimics.calcium import tent_mm
from model_training.mimics.space import Space

Array = NDArray[np.floating[Any]]

DENSE_HU = (58.0, 70.0)
"""Sinuses of 122 patients had 25 to 54 HU, rising with the haematocrit (Lee et al., Yonsei Medical Journal
2013;54:28); of 166 without thrombosis none had more than 70 (Black et al., AJNR 2011, PMC7966032). This is
the upper end."""
SAGITTAL_MM, TRANSVERSE_MM = 3.4, 4.0
"""Radii of circles with the mean cross-sections, 37 and 50 mm2 (30 healthy persons, Journal of Clinical
Neuroscience 2017;40:190)."""


def dense_blood(space: Space, random: np.random.Generator) -> Array:
    """Sinuses and large arteries as dense as their blood; nothing is darkened."""
    dense, wide = random.uniform(*DENSE_HU), random.uniform(0.85, 1.25)
    right = random.uniform(0.8, 1.2)
    depth = space.depth_mm

    share = space.share(lambda p: _deep(p, wide), ((-10.0, 22.0, -14.0), (10.0, 86.0, 14.0)))
    arteries = space.share(lambda p: _arteries(p, wide), ((-40.0, -28.0, -40.0), (40.0, 18.0, 0.0)))
    share = np.maximum(share, arteries)
    at = space.points(slice(None))
    share = np.maximum(share, _sagittal(space, at, wide))
    share = np.maximum(share, _transverse(space, at, wide, right))
    raised: Array = np.maximum(dense - space.tissue_hu, 0) * share * (depth > 0)
    return space.hu + raised


def _sagittal(space: Space, p: Points, wide: float) -> Array:
    """Along the vault from the forehead to the torcular, a triangle with its base at the bone."""
    x, y, z = p
    radius = SAGITTAL_MM * wide * np.clip((y + 90) / 110, 0.5, 1.2)
    # In slices near the vertex the sinus is cut lengthwise: it runs on over the top.
    top = np.clip((z - 62) / 8, 0, 1)
    sides = np.abs(x) - radius * np.clip(1.25 - space.depth_mm / (2 * radius), 0.2, 1.25)
    deep = np.where(top > 0.5, -5.0, space.depth_mm - 2.0 * radius)
    distance = np.maximum(np.maximum(sides, deep), np.maximum(-10 - z, -y * (z < 40) - 70))
    middle = (np.abs(y) < 40) & (z < 60)
    return np.where(middle, 0.0, np.clip(0.5 - distance / 1.3, 0, 1)) * (space.depth_mm > 0)


def _transverse(space: Space, p: Points, wide: float, right: float) -> Array:
    """Along the rim of the tentorium, and down behind the petrous bones."""
    x, y, z = p
    radius = TRANSVERSE_MM * wide * np.where(x < 0, right, 2 - right)
    middle, half = tent_mm(p), space.thick_mm[:, None, None] / 2
    overlap = np.minimum(z + half, middle + radius) - np.maximum(z - half, middle - radius)
    flat = space.depth_mm - 1.5 * radius
    rim = np.clip(0.5 - np.maximum(flat, 40 - y) / 1.3, 0, 1) * np.clip(overlap / (2 * half), 0, 1)
    down = np.maximum(np.maximum(flat, np.abs(y - 36) - 1.2 * radius), np.maximum(z - middle, -40 - z))
    down = np.maximum(down, 35 - np.abs(x))
    share: Array = np.maximum(rim, np.clip(0.5 - down / 1.3, 0, 1)) * (space.depth_mm > 0)
    return share


def _deep(p: Points, wide: float) -> Field:
    """Great vein, straight sinus, confluence."""
    return _union(
        capsule(p, (0, 26, 10), (0, 34, 9), 2.0 * wide),
        capsule(p, (0, 34, 9), (0, 74, -5), 1.9 * wide),
        ellipsoid(p, (0, 78, -6), (5.5 * wide, 4.5 * wide, 5.0)),
    )


def _arteries(p: Points, wide: float) -> Field:
    """Basilar, carotids, first parts of the cerebral arteries."""
    m = mirrored(p)
    return _union(
        capsule(p, (0, 4, -36), (0, 1, -14), 1.7 * wide),
        capsule(m, (11, -9, -22), (10, -10, -10), 2.1 * wide),
        capsule(m, (10, -10, -10), (36, -13, -8), 1.5 * wide),
        capsule(m, (10, -10, -10), (1.5, -24, -4), 1.1 * wide),
        capsule(m, (1, 1, -14), (16, 14, -8), 1.2 * wide),
    )


def _union(*distances: Field) -> Field:
    return reduce(np.minimum, distances)
