"""A graft drawn into a head: the brain gives way, the noise stays."""

import numpy as np
from scipy import ndimage

from headct.findings.scoring import HEAD_PIXEL_MM
from model_training.learning.grafts.head import Array, Graft, Head


def draw(head: Head, graft: Graft) -> Array:
    """The head with the graft in it; shape of ``head.hu``."""
    hu = _pushed(head, graft) if graft.push_mm is not None else head.hu
    fine = head.hu - ndimage.gaussian_filter(np.clip(head.hu, -100, 150), (0, 1, 1))
    noise = np.where(np.abs(fine) < 15, fine, 0)
    share = graft.share * head.inside
    drawn: Array = hu - graft.halo * head.inside
    drawn = drawn * (1 - share) + (graft.density_hu + noise) * share
    return drawn.astype(np.float32)


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
