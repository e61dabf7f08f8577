"""Everything around the brain: skull and its base, air cells, face, orbits, scalp, neck.

All shapes are in adult axes; `paired` ones are given on the left.
"""

from dataclasses import dataclass

import numpy as np

from headct.generator.anatomy import AIR_HU, Head
from headct.generator.fields import Field, Points, Triple, capsule, ellipsoid, inside, mirrored, smooth_union

_FAT_HU, _MUSCLE_HU, _SKIN_HU = -75.0, 55.0, 40.0
_TABLE_HU, _DIPLOE_HU = 1350.0, 640.0


@dataclass(frozen=True, slots=True)
class _Rod:
    """A capsule-shaped part."""

    a: Triple
    b: Triple
    radius: float
    hu: float = 0.0
    paired: bool = True

    @property
    def extent(self) -> tuple[float, float]:
        return min(self.a[2], self.b[2]) - self.radius - 3, max(self.a[2], self.b[2]) + self.radius + 3

    def distance(self, q: Points) -> Field:
        return capsule(mirrored(q) if self.paired else q, self.a, self.b, self.radius)


@dataclass(frozen=True, slots=True)
class _Egg:
    """An ellipsoidal part."""

    centre: Triple
    radii: Triple
    paired: bool = True

    @property
    def extent(self) -> tuple[float, float]:
        return self.centre[2] - self.radii[2] - 3, self.centre[2] + self.radii[2] + 3

    def distance(self, q: Points) -> Field:
        return ellipsoid(mirrored(q) if self.paired else q, self.centre, self.radii)


@dataclass(frozen=True, slots=True)
class _Box:
    """A cuboid in the midline."""

    centre: Triple
    half: Triple

    @property
    def extent(self) -> tuple[float, float]:
        return self.centre[2] - self.half[2] - 3, self.centre[2] + self.half[2] + 3

    def distance(self, q: Points) -> Field:
        sides = [np.abs(c - m) - h for c, m, h in zip(q, self.centre, self.half, strict=True)]
        distance: Field = np.maximum(np.maximum(sides[0], sides[1]), sides[2])
        return distance


_BONES = (
    _Rod((15, 4, -25), (56, 30, -30), 8, 1050),  # petrous bone
    _Rod((51, 27, -30), (55, 30, -48), 13, 1000),  # mastoid
    _Rod((27, 12, -27), (40, 20, -28), 4.5, 1900),  # otic capsule
    _Rod((0, -4, -21), (0, 10, -50), 6.5, 550, paired=False),  # clivus
    _Rod((61, -4, -40), (55, -50, -44), 2.8, 1000),  # zygomatic arch
    _Rod((55, -50, -44), (44, -68, -40), 4.0, 900),  # zygoma
    _Rod((44, -68, -40), (44, -62, -14), 3.0, 1000),  # lateral orbital rim
    _Rod((49, -4, -44), (47, -20, -90), 4.5, 950),  # ramus of the mandible
    _Rod((10, -10, -40), (16, -16, -80), 3.0, 700),  # pterygoid plates
    _Rod((0, -84, -22), (0, -96, -36), 3.5, 800, paired=False),  # nasal bones
)
_ORBIT = _Egg((31, -62, -27), (19, 30, 18))
_ANTRUM = _Egg((27, -58, -60), (14, 17, 16))
_ETHMOID = _Box((0, -55, -28), (12, 26, 12))
_NASAL = _Box((0, -56, -56), (11, 34, 17))
_SPHENOID = _Egg((0, -20, -29), (13, 13, 9), paired=False)
_FRONTAL = _Egg((5, -87, -6), (14, 5, 10), paired=False)
_WALLED = (_ORBIT, _ANTRUM, _ETHMOID, _SPHENOID, _FRONTAL)
_CELLS = (_ETHMOID, _Egg((55, 31, -41), (10, 13, 16)))
_AIR = (
    _ANTRUM,
    _SPHENOID,
    _FRONTAL,
    _Rod((52, 16, -35), (80, 16, -35), 3.0),  # ear canal
    _Egg((0, -18, -62), (14, 9, 24), paired=False),  # pharynx
)
SCALP_MM = 20.0
"""No scalp is thicker, swollen ones included."""
FACE_TOP_MM = 18.0
"""No part of face or base reaches higher."""


def surroundings(head: Head, p: Points, cavity: Field, swelling: Field | None = None) -> tuple[Field, Field]:
    """What lies outside the brain: Hounsfield units and fraction of bone, air around included.

    `cavity` is the distance to the inner table, `swelling` an extra thickness of the scalp, both in mm.
    """
    q = head.adult(p)
    low, high = float(q[2].min()), float(q[2].max())
    d = cavity / head.traits.size
    thickness = head.skull_thickness(p) / head.traits.size
    speckle, patches = head.fine(q, 5.0), head.coarse(q, 14.0)
    skin: Field = d - thickness - 6.0
    if swelling is not None:
        skin = skin - swelling
    if low < FACE_TOP_MM:
        skin = _with_face_and_neck(q, skin)

    # Fat under the skin, muscle deeper, at the temples and in the neck.
    hu: Field = _FAT_HU + 4 * speckle
    if low < FACE_TOP_MM:
        muscle = np.clip(0.7 - 0.05 * skin + 0.6 * head.coarse((q[0], q[1], 0.4 * q[2]), 22.0), 0, 1)
        hu = hu + (_MUSCLE_HU - _FAT_HU) * muscle * np.clip((8 - q[2]) / 18, 0, 1)
    if swelling is not None:
        hu = np.where(swelling > 0.5, 45 + 12 * patches, hu)
    hu = np.where(skin > -2.6, _SKIN_HU, hu)

    bone = inside(np.maximum(-d, d - thickness), 2.0)
    table = np.clip(1.3 - np.minimum(d, thickness - d) / 1.6, 0, 1)
    bone_hu = (_DIPLOE_HU + 160 * patches + 60 * speckle) * (1 - table) + _TABLE_HU * table
    outline = inside(skin, 1.5)
    if low < FACE_TOP_MM:
        bone, bone_hu = _with_bones(q, bone, bone_hu, 1 + 0.2 * speckle, (low, high))
    hu = hu * (1 - bone) + bone_hu * bone
    if low < FACE_TOP_MM:
        hu = _with_orbits(q, hu)
        air = _air(q, speckle, cavity, (low, high)) * head.traits.pneumatisation
        hu = hu * (1 - air) + AIR_HU * air
        bone = bone * (1 - air)
        m = mirrored(q)
        shell = np.maximum(ellipsoid(m, (71, 22, -34), (7, 13, 22)), -ellipsoid(m, (74, 18, -33), (5, 8, 12)))
        outline = np.maximum(outline, inside(shell, 1.5))
    return AIR_HU + (hu - AIR_HU) * outline, bone * outline


def _with_face_and_neck(q: Points, scalp: Field) -> Field:
    """Signed distance to the skin."""
    x, y, z = q
    face = ellipsoid(q, (0, -36, -46), (60, 62, 62))
    nose = capsule(q, (0, -90, -30), (0, -104, -52), 8)
    cheeks = ellipsoid(mirrored(q), (36, -55, -58), (30, 34, 30))
    neck = np.maximum(np.hypot(x / 1.02, (y - 26) / 1.08) - 56, z + 20)
    skin = smooth_union(scalp, smooth_union(np.minimum(face, cheeks), nose, 10), 14)
    return smooth_union(skin, neck, 16)


def _with_bones(
    q: Points, bone: Field, bone_hu: Field, grain: Field, reach: tuple[float, float]
) -> tuple[Field, Field]:
    for part in _BONES:
        if _met(part, reach):
            a = inside(part.distance(q), 1.5)
            bone_hu = np.where(a > bone, part.hu * grain, bone_hu)
            bone = np.maximum(bone, a)
    for hollow in _WALLED:
        if _met(hollow, reach):
            wall = hollow.distance(q)
            a = inside(np.maximum(wall - 1.6, -wall - 0.2), 1.5)
            bone_hu = np.where(a > bone, 700.0, bone_hu)
            bone = np.maximum(bone, a)
    return bone, bone_hu


def _met(part: _Rod | _Egg | _Box, reach: tuple[float, float]) -> bool:
    low, high = part.extent
    return low < reach[1] and high > reach[0]


def _with_orbits(q: Points, hu: Field) -> Field:
    """Fat, globe with lens and sclera, optic nerve and muscles."""
    m = mirrored(q)
    within = inside(np.maximum(_ORBIT.distance(q), -q[1] - 95))
    globe = ellipsoid(m, (32, -80, -27), (12.5, 12.5, 12.5))
    lens = inside(ellipsoid(m, (32, -89, -27), (5, 2.2, 5)))
    eye = 12 + 55 * lens + 35 * inside(np.abs(globe + 1) - 1)
    nerve = capsule(m, (30, -66, -27), (14, -34, -24), 2.3)
    medial = capsule(m, (20, -72, -27), (14, -38, -25), 2)
    lateral = capsule(m, (44, -72, -27), (22, -40, -25), 2)
    cords = inside(np.minimum(nerve, np.minimum(medial, lateral)))
    ball = inside(globe)
    socket = (_FAT_HU + 125 * cords) * (1 - ball) + eye * ball
    return hu * (1 - within) + socket * within


def _air(q: Points, speckle: Field, cavity: Field, reach: tuple[float, float]) -> Field:
    """Fraction of air: sinuses, cells, nose with its septum and turbinates, ear canals, pharynx."""
    air = np.zeros_like(q[0])
    for part in _AIR:
        if _met(part, reach):
            air = np.maximum(air, inside(part.distance(q)))
    septa = np.clip(0.1 + 1.6 * np.abs(speckle), 0, 1)
    for honeycomb in _CELLS:
        if _met(honeycomb, reach):
            air = np.maximum(air, inside(honeycomb.distance(q)) * septa)
    if _met(_NASAL, reach):
        side = np.abs(q[0])
        turbinates = np.clip(np.abs(np.sin(side * 0.5 + 0.3)) * 2.4 - 1.0, 0, 1) * (side > 1.2)
        air = np.maximum(air, inside(_NASAL.distance(q)) * turbinates)
    return air * inside(-cavity)
