"""Where slices lie: one regular stack out of the headers of a series, feet first, and its slabs.

Coordinates are DICOM patient coordinates (PS3.3 C.7.6.2.1.1): x to the patient's left, y to the back, z to
the head.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from headct.errors import NotAnalysedError
from headct.images.headers import number, numbers, text
from headct.images.members import members
from headct.images.planes import SHIFT_MM, Plane, Vector, inconsistent, normal, pixel_spacing, shifts_mm
from headct.language import pgettext

SLAB_MM = 5.0
"""Height of what is judged; thinner slices are averaged to about this."""
SAME_POSITION_MM = 0.01
"""Slices closer than this lie at one place."""
MAX_EXTENT_MM = 3000.0
"""No scanner's table moves further."""
_HOLE = 1.5
"""A gap this many times the median of its neighbours is a hole: one missing slice doubles a gap."""
_HEAD_MM = 180.0
"""Usual height of a head scan, for slices that say nothing of their places."""
_DEFAULT_FIELD_MM = 230.0
"""Field of view of a head CT, assumed where the header gives no scale at all."""


@dataclass(frozen=True, slots=True)
class Stack:
    """Parallel slices in order along their normal."""

    order: tuple[int, ...]
    """Index of each slice's header, feet first."""
    positions_mm: Vector
    """Position of each slice along the normal, not decreasing."""
    rows_to: Vector
    """Direction in which the column index grows."""
    columns_to: Vector
    """Direction in which the row index grows."""
    pixel_spacing_mm: tuple[float, float]
    """As stored: between rows, between columns."""
    dropped: tuple[str, ...]
    assumed: tuple[str, ...]

    @property
    def _transposed(self) -> bool:
        return bool(abs(self.rows_to[0]) < abs(self.columns_to[0]))

    @property
    def spacing_mm(self) -> tuple[float, float]:
        """Between rows and between columns after :meth:`upright`."""
        rows, columns = self.pixel_spacing_mm
        return (columns, rows) if self._transposed else (rows, columns)

    @property
    def tilt_deg(self) -> float:
        """Angle of the normal to the body axis about the left-right axis, positive towards the back."""
        towards = normal(self.rows_to, self.columns_to)
        return math.degrees(math.atan2(towards[1], towards[2]))

    def upright(self, volume: NDArray[np.int16]) -> NDArray[np.int16]:
        """Flip (slices, rows, columns) so that row 0 is anterior and column 0 the patient's right."""
        right_left, front_back = self.rows_to, self.columns_to
        if self._transposed:
            volume = volume.transpose(0, 2, 1)
            right_left, front_back = front_back, right_left
        if right_left[0] < 0:
            volume = volume[:, :, ::-1]
        if front_back[1] < 0:
            volume = volume[:, ::-1]
        return np.ascontiguousarray(volume)

    def only(self, keep: Sequence[int]) -> "Stack":
        """The slices with these numbers."""
        order = tuple(self.order[k] for k in keep)
        return replace(self, order=order, positions_mm=self.positions_mm[list(keep)])


def stack(headers: Sequence[Dataset]) -> Stack:
    """The series' stack of parallel slices.

    Made of its :func:`headct.images.members.members`. If one lacks its position, all are placed by slice
    location or instance number: an absent attribute alone refuses nothing.

    Raises:
        NotAnalysedError: mixed orientations or sizes, positions that make no stack, missing slices.
    """
    found = members(headers)
    if found.refused is not None:
        raise inconsistent(found.refused)
    spacing, spacing_known = _spacing(headers, found.numbers)
    along, known = _positions(headers, found.numbers, found.plane)
    order = sorted(
        range(len(found.numbers)), key=lambda k: (along[k], text(headers[found.numbers[k]], "SOPInstanceUID"))
    )
    positions = along[order]
    found_stack = Stack(
        order=tuple(found.numbers[k] for k in order),
        positions_mm=positions,
        rows_to=found.plane.rows_to,
        columns_to=found.plane.columns_to,
        pixel_spacing_mm=spacing,
        dropped=found.dropped,
        assumed=(
            *([] if found.orientation_known else ["orientation"]),
            *([] if spacing_known else ["pixel_spacing"]),
            *([] if known else ["slice_positions"]),
        ),
    )
    try:
        _refuse_holes(np.diff(positions[np.append(True, np.diff(positions) > SAME_POSITION_MM)]))
    except NotAnalysedError:
        if found.doubt is not None:  # what was left out is missing among the rest
            raise inconsistent(found.doubt) from None
        raise
    return found_stack


def as_stored(volume: NDArray[np.bool_], rows_to: Vector, columns_to: Vector) -> NDArray[np.bool_]:
    """Inverse of :meth:`Stack.upright`: (slices, rows, columns) on the pixels as the images have them."""
    right_left, front_back = rows_to, columns_to
    transposed = abs(rows_to[0]) < abs(columns_to[0])
    if transposed:
        right_left, front_back = front_back, right_left
    if front_back[1] < 0:
        volume = volume[:, ::-1]
    if right_left[0] < 0:
        volume = volume[:, :, ::-1]
    return np.ascontiguousarray(volume.transpose(0, 2, 1) if transposed else volume)


def slabs(positions_mm: Vector) -> tuple[tuple[int, ...], ...]:
    """Consecutive slice numbers averaged into each slab of about :data:`SLAB_MM`; each slice exactly once."""
    count = len(positions_mm)
    if count < 2:
        return ((0,),) * count
    heights = np.gradient(positions_mm)
    groups: list[list[int]] = []
    height = math.inf
    for k in range(count):
        if abs(height + heights[k] - SLAB_MM) < abs(height - SLAB_MM):
            groups[-1].append(k)
            height += heights[k]
        else:
            groups.append([k])
            height = heights[k]
    if len(groups) > 1 and height < SLAB_MM / 2:
        groups[-2:] = [groups[-2] + groups[-1]]
    return tuple(tuple(g) for g in groups)


def _spacing(headers: Sequence[Dataset], members: Sequence[int]) -> tuple[tuple[float, float], bool]:
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


def _positions(headers: Sequence[Dataset], members: Sequence[int], plane: Plane) -> tuple[Vector, bool]:
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


def _refuse_holes(gaps: Vector) -> None:
    """A gap far above those on both its sides means missing slices; a step to wider spacing is regular."""
    for k, gap in enumerate(gaps):
        sides = [side for side in (gaps[max(0, k - 3) : k], gaps[k + 1 : k + 4]) if len(side)]
        usual = max((float(np.median(side)) for side in sides), default=gap)
        if gap > max(_HOLE * usual, 1.0):
            raise inconsistent(
                pgettext("detail", "slices missing: a gap of {gap} mm", gap=format(gap, ".0f"))
            )
