"""Stored pixels of one image to Hounsfield units (DICOM PS3.3 C.7.6.3, C.11.1.1.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRBigEndian

from ..errors import UnreadableError
from ..translation import _
from .headers import number, text

AIR_HU = -1024
"""What padding outside the field of view becomes."""
MAX_SIDE = 4096
"""Rows and columns taken; CT matrices have 256 to 2048."""
_TISSUE_HU = (-200.0, 3000.0)
"""A padding value inside this range is a false one: it would blank out tissue."""

Pixels = NDArray[Any]


def size(header: Dataset) -> tuple[int, int] | None:
    """Rows and columns, ``None`` where there is no image of one grey value a pixel."""
    rows, columns = number(header, "Rows"), number(header, "Columns")
    if rows is None or columns is None or not (2 <= rows <= MAX_SIDE and 2 <= columns <= MAX_SIDE):
        return None
    return (int(rows), int(columns)) if (number(header, "SamplesPerPixel") or 1) == 1 else None


def rescale_known(header: Dataset) -> bool:
    """False where the header gives no rescale and the usual one is assumed."""
    return number(header, "RescaleIntercept") is not None and bool(number(header, "RescaleSlope"))


def hounsfield(image: Dataset, frame: int, header: Dataset) -> Pixels:
    """Hounsfield units of one frame, padding as air; whole numbers (int32) wherever they are whole.

    Args:
        image: holds ``PixelData``, not compressed.
        frame: its number in the image, from 0 on.
        header: what describes the frame; ``image`` itself for an image of one frame.

    Returns:
        shape (rows, columns).

    Raises:
        UnreadableError: no pixels, cut short, compressed, or of an impossible bit depth.
    """
    stored = _stored(image, frame)
    slope, intercept = number(header, "RescaleSlope") or 1.0, number(header, "RescaleIntercept")
    if intercept is None:
        # Unsigned CT is stored with air at 0, signed CT in Hounsfield units, by every maker's habit.
        intercept = 0.0 if number(header, "PixelRepresentation") == 1 else -1024.0
    whole = slope.is_integer() and intercept.is_integer() and max(abs(slope), abs(intercept)) < 2**14
    hu = stored * np.int32(slope) + np.int32(intercept) if whole else stored * slope + intercept
    padding = _padding(header, slope, intercept)
    if padding is not None:
        hu[(stored >= padding[0]) & (stored <= padding[1])] = AIR_HU
    return hu


def _stored(image: Dataset, frame: int) -> NDArray[np.int32]:
    """The stored bits alone, sign extended; the bits beside them may hold overlays (PS3.5 8.1.1)."""
    shape = size(image)
    allocated = int(number(image, "BitsAllocated") or 16)
    bits = int(number(image, "BitsStored") or allocated)
    high = int(number(image, "HighBit") or bits - 1)
    if shape is None or allocated not in (8, 16, 32) or not 1 <= bits <= allocated:
        raise UnreadableError(_("An image has an impossible size or bit depth."))
    if not bits - 1 <= high < allocated:
        high = bits - 1
    syntax = text(getattr(image, "file_meta", Dataset()), "TransferSyntaxUID")
    if syntax and UID(syntax).is_transfer_syntax and UID(syntax).is_compressed:
        raise UnreadableError(_("An image came compressed, and cannot be read here."))
    data = image.get("PixelData")
    count = shape[0] * shape[1]
    if not isinstance(data, bytes) or len(data) < (frame + 1) * count * allocated // 8:
        raise UnreadableError(_("An image is cut short."))
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    kind = np.dtype(f"{order}u{allocated // 8}")
    values = np.frombuffer(data, kind, count, frame * count * kind.itemsize).reshape(shape)
    shifted = values.astype(np.uint32) << np.uint32(31 - high)
    unused = 32 - bits
    if number(image, "PixelRepresentation") == 1:
        return shifted.view(np.int32) >> np.int32(unused)
    return (shifted >> np.uint32(unused)).view(np.int32)


def _padding(header: Dataset, slope: float, intercept: float) -> tuple[float, float] | None:
    """Lowest and highest padding value (PS3.3 C.7.5.1.1.2), unless it would blank out tissue."""
    value, limit = number(header, "PixelPaddingValue"), number(header, "PixelPaddingRangeLimit")
    if value is None:
        return None
    low, high = sorted((value, value if limit is None else limit))
    ends = sorted((low * slope + intercept, high * slope + intercept))
    return (low, high) if ends[1] < _TISSUE_HU[0] or ends[0] > _TISSUE_HU[1] else None
