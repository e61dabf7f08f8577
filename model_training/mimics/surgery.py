"""What surgeons leave: clips, coils, catheters, holes and flaps."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from headct.generator.fields import Field, Points, SmoothNoise, Triple, capsule, ellipsoid
from model_training.mimics.artefacts import placed
from model_training.mimics.attenuation import Material
from model_training.mimics.space import Space, around

Array = NDArray[np.floating[Any]]

ANEURYSMS: tuple[Triple, ...] = (
    (33, -13, -8),  # bifurcation of the middle cerebral artery
    (1, -25, -5),  # anterior communicating artery
    (12, -8, -11),  # posterior communicating artery
    (0, 1, -13),  # tip of the basilar artery
)
BLADE_MM = (7.0, 15.0)
"""Blades of common clips; clip and spring together are some 20 mm long, 1.5 mm thick."""
COIL_MM = (2.0, 5.5)
"""Radius of the ball: aneurysms that are coiled mostly measure 4 to 11 mm."""
PACKED = (0.2, 0.35)
"""Share of an aneurysm that is platinum after coiling; means of 0.26 to 0.31 (Radiology
10.1148/radiol.2431060006, 255 aneurysms; Vallée et al., AJNR 2004;25:298, 160)."""
SHUNT_MM, DRAIN_MM = 2.5, 3.0
"""Outer diameters of common catheters of silicone with barium, rounded."""
CATHETER_HU = (250.0, 600.0)
"""Of its wall before partial volume; ours."""
BURR_HOLE_MM = 14.0
"""Diameter of the usual perforator."""
KERF_MM = 1.8
"""Width of a craniotome's cut."""
SCAR_HU = (25.0, 48.0)
"""Scar and dura in a hole; above 50 HU would be fresh blood."""


def clip(space: Space, random: np.random.Generator) -> Array:
    """An aneurysm clip of titanium or cobalt alloy."""
    x, y, z = _aneurysm(space, random)
    way = random.normal(size=3)
    way[2] *= 0.5
    way /= np.linalg.norm(way)
    long = random.uniform(*BLADE_MM) + 6
    a, b = np.array([x, y, z]), np.array([x, y, z]) + way * long
    material = Material.TITANIUM if random.random() < 0.6 else Material.COBALT_ALLOY

    def body(p: Points) -> Field:
        blades = capsule(p, _triple(a), _triple(b), 0.8)
        spring = np.abs(np.sqrt(sum((c - m) ** 2 for c, m in zip(p, _triple(b), strict=True))) - 1.8) - 0.7
        return np.minimum(blades, spring)

    return placed(space, body, around(4.0, _triple(a), _triple(b)), material, random)


def coil(space: Space, random: np.random.Generator) -> Array:
    """A ball of platinum wire."""
    at, radius = _aneurysm(space, random), random.uniform(*COIL_MM)
    return placed(
        space,
        lambda p: ellipsoid(p, at, (radius, radius, radius)),
        around(radius + 1, at),
        Material.PLATINUM,
        random,
        packed=random.uniform(*PACKED),
    )


def shunt(space: Space, random: np.random.Generator) -> Array:
    """A shunt: catheter through a hole at the back of the head into a ventricle, valve under the scalp."""
    side = random.choice([-1.0, 1.0])
    front = random.random() < 0.4
    entry = (0.42 * side, -0.45, 0.75) if front else (0.4 * side, 0.75, 0.4)
    target = (side * 9.0, -20.0, 14.0) if front else (side * 14.0, -10.0, 16.0)
    hu, at = _catheter(space, entry, target, SHUNT_MM, random)
    below = at + np.array([0.0, 4.0, -22.0])
    valve = space.share(
        lambda p: capsule(p, _triple(at), _triple(below), 3.5), around(5.0, _triple(at), _triple(below))
    )
    return space.mixed(valve * ~space.within * (space.hu > -300), random.uniform(200, 600), hu)


def drain(space: Space, random: np.random.Generator) -> Array:
    """An external drain: through a hole before the coronal suture to the foramen of Monro."""
    side = random.choice([-1.0, 1.0])
    target = (side * random.uniform(2, 8), random.uniform(-18, -6), random.uniform(6, 14))
    return _catheter(space, (0.38 * side, -0.42, 0.8), target, DRAIN_MM, random)[0]


def burr_hole(space: Space, random: np.random.Generator) -> Array:
    """One to three holes, closed by scar."""
    hu = space.hu
    for _ in range(random.integers(1, 4)):
        side = random.choice([-1.0, 1.0])
        direction = (side * random.uniform(0.35, 0.9), random.uniform(-0.7, 0.6), random.uniform(0.2, 0.8))
        hu = _hole(space, np.array(space.table_point(direction)), random, hu)
    return hu


def craniotomy(space: Space, random: np.random.Generator) -> Array:
    """A flap with its cut, holes and plates, a thin layer of fluid or scar under it."""
    side = random.choice([-1.0, 1.0])
    middle = np.array([side * random.uniform(0.6, 0.95), random.uniform(-0.6, 0.3), random.uniform(0.1, 0.5)])
    middle /= np.linalg.norm(middle)
    radius = np.deg2rad(random.uniform(22, 34))
    kerf = KERF_MM / 2 / 75
    noise = SmoothNoise(random)
    slabs = slice(None)
    x, y, z = space.points(slabs)
    away = _angle((x, y, z), middle) + 0.03 * noise((x, y, z), 60.0)
    bone = (space.hu > 150) & _near_vault(space)
    near = np.abs(away - radius)
    cut = np.clip(0.5 - (near - kerf) * 75 / 1.3, 0, 1) * bone
    # The cut is thinner than a voxel, so it stays grey; a flap never quite fits.
    hu = np.where(cut > 0, space.hu * (1 - cut) + (40.0 + space.grain(random)) * cut, space.hu)
    for turn in random.uniform(0, 2 * np.pi, 3):
        hu = _hole(space, np.array(space.table_point(_on_ring(middle, radius, turn))), random, hu, 10.0)
    under = (away < radius) * space.within * (space.depth_mm < random.uniform(1.5, 4.5))
    layer = random.uniform(8, 16) if random.random() < 0.6 else random.uniform(*SCAR_HU)
    hu = space.mixed(ndimage.gaussian_filter(under.astype(np.float32), (0, 0.5, 0.5)), layer, hu)
    plates = [
        np.array(space.table_point(_on_ring(middle, radius, t))) for t in random.uniform(0, 2 * np.pi, 3)
    ]

    def metal(p: Points) -> Field:
        nearest = np.full(p[0].shape, 99.0, np.float32)
        for at in plates:
            out = at + (at - (0, 0, 12)) / np.linalg.norm(at - (0, 0, 12)) * 8.0
            along = np.cross(out, middle)
            along = along / max(np.linalg.norm(along), 1e-3) * 6.0
            nearest = np.minimum(nearest, capsule(p, _triple(out - along), _triple(out + along), 0.6))
        return nearest

    return placed(space, metal, around(18.0, *map(_triple, plates)), Material.TITANIUM, random, hu=hu)


def _aneurysm(space: Space, random: np.random.Generator) -> Triple:
    x, y, z = ANEURYSMS[int(random.integers(len(ANEURYSMS)))]
    side = random.choice([-1.0, 1.0])
    return side * x + random.normal(), y + random.normal(0, 1.5), z + random.normal(0, 1.5)


def _catheter(
    space: Space, entry: Triple, target: Triple, outer_mm: float, random: np.random.Generator
) -> tuple[Array, Array]:
    """A tube from a hole in the skull to the fluid at a target; also where it leaves the skull."""
    table = np.array(space.table_point(entry))
    tip = np.array(space.near_fluid(target, 10.0)) + random.normal(0, 1.0, 3)
    out = table + (table - tip) / np.linalg.norm(table - tip) * 12.0
    hu = _hole(space, table, random, space.hu, random.uniform(6, BURR_HOLE_MM))

    def wall(p: Points) -> Field:
        line = capsule(p, _triple(out), _triple(tip), 0.0)
        distance: Field = np.abs(line - outer_mm * 0.375) - outer_mm * 0.125
        return distance

    share = space.share(wall, around(4.0, _triple(tip), _triple(out)), 1.0)
    return space.mixed(share * (space.hu > -300), random.uniform(*CATHETER_HU), hu), out


def _hole(
    space: Space, at: Array, random: np.random.Generator, hu: Array, wide_mm: float = BURR_HOLE_MM
) -> Array:
    """A round hole through the skull, filled with scar; the scalp sinks in a little."""
    out = (at - (0, 0, 12)) / np.linalg.norm(at - (0, 0, 12))
    a, b = at - out * 2.0, at + out * 16.0
    through = space.share(
        lambda p: capsule(p, _triple(a), _triple(b), wide_mm / 2),
        around(wide_mm / 2 + 2, _triple(a), _triple(b)),
    )
    through = through * (hu > 60) * ~space.within
    filled = random.uniform(*SCAR_HU) + space.grain(random)
    return hu * (1 - through) + filled * through


def _near_vault(space: Space) -> NDArray[np.bool_]:
    """What lies within some 14 mm outside the inner table."""
    outside = np.stack([ndimage.distance_transform_edt(~level) for level in space.within])
    return (outside < 14 * np.mean(space.pixel)) & ~space.within


def _angle(p: Points, middle: Array) -> Field:
    """From the middle of the vault, between points and a direction; radians."""
    x, y, z = p[0] / 66, p[1] / 84, (p[2] - 12) / 64
    scaled = middle / (66, 84, 64)
    scaled = scaled / np.linalg.norm(scaled)
    length = np.sqrt(x * x + y * y + z * z) + 1e-6
    angle: Field = np.arccos(np.clip((x * scaled[0] + y * scaled[1] + z * scaled[2]) / length, -1, 1))
    return angle


def _on_ring(middle: Array, radius: float, turn: float) -> Triple:
    """A direction at an angle from another, as :func:`_angle` counts it."""
    scaled = middle / (66, 84, 64)
    scaled = scaled / np.linalg.norm(scaled)
    one = np.cross(scaled, (0.0, 0.0, 1.0))
    one /= np.linalg.norm(one)
    other = np.cross(scaled, one)
    ring = np.cos(radius) * scaled + np.sin(radius) * (np.cos(turn) * one + np.sin(turn) * other)
    return _triple(ring * (66, 84, 64))


def _triple(v: Array) -> Triple:
    return float(v[0]), float(v[1]), float(v[2])
