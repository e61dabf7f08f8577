"""Where the images of one stack lie, by their headers: in the plane, and along its normal."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from headct.images.headers import number, numbers
from headct.images.planes import SHIFT_MM, Plane, Vector, inconsistent, normal, pixel_spacing, shifts_mm
from headct.language import pgettext

SLAB_MM = 5.0
"""Height of what is judged; thinner slices are averaged to about this."""
SAME_POSITION_MM = 0.01
"""Slices closer than this lie at one place."""
MAX_EXTENT_MM = 3000.0
"""No scanner's table moves further."""
_COVERED = 0.75
"""Nearer to a slice than this share of the usual step, the same height is seen again. Interleaved slices are
at most half a step from each other, the next of one pass a whole one."""
AGAIN = 0.6
"""Sweeps that have this share of the smaller one's heights in common are two passes. Shots of one pass
overlap by less: a real head's by a third."""
_HEAD_MM = 180.0
"""Usual height of a head scan, for slices that say nothing of their places."""
_DEFAULT_FIELD_MM = 230.0
"""Field of view of a head CT, assumed where the header gives no scale at all."""


def spacing(headers: Sequence[Dataset], members: Sequence[int]) -> tuple[tuple[float, float], bool]:
    """Distance between rows and columns, the same for all, and whether the headers say it."""
    found = {s for i in members if (s := pixel_spacing(headers[i]))}
    if len(found) > 1 and np.ptp(np.array(list(found)), axis=0).max() > 0.01:
        raise inconsistent(pgettext("detail", "pixel spacing varies"))
    if found:
        rows, columns = max(found)
        return (rows, columns), True
    header = headers[members[0]]
    side = number(header, "Columns") or 512.0
    field = number(header, "ReconstructionDiameter")
    mm = (field if field and 50 < field < 700 else _DEFAULT_FIELD_MM) / side
    return (mm, mm), False


def positions(headers: Sequence[Dataset], members: Sequence[int], plane: Plane) -> tuple[Vector, bool]:
    """Position of each member along the normal, and whether the headers say it."""
    corners = [numbers(headers[i], "ImagePositionPatient", 3) for i in members]
    present = [c for c in corners if c is not None]
    if len(present) == len(members):
        if float(np.ptp(np.array(present), axis=0).max()) > MAX_EXTENT_MM:
            raise inconsistent(pgettext("detail", "images metres apart"))
        along: Vector = np.array(present) @ normal(plane.rows_to, plane.columns_to)
        across = np.array(present) @ np.stack([plane.rows_to, plane.columns_to], axis=1)
        if float(shifts_mm(along, across).max()) > SHIFT_MM:
            raise inconsistent(pgettext("detail", "slices shifted against each other"))
        return along, True
    header = headers[members[0]]
    # Without any step, no more than a head's height: taller, the crop to the head would cut it short.
    usual = min(SLAB_MM, _HEAD_MM / len(members))
    step = number(header, "SpacingBetweenSlices") or number(header, "SliceThickness") or usual
    for keyword, mm in (("SliceLocation", 1.0), ("InstanceNumber", abs(step))):
        places = [p for i in members if (p := number(headers[i], keyword)) is not None]
        if len(set(places)) == len(members) and np.ptp(places) * mm < MAX_EXTENT_MM:
            return np.array(places) * mm, False
    raise inconsistent(pgettext("detail", "no image positions"))


def seen_again(heights_mm: Vector, known_mm: Vector) -> NDArray[np.bool_]:
    """Which heights, between the lowest and the highest known one, are as good as known; both increasing."""
    lowest, highest = known_mm[0] - SAME_POSITION_MM, known_mm[-1] + SAME_POSITION_MM
    inside: NDArray[np.bool_] = (heights_mm >= lowest) & (heights_mm <= highest)
    if not inside.any():
        return inside
    nearest = np.abs(heights_mm[:, None] - known_mm).min(axis=1)
    own = float(np.median(np.diff(heights_mm))) if len(heights_mm) > 1 else math.inf
    step = np.minimum(_steps_at(heights_mm, known_mm), own)
    return np.asarray(inside & (nearest < np.maximum(_COVERED * step, SAME_POSITION_MM)))


def _steps_at(heights_mm: Vector, known_mm: Vector) -> Vector:
    """The usual step of known slices around each height, without the one that it lies in."""
    beside = np.concatenate([[0.0] * 2, np.diff(known_mm), [0.0] * 3])
    at = np.searchsorted(known_mm, heights_mm) + 1  # of the gap that a height lies in
    below, above = (np.maximum(beside[at - side], beside[at - 2 * side]) for side in (1, -1))
    least, most = np.minimum(below, above), np.maximum(below, above)
    return np.asarray(np.where(least > 0, least, most), np.float64)
