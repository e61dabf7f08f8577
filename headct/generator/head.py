"""A head with its lesions as a volume: anatomy, bleeding, mass effect put together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from headct.generator.anatomy import AIR_HU, Head, HeadTraits
from headct.generator.brain import Tissues, brain
from headct.generator.fields import Field, Points, SmoothNoise, Triple, chosen, inside, pieces
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
from headct.generator.skull import FACE_TOP_MM, SCALP_MM, surroundings
from headct.generator.volume import Grid, Volume

VOXEL_MM = (1.2, 1.2, 1.4)
_SEPTUM = (0.0, -16.0, 14.0)
_SOLID = (LesionKind.EPIDURAL, LesionKind.SUBDURAL, LesionKind.INTRACEREBRAL, LesionKind.INFARCT)
"""Lesions that make their own room; blood in fluid takes that of the fluid."""
_INFARCT_HU, _INFARCT_SHARE = 20.0, 0.65
"""Oedema pulls grey and white matter towards one dark value."""
_WIDENED = 1.15
"""Ventricles with blood in them are obstructed and wide."""


def _pose(rng: np.random.Generator) -> NDArray[np.float32]:
    """Rotation from scanner to head axes: nobody lies quite straight."""
    roll, yaw, nod = np.radians(rng.normal(0, (3.0, 2.0, 3.0)))
    cr, sr, cy, sy, cn, sn = np.cos(roll), np.sin(roll), np.cos(yaw), np.sin(yaw), np.cos(nod), np.sin(nod)
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cn, -sn], [0, sn, cn]])
    return np.asarray(about_x @ about_y @ about_z, np.float32)


def _turned(p: Points, rotation: NDArray[np.float32]) -> Points:
    x, y, z = p
    a, b, c = (r[0] * x + r[1] * y + r[2] * z for r in rotation)
    return a, b, c


@dataclass(frozen=True, slots=True)
class _Posed:
    """A head lying in the scanner: its points near the skull, in head axes, flat."""

    head: Head
    grid: Grid
    rotation: NDArray[np.float32]
    index: NDArray[np.intp]
    """Places in the flattened grid."""
    points: Points
    cavity: Field


def build_head(
    seed: int,
    age_years: float,
    lesions: Sequence[Lesion] = (),
    *,
    contrast: bool = False,
    voxel_mm: Triple = VOXEL_MM,
) -> Volume:
    """The head of that seed and age with the lesions; the same seed gives the same head with other lesions.

    `voxel_mm` is the volume's grid along x, y and z; the usual one suits routine slices of 512 x 512.
    Raises ValueError when a lesion does not fit.
    """
    rng = np.random.default_rng([seed, 1])
    traits = HeadTraits.drawn(rng, age_years)
    if any(lesion.kind is LesionKind.INTRAVENTRICULAR for lesion in lesions):
        traits = replace(traits, ventricles=max(traits.ventricles, _WIDENED))
    posed = _posed(Head(traits, rng), _pose(rng), voxel_mm)
    noise = SmoothNoise(rng)
    grid, head = posed.grid, posed.head

    hu = np.full(int(np.prod(grid.shape)), AIR_HU, np.float32)
    s = traits.size
    reach = (posed.cavity < (traits.skull_mm * 1.5 + SCALP_MM) * s) | (posed.points[2] < FACE_TOP_MM * s)
    outside = np.flatnonzero(reach & (posed.cavity > -1.2))
    hu[posed.index[outside]] = _outside(posed, outside, lesions)

    within = np.flatnonzero(posed.cavity < 1.0)
    place = posed.index[within]
    p, depth = chosen(posed.points, within), -posed.cavity[within]
    q = head.adult(p)
    room = inside(-depth)
    taken: dict[LesionKind, Field] = {}
    for lesion in lesions:
        if lesion.kind in _SOLID:
            free = np.clip(room - sum(taken.values()), 0, 1)
            order = filling_order(lesion, q, depth, noise)
            taken[lesion.kind] = fill(order, free, lesion.volume_ml, grid.voxel_ml)
    tissues, shift = _pushed(posed, p=p, depth=depth, place=place, taken=taken, contrast=contrast)
    spaces = {LesionKind.SUBARACHNOID: tissues.cisterns, LesionKind.INTRAVENTRICULAR: tissues.ventricles}
    for lesion in lesions:
        if lesion.kind in spaces:
            free = np.clip(room * spaces[lesion.kind] - sum(taken.values()), 0, 1)
            order = filling_order(lesion, q, depth, noise)
            taken[lesion.kind] = fill(order, free, lesion.volume_ml, grid.voxel_ml)

    inner = tissues.hu
    texture = 3.0 * noise(p, 9.0) if lesions else 0.0
    for lesion in lesions:
        if lesion.kind in taken:
            share = taken[lesion.kind] / np.maximum(room, 0.05)
            if lesion.kind in BLEEDS:
                changed = (BLOOD_HU[lesion.kind] if lesion.hu is None else lesion.hu) + texture
            else:
                changed = inner + _INFARCT_SHARE * (_INFARCT_HU - inner)
            inner = inner + (changed - inner) * share
    hu[place] += (inner - hu[place]) * room

    fractions = {kind.value: _on_grid(a, place, grid) for kind, a in taken.items()}
    return Volume(grid, hu.reshape(grid.shape), fractions, shift)


def _posed(head: Head, rotation: NDArray[np.float32], voxel_mm: Triple) -> _Posed:
    s = head.traits.size
    grid = Grid.covering((-90 * s, -114 * s, -78 * s), (90 * s, 106 * s, 92 * s), voxel_mm)
    x, y, z = (c / s for c in grid.axes)
    dome = np.maximum(z - 8, 0)[:, None, None] / 90
    near = (x / 92) ** 2 + (y[:, None] / 118) ** 2 + dome**2 < 1
    index = np.flatnonzero(near)
    points = _turned(chosen(tuple(c.ravel() for c in grid.points), index), rotation)  # type: ignore[arg-type]
    cavity = np.empty(len(index), np.float32)
    for part in pieces(len(index)):
        cavity[part] = head.cavity(chosen(points, part))
    return _Posed(head, grid, rotation, index, points, cavity)


def _on_grid(values: Field, place: NDArray[np.intp], grid: Grid) -> Field:
    full = np.zeros(int(np.prod(grid.shape)), np.float32)
    full[place] = values
    return full.reshape(grid.shape)


def _pushed(
    posed: _Posed,
    *,
    p: Points,
    depth: Field,
    place: NDArray[np.intp],
    taken: dict[LesionKind, Field],
    contrast: bool,
) -> tuple[Tissues, float]:
    """The brain displaced by what has been put in, and the shift of the septum pellucidum in mm."""
    head, rotation = posed.head, posed.rotation
    push = None
    if taken:
        sources = [(kind, _on_grid(a, place, posed.grid)) for kind, a in taken.items()]
        push = Displacement(sources, posed.grid, 1 - 0.6 * head.traits.atrophy)
    out = Tissues(*(np.empty(len(depth), np.float32) for _ in range(3)))
    for part in pieces(len(depth)):
        here, d = chosen(p, part), depth[part]
        if push is None:
            made = brain(head, here, -d, contrast=contrast)
        else:
            scanner = _turned(here, rotation.T)
            u = push.at(scanner, d)
            came_from = _turned((scanner[0] - u[0], scanner[1] - u[1], scanner[2] - u[2]), rotation)
            squeeze = np.clip(np.sqrt(u[0] ** 2 + u[1] ** 2 + u[2] ** 2) / 7, 0, 0.9)
            cavity = np.minimum(head.cavity(came_from), -d)
            made = brain(head, came_from, cavity, contrast=contrast, squeeze=squeeze)
        out.hu[part], out.cisterns[part], out.ventricles[part] = made.hu, made.cisterns, made.ventricles
    return out, 0.0 if push is None else _septum_shift(push, rotation, head.traits.size)


def _septum_shift(push: Displacement, rotation: NDArray[np.float32], size: float) -> float:
    home = rotation.T @ (np.asarray(_SEPTUM, np.float32) * size)
    at = home
    for _ in range(8):  # the septum now lies where p - u(p) = home
        x, y, z = (np.array([c], np.float32) for c in at)
        at = home + np.concatenate(push.at((x, y, z), np.array([40.0], np.float32)))
    return float((rotation @ (at - home))[0])


def _outside(posed: _Posed, index: NDArray[np.intp], lesions: Sequence[Lesion]) -> Field:
    """Hounsfield units of skull, face, scalp and air around."""
    hu = np.empty(len(index), np.float32)
    fractures = [lesion for lesion in lesions if lesion.kind is LesionKind.FRACTURE]
    for part in pieces(len(index)):
        p, cavity = chosen(posed.points, index[part]), posed.cavity[index[part]]
        cracks = [crack(posed.head.adult(p), lesion) for lesion in fractures]
        swelling = np.maximum.reduce([c[1] for c in cracks]) if cracks else None
        values, bone = surroundings(posed.head, p, cavity, swelling)
        for distance, _ in cracks:
            a = inside(distance) * bone
            values = values + (25 - values) * a
        hu[part] = values
    return hu
