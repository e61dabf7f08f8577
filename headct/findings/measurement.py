"""Mask to findings: components, volume, thickness, depth, density; and the midline offset."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from headct.findings.midline import midline_offset_mm
from headct.findings.pieces import distances, pieces
from headct.network.preprocessing import HeadVolume
from headct.terms.assessment import Finding, FindingKind, Location
from headct.triage.rubric import MeasurementLimits, default_rubric

_BONE_HU = 200
"""Denser is bone: above clotted blood and soft calcification, below a newborn's skull."""
_BONE_MIN_ML = 5.0
"""Smaller dense pieces (pineal gland, choroid plexus, falx) are no inner table."""


def measure(
    volume: HeadVolume,
    mask: NDArray[np.bool_],
    limits: MeasurementLimits | None = None,
    offset: Finding | None = None,
) -> tuple[Finding, ...]:
    """Findings of one series: every bleed and old collection, the largest first, then the midline offset.

    ``mask`` has the shape of ``volume.hu``. Epidural, subdural and contusion cannot be told apart from a
    mask and are not claimed. The midline offset is always among the findings; its figure is ``None`` where
    it cannot be measured. It may be given, where several masks of one head are measured.

    Raises:
        ValueError: the mask has another shape than the volume.
    """
    if mask.shape != volume.hu.shape:
        raise ValueError(f"mask of shape {mask.shape} for a volume of shape {volume.hu.shape}")
    limits = limits or default_rubric().limits
    findings = sorted(_collections(volume, mask, limits), key=lambda f: -(f.volume_ml or 0.0))
    return (*findings, offset or midline(volume, limits))


def midline(volume: HeadVolume, limits: MeasurementLimits) -> Finding:
    """The midline offset of a head."""
    return Finding(FindingKind.MIDLINE_OFFSET, offset_mm=midline_offset_mm(volume, limits.csf_min_ml))


def measured(
    volume: HeadVolume, mask: NDArray[np.bool_], limits: MeasurementLimits | None = None
) -> NDArray[np.bool_]:
    """What of a mask the findings' figures are of: no voxel too dense for blood, no piece too small."""
    limits = limits or default_rubric().limits
    found = pieces(mask & (volume.hu <= limits.blood_max_hu))
    return found.those(found.sizes(lambda at: volume.voxel_ml[at[0]]) >= limits.component_min_ml)


def _collections(volume: HeadVolume, mask: NDArray[np.bool_], limits: MeasurementLimits) -> list[Finding]:
    found = pieces(measured(volume, mask, limits))
    if found.count == 0:
        return []
    findings = []
    bone, voxel_ml = _bone(volume), volume.voxel_ml
    for piece, box in found.each():
        ml = piece.sum(axis=(1, 2)) * voxel_ml[box[0]]
        hu = float((np.where(piece, volume.hu[box], 0).sum(axis=(1, 2)) * voxel_ml[box[0]]).sum() / ml.sum())
        peripheral = _depth_mm(volume, bone, piece, box) <= limits.peripheral_max_depth_mm
        slabs = np.flatnonzero(ml) + box[0].start
        findings.append(
            Finding(
                FindingKind.OLD_COLLECTION if hu < limits.old_max_hu else FindingKind.HAEMORRHAGE,
                slices=tuple(sorted({n for slab in slabs for n in volume.slabs[slab]})),
                volume_ml=float(ml.sum()),
                thickness_mm=_thickness_mm(piece, volume.pixel_mm),
                location=Location.PERIPHERAL if peripheral else Location.DEEP,
                mean_hu=hu,
            )
        )
    return findings


def _thickness_mm(piece: NDArray[np.bool_], pixel_mm: tuple[float, float]) -> float:
    """Twice the largest in-plane distance to the edge, in the slice where that is second largest.

    The largest is left out because slices near the vertex cut a flat collection tangentially. On a grid of
    half the pixel size a slab of n pixels measures n pixels exactly, odd or even.
    """
    fine = np.pad(piece.repeat(2, axis=1).repeat(2, axis=2), ((0, 0), (1, 1), (1, 1)))
    half = (pixel_mm[0] / 2, pixel_mm[1] / 2)
    thickness = sorted(2.0 * float(distances(level, level, half).max()) for level in fine if level.any())
    return thickness[-2] if len(thickness) > 1 else thickness[0]


def _bone(volume: HeadVolume) -> NDArray[np.bool_]:
    labels, count = ndimage.label(volume.hu > _BONE_HU)
    slabs, size = labels.shape[0], labels[0].size
    counts = [np.bincount(level, minlength=count + 1) for level in labels.reshape(slabs, size)]
    large = volume.voxel_ml @ np.array(counts) >= _BONE_MIN_ML
    large[0] = False
    bone: NDArray[np.bool_] = large[labels]
    return bone


def _depth_mm(
    volume: HeadVolume, bone: NDArray[np.bool_], piece: NDArray[np.bool_], box: tuple[slice, ...]
) -> float:
    """Median distance of a piece's voxels from the inner table; infinite where no bone is within 2 cm."""
    height = float(np.mean(volume.slab_heights_mm[box[0]]))
    sampling = (height, *volume.pixel_mm)
    margins = [int(np.ceil(20.0 / step)) for step in sampling]
    wide = tuple(
        slice(max(0, s.start - m), min(n, s.stop + m))
        for s, m, n in zip(box, margins, bone.shape, strict=True)
    )
    near = bone[wide]
    if not near.any():
        return float("inf")
    inside = np.zeros(near.shape, bool)
    inside[tuple(slice(s.start - w.start, s.stop - w.start) for s, w in zip(box, wide, strict=True))] = piece
    return float(np.median(distances(~near, inside, sampling)))
