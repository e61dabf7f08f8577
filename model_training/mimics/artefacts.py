"""What the scanner makes: beam hardening, motion, streaks from metal outside, partial volume."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from headct.generator.fields import Field, Points, capsule
from model_training.mimics.attenuation import Material, hardened, with_metal
from model_training.mimics.projection import VIEWS, projected, reconstructed
from model_training.mimics.space import Box, Space, around

Array = NDArray[np.floating[Any]]

BASE_MM = 0.0
"""The petrous bones and what lies between them are below."""
LEFT_OVER = (0.5, 1.3)
"""Share of the error of a water correction that is left; scanners correct for bone too, old ones less. Ours:
the bar between the petrous bones then comes out 5 to 20 HU too dark."""
TURN_DEG, SHIFT_MM = (0.5, 4.0), (0.5, 4.0)
"""Movement within one turn of the tube. Over a whole scan 58 % of stroke patients hardly moved, 24 % mildly,
19 % enough to matter (European Journal of Radiology 2021;144:109979); a slice shows what fell into it. The
figures are ours."""
POSES = 8
AS_COARSE = 0.7
"""Width in pixels of a Gaussian that blurs as Hann's window does."""
THICK_MM = (8.0, 10.0)
"""Slices at the vertex of incremental scanners were so thick; those of 5 mm show less."""


def beam_hardening(space: Space, random: np.random.Generator) -> Array:
    """The dark bar between the petrous bones, and the bright bands beside it."""
    slabs = space.slabs(-60.0, BASE_MM)
    hu = space.hu.copy()
    hu[slabs] = hardened(hu[slabs], random.uniform(*LEFT_OVER))
    return hu


def motion(space: Space, random: np.random.Generator) -> Array:
    """The head turns and slides while some slices are taken: streaks from its edges, doubled skull."""
    slabs = space.slabs(-30.0, 70.0)
    count = int(random.integers(2, 7))
    first = int(random.integers(slabs.start, max(slabs.stop - count, slabs.start + 1)))
    hu = space.hu.copy()
    for slab in range(first, min(first + count, slabs.stop)):
        turn = random.choice([-1, 1]) * random.uniform(*TURN_DEG)
        heading = random.uniform(0, 2 * np.pi)
        shift = random.uniform(*SHIFT_MM) * space.pixel[0] * np.array([np.sin(heading), np.cos(heading)])
        hu[slab] += _moved(hu[slab], turn, shift, random)
    return hu


def _moved(slab: Array, turn_deg: float, shift: Array, random: np.random.Generator) -> Array:
    """What is wrong with a slab when the head moved during it, between two rests."""
    density = np.clip((slab + 1000) / 1000, 0, 3)
    begin, takes = random.uniform(0.1, 0.7), random.uniform(0.05, 0.35)
    parts = np.linspace(0, 1, POSES)
    lines = projected(np.stack([_posed(density, turn_deg * part, shift * part) for part in parts]))
    wrong = np.zeros(lines[0].shape, np.float32)
    # A whole turn sees each line from both sides; begin and end of the turn, which may not fit, count least.
    for half in (0.0, 0.5):
        time = half + np.arange(VIEWS) / (2 * VIEWS)
        pose = np.clip((time - begin) / takes, 0, 1) * (POSES - 1)
        before = np.minimum(pose.astype(int), POSES - 2)
        part, view = (pose - before)[:, None], np.arange(VIEWS)
        seen = (1 - part) * lines[before, view] + part * lines[before + 1, view]
        wrong += (np.sin(np.pi * time)[:, None] ** 2 * (seen - lines[0])).astype(np.float32)
    # Edges finer than the reconstruction's would stay behind where the head was before.
    coarse = ndimage.gaussian_filter(density, AS_COARSE)
    change: Array = (reconstructed(wrong[None])[0] + coarse - density) * 1000
    return change


def _posed(image: Array, turn_deg: float, shift: Array) -> Array:
    a = np.deg2rad(turn_deg)
    matrix = np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
    # People turn about the neck, behind the middle of the slice.
    pivot = np.array([0.65, 0.5]) * image.shape
    posed: Array = ndimage.affine_transform(image, matrix, pivot - matrix @ (pivot + shift), order=1)
    return posed


def metal_outside(space: Space, random: np.random.Generator) -> Array:
    """Streaks from staples in a sutured scalp, or from electrodes on it."""
    staples = random.random() < 0.5
    turn, lift = random.uniform(0, 2 * np.pi), random.uniform(0.0, 0.8)
    count = int(random.integers(4, 11)) if staples else int(random.integers(6, 15))
    places = []
    for _ in range(count):
        if staples:  # along a wound, some 6 mm apart
            turn, lift = turn + random.normal(0.075, 0.01), lift + random.normal(0, 0.02)
        else:
            turn, lift = random.uniform(0, 2 * np.pi), random.uniform(-0.1, 1.0)
        at = np.array(space.table_point((float(np.cos(turn)), float(np.sin(turn)), lift)))
        out = at - (0, 0, 12)
        # Skull and scalp together: some 7 and 6 mm.
        places.append(at + out / np.linalg.norm(out) * (13.0 if staples else 14.5))
    # A staple is a wire of 0.5 mm, 5 mm wide; an electrode a disc of silver or tin, 10 by 1 mm.
    half, radius = (2.5, 0.45) if staples else (3.5, 0.9)

    def pieces(p: Points) -> Field:
        nearest = np.full(p[0].shape, 99.0, np.float32)
        for at in places:
            along = np.array([-at[1], at[0], 0.0]) / max(np.hypot(at[0], at[1]), 1.0) * half
            a, b = at - along, at + along
            nearest = np.minimum(
                nearest,
                capsule(
                    p,
                    (float(a[0]), float(a[1]), float(a[2])),
                    (float(b[0]), float(b[1]), float(b[2])),
                    radius,
                ),
            )
        return nearest

    corners = [(float(at[0]), float(at[1]), float(at[2])) for at in places]
    return placed(space, pieces, around(6.0, *corners), Material.STEEL, random)


def placed(
    space: Space,
    shape: Any,
    box: Box,
    material: Material,
    random: np.random.Generator,
    *,
    hu: Array | None = None,
    packed: float = 1.0,
) -> Array:
    """Metal of a shape in the head, with its streaks in the slabs it reaches.

    Args:
        space: the head.
        shape: signed distance in the head's axes.
        box: corners between which it lies.
        material: what it is of.
        random: draws the noise.
        hu: the head as it was changed before; ``space.hu`` when not given.
        packed: share of the shape that is metal.
    """
    out = (space.hu if hu is None else hu).copy()
    share = space.share(shape, box, 1.0) * packed
    some = np.flatnonzero(share.max(axis=(1, 2)) > 0.01)
    if len(some):
        out[some] = with_metal(out[some], share[some], material, random)
    return out


def vertex_partial_volume(space: Space, random: np.random.Generator) -> Array:
    """Thick slices at the vertex, where the skull runs slantwise and shines through the brain."""
    slabs = space.slabs(35.0, 90.0)
    thick = random.uniform(*THICK_MM)
    hu = space.hu.copy()
    for slab in range(slabs.start, slabs.stop):
        reach = np.clip(
            (space.thick_mm + thick) / 2 - np.abs(space.z_mm - space.z_mm[slab]), 0, space.thick_mm
        )
        reach[slab] = min(space.thick_mm[slab], thick)
        hu[slab] = np.tensordot(reach / reach.sum(), space.hu, axes=1)
    return hu
