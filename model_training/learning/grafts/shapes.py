"""What grafts are made of: soft edges, smooth noise, a collection along the inner table."""

import numpy as np
from scipy import ndimage

from headct.findings.scoring import HEAD_PIXEL_MM
from model_training.learning.grafts.head import Array, Graft, Head


def collection(
    head: Head, random: np.random.Generator, size_mm: tuple[float, float], power: float, density: float
) -> Graft | None:
    """Blood between skull and brain, half as wide and as thick as ``size_mm``, the brain pushed inwards."""
    depth = head.depth_mm[head.middle]
    at = head.point(random, (depth > 0) & (depth < 2 * HEAD_PIXEL_MM))
    if at is None:
        return None
    wide, thick = size_mm
    along = head.distance_mm(at, random.uniform(0.6, 1.4), random.uniform(-0.6, 0.6) * wide) / wide
    thickness = thick * np.clip(1 - along**power, 0, 1) * (1 + 0.15 * texture(head, random, 5.0))
    share = fade(head.depth_mm - thickness, 0.8) * (thickness > 0.5)
    beyond = np.maximum(head.depth_mm - thickness, 0)
    push = random.uniform(0.3, 0.9) * thickness * np.exp(-beyond / 20) * (beyond > 0)
    mottled = density + random.uniform(0, 8) * texture(head, random, 4.0)
    return Graft(share.astype(np.float32), mottled.astype(np.float32), push.astype(np.float32))


def log_uniform(random: np.random.Generator, low: float, high: float) -> float:
    """Small sizes as often as large ones: small bleeds are what is missed."""
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def fade(edge_mm: Array, soft_mm: float) -> Array:
    """1 well inside (negative), 0 well outside, a soft step between."""
    faded: Array = np.clip(0.5 - edge_mm / (2 * soft_mm), 0, 1)
    return faded


def texture(head: Head, random: np.random.Generator, grain_mm: float) -> Array:
    """Smooth noise of about unit size, alike in neighbouring slabs, shape (slabs, rows, columns)."""
    slabs, rows, columns = head.hu.shape
    step = max(1, round(grain_mm / HEAD_PIXEL_MM))
    shape = (2, rows // step + 3, columns // step + 3)
    coarse = random.standard_normal(shape).astype(np.float32)
    fine = np.stack([ndimage.zoom(c, step, order=1)[:rows, :columns] for c in coarse])
    turn = np.linspace(0, random.uniform(0, 1.2), slabs, dtype=np.float32)[:, None, None]
    mixed: Array = np.cos(turn) * fine[0] + np.sin(turn) * fine[1]
    return mixed
