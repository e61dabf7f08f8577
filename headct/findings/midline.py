"""Midline offset: where the deep cerebrospinal fluid lies against the head's mirror axis."""

import numpy as np
from numpy.typing import NDArray

from headct import in_plane, threads
from headct.findings.pieces import distances
from headct.network.preprocessing import HeadVolume

_BONE_HU = 200
_FAT_HU = -15
"""Below is fat or air."""
_CSF_BELOW_BRAIN_HU = 15
"""Fluid is at least this much darker than the brain's median: halfway to the 5 HU of fluid, whatever the
scanner's offset."""
_BRAIN_HU = (15, 60)
_DEEP = 0.4
"""Deep is more than this part of the slab's largest depth from the inner table: 26 of 65 mm in adults."""
_RING = 6
"""Pixels from either side by which a gap in the ring of bone is closed."""
_CENTRAL = 0.75
"""Slabs count whose largest depth is at least this part of the head's: vertex and skull base are left out."""


def midline_offset_mm(volume: HeadVolume, csf_min_ml: float) -> float | None:
    """Distance of the deep fluid's centroid from the mirror axis, positive towards the patient's left.

    ``None``, not measurable, with under ``csf_min_ml`` of deep fluid (swollen brain, a child, a part of a
    head). The measure is coarse: it can raise an urgency, never lower one.
    """
    hu = _half(volume.hu)
    pixel = (2 * volume.pixel_mm[0], 2 * volume.pixel_mm[1])
    bone = hu > _BONE_HU
    depth = _cavity_depth(bone, pixel)
    largest = depth.max(axis=(1, 2))
    central = largest >= _CENTRAL * largest.max()
    if largest.max() <= 0 or not bone[central].any():
        return None
    inside = depth > 0
    inside[~central] = False
    brain = hu[inside & (hu > _BRAIN_HU[0]) & (hu < _BRAIN_HU[1])]
    if brain.size == 0:
        return None
    deep = inside & (depth > _DEEP * largest[:, None, None])
    fluid = deep & (hu > _FAT_HU) & (hu < np.median(brain) - _CSF_BELOW_BRAIN_HU)
    ml = fluid.sum(axis=(1, 2)) * volume.voxel_ml * 4
    if ml.sum() < csf_min_ml:
        return None
    axis = _mirror_axis(bone, central)
    columns = np.arange(hu.shape[2])
    per_slab = (fluid * (columns - axis[:, None])[:, None, :]).sum(axis=(1, 2)) * volume.voxel_ml * 4
    return float(per_slab.sum() / ml.sum() * pixel[1])


def _half(hu: NDArray[np.int16]) -> NDArray[np.float32]:
    """Mean of 2 by 2 pixels: a quarter of the work and half the noise."""
    even = hu[:, : hu.shape[1] // 2 * 2, : hu.shape[2] // 2 * 2]
    total = even[:, ::2, ::2].astype(np.float32)
    for row, column in ((0, 1), (1, 0), (1, 1)):
        total += even[:, row::2, column::2]
    return total / np.float32(4)


def _cavity_depth(bone: NDArray[np.bool_], pixel: tuple[float, float]) -> NDArray[np.float64]:
    """In-plane distance from the inner table in mm, shape of ``bone``; 0 outside the closed ring of bone."""
    closed = in_plane.closed(bone, _RING)
    cavities = in_plane.filled(closed) & ~closed
    depth = np.zeros(bone.shape)

    def measure(slab: int) -> None:
        depth[slab][cavities[slab]] = distances(cavities[slab], cavities[slab], pixel)

    threads.each(measure, np.flatnonzero(cavities.any(axis=(1, 2))).tolist())
    return depth


def _mirror_axis(bone: NDArray[np.bool_], central: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Column of the mirror axis of each slab, a straight line through the central slabs' own axes.

    A slab's axis is where its bone fits its own mirror image best; the line allows for a head leaning to
    one side.
    """
    slabs = np.flatnonzero(central & bone.any(axis=(1, 2)))
    columns = bone.shape[2]
    size = 2 * columns
    spectrum = np.fft.rfft(bone[slabs].astype(np.float32), size, axis=2)
    # Convolving each row with itself peaks at twice the axis of mirror symmetry.
    fit = np.fft.irfft((spectrum**2).sum(axis=1), size, axis=1)
    best = np.clip(fit.argmax(axis=1), 1, size - 2)
    rows = np.arange(len(slabs))
    before, at, after = fit[rows, best - 1], fit[rows, best], fit[rows, best + 1]
    bend = before - 2 * at + after
    own = (best + np.where(bend < 0, (before - after) / np.where(bend < 0, 2 * bend, 1.0), 0.0)) / 2
    # Theil and Sen's line: medians, so that a few misled slabs do not turn it.
    first, second = np.triu_indices(len(slabs), k=1)
    slope = np.median((own[second] - own[first]) / (slabs[second] - slabs[first])) if len(first) else 0.0
    level = np.median(own - slope * slabs)
    return np.asarray(level + slope * np.arange(len(bone)), np.float64)
