"""What is taken for blood, and how often each is drawn."""

import numpy as np

from headct.findings.scoring import HEAD_PIXEL_MM
from model_training.learning.grafts.head import Graft, Head, Kind
from model_training.learning.grafts.shapes import collection, fade, texture


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
        share = np.maximum(share, fade(edge, random.uniform(0.6, 1.6)))
    return Graft(share, random.uniform(65, 240))


def partial_volume(head: Head, random: np.random.Generator) -> Graft | None:
    """Bone that fills part of a slab: a bright rim along stretches of the inner table."""
    stretch = np.clip(3 * (texture(head, random, 14.0) + random.uniform(-0.3, 0.6)), 0, 1)
    rim = np.exp(-np.maximum(head.depth_mm - HEAD_PIXEL_MM, 0) / random.uniform(0.8, 2.5))
    return Graft(stretch * rim * random.uniform(0.1, 0.8), random.uniform(70, 130))


def beam_hardening(head: Head, random: np.random.Generator) -> Graft | None:
    """Brain that brightens towards the skull over a centimetre or two."""
    stretch = np.clip(1 + texture(head, random, 20.0), 0, 2)
    glow = random.uniform(3, 16) * np.exp(-head.depth_mm / random.uniform(3, 12)) * stretch
    return Graft(np.zeros_like(head.hu), 0.0, halo=-glow)


def dense_sinus(head: Head, random: np.random.Generator) -> Graft | None:
    """Venous sinuses, falx and tentorium a little denser than brain: a thin sheet near the midline or rim."""
    columns = np.flatnonzero(head.inside[head.middle].any(axis=0))
    axis = (columns[0] + columns[-1]) / 2 + random.uniform(-3, 3)
    rows = np.flatnonzero(head.inside[head.middle].any(axis=1))
    at = (int(random.choice([rows[0], rows[-1]])), int(axis))
    off = np.abs(np.arange(head.hu.shape[2], dtype=np.float32) - axis) * HEAD_PIXEL_MM
    sheet = fade(off - random.uniform(0.5, 2.0), 0.8)[None, None]
    sheet = sheet * fade(head.distance_mm(at, 0.2) - random.uniform(8, 60), 5.0)
    return Graft(sheet * random.uniform(0.4, 1.0), random.uniform(45, 66))


def low_density(head: Head, random: np.random.Generator) -> Graft | None:
    """Hygroma, wide sulci, infarct: the shapes of bleeds without their density."""
    if random.random() < 0.5:
        wide, thick = random.uniform(15, 80), random.uniform(2, 10)
        return collection(head, random, (wide, thick), 3.0, random.uniform(8, 24))
    at = head.point(random, head.depth_mm[head.middle] > 3)
    if at is None:
        return None
    ragged = 1 + 0.3 * texture(head, random, 6.0)
    share = fade(head.distance_mm(at, 0.7) * ragged - random.uniform(4, 30), 3.0)
    return Graft(np.zeros_like(share), 0.0, halo=share * random.uniform(4, 16))


MIMICS: dict[Kind, float] = {
    calcification: 0.26,
    partial_volume: 0.2,
    beam_hardening: 0.2,
    dense_sinus: 0.14,
    low_density: 0.2,
}
