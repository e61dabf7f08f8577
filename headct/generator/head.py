"""A head with its lesions as a volume: anatomy, bleeding, mass effect put together."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from headct.generator.anatomy import AIR_HU, Head, HeadTraits, Tissues
from headct.generator.fields import Field, Points, SmoothNoise, inside
from headct.generator.lesions import (
    BLEEDS,
    BLOOD_HU,
    Displacement,
    Lesion,
    LesionKind,
    crack,
    fill,
    filling_order,
)
from headct.generator.volume import Grid, Volume

VOXEL_MM = (1.1, 1.1, 1.4)
_SEPTUM = (0.0, -16.0, 14.0)


def _pose(rng: np.random.Generator) -> NDArray[np.float32]:
    """Rotation from scanner to head axes: nobody lies quite straight."""
    roll, yaw, nod = np.radians(rng.normal(0, (3.0, 2.0, 3.0)))
    cr, sr, cy, sy, cn, sn = np.cos(roll), np.sin(roll), np.cos(yaw), np.sin(yaw), np.cos(nod), np.sin(nod)
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cn, -sn], [0, sn, cn]])
    return (about_x @ about_y @ about_z).astype(np.float32)


def _turned(p: Points, rotation: NDArray[np.float32]) -> Points:
    x, y, z = p
    return tuple(r[0] * x + r[1] * y + r[2] * z for r in rotation)  # type: ignore[return-value]


def build_head(
    seed: int, age_years: float, lesions: Sequence[Lesion] = (), *, contrast: bool = False
) -> Volume:
    """The head of that seed and age with the lesions; the same seed gives the same head with other lesions.

    Raises ValueError when a lesion does not fit.
    """
    rng = np.random.default_rng([seed, 1])
    traits = HeadTraits.drawn(rng, age_years)
    if any(lesion.kind is LesionKind.INTRAVENTRICULAR for lesion in lesions):
        traits = replace(traits, ventricles=max(traits.ventricles, 1.15))  # obstruction widens them
    head = Head(traits, rng)
    rotation = _pose(rng)
    noise = SmoothNoise(rng)
    s = traits.size
    grid = Grid.covering((-88 * s, -114 * s, -78 * s), (88 * s, 106 * s, 92 * s), VOXEL_MM)
    points = _turned(grid.points, rotation)
    cavity = head.cavity(points)

    within = cavity < 1.0
    p: Points = tuple(c[within] for c in points)  # type: ignore[assignment]
    q = head.adult(p)
    depth = -cavity[within]
    room = inside(-depth)

    taken: dict[LesionKind, Field] = {}
    for lesion in lesions:
        if lesion.kind in _SOLID:
            order = filling_order(lesion, q, depth, noise)
            free = room - sum(taken.values(), np.zeros_like(room))
            got = fill(order, np.clip(free, 0, 1), lesion.volume_ml, grid.voxel_ml)
            taken[lesion.kind] = taken.get(lesion.kind, 0) + got

    tissues, shift = _pushed_brain(head, grid, rotation, p, cavity, within, taken, contrast)
    hu = tissues.hu
    for lesion in lesions:
        spaces = {LesionKind.SUBARACHNOID: tissues.cisterns, LesionKind.INTRAVENTRICULAR: tissues.ventricles}
        if lesion.kind in spaces:
            order = filling_order(lesion, q, depth, noise)
            free = room * spaces[lesion.kind] * (1 - sum(taken.values(), np.zeros_like(room)))
            taken[lesion.kind] = fill(order, free, lesion.volume_ml, grid.voxel_ml)
    texture = 3.0 * noise(p, 9.0)
    for lesion in lesions:
        if lesion.kind is LesionKind.INFARCT:
            a = taken[lesion.kind] / np.maximum(room, 0.05)
            hu = hu * (1 - a) + (0.35 * hu + 0.65 * 20.0) * a
        elif lesion.kind in BLEEDS:
            a = taken[lesion.kind] / np.maximum(room, 0.05)
            hu = hu * (1 - a) + ((lesion.hu or BLOOD_HU[lesion.kind]) + texture) * a

    full = _shell(head, points, cavity, lesions)
    full[within] = full[within] * (1 - room) + hu * room
    fractions = {}
    for kind, a in taken.items():
        fractions[kind.value] = np.zeros(grid.shape, np.float32)
        fractions[kind.value][within] = a
    return Volume(grid, full, fractions, shift)


_SOLID = (LesionKind.EPIDURAL, LesionKind.SUBDURAL, LesionKind.INTRACEREBRAL, LesionKind.INFARCT)


def _pushed_brain(
    head: Head,
    grid: Grid,
    rotation: NDArray[np.float32],
    p: Points,
    cavity: Field,
    within: NDArray[np.bool_],
    taken: dict[LesionKind, Field],
    contrast: bool,
) -> tuple[Tissues, float]:
    """The brain displaced by what has been put in, and the shift of the septum pellucidum in mm."""
    if not taken:
        return head.brain(p, cavity[within], contrast=contrast), 0.0
    on_grid = []
    for kind, a in taken.items():
        f = np.zeros(grid.shape, np.float32)
        f[within] = a
        on_grid.append((kind, f))
    push = Displacement(on_grid, grid, 1 - 0.6 * head.traits.atrophy)
    depth = -cavity[within]
    scanner = _turned(p, rotation.T)
    u = push.at(scanner, depth)
    before: Points = tuple(a - b for a, b in zip(scanner, u, strict=True))  # type: ignore[assignment]
    moved = _turned(before, rotation)
    squeeze = np.clip(np.sqrt(u[0] ** 2 + u[1] ** 2 + u[2] ** 2) / 7, 0, 0.9)
    origin = np.minimum(head.cavity(moved), -depth)
    tissues = head.brain(moved, origin, contrast=contrast, squeeze=squeeze)

    septum = np.asarray(_SEPTUM, np.float32) * head.traits.size
    home = rotation.T @ septum
    at = home.copy()
    for _ in range(8):  # the septum now lies where p - u(p) = home
        here: Points = tuple(np.array([c], np.float32) for c in at)  # type: ignore[assignment]
        at = home + np.array([c[0] for c in push.at(here, np.array([40.0], np.float32))])
    return tissues, float((rotation @ (at - home))[0])


def _shell(head: Head, points: Points, cavity: Field, lesions: Sequence[Lesion]) -> Field:
    """Everything outside the brain on the whole grid."""
    hu = np.full(cavity.shape, AIR_HU, np.float32)
    outside = (cavity > -1.2) & (cavity < 75 * head.traits.size)
    p: Points = tuple(c[outside] for c in points)  # type: ignore[assignment]
    fractures = [lesion for lesion in lesions if lesion.kind is LesionKind.FRACTURE]
    cracks = [crack(head.adult(p), lesion) for lesion in fractures]
    swelling = np.maximum.reduce([c[1] for c in cracks]) if cracks else None
    values, bone = head.surroundings(p, cavity[outside], swelling)
    for distance, _ in cracks:
        a = inside(distance) * bone
        values = values * (1 - a) + 25 * a
    hu[outside] = values
    return hu
