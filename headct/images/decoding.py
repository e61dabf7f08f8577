"""Stored pixels to Hounsfield units, for every transfer syntax a CT comes in.

Errors of the image are raised as :class:`NotAnalysedError` with the code ``unreadable``.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID, RLELossless

from headct.errors import NotAnalysedError
from headct.images.compression import Pixels, decompressed, joined, run_length, unreadable
from headct.images.files.parsing import pixels
from headct.images.headers import number, text
from headct.images.quiet import quiet
from headct.images.series import DicomSource, Sources
from headct.language import pgettext

AIR_HU = -1024
"""What padding outside the field of view becomes, and the lowest value kept."""
HIGHEST_HU = 30_000
MIN_SIDE, MAX_SIDE = 32, 2048
"""Rows and columns taken: CT matrices are 256 to 2048; more is a damaged header."""

_UNDEFINED_LENGTH = 0xFFFFFFFF
_ENCAPSULATED_UNCOMPRESSED = "1.2.840.10008.1.2.1.98"
_DENSE_HU, _DENSE_SHARE = 2000.0, 0.1
"""More of a slice above this is no head but air whose values wrapped round (at most 0.4 % in real ones)."""
_BONE = 0.7
"""Of the highest value of twelve signed bits: 400 HU, as bone about denser bone has."""
_AIR_HU = -500.0
"""What lies around a head is below this."""
_TISSUE_HU = (-200.0, 3000.0)
"""A padding value inside this range is a false one: it would blank out tissue."""


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """How one image's stored values are laid out (DICOM PS3.3 C.7.6.3) and become Hounsfield units."""

    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    slope: float
    intercept: float
    rescale_known: bool
    """False when the header gives no rescale and the usual one is assumed."""
    padding: tuple[int, int] | None
    """Lowest and highest stored value that stand for no data."""

    @classmethod
    def of(cls, header: Dataset) -> "PixelFormat":
        """Read from a header.

        Raises:
            NotAnalysedError: dimensions or bit depth missing or impossible, colour, several frames.
        """
        rows, columns = number(header, "Rows"), number(header, "Columns")
        if rows is None or columns is None:
            raise unreadable(pgettext("detail", "no image size"))
        if not (MIN_SIDE <= rows <= MAX_SIDE and MIN_SIDE <= columns <= MAX_SIDE):
            raise unreadable(
                pgettext(
                    "detail",
                    "impossible image size {rows} x {columns}",
                    rows=format(rows, ".0f"),
                    columns=format(columns, ".0f"),
                )
            )
        palette = text(header, "PhotometricInterpretation").upper() == "PALETTE COLOR"
        if palette or (number(header, "SamplesPerPixel") or 1) != 1:
            raise unreadable(pgettext("detail", "colour image"))
        if (number(header, "NumberOfFrames") or 1) != 1:
            raise unreadable(pgettext("detail", "several frames in one image"))
        allocated = int(number(header, "BitsAllocated") or 16)
        stored = int(number(header, "BitsStored") or allocated)
        high_bit = int(number(header, "HighBit") or stored - 1)
        if allocated not in (8, 16, 32) or not 1 <= stored <= allocated:
            raise unreadable(
                pgettext(
                    "detail",
                    "impossible bit depth {stored} of {allocated}",
                    stored=stored,
                    allocated=allocated,
                )
            )
        if not stored - 1 <= high_bit < allocated:
            high_bit = stored - 1
        signed = number(header, "PixelRepresentation") == 1
        slope, intercept = number(header, "RescaleSlope"), number(header, "RescaleIntercept")
        known = intercept is not None and slope is not None and slope != 0
        slope = slope or 1.0
        if intercept is None:
            # Unsigned CT is stored with air at 0, signed CT in Hounsfield units, by every maker's habit.
            intercept = 0.0 if signed else -1024.0
        return cls(
            rows=int(rows),
            columns=int(columns),
            bits_allocated=allocated,
            bits_stored=stored,
            high_bit=high_bit,
            signed=signed,
            slope=slope,
            intercept=intercept,
            rescale_known=known,
            padding=_padding(header, stored, signed, slope, intercept),
        )


def _padding(
    header: Dataset, bits: int, signed: bool, slope: float, intercept: float
) -> tuple[int, int] | None:
    """Lowest and highest padding value (DICOM PS3.3 C.7.5.1.1.2), unless it would blank out tissue."""
    value, limit = number(header, "PixelPaddingValue"), number(header, "PixelPaddingRangeLimit")
    if value is None:
        return None
    if limit is None:
        value = limit = _as_stored(value, bits, signed)
    low, high = sorted((value, limit))
    ends = sorted((low * slope + intercept, high * slope + intercept))
    if ends[1] < _TISSUE_HU[0] or ends[0] > _TISSUE_HU[1]:
        return int(low), int(high)
    return None


def _as_stored(value: float, bits: int, signed: bool) -> float:
    """A padding value as the pixels have it: some write it with the other sign, or with more bits."""
    if value != int(value) or abs(value) >= 2**32:
        return value
    lowest = -(2 ** (bits - 1)) if signed else 0
    return float((int(value) - lowest) % 2**bits + lowest)


def formats(
    headers: Sequence[Dataset], sources: Sources, numbers: Sequence[int]
) -> tuple[dict[int, PixelFormat], dict[int, NDArray[np.int32]]]:
    """How the images with these numbers are stored; by the middle one, whether their sign is as they say.

    With that one's stored values, for it need not be decoded again.

    Signed values that are called unsigned wrap round: the air about the head becomes the densest there is.
    Unsigned ones that are called signed do so too: the densest bone becomes air. Those of tissue are right
    either way, so that what was meant is certain when air and bone come back.

    Raises:
        NotAnalysedError: an impossible header, an image that cannot be read, values that no head has.
    """
    said = {i: PixelFormat.of(headers[i]) for i in numbers}
    middle = numbers[len(numbers) // 2]
    stored = decode(sources[middle], said[middle])
    if said[middle].signed:
        if not _bone_wrapped(stored, said[middle]):
            return said, {middle: stored}
        return {i: replace(f, signed=False, rescale_known=False) for i, f in said.items()}, {}
    dense = hounsfield(stored, said[middle]) > _DENSE_HU
    if dense.mean() <= _DENSE_SHARE:
        return said, {middle: stored}
    meant = {i: replace(form, signed=True, rescale_known=False) for i, form in said.items()}
    stored = decode(sources[middle], meant[middle])
    if (hounsfield(stored, meant[middle])[dense] < _AIR_HU).mean() < 1 - _DENSE_SHARE:
        raise unreadable(pgettext("detail", "pixel values out of range"))
    return meant, {middle: stored}


def _bone_wrapped(stored: NDArray[np.int32], form: PixelFormat) -> bool:
    """Whether the lowest values lie within the highest: twelve signed bits less 1024 end below dense bone."""
    negative = stored < 0
    # Air and padding about a head reach the corners.
    corners = negative[:: form.rows - 1, :: form.columns - 1]
    if form.bits_stored > 12 or form.intercept > -1000.0 or not negative.any() or corners.any():
        return False
    near = np.zeros_like(negative)
    for axis in (0, 1):
        near |= np.roll(negative, 1, axis) | np.roll(negative, -1, axis)
    around, highest = stored[near & ~negative], 2 ** (form.bits_stored - 1)
    return bool(np.median(stored[negative]) < -highest / 2 and np.median(around) > _BONE * highest)


@quiet()
def decode(source: DicomSource, form: PixelFormat) -> NDArray[np.int32]:
    """Stored values of one image, shape (rows, columns).

    Raises:
        NotAnalysedError: truncated, damaged or unsupported pixel data.
    """
    try:
        file = pixels(source, form.rows * form.columns * form.bits_allocated // 8, ["PixelData"])
        # As it lies in the file: what kind of number it is pydicom cannot tell where the header lies.
        element = file.get_item("PixelData")
    except (NotAnalysedError, MemoryError):
        raise
    except Exception as error:  # the parser meets arbitrary bytes; its errors have no common root
        raise unreadable(pgettext("detail", "damaged file")) from error
    if not isinstance(element, RawDataElement) or not element.value:
        raise unreadable(pgettext("detail", "no pixel data"))
    syntax = UID(str(file.file_meta.get("TransferSyntaxUID") or "").strip())
    if element.length != _UNDEFINED_LENGTH:
        if syntax and syntax.type != "Transfer Syntax":
            # Headers may tell the order of bytes of a private syntax; its pixels have another one.
            raise unreadable(pgettext("detail", "unknown transfer syntax"))
        return _clean(_native(element.value, form, "<" if element.is_little_endian else ">"), form)
    stream = joined(element.value)
    if syntax == _ENCAPSULATED_UNCOMPRESSED:
        return _clean(_native(stream, form, "<"), form)
    if syntax == RLELossless:
        return _clean(run_length(stream, form.rows, form.columns, form.bits_allocated // 8), form)
    return _clean(decompressed(stream, form.rows, form.columns), form)


def digest(stored: NDArray[np.int32]) -> bytes:
    """SHA-256 of one image's stored values, the same for every transfer syntax without loss."""
    return hashlib.sha256(np.ascontiguousarray(stored, "<i4").data).digest()


def hounsfield(stored: NDArray[np.int32], form: PixelFormat) -> NDArray[np.int16]:
    """Stored values to Hounsfield units, padding to air; same shape."""
    hu: NDArray[Any]
    if form.slope == 1.0 and form.intercept.is_integer() and form.bits_stored <= 16:
        hu = stored + np.int32(np.clip(form.intercept, -1e6, 1e6))
    else:
        with np.errstate(over="ignore"):  # an impossible rescale ends at the limits below
            hu = np.rint(stored * form.slope + form.intercept)
    hu = np.clip(hu, AIR_HU, HIGHEST_HU, out=hu).astype(np.int16)
    if form.padding is not None:
        hu[(stored >= form.padding[0]) & (stored <= form.padding[1])] = AIR_HU
    return hu


def _native(data: bytes, form: PixelFormat, order: str) -> Pixels:
    size = form.rows * form.columns
    if len(data) < size * form.bits_allocated // 8:
        raise unreadable(pgettext("detail", "pixel data cut short"))
    values = np.frombuffer(data, dtype=f"{order}u{form.bits_allocated // 8}", count=size)
    return values.reshape(form.rows, form.columns)


def _clean(values: Pixels, form: PixelFormat) -> NDArray[np.int32]:
    """The stored bits alone, sign extended; the other bits may hold overlays (DICOM PS3.5 8.1.1)."""
    if form.high_bit == form.bits_stored - 1 and form.bits_stored < 32:
        if form.signed and form.bits_stored == 8 * values.dtype.itemsize:
            return values.view(values.dtype.str.replace("u", "i")).astype(np.int32)
        if not form.signed and int(values.max()) < 1 << form.bits_stored:
            return values.astype(np.int32)  # there are no other bits
    if not form.signed and _sign_extended(values, form):
        # Padding of -2000 beside unsigned pixels, as one maker writes it.
        return values.view(values.dtype.str.replace("u", "i")).astype(np.int32)
    above = np.uint32(31 - form.high_bit)
    unused = 32 - form.bits_stored
    bits = values.astype(np.uint32)
    bits <<= above
    if form.signed:
        signed = bits.view(np.int32)
        signed >>= np.int32(unused)
        return signed
    bits >>= np.uint32(unused)
    return bits.view(np.int32)


def _sign_extended(values: Pixels, form: PixelFormat) -> bool:
    """Whether the bits above the stored ones are those of negative numbers, not of an overlay."""
    spare = form.bits_allocated - form.bits_stored
    if form.high_bit != form.bits_stored - 1 or spare < 2 or int(values.max()) < 1 << form.bits_stored:
        return False
    above = values >> form.high_bit
    whole = (1 << (spare + 1)) - 1
    return bool(((above == whole) | (above <= 1)).all())
