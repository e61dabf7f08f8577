"""Calcium where older people have it: falx, tentorium, choroid plexus, basal ganglia, pineal gland.

How often: of 1,569 adults 71 % in the pineal gland, 66 % in the plexus, 7 % in falx and tentorium, 0.8 % in
the basal ganglia (Daghighi et al., Pathophysiology 2007); of 216 patients of all ages falx 27 %, tentorium
7 % (Ghorbanlou et al., Anatomy & Cell Biology 2022;55:63). Here everyone has one, for it is what is tested.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from headct.generator.fields import Field, Points, SmoothNoise, Triple, ellipsoid, mirrored
from model_training.mimics.space import Space, around

Array = NDArray[np.floating[Any]]

PLEXUS_HU, PINEAL_HU = (90.0, 400.0), (70.0, 350.0)
"""From 60 HU (faint) and 100 HU (dense) on calcium is told from the plexus (Hett et al., preprint of 2026);
the pineal gland's median is 67 HU in adolescents, its upper quartile 110. The upper ends are ours."""
GANGLIA_HU = (60.0, 250.0)
"""From smudges to coarse lumps (Brain Imaging with MRI and CT, Cambridge 2013, case 187); ours as to
the figures."""
DURA_HU = (120.0, 700.0)
"""From laminar calcium to bone in the falx; ours."""
PINEAL_MM = ((4.55, 2.13), (3.95, 1.54))
"""Length and breadth, mean and standard deviation (Al-Ameri et al., International Journal of Morphology, 485
patients); over 10 mm is a tumour's sign."""


def falx(space: Space, random: np.random.Generator) -> Array:
    """Plaques in the falx, thin from side to side and long from front to back."""
    hu = space.hu
    for _ in range(random.integers(1, 4)):
        # Within the falx: between the vault and some 35 mm inside it.
        turn, inward = random.uniform(0.15, 0.85) * np.pi, random.uniform(4, 26)
        x, y, z = space.table_point((0.0, -float(np.cos(turn)), max(0.15, float(np.sin(turn)))))
        shorter = 1 - inward / max(np.hypot(y, z - 12.0), 40.0)
        centre = (x + random.normal(0, 0.6), y * shorter, 12.0 + (z - 12.0) * shorter)
        radii = (random.uniform(0.9, 2.6), random.uniform(3, 16), random.uniform(2.5, 10))
        plaque = space.share(_bumpy(centre, radii, random), around(1.5 * max(radii) + 2, centre))
        hu = space.mixed(plaque * space.within, random.uniform(*DURA_HU), hu)
    return hu


def tentorium(space: Space, random: np.random.Generator) -> Array:
    """Plaques in the tentorium, at its free edge or along the petrous bones, often on both sides."""
    hu = space.hu
    both = random.random() < 0.7
    for _ in range(random.integers(1, 3)):
        at_edge = random.random() < 0.5
        a = (random.uniform(14, 22), random.uniform(22, 40)) if at_edge else (random.uniform(30, 46), 30.0)
        long, wide = random.uniform(4, 11), random.uniform(1.5, 4)
        thick, turn = random.uniform(0.7, 1.6), random.uniform(0.3, 1.1)
        side = random.choice([-1.0, 1.0])

        def patch(
            p: Points, a: Any = a, size: Any = (long, wide, thick), turn: float = turn, side: float = side
        ) -> Field:
            x, y, z = mirrored(p) if both else (p[0] * side, p[1], p[2])
            along = (x - a[0]) * np.cos(turn) + (y - a[1]) * np.sin(turn)
            across = (y - a[1]) * np.cos(turn) - (x - a[0]) * np.sin(turn)
            flat = (np.hypot(along / size[0], across / size[1]) - 1) * size[1]
            distance: Field = np.maximum(flat, np.abs(z - tent_mm((x, y, z))) - size[2])
            return distance

        share = space.share(patch, ((-66.0, 4.0, -30.0), (66.0, 70.0, 20.0)))
        hu = space.mixed(share * space.within, random.uniform(*DURA_HU), hu)
    return hu


def tent_mm(p: Points) -> Field:
    """Height of the tentorium: highest at the notch, falling to the sinuses at its rim."""
    x, y, _ = p
    return 6.0 - 0.0062 * x * x - 0.24 * np.maximum(y - 34, 0)


def plexus(space: Space, random: np.random.Generator) -> Array:
    """Stones in the glomus of the plexus, in the atria of the lateral ventricles; mostly on both sides."""
    hu = space.hu
    sides = (1.0, -1.0) if random.random() < 0.77 else (random.choice([1.0, -1.0]),)
    long, dense = random.uniform(3, 7), random.uniform(*PLEXUS_HU)
    for side in sides:
        x, y, z = space.near_fluid((side * 24.0, 34.0, 12.0), 15.0)
        glomus = (x, y + random.normal(0, 1.5), z + random.normal(0, 2))
        for _ in range(random.integers(2, 6)):
            stone = [random.normal(c, s) for c, s in zip(glomus, (1.2, 0.45 * long, 1.5), strict=True)]
            radius = random.uniform(0.8, 2.4)
            share = space.share(
                _egg((stone[0], stone[1], stone[2]), (radius, 1.4 * radius, 1.5 * radius)),
                around(2 * radius + 2, (stone[0], stone[1], stone[2])),
            )
            hu = space.mixed(share * space.within, dense * random.uniform(0.7, 1.2), hu)
    return hu


def basal_ganglia(space: Space, random: np.random.Generator) -> Array:
    """Grains or smudges in both globi pallidi, about alike on both sides."""
    noise, coarse = SmoothNoise(random), random.uniform(3.5, 7)
    size = random.uniform(0.7, 1.3)
    level, dense = random.uniform(-0.2, 0.9), random.uniform(*GANGLIA_HU)
    side_by_side = random.uniform(0.6, 1.0)

    def pallidum(p: Points) -> Field:
        egg = ellipsoid(mirrored(p), (19.5, -2.0, 3.0), (4.0 * size, 9.0 * size, 5.0 * size))
        return egg + 2.5 * (level - noise(p, coarse))

    share = space.share(pallidum, ((-32.0, -22.0, -10.0), (32.0, 18.0, 16.0)), 3.0)
    share = ndimage.gaussian_filter(share, (0, 0.7, 0.7))
    left = np.broadcast_to(space.points(slice(None))[0] > 0, share.shape)
    share = share * np.where(left, 1.0, side_by_side)
    return space.mixed(share * space.within, dense)


def pineal(space: Space, random: np.random.Generator) -> Array:
    """A stone in the pineal gland, with a smaller one in the habenula before it in a third."""
    long, broad = (float(np.clip(random.normal(*size), 2.0, 9.5)) for size in PINEAL_MM)
    at = (random.normal(0, 0.7), random.normal(24, 1.5), random.normal(4, 1.5))
    share = space.share(_egg(at, (broad / 2, long / 2, broad / 2)), around(8.0, at))
    hu = space.mixed(share * space.within, random.uniform(*PINEAL_HU))
    if random.random() < 0.36:
        before = (at[0], at[1] - long / 2 - 3.0, at[2] + 1.0)
        speck = space.share(_egg(before, (1.8, 1.0, 1.2)), around(4.0, before))
        hu = space.mixed(speck * space.within, random.uniform(*PINEAL_HU), hu)
    return hu


def _egg(centre: Triple, radii: Triple) -> Any:
    return lambda p: ellipsoid(p, centre, radii)


def _bumpy(centre: Triple, radii: Triple, random: np.random.Generator) -> Any:
    noise = SmoothNoise(random)
    return lambda p: ellipsoid(p, centre, radii) + 0.35 * min(radii) * noise(p, 8.0)
