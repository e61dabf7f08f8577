"""Where one image lies, by its own header."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from headct.errors import NotAnalysedError
from headct.images.headers import numbers
from headct.language import Phrase
from headct.reasons import Reason, ReasonCode

Vector = NDArray[np.float64]

_PARALLEL = math.cos(math.radians(2.0))
AXIAL = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])
"""How an axial image of a patient on their back lies."""


@dataclass(frozen=True, slots=True)
class Plane:
    """One image's directions and size."""

    rows_to: Vector
    """Direction in which the column index grows."""
    columns_to: Vector
    """Direction in which the row index grows."""
    shape: tuple[float | None, float | None]

    def like(self, other: "Plane") -> bool:
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


def normal(rows_to: Vector, columns_to: Vector) -> Vector:
    """Unit normal of a slice, towards the head (for a coronal or sagittal one to the back or left)."""
    across = np.cross(rows_to, columns_to)
    across = across / np.linalg.norm(across)
    largest = across[np.argmax(np.abs(across))]
    return across if largest > 0 else -across


def inconsistent(detail: Phrase) -> NotAnalysedError:
    """The error that refuses images which make no stack."""
    return NotAnalysedError(Reason(ReasonCode.INCONSISTENT_GEOMETRY, str(detail)))
