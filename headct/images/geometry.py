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

from headct.images.headers import text
from headct.images.members import Members, members
from headct.images.planes import Vector, inconsistent, normal
from headct.images.scans.positions import SLAB_MM, positions, spacing
from headct.language import Phrase


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
    doubt: Phrase | None = None
    """What is wrong if slices turn out to be missing: what was left out."""

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


def stack(headers: Sequence[Dataset], chosen: Members | None = None) -> Stack:
    """The parallel slices among the images, in order; what lies between them is :func:`whole`'s to judge.

    Made of their :func:`headct.images.members.members`; ``chosen`` saves choosing them twice. If one lacks
    its position, all are placed by slice location or instance number: an absent attribute alone refuses
    nothing.

    Raises:
        NotAnalysedError: mixed orientations or sizes, positions that make no stack.
    """
    found = members(headers) if chosen is None else chosen
    if found.refused is not None:
        raise inconsistent(found.refused)
    pixel_spacing_mm, spacing_known = spacing(headers, found.numbers)
    along, known = positions(headers, found.numbers, found.plane)
    order = sorted(
        range(len(found.numbers)), key=lambda k: (along[k], text(headers[found.numbers[k]], "SOPInstanceUID"))
    )
    return Stack(
        order=tuple(found.numbers[k] for k in order),
        positions_mm=along[order],
        rows_to=found.plane.rows_to,
        columns_to=found.plane.columns_to,
        pixel_spacing_mm=pixel_spacing_mm,
        dropped=found.dropped,
        assumed=(
            *([] if found.orientation_known else ["orientation"]),
            *([] if spacing_known else ["pixel_spacing"]),
            *([] if known else ["slice_positions"]),
        ),
        doubt=found.doubt,
    )


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
