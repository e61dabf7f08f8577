"""What is no blood and no artefact: an old infarct, a tumour."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from headct.generator.fields import SmoothNoise, Triple
from model_training.mimics.space import Space

Array = NDArray[np.floating[Any]]

CYST_HU = (8.0, 18.0)
"""Brain that is gone leaves fluid; its rim is gliosis."""
GLIOSIS_HU = (20.0, 27.0)
OEDEMA_HU = (18.0, 29.0)
"""Vasogenic oedema measured 18.0 to 28.8 HU (Journal of Computer Assisted Tomography, June 1981)."""
MENINGIOMA_HU = (38.0, 55.0)
"""Handbooks: 70 to 75 % are denser than brain, 25 % as dense, 20 to 25 % hold calcium. The figures are ours,
below fresh blood's."""
CALCIFIED = 0.25
RIM_HU, CORE_HU = (36.0, 46.0), (12.0, 26.0)
"""Solid rim and dead core of metastasis or glioblastoma; ours."""

_TERRITORIES: tuple[tuple[Triple, Triple], ...] = (
    ((50, -8, 14), (20, 26, 22)),  # middle cerebral artery, upper branches
    ((52, 26, 12), (18, 20, 18)),  # its lower branches
    ((22, 62, 8), (18, 20, 14)),  # posterior cerebral artery
    ((12, -50, 24), (10, 24, 24)),  # anterior cerebral artery
    ((28, 52, -24), (18, 16, 12)),  # cerebellum
)
_LACUNE_MM = 5.0


def old_infarct(space: Space, random: np.random.Generator) -> Array:
    """Brain lost in one artery's territory, cortex included, or a lacune or two in the deep nuclei."""
    noise = SmoothNoise(random)
    side = random.choice([-1.0, 1.0])
    if random.random() < 0.25:
        centre: Triple = (side * random.uniform(12, 26), random.uniform(-14, 16), random.uniform(2, 20))
        radii: Triple = (_LACUNE_MM, _LACUNE_MM * random.uniform(1, 2.0), _LACUNE_MM)
    else:
        (x, y, z), (a, b, c) = _TERRITORIES[int(random.integers(len(_TERRITORIES)))]
        scale = random.uniform(0.5, 1.15)
        centre = side * x, y + random.normal(0, 4), z + random.normal(0, 4)
        radii = a * scale, b * scale, c * scale
    edge = _egg(space, centre, radii) + 2.5 * noise(space.points(slice(None)), 16.0)
    tissue = space.within & (space.tissue_hu > space.brain_hu - 30)
    gone, rim = np.clip(0.5 - edge / 3, 0, 1) * tissue, np.clip(0.5 - (edge - 5) / 5, 0, 1) * tissue
    # Only ever darker: fluid that is there stays.
    hu = space.hu + rim * np.minimum(random.uniform(*GLIOSIS_HU) - space.tissue_hu, 0)
    lost: Array = hu + gone * np.minimum(random.uniform(*CYST_HU) - space.smoothed(hu), 0)
    return lost


def tumour(space: Space, random: np.random.Generator) -> Array:
    """A meningioma on the dura, or a metastasis or glioblastoma in the brain, each with its oedema."""
    return _meningioma(space, random) if random.random() < 0.6 else _in_the_brain(space, random)


def _meningioma(space: Space, random: np.random.Generator) -> Array:
    radius = float(np.exp(random.uniform(np.log(7), np.log(24))))
    side = random.choice([-1.0, 1.0])
    if random.random() < 0.7:  # convexity
        direction = (side * random.uniform(0.2, 1), random.uniform(-0.9, 0.7), random.uniform(0.0, 0.9))
        table = np.array(space.table_point(direction))
        inward = (np.array([0, 0, 12]) - table) / np.linalg.norm(table - (0, 0, 12))
        centre = table + inward * 0.45 * radius
    else:  # falx
        centre = np.array([side * 0.6 * radius, random.uniform(-60, 50), random.uniform(28, 52)])
    noise, hu = SmoothNoise(random), space.hu
    points = space.points(slice(None))
    at: Triple = (float(centre[0]), float(centre[1]), float(centre[2]))
    moved = _pushed(space, hu, at, 0.8 * radius)
    edge = _egg(space, at, (radius, radius, radius)) + 0.06 * radius * noise(points, 18.0)
    hu = _with_oedema(space, moved, edge, random.uniform(0, 14), random)
    dense = random.uniform(*MENINGIOMA_HU) + 1.5 * noise(points, 7.0)
    hu = _filled(space, hu, edge, dense)
    if random.random() < CALCIFIED:
        grains = np.clip(noise(points, 5.0) - 0.9, 0, 1) * np.clip(0.5 - (edge + 3) / 2, 0, 1) * space.within
        hu = hu + grains * random.uniform(60, 300)
    return hu


def _in_the_brain(space: Space, random: np.random.Generator) -> Array:
    radius = random.uniform(7, 20)
    side = random.choice([-1.0, 1.0])
    at: Triple = (side * random.uniform(18, 46), random.uniform(-50, 55), random.uniform(12, 46))
    noise, points = SmoothNoise(random), space.points(slice(None))
    hu = _pushed(space, space.hu, at, 0.7 * radius)
    edge = _egg(space, at, (radius, radius * 1.15, radius)) + 0.1 * radius * noise(points, 16.0)
    hu = _with_oedema(space, hu, edge, random.uniform(6, 24), random)
    hu = _filled(space, hu, edge, random.uniform(*RIM_HU))
    return _filled(space, hu, edge + random.uniform(0.25, 0.5) * radius, random.uniform(*CORE_HU))


def _egg(space: Space, centre: Triple, radii: Triple) -> Array:
    """Signed distance, mm."""
    u = [(c - m) / r for c, m, r in zip(space.points(slice(None)), centre, radii, strict=True)]
    distance: Array = (np.sqrt(u[0] ** 2 + u[1] ** 2 + u[2] ** 2) - 1) * min(radii)
    return distance


def _filled(space: Space, hu: Array, edge: Array, dense: Array | float) -> Array:
    return space.mixed(np.clip(0.5 - edge / 1.8, 0, 1) * space.within, dense, hu)


def _with_oedema(space: Space, hu: Array, edge: Array, wide_mm: float, random: np.random.Generator) -> Array:
    """White matter around it darkened; grey matter and fluid much less."""
    smooth = space.smoothed(hu)
    white = np.clip((space.brain_hu + 3 - smooth) / 5, 0.15, 1) * (smooth > space.brain_hu - 14)
    fingers = wide_mm * (1 + 0.5 * SmoothNoise(random)(space.points(slice(None)), 14.0))
    share = np.clip(0.5 - (edge - fingers) / 6, 0, 1) * white * space.within * (wide_mm > 1)
    swollen: Array = hu + share * np.minimum(random.uniform(*OEDEMA_HU) - smooth, 0)
    return swollen


def _pushed(space: Space, hu: Array, at: Triple, radius_mm: float) -> Array:
    """The brain made way for a ball, as an incompressible medium does: less with the square of the distance.

    What lies at the skull stays; its fluid spaces take up the rest.
    """
    x, y, z = (c - m for c, m in zip(space.points(slice(None)), at, strict=True))
    distance = np.sqrt(x * x + y * y + z * z) + 1e-3
    before = np.cbrt(np.maximum(distance**3 - radius_mm**3, 0))
    shift = (distance - before) * np.clip(space.depth_mm / 12, 0, 1) * (distance < 6 * radius_mm)
    rows, columns = np.indices(hu.shape[1:], dtype=np.float32)
    out = np.empty_like(hu)
    for slab, level in enumerate(hu):
        dr = shift[slab] * y[slab] / distance[slab] * space.pixel[0]
        dc = shift[slab] * x[slab] / distance[slab] * space.pixel[1]
        out[slab] = ndimage.map_coordinates(level, [rows - dr, columns - dc], order=1, mode="nearest")
    return np.where(space.within, out, hu)
