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
from headct.language import Phrase, pgettext
from headct.reasons import Reason, ReasonCode

Vector = NDArray[np.float64]

SLAB_MM = 5.0
"""Height of what is judged; thinner slices are averaged to about this."""
SAME_POSITION_MM = 0.01
"""Slices closer than this lie at one place."""
MAX_EXTENT_MM = 3000.0
"""No scanner's table moves further."""
_PARALLEL = math.cos(math.radians(2.0))
_HOLE = 1.5
"""A gap this many times the median of its neighbours is a hole: one missing slice doubles a gap."""
_SHIFT_MM = 10.0
"""How far a slice may lie beside the line through the others."""
_AXIAL = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_HEAD_MM = 180.0
"""Usual height of a head scan, for slices that say nothing of their places."""
_DEFAULT_FIELD_MM = 230.0
"""Field of view of a head CT, assumed where the header gives no scale at all."""


def _inconsistent(detail: Phrase) -> NotAnalysedError:
    return NotAnalysedError(Reason(ReasonCode.INCONSISTENT_GEOMETRY, str(detail)))


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
        normal = _normal(self.rows_to, self.columns_to)
        return math.degrees(math.atan2(normal[1], normal[2]))

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


@dataclass(frozen=True, slots=True)
class _Plane:
    """One image's place."""

    rows_to: Vector
    columns_to: Vector
    shape: tuple[float | None, float | None]
    stray: str

    def like(self, other: "_Plane") -> bool:
        """Parallel, the same way up, of the same size."""
        return (
            float(self.rows_to @ other.rows_to) > _PARALLEL
            and float(self.columns_to @ other.columns_to) > _PARALLEL
            and self.shape == other.shape
        )


def orientation(header: Dataset) -> tuple[Vector, Vector] | None:
    """Unit vectors in which the column index and the row index grow; ``None`` when absent or impossible."""
    values = numbers(header, "ImageOrientationPatient", 6)
    if values is None:
        return None
    row, column = np.array(values[:3]), np.array(values[3:])
    lengths = float(np.linalg.norm(row)), float(np.linalg.norm(column))
    if not all(0.9 < length < 1.1 for length in lengths):
        return None
    row, column = row / lengths[0], column / lengths[1]
    return (row, column) if abs(float(row @ column)) < 0.05 else None


def is_localizer(header: Dataset) -> bool:
    """Named so by ImageType (PS3.3 C.8.2.1.1.1) or by the scan mode some makers write."""
    words = text(header, "ImageType").upper() + " " + text(header, "ScanOptions").upper()
    return any(w in words for w in ("LOCALIZER", "SCOUT", "TOPOGRAM", "SURVIEW", "SCANOGRAM", "SCANOSCOPE"))


def _stray(header: Dataset) -> str:
    """What an image among slices is that may be left out: a localizer, a dose page; else empty."""
    if is_localizer(header):
        return "localizer"
    captured = text(header, "SOPClassUID").startswith(_SECONDARY_CAPTURE)
    return "screen capture" if captured and orientation(header) is None else ""


def stack(headers: Sequence[Dataset]) -> Stack:
    """The series' stack of parallel slices.

    Localizers and screen captures among them are left out. A slice without orientation is taken to lie as
    the others, or axially; if one lacks its position, all are placed by slice location or instance number:
    an absent attribute alone refuses nothing.

    Raises:
        NotAnalysedError: mixed orientations or sizes, positions that make no stack, missing slices.
    """
    found = [orientation(header) for header in headers]
    strays = [_stray(header) for header in headers]
    stated = [f for f, stray in zip(found, strays, strict=True) if f is not None and not stray]
    default = stated[0] if stated else _AXIAL
    unknown = len(stated) < strays.count("")
    planes = []
    for header, directions, stray in zip(headers, found, strays, strict=True):
        rows_to, columns_to = directions or default
        shape = number(header, "Rows"), number(header, "Columns")
        planes.append(_Plane(rows_to, columns_to, shape, stray))
    members, dropped = _members(planes)
    first = planes[members[0]]
    spacing, spacing_known = _spacing(headers, members)
    along, known = _positions(headers, members, first)
    order = sorted(range(len(members)), key=lambda k: (along[k], text(headers[members[k]], "SOPInstanceUID")))
    positions = along[order]
    found_stack = Stack(
        order=tuple(members[k] for k in order),
        positions_mm=positions,
        rows_to=first.rows_to,
        columns_to=first.columns_to,
        pixel_spacing_mm=spacing,
        dropped=dropped,
        assumed=(
            *(["orientation"] if unknown else []),
            *([] if spacing_known else ["pixel_spacing"]),
            *([] if known else ["slice_positions"]),
        ),
    )
    _refuse_holes(np.diff(positions[np.append(True, np.diff(positions) > SAME_POSITION_MM)]))
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


def _normal(rows_to: Vector, columns_to: Vector) -> Vector:
    """Unit normal of a slice, towards the head (for a coronal or sagittal one to the back or left)."""
    normal = np.cross(rows_to, columns_to)
    normal = normal / np.linalg.norm(normal)
    largest = normal[np.argmax(np.abs(normal))]
    return normal if largest > 0 else -normal


def _members(planes: Sequence[_Plane]) -> tuple[list[int], tuple[str, ...]]:
    """Numbers of the images that make the stack, and what was dropped beside them.

    Strays make a stack only where there is nothing else: captured reformats often lack their orientation.
    """
    kind = next(k for k in ("", "screen capture", "localizer") if any(p.stray == k for p in planes))
    found = [i for i, p in enumerate(planes) if p.stray == kind]
    if not all(planes[i].like(planes[found[0]]) for i in found):
        raise _inconsistent(pgettext("detail", "mixed orientations or sizes"))
    rest = [p.stray for p in planes if p.stray != kind]
    return found, tuple(f"{rest.count(k)} {k}" for k in sorted(set(rest)))


def _spacing(headers: Sequence[Dataset], members: Sequence[int]) -> tuple[tuple[float, float], bool]:
    """Distance between rows and columns, the same for all, and whether the headers say it."""
    found = {
        s for i in members if (s := numbers(headers[i], "PixelSpacing", 2)) and min(s) > 0.05 and max(s) < 5
    }
    if len(found) > 1 and np.ptp(np.array(list(found)), axis=0).max() > 0.01:
        raise _inconsistent(pgettext("detail", "pixel spacing varies"))
    if found:
        rows, columns = max(found)
        return (rows, columns), True
    header = headers[members[0]]
    side = number(header, "Columns") or 512.0
    field = number(header, "ReconstructionDiameter")
    mm = (field if field and 50 < field < 700 else _DEFAULT_FIELD_MM) / side
    return (mm, mm), False


def _positions(headers: Sequence[Dataset], members: Sequence[int], plane: _Plane) -> tuple[Vector, bool]:
    """Position of each member along the normal, and whether the headers say it."""
    corners = [numbers(headers[i], "ImagePositionPatient", 3) for i in members]
    present = [c for c in corners if c is not None]
    if len(present) == len(members):
        if float(np.ptp(np.array(present), axis=0).max()) > MAX_EXTENT_MM:
            raise _inconsistent(pgettext("detail", "images metres apart"))
        along: Vector = np.array(present) @ _normal(plane.rows_to, plane.columns_to)
        _refuse_shifts(along, np.array(present) @ np.stack([plane.rows_to, plane.columns_to], axis=1))
        return along, True
    header = headers[members[0]]
    # Without any step, no more than a head's height: taller, the crop to the head would cut it short.
    usual = min(SLAB_MM, _HEAD_MM / len(members))
    step = number(header, "SpacingBetweenSlices") or number(header, "SliceThickness") or usual
    for keyword, mm in (("SliceLocation", 1.0), ("InstanceNumber", abs(step))):
        places = [p for i in members if (p := number(headers[i], keyword)) is not None]
        if len(set(places)) == len(members) and np.ptp(places) * mm < MAX_EXTENT_MM:
            return np.array(places) * mm, False
    raise _inconsistent(pgettext("detail", "no image positions"))


def _refuse_shifts(along: Vector, across: Vector) -> None:
    """A tilted gantry shifts slices evenly; anything else moves the image from slice to slice."""
    if np.ptp(along) == 0.0:
        return
    line = np.polynomial.polynomial.polyfit(along, across, 1)
    rest = across - np.polynomial.polynomial.polyval(along, line).T
    if float(np.abs(rest).max()) > _SHIFT_MM:
        raise _inconsistent(pgettext("detail", "slices shifted against each other"))


def _refuse_holes(gaps: Vector) -> None:
    """A gap far above those on both its sides means missing slices; a step to wider spacing is regular."""
    for k, gap in enumerate(gaps):
        sides = [side for side in (gaps[max(0, k - 3) : k], gaps[k + 1 : k + 4]) if len(side)]
        usual = max((float(np.median(side)) for side in sides), default=gap)
        if gap > max(_HOLE * usual, 1.0):
            raise _inconsistent(
                pgettext("detail", "slices missing: a gap of {gap} mm", gap=format(gap, ".0f"))
            )
