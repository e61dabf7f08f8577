"""Bleeds, infarcts and fractures of a chosen size, and how they push the brain aside."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from headct.generator.anatomy import VAULT_CENTRE, VAULT_RADII
from headct.generator.fields import Field, Points, SmoothNoise, Triple
from headct.generator.volume import Grid


class LesionKind(StrEnum):
    """What can be put into a head."""

    EPIDURAL = "epidural"
    SUBDURAL = "subdural"
    SUBARACHNOID = "subarachnoid"
    INTRAVENTRICULAR = "intraventricular"
    INTRACEREBRAL = "intracerebral"
    INFARCT = "infarct"
    FRACTURE = "fracture"


BLEEDS = frozenset(LesionKind) - {LesionKind.INFARCT, LesionKind.FRACTURE}

# Fresh clotted blood measures 50 to 80 HU; in fluid it is diluted.
BLOOD_HU = {
    LesionKind.EPIDURAL: 66.0,
    LesionKind.SUBDURAL: 63.0,
    LesionKind.INTRACEREBRAL: 67.0,
    LesionKind.SUBARACHNOID: 60.0,
    LesionKind.INTRAVENTRICULAR: 62.0,
}
# How strongly each pushes, against a source in an open medium; chosen so that 50 ml shift the midline by some
# 4 to 6 mm. What lies against the skull can push one way only.
_PUSHES = {
    LesionKind.EPIDURAL: 4.5,
    LesionKind.SUBDURAL: 4.5,
    LesionKind.INTRACEREBRAL: 2.2,
    LesionKind.INFARCT: 0.25,
}


@dataclass(frozen=True, slots=True)
class Lesion:
    """One lesion to be made.

    `volume_ml` is ignored for a fracture. `side` is 1 for the patient's left, -1 for the right. `site` is a
    place in adult head axes (left side), the kind's usual one if None.
    """

    kind: LesionKind
    volume_ml: float = 0.0
    side: int = 1
    site: Triple | None = None
    hu: float | None = None
    """Density if not that of fresh blood: about 20 for an old collection."""


def table_point(direction: Triple) -> Triple:
    """Where a ray from the middle of the vault meets the inner table, in adult axes."""
    d = np.asarray(direction) / np.linalg.norm(np.asarray(direction) / np.asarray(VAULT_RADII))
    x, y, z = (d + np.asarray(VAULT_CENTRE)).tolist()
    return (x, y, z)


_SITES: dict[LesionKind, Triple] = {
    LesionKind.EPIDURAL: (1.0, -0.15, 0.05),
    LesionKind.INTRACEREBRAL: (28, -2, 6),
    LesionKind.INFARCT: (44, -4, 12),
    LesionKind.FRACTURE: (1.0, -0.25, 0.15),
}


def filling_order(lesion: Lesion, q: Points, depth: Field, noise: SmoothNoise) -> Field:
    """In which order the lesion takes up space: a level in mm at points in adult axes, smallest first."""
    x, y, z = q[0] * lesion.side, q[1], q[2]
    site = lesion.site or _SITES.get(lesion.kind, (0, 0, 0))
    wobble = noise(q, 24.0)
    order: Field
    match lesion.kind:
        case LesionKind.EPIDURAL:
            c = table_point(site)
            flat = np.maximum((x - c[0]) ** 2 + (y - c[1]) ** 2 + (z - c[2]) ** 2 - depth**2, 0)
            # Thickness t(1 - r2/R2) with t = R/2.4: a lens, bulging inwards, ending in sharp edges.
            order = 1.2 * depth + np.sqrt((1.2 * depth) ** 2 + flat)
        case LesionKind.SUBDURAL:
            u = [(a - o) / r for a, o, r in zip((x, y, z), VAULT_CENTRE, VAULT_RADII, strict=True)]
            lateral = u[0] / np.sqrt(u[0] ** 2 + u[1] ** 2 + u[2] ** 2 + 1e-6)
            spread = np.clip((lateral - 0.3) / 0.6, 1e-3, 1) * np.clip((z + 22) / 20, 0.01, 1)
            order = (np.maximum(depth, 0) + 0.3) / spread * (1 + 0.08 * wobble)
        case LesionKind.INTRACEREBRAL | LesionKind.INFARCT:
            shape = (0.85, 1.25, 1.0) if lesion.kind is LesionKind.INTRACEREBRAL else (0.9, 1.45, 1.15)
            dx, dy, dz = ((a - c) / s for a, c, s in zip((x, y, z), site, shape, strict=True))
            order = np.sqrt(dx * dx + dy * dy + dz * dz) + 1.8 * wobble + 8 * np.clip(2 - depth, 0, 2)
        case LesionKind.SUBARACHNOID:
            # From the circle of Willis outwards, along the Sylvian fissures first.
            order = np.sqrt((x / 1.5) ** 2 + (y + 6) ** 2 + (1.25 * (z + 8)) ** 2) + 2 * wobble
        case LesionKind.INTRAVENTRICULAR:
            # Blood sinks: the patient lies on the back, and the level is flat.
            order = 60 - y - 0.15 * z + 0.4 * wobble + 3 * (x < 0)
        case _:
            raise ValueError(f"{lesion.kind} fills no space")
    return order


def fill(order: Field, room: Field, volume_ml: float, voxel_ml: float, edge_mm: float = 1.2) -> Field:
    """Fractions of voxels taken when `volume_ml` is poured into `room` (fractions free) in that order.

    Raises ValueError when the room is too small.
    """
    if room.sum() * voxel_ml < volume_ml * 1.02:
        raise ValueError(f"no room for {volume_ml:g} ml")
    # With sharp edges the level is a weighted quantile; soft ones move it by no more than their width.
    some = room > 0
    rising = np.argsort(order[some])
    poured = np.cumsum(room[some][rising]) * voxel_ml
    sharp = float(order[some][rising[np.searchsorted(poured, volume_ml)]])
    low, high = sharp - edge_mm, sharp + edge_mm
    taken = room
    for _ in range(16):
        level = (low + high) / 2
        taken = room * np.clip(0.5 + (level - order) / np.float32(edge_mm), 0, 1)
        amount = float(taken.sum()) * voxel_ml
        if abs(amount - volume_ml) < 0.002 * volume_ml:
            break
        low, high = (level, high) if amount < volume_ml else (low, level)
    return taken.astype(np.float32)


class Displacement:
    """How far lesions push the brain: an incompressible medium making way for them.

    The displacement u with div u = (lesion) and no rotation is the gradient of a potential, the lesion
    convolved with -1/(4 pi r). It fades towards the skull, where fluid spaces are squeezed instead.
    """

    _STEP_MM = 5.0

    def __init__(self, lesions: Sequence[tuple[LesionKind, Field]], grid: Grid, compliance: float) -> None:
        """`lesions`: fractions on the grid by kind. `compliance`: 1 for a tight skull, less with atrophy."""
        every = [max(1, round(self._STEP_MM / s)) for s in reversed(grid.spacing)]
        self._origin = grid.origin
        self._step = tuple(e * s for e, s in zip(every, reversed(grid.spacing), strict=True))
        self._half = [(a - b) / 2 for a, b in zip(reversed(self._step), grid.spacing, strict=True)]
        source = np.zeros(grid.shape, np.float32)
        for kind, fraction in lesions:
            source += _PUSHES.get(kind, 0.0) * fraction
        nz, ny, nx = (n // e for n, e in zip(source.shape, every, strict=True))
        trimmed = source[: nz * every[0], : ny * every[1], : nx * every[2]]
        coarse = trimmed.reshape(nz, every[0], ny, every[1], nx, every[2]).mean(axis=(1, 3, 5))
        shape = [fft.next_fast_len(2 * n) for n in coarse.shape]
        offsets = [np.fft.fftfreq(n, 1 / n) * s for n, s in zip(shape, self._step, strict=True)]
        dz, dy, dx = np.meshgrid(*offsets, indexing="ij", sparse=True)
        r3 = (dx * dx + dy * dy + dz * dz + (0.6 * self._STEP_MM) ** 2) ** 1.5
        spectrum = fft.rfftn(coarse, shape)
        cell = float(np.prod(self._step))
        gain = compliance * cell / (4 * np.pi)
        self._u: list[NDArray[np.float32]] = [
            (gain * fft.irfftn(spectrum * fft.rfftn(d / r3), shape)[:nz, :ny, :nx]).astype(np.float32)
            for d in (dx, dy, dz)
        ]

    def at(self, p: Points, depth: Field) -> Points:
        """Displacement in mm at scanner points `depth` mm inside the inner table."""
        half = self._half
        index = np.stack(
            [
                (p[axis] - np.float32(self._origin[axis] + half[axis])) / np.float32(self._step[2 - axis])
                for axis in (2, 1, 0)
            ]
        )
        fade = np.clip(depth / 14, 0, 1)
        x, y, z = (fade * ndimage.map_coordinates(u, index, order=1, mode="nearest") for u in self._u)
        return x, y, z


def crack(q: Points, lesion: Lesion) -> tuple[Field, Field]:
    """A linear fracture at points in adult axes: distance to its plane, the scalp's swelling, in mm."""
    c = table_point(lesion.site or _SITES[LesionKind.FRACTURE])
    x, y, z = q[0] * lesion.side - c[0], q[1] - c[1], q[2] - c[2]
    r = np.sqrt(x * x + y * y + z * z)
    plane = np.abs(0.85 * y + 0.5 * z + 1.5 * np.sin(z / 9)) - 0.6
    return np.maximum(plane, r - 38), 9 * np.exp(-((r / 26) ** 2))
