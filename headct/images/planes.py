"""Where one image lies, by its own header."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from headct.errors import NotAnalysedError
from headct.images.headers import number, numbers
from headct.language import Phrase
from headct.reasons import Reason, ReasonCode

Vector = NDArray[np.float64]

_PARALLEL = math.cos(math.radians(2.0))
_AXIAL = math.cos(math.radians(45.0))
"""Slices whose normal is nearer to the body axis than to any other; gantries tilt up to 30 degrees."""
SHIFT_MM = 10.0
"""How far a slice may lie beside the line through the others."""
_SPACING_MM = 0.01
"""Pixel spacings nearer to each other than this are one, rounded."""
_KEPT = 256
"""Directions that are kept, to the last bit of what headers say: most images lie as the one before."""
AXIAL = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])
"""How an axial image of a patient on their back lies."""


@dataclass(frozen=True, slots=True)
class Plane:
    """One image's directions, size and place, each as far as its header says it."""

    directions: tuple[Vector, Vector] | None
    """In which the column index and the row index grow."""
    size: tuple[float | None, ...]
    """Rows, columns, samples of a pixel, frames."""
    spacing: tuple[float, float] | None
    """Between rows, between columns, where it is one a scanner has."""
    corner: Vector | None
    """Position of the first pixel."""

    @classmethod
    def of(cls, header: Dataset) -> "Plane":
        """Read from a header."""
        spacing, corner = pixel_spacing(header), numbers(header, "ImagePositionPatient", 3)
        return cls(
            directions=orientation(header),
            size=(
                number(header, "Rows"),
                number(header, "Columns"),
                number(header, "SamplesPerPixel") or 1.0,
                number(header, "NumberOfFrames") or 1.0,
            ),
            spacing=spacing,
            corner=None if corner is None else np.array(corner),
        )

    @property
    def rows_to(self) -> Vector:
        """Direction in which the column index grows, an axial image's where it is not known."""
        return (self.directions or AXIAL)[0]

    @property
    def columns_to(self) -> Vector:
        """Direction in which the row index grows, an axial image's where it is not known."""
        return (self.directions or AXIAL)[1]

    @property
    def normal(self) -> Vector:
        """Unit normal; see :func:`normal`."""
        return normal(self.rows_to, self.columns_to)

    @property
    def axial(self) -> bool:
        """Whether the normal is nearer to the body axis than to any other."""
        return self.directions is None or abs(float(self.normal[2])) >= _AXIAL

    def parallel(self, other: "Plane") -> bool:
        """Parallel and the same way up, as far as both say how they lie."""
        if self.directions is other.directions or self.directions is None or other.directions is None:
            return True
        return all(float(a @ b) > _PARALLEL for a, b in zip(self.directions, other.directions, strict=True))

    def scaled_as(self, other: "Plane") -> bool:
        """Of the same pixel spacing, as far as both say it."""
        if self.spacing is None or other.spacing is None:
            return True
        return all(abs(a - b) <= _SPACING_MM for a, b in zip(self.spacing, other.spacing, strict=True))

    def middle(self, spacing: tuple[float, float] | None) -> Vector | None:
        """The image's middle; its corner where its size is unknown, ``None`` where its place is."""
        rows, columns = self.size[:2]
        mm = self.spacing or spacing
        if self.corner is None or mm is None or not rows or not columns:
            return self.corner
        right, down = self.rows_to * mm[1], self.columns_to * mm[0]
        return self.corner + right * (columns - 1) / 2 + down * (rows - 1) / 2


def orientation(header: Dataset) -> tuple[Vector, Vector] | None:
    """Unit vectors in which the column index and the row index grow; ``None`` when absent or impossible."""
    values = numbers(header, "ImageOrientationPatient", 6)
    return None if values is None else _directions(np.array(values).tobytes())


@lru_cache(maxsize=_KEPT)
def _directions(values: bytes) -> tuple[Vector, Vector] | None:
    row, column = np.frombuffer(values).reshape(2, 3)
    lengths = float(np.linalg.norm(row)), float(np.linalg.norm(column))
    if not all(0.9 < length < 1.1 for length in lengths):
        return None
    row, column = row / lengths[0], column / lengths[1]
    row.flags.writeable = column.flags.writeable = False
    return (row, column) if abs(float(row @ column)) < 0.05 else None


def pixel_spacing(header: Dataset) -> tuple[float, float] | None:
    """Millimetres between rows and between columns; ``None`` when absent or impossible."""
    found = numbers(header, "PixelSpacing", 2)
    return (found[0], found[1]) if found and min(found) > 0.05 and max(found) < 5 else None


def normal(rows_to: Vector, columns_to: Vector) -> Vector:
    """Unit normal of a slice, towards the head (for a coronal or sagittal one to the back or left)."""
    return _normal(rows_to.tobytes(), columns_to.tobytes())


@lru_cache(maxsize=_KEPT)
def _normal(rows_to: bytes, columns_to: bytes) -> Vector:
    across = np.cross(np.frombuffer(rows_to), np.frombuffer(columns_to))
    across = across / np.linalg.norm(across)
    largest = across[np.argmax(np.abs(across))]
    found: Vector = across if largest > 0 else -across
    found.flags.writeable = False
    return found


def shifts_mm(along: Vector, across: Vector) -> Vector:
    """How far each image lies beside the line through all: a tilted gantry shifts slices evenly."""
    if np.ptp(along) == 0.0:
        return np.zeros(len(along))
    line = np.polynomial.polynomial.polyfit(along, across, 1)
    rest = across - np.polynomial.polynomial.polyval(along, line).T
    found: Vector = np.abs(rest).max(axis=1)
    return found


def inconsistent(detail: Phrase) -> NotAnalysedError:
    """The error that refuses images which make no stack."""
    return NotAnalysedError(Reason(ReasonCode.INCONSISTENT_GEOMETRY, str(detail)))
