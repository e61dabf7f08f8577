"""Bleeds and bleed mimics drawn into real bleed-free heads: what a small collection of patients lacks.

Subarachnoid and layering ventricular blood, collections at the inner table and clots in the brain, each with
its mass effect; and what is taken for blood: calcification, partial volume and beam hardening at the inner
table, dense sinuses, old low-density collections. A graft is a shape in three dimensions evaluated on the few
slabs that are asked for, so it costs milliseconds. It keeps the noise of the scan it is drawn into.

Lengths are in millimetres of an adult-sized head (:data:`headct.scoring.HEAD_PIXEL_MM`): the spacing of a
header may be a placeholder. Sizes and densities are chosen to cover more than is common, not to be likely.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from headct.scoring import HEAD_PIXEL_MM

Array = NDArray[np.floating[Any]]
BONE_HU = 120
SLAB_MM = 5.0
_SMALLEST_BRAIN = 2500
"""Pixels of brain a slab needs to be grafted into: below, it is skull base or vertex."""


@dataclass(frozen=True, slots=True)
class Head:
    """The anatomy that grafts follow, on a window of slabs."""

    hu: Array
    """Shape (slabs, rows, columns)."""
    depth_mm: Array
    """Distance to the inner table, 0 outside the skull."""
    tissue_hu: Array
    """Smoothed, so that sulci and ventricles stand out from noise."""
    brain_hu: float
    """Median of the brain."""
    middle: int
    """Slab the graft is meant for."""

    @classmethod
    def of(cls, hu: NDArray[np.generic], depth_mm: Array, middle: int) -> "Head | None":
        """Anatomy of a window of slabs, or ``None`` where the middle one shows too little brain.

        Args:
            hu: Hounsfield units, shape (slabs, rows, columns).
            depth_mm: from :func:`inner_depth`, same shape.
            middle: slab the graft is meant for.
        """
        inside = depth_mm[middle] > 0
        if inside.sum() < _SMALLEST_BRAIN:
            return None
        values = hu.astype(np.float32)
        tissue = ndimage.gaussian_filter(np.clip(values, -20, 100), (0, 0.9, 0.9))
        return cls(values, depth_mm, tissue, float(np.median(values[middle][inside])), middle)

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Voxels within the skull."""
        return self.depth_mm > 0

    def point(self, random: np.random.Generator, where: NDArray[np.bool_]) -> tuple[int, int] | None:
        """A pixel of the middle slab, of those given."""
        rows, columns = np.nonzero(where)
        if not len(rows):
            return None
        n = int(random.integers(len(rows)))
        return int(rows[n]), int(columns[n])

    def distance_mm(self, at: tuple[int, int], flat: float = 1.0, off_mm: float = 0.0) -> Array:
        """Distance of each voxel from a pixel of the middle slab; ``flat`` stretches along the body axis."""
        slabs, rows, columns = (np.arange(n, dtype=np.float32) for n in self.hu.shape)
        z = ((slabs - self.middle) * SLAB_MM + off_mm) * flat
        r, c = (rows - at[0]) * HEAD_PIXEL_MM, (columns - at[1]) * HEAD_PIXEL_MM
        distance: Array = np.sqrt(z[:, None, None] ** 2 + r[:, None] ** 2 + c**2)
        return distance


@dataclass(frozen=True, slots=True)
class Graft:
    """What is drawn in: how much of each voxel becomes which density, and how the brain gives way."""

    share: Array
    """0 to 1, shape of the head's window."""
    density_hu: Array | float
    push_mm: Array | None = None
    """How far the brain is pushed away from the graft; along the depth for collections at the inner table."""
    centre: tuple[int, int] | None = None
    """Pixel the brain is pushed away from; ``None`` for collections at the inner table."""
    halo: Array | float = field(default=0.0)
    """Hounsfield units taken away around it: oedema."""


def draw(head: Head, graft: Graft) -> Array:
    """The head with the graft in it; shape of ``head.hu``."""
    hu = _pushed(head, graft) if graft.push_mm is not None else head.hu
    fine = head.hu - ndimage.gaussian_filter(np.clip(head.hu, -100, 150), (0, 1, 1))
    noise = np.where(np.abs(fine) < 15, fine, 0)
    share = graft.share * head.inside
    drawn: Array = hu - graft.halo * head.inside
    drawn = drawn * (1 - share) + (graft.density_hu + noise) * share
    return drawn.astype(np.float32)


# Bleeds -----------------------------------------------------------------------------------------------------


def subarachnoid(head: Head, random: np.random.Generator) -> Graft | None:
    """Blood in cisterns and sulci over part of the surface, replacing the fluid there."""
    fluid = np.clip((head.brain_hu - 6 - head.tissue_hu) / 8, 0, 1) * head.inside
    fluid *= head.depth_mm < random.uniform(20, 45)
    at = head.point(random, fluid[head.middle] > 0.4)
    if at is None:
        return None
    reach = _log_uniform(random, 6, 50)
    near = _fade(head.distance_mm(at, flat=random.uniform(0.3, 1.0)) - reach, 6.0)
    share: Array = fluid * near * np.clip(_texture(head, random, 10.0) + random.uniform(0.2, 1.0), 0, 1)
    return Graft(share * random.uniform(0.6, 1.0), random.uniform(45, 72))


def intraventricular(head: Head, random: np.random.Generator) -> Graft | None:
    """Blood in the ventricles: layering at the back with a level, or a cast."""
    fluid = np.clip((head.brain_hu - 12 - head.tissue_hu) / 6, 0, 1) * (head.depth_mm > 20)
    if (fluid[head.middle] > 0.5).sum() < 12:
        return None
    labels, _ = ndimage.label(fluid > 0.5)
    share = np.zeros_like(fluid)
    cast = random.random() < 0.25
    filled = random.uniform(0.1, 0.6)
    rows = np.arange(fluid.shape[1], dtype=np.float32)[None, :, None]
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        own = labels[box] == label
        if own.sum() < 40 or random.random() < 0.25:
            continue
        top, bottom = box[1].start, box[1].stop
        level = bottom - (bottom - top) * filled
        under = 1.0 if cast else np.clip(rows - level, 0, 1)
        share = np.maximum(share, fluid * (labels == label) * under).astype(np.float32)
    return Graft(share, random.uniform(50, 75)) if (share[head.middle] > 0.5).sum() >= 6 else None


def intracerebral(head: Head, random: np.random.Generator) -> Graft | None:
    """A clot in the brain with oedema, pushing its surroundings away."""
    radius = _log_uniform(random, 2.5, 24)
    at = head.point(random, head.depth_mm[head.middle] > min(0.8 * radius + 2, 30))
    if at is None:
        return None
    distance = head.distance_mm(at, random.uniform(0.7, 1.3), random.uniform(-0.6, 0.6) * radius)
    edge = distance * (1 + np.clip(0.25 * _texture(head, random, 6.0), -0.4, 0.6)) - radius
    share = _fade(edge, 1.2)
    halo = random.uniform(0, 9) * _fade(edge - random.uniform(2, 8), 3.0) * (1 - share)
    push = random.uniform(0.1, 0.45) * radius * np.exp(-np.maximum(edge, 0) / (1.2 * radius + 4))
    density = random.uniform(52, 78) + 6 * _texture(head, random, 3.0)
    return Graft(share, density.astype(np.float32), push.astype(np.float32), at, halo)


def contusion(head: Head, random: np.random.Generator) -> Graft | None:
    """Patchy blood and oedema in the cortex."""
    at = head.point(random, (head.depth_mm[head.middle] > 2) & (head.depth_mm[head.middle] < 18))
    if at is None:
        return None
    radius = _log_uniform(random, 3, 18)
    near = _fade(head.distance_mm(at, 1.0, random.uniform(-0.5, 0.5) * radius) - radius, 3.0)
    texture = _texture(head, random, random.uniform(2.0, 4.0))
    patches = np.clip(2.5 * (texture - random.uniform(0.0, 0.4)), 0, 1)
    return Graft(near * patches, random.uniform(48, 70), halo=near * random.uniform(2, 9))


def epidural(head: Head, random: np.random.Generator) -> Graft | None:
    """A lens at the inner table."""
    wide = _log_uniform(random, 6, 38)
    return _collection(head, random, (wide, random.uniform(0.12, 0.5) * wide), 2.0, random.uniform(52, 76))


def subdural(head: Head, random: np.random.Generator) -> Graft | None:
    """A crescent along the inner table, often of mixed density."""
    size_mm = _log_uniform(random, 25, 90), _log_uniform(random, 1.5, 12)
    return _collection(head, random, size_mm, 4.0, random.uniform(46, 72))


# Mimics -----------------------------------------------------------------------------------------------------


def calcification(head: Head, random: np.random.Generator) -> Graft | None:
    """Choroid plexus, pineal, basal ganglia, falx: small, dense, sharp, often on both sides."""
    share = np.zeros_like(head.hu)
    at = head.point(random, head.depth_mm[head.middle] > random.choice([4, 25]))
    if at is None:
        return None
    columns = np.flatnonzero(head.inside[head.middle].any(axis=0))
    mirrored = (at[0], int(columns[0] + columns[-1] - at[1]))
    for centre in (at, mirrored) if random.random() < 0.4 else (at,):
        edge = head.distance_mm(centre, random.uniform(0.6, 1.4)) - random.uniform(0.8, 4.5)
        share = np.maximum(share, _fade(edge, random.uniform(0.6, 1.6)))
    return Graft(share, random.uniform(65, 240))


def partial_volume(head: Head, random: np.random.Generator) -> Graft | None:
    """Bone that fills part of a slab: a bright rim along stretches of the inner table."""
    stretch = np.clip(3 * (_texture(head, random, 14.0) + random.uniform(-0.3, 0.6)), 0, 1)
    rim = np.exp(-np.maximum(head.depth_mm - HEAD_PIXEL_MM, 0) / random.uniform(0.8, 2.5))
    return Graft(stretch * rim * random.uniform(0.1, 0.8), random.uniform(70, 130))


def beam_hardening(head: Head, random: np.random.Generator) -> Graft | None:
    """Brain that brightens towards the skull over a centimetre or two."""
    stretch = np.clip(1 + _texture(head, random, 20.0), 0, 2)
    glow = random.uniform(3, 16) * np.exp(-head.depth_mm / random.uniform(3, 12)) * stretch
    return Graft(np.zeros_like(head.hu), 0.0, halo=-glow)


def dense_sinus(head: Head, random: np.random.Generator) -> Graft | None:
    """Venous sinuses, falx and tentorium a little denser than brain: a thin sheet near the midline or rim."""
    columns = np.flatnonzero(head.inside[head.middle].any(axis=0))
    axis = (columns[0] + columns[-1]) / 2 + random.uniform(-3, 3)
    rows = np.flatnonzero(head.inside[head.middle].any(axis=1))
    at = (int(random.choice([rows[0], rows[-1]])), int(axis))
    off = np.abs(np.arange(head.hu.shape[2], dtype=np.float32) - axis) * HEAD_PIXEL_MM
    sheet = _fade(off - random.uniform(0.5, 2.0), 0.8)[None, None]
    sheet = sheet * _fade(head.distance_mm(at, 0.2) - random.uniform(8, 60), 5.0)
    return Graft(sheet * random.uniform(0.4, 1.0), random.uniform(45, 66))


def low_density(head: Head, random: np.random.Generator) -> Graft | None:
    """Hygroma, wide sulci, infarct: the shapes of bleeds without their density."""
    if random.random() < 0.5:
        wide, thick = random.uniform(15, 80), random.uniform(2, 10)
        return _collection(head, random, (wide, thick), 3.0, random.uniform(8, 24))
    at = head.point(random, head.depth_mm[head.middle] > 3)
    if at is None:
        return None
    ragged = 1 + 0.3 * _texture(head, random, 6.0)
    share = _fade(head.distance_mm(at, 0.7) * ragged - random.uniform(4, 30), 3.0)
    return Graft(np.zeros_like(share), 0.0, halo=share * random.uniform(4, 16))


Kind = Callable[[Head, np.random.Generator], Graft | None]

BLEEDS: dict[Kind, float] = {
    subarachnoid: 0.22,
    intraventricular: 0.2,
    intracerebral: 0.2,
    contusion: 0.12,
    epidural: 0.13,
    subdural: 0.13,
}
MIMICS: dict[Kind, float] = {
    calcification: 0.26,
    partial_volume: 0.2,
    beam_hardening: 0.2,
    dense_sinus: 0.14,
    low_density: 0.2,
}
_TRIES = 3


def one_of(kinds: dict[Kind, float], head: Head, random: np.random.Generator) -> Graft | None:
    """A graft of a random kind that fits this head; ``None`` if none was found soon."""
    for _ in range(_TRIES):
        number = random.choice(len(kinds), p=np.array(list(kinds.values())) / sum(kinds.values()))
        graft = list(kinds)[int(number)](head, random)
        if graft is not None:
            return graft
    return None


# Shapes -----------------------------------------------------------------------------------------------------


def _collection(
    head: Head, random: np.random.Generator, size_mm: tuple[float, float], power: float, density: float
) -> Graft | None:
    """Blood between skull and brain, half as wide and as thick as ``size_mm``, the brain pushed inwards."""
    depth = head.depth_mm[head.middle]
    at = head.point(random, (depth > 0) & (depth < 2 * HEAD_PIXEL_MM))
    if at is None:
        return None
    wide, thick = size_mm
    along = head.distance_mm(at, random.uniform(0.6, 1.4), random.uniform(-0.6, 0.6) * wide) / wide
    thickness = thick * np.clip(1 - along**power, 0, 1) * (1 + 0.15 * _texture(head, random, 5.0))
    share = _fade(head.depth_mm - thickness, 0.8) * (thickness > 0.5)
    beyond = np.maximum(head.depth_mm - thickness, 0)
    push = random.uniform(0.3, 0.9) * thickness * np.exp(-beyond / 20) * (beyond > 0)
    mottled = density + random.uniform(0, 8) * _texture(head, random, 4.0)
    return Graft(share.astype(np.float32), mottled.astype(np.float32), push.astype(np.float32))


def _pushed(head: Head, graft: Graft) -> Array:
    """The head with its brain displaced in the plane: each voxel shows what lay nearer to the graft."""
    push = graft.push_mm
    assert push is not None
    rows, columns = np.indices(head.hu.shape[1:], dtype=np.float32)
    out = np.empty_like(head.hu)
    for n, slab in enumerate(head.hu):
        if graft.centre is None:
            smooth: Array = ndimage.gaussian_filter(head.depth_mm[n], 2.0)
            inwards = np.stack([np.gradient(smooth, axis=0), np.gradient(smooth, axis=1)])
        else:
            inwards = np.stack([rows - graft.centre[0], columns - graft.centre[1]])
        length = np.maximum(np.hypot(*inwards), 1e-3)
        shift = push[n] / HEAD_PIXEL_MM * inwards / length * (head.depth_mm[n] > 0)
        # What would be fetched from bone stays: brain does not come out of the skull.
        room = np.minimum(1.0, head.depth_mm[n] / HEAD_PIXEL_MM / np.maximum(np.hypot(*shift) + 1, 1e-3))
        shift = shift * room
        out[n] = ndimage.map_coordinates(slab, [rows - shift[0], columns - shift[1]], order=1, mode="nearest")
    return out


def _log_uniform(random: np.random.Generator, low: float, high: float) -> float:
    """Small sizes as often as large ones: small bleeds are what is missed."""
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def _fade(edge_mm: Array, soft_mm: float) -> Array:
    """1 well inside (negative), 0 well outside, a soft step between."""
    faded: Array = np.clip(0.5 - edge_mm / (2 * soft_mm), 0, 1)
    return faded


def _texture(head: Head, random: np.random.Generator, grain_mm: float) -> Array:
    """Smooth noise of about unit size, alike in neighbouring slabs, shape (slabs, rows, columns)."""
    slabs, rows, columns = head.hu.shape
    step = max(1, round(grain_mm / HEAD_PIXEL_MM))
    shape = (2, rows // step + 3, columns // step + 3)
    coarse = random.standard_normal(shape).astype(np.float32)
    fine = np.stack([ndimage.zoom(c, step, order=1)[:rows, :columns] for c in coarse])
    turn = np.linspace(0, random.uniform(0, 1.2), slabs, dtype=np.float32)[:, None, None]
    mixed: Array = np.cos(turn) * fine[0] + np.sin(turn) * fine[1]
    return mixed


def inner_depth(slab: NDArray[np.int16]) -> Array:
    """Distance in mm to the inner table, shape (rows, columns), 0 outside the skull and in air."""
    bone = slab > BONE_HU
    closed = ndimage.binary_closing(bone, iterations=2) | bone
    inside = ndimage.binary_fill_holes(closed) & ~bone & (slab > -30)
    inside = ndimage.binary_opening(inside, iterations=3)
    labels, count = ndimage.label(inside)
    if count == 0:
        return np.zeros(slab.shape, np.float32)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    kept = np.isin(labels, np.flatnonzero(sizes >= max(300, sizes.max() // 6)))
    # The opening rounds the corners off at the table; what it took there is given back.
    kept = ndimage.binary_dilation(kept, iterations=2, mask=ndimage.binary_fill_holes(closed) & ~bone)
    depth: Array = (ndimage.distance_transform_edt(kept) * HEAD_PIXEL_MM).astype(np.float32)
    return depth
