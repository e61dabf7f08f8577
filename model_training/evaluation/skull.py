"""Where the skull runs in a head volume: what lies inside its inner table, and the scalp outside it."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from headct.images.anatomy import BODY_HU, BONE_HU
from headct.network.preprocessing import HeadVolume

_GAP = 8.0
"""Gaps up to twice this, in crop pixels, are closed: sutures, fractures, thin temporal bone."""
_OPEN = 0.6
"""Where less than this share of the bone's hull is enclosed, the ring is open and the hull counts."""
_THIN = 3
"""Things thinner than twice this, in crop pixels, are no part of the head."""

Mask = NDArray[np.bool_]


def inside_skull(hu: NDArray[np.int16]) -> Mask:
    """All that is not bone inside the inner table; where the ring of bone is open, inside its convex hull.

    Blood along the inner table is inside. A hull takes in what lies in the hollows of skull base and face.

    Args:
        hu: shape (slabs, rows, columns).
    """
    inside = np.zeros(hu.shape, bool)
    for slab, level in enumerate(hu):
        bone = _head(level) & (level > BONE_HU)
        hull = _hull(bone) & (level <= BONE_HU)
        enclosed = _enclosed(bone) & hull
        inside[slab] = enclosed if enclosed.sum() >= _OPEN * hull.sum() else hull
    return inside


def scalp_asymmetry(volume: HeadVolume) -> tuple[float, float]:
    """How much more soft tissue one side has outside the skull: swelling tells of the blow, not the bleed.

    The head is upright in its crop, so the sides are the halves of the crop at the middle of the bone. Shares
    of the head's area, so that pixel spacing plays no part; slabs of the upper half of the head alone, above
    ears and face.

    Returns:
        Of the whole scalp, and of the most asymmetric slab.
    """
    upper = volume.hu[len(volume.hu) // 2 :]
    shares = []
    for level in upper:
        head = _head(level)
        bone = head & (level > BONE_HU)
        if not bone.any():
            continue
        skull = _hull(bone)
        # Fat is as old as the patient; fresh swelling is as dense as muscle.
        soft = head & ~skull & (level > 0) & (level <= BONE_HU)
        middle = round(float(np.nonzero(bone)[1].mean()))
        shares.append((soft[:, :middle].sum() / head.sum(), soft[:, middle:].sum() / head.sum()))
    if not shares:
        return 0.0, 0.0
    right, left = np.array(shares).T
    return float(abs(right.mean() - left.mean())), float(np.abs(right - left).max())


def _enclosed(bone: Mask) -> Mask:
    """What a ring of bone encloses; empty where it is open."""
    closed = _closed(bone)
    filled = ndimage.binary_fill_holes(closed)
    hollow = filled & ~closed
    if not hollow.any():
        return hollow
    # Closing fills the hollows of the outer table too; they are nearer to the outside.
    nearer = ndimage.distance_transform_edt(~hollow) < ndimage.distance_transform_edt(filled)
    return np.array(filled & nearer & ~bone)


def _closed(bone: Mask) -> Mask:
    """Morphological closing by distances, which costs the same for any radius."""
    room = int(_GAP) + 1
    padded = np.pad(bone, room)
    if not bone.any():
        return bone
    grown = ndimage.distance_transform_edt(~padded) <= _GAP
    closed: Mask = ndimage.distance_transform_edt(grown) > _GAP
    return closed[room:-room, room:-room] | bone


def _hull(bone: Mask) -> Mask:
    """Pixels within the convex hull."""
    points = np.argwhere(bone & ~ndimage.binary_erosion(bone))
    if len(points) < 3:
        return bone
    try:
        corners = points[ConvexHull(points).vertices]
    except QhullError:  # all in a line
        return bone
    drawn = Image.new("1", bone.shape[::-1])
    ImageDraw.Draw(drawn).polygon([(int(c), int(r)) for r, c in corners], fill=1, outline=1)
    return np.array(drawn) | bone


def _head(level: NDArray[np.int16]) -> Mask:
    """The largest solid thing of a slab, filled; couch and headrest fall off by opening."""
    labels, count = ndimage.label(ndimage.binary_opening(level > BODY_HU, iterations=_THIN))
    if count == 0:
        return np.zeros(level.shape, bool)
    largest = 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    return np.array(ndimage.binary_fill_holes(labels == largest))
