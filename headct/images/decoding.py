"""Stored pixels to Hounsfield units, for every transfer syntax a CT comes in.

Compressed images are recognised by their own first bytes rather than by the transfer syntax, which is
sometimes wrong; their size is checked before anything is allocated. Errors of the image are raised as
:class:`NotAnalysedError` with the code ``unreadable``.
"""

import hashlib
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import ExplicitVRBigEndian, RLELossless

from headct.errors import NotAnalysedError
from headct.images.headers import number
from headct.images.quiet import quiet
from headct.images.series import DicomSource
from headct.language import Phrase, pgettext
from headct.reasons import Reason, ReasonCode

AIR_HU = -1024
"""What padding outside the field of view becomes, and the lowest value kept."""
HIGHEST_HU = 30_000
MIN_SIDE, MAX_SIDE = 32, 2048
"""Rows and columns taken: CT matrices are 256 to 2048; more is a damaged header."""

_JPEG_LOSSLESS_AND_LOSSY = frozenset({0xC0, 0xC1, 0xC2, 0xC3})
"""Start-of-frame markers read by the JPEG decoder (ITU-T T.81, table B.1)."""
_JPEG_LS = 0xF7
"""Start of frame of JPEG-LS (ITU-T T.87, C.1.1)."""
_TISSUE_HU = (-200.0, 3000.0)
"""A padding value inside this range is a false one: it would blank out tissue."""


Pixels = NDArray[Any]
"""Stored values of some integer type, shape (rows, columns)."""


def _unreadable(detail: Phrase) -> NotAnalysedError:
    return NotAnalysedError(Reason(ReasonCode.UNREADABLE, str(detail)))


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
            raise _unreadable(pgettext("detail", "no image size"))
        if not (MIN_SIDE <= rows <= MAX_SIDE and MIN_SIDE <= columns <= MAX_SIDE):
            raise _unreadable(
                pgettext(
                    "detail",
                    "impossible image size {rows} x {columns}",
                    rows=format(rows, ".0f"),
                    columns=format(columns, ".0f"),
                )
            )
        if (number(header, "SamplesPerPixel") or 1) != 1:
            raise _unreadable(pgettext("detail", "colour image"))
        if (number(header, "NumberOfFrames") or 1) != 1:
            raise _unreadable(pgettext("detail", "several frames in one image"))
        allocated = int(number(header, "BitsAllocated") or 16)
        stored = int(number(header, "BitsStored") or allocated)
        high_bit = int(number(header, "HighBit") or stored - 1)
        if allocated not in (8, 16, 32) or not 1 <= stored <= allocated:
            raise _unreadable(
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
            padding=_padding(header, slope, intercept),
        )


def _padding(header: Dataset, slope: float, intercept: float) -> tuple[int, int] | None:
    """Lowest and highest padding value (DICOM PS3.3 C.7.5.1.1.2), unless it would blank out tissue."""
    value, limit = number(header, "PixelPaddingValue"), number(header, "PixelPaddingRangeLimit")
    if value is None:
        return None
    low, high = sorted((value, value if limit is None else limit))
    ends = sorted((low * slope + intercept, high * slope + intercept))
    if ends[1] < _TISSUE_HU[0] or ends[0] > _TISSUE_HU[1]:
        return int(low), int(high)
    return None


@quiet()
def decode(source: DicomSource, form: PixelFormat) -> NDArray[np.int32]:
    """Stored values of one image, shape (rows, columns).

    Raises:
        NotAnalysedError: truncated, damaged or unsupported pixel data.
    """
    try:
        file = dcmread(
            BytesIO(source) if isinstance(source, bytes) else source, specific_tags=["PixelData"], force=True
        )
        data = file.get("PixelData")
    except Exception as error:  # the parser meets arbitrary bytes; its errors have no common root
        raise _unreadable(pgettext("detail", "damaged file")) from error
    if not isinstance(data, bytes) or not data:
        raise _unreadable(pgettext("detail", "no pixel data"))
    syntax = file.file_meta.get("TransferSyntaxUID") if hasattr(file, "file_meta") else None
    if not file["PixelData"].is_undefined_length:
        order = ">" if syntax == ExplicitVRBigEndian else "<"
        return _clean(_native(data, form, order), form)
    try:
        stream = next(generate_frames(data, number_of_frames=1))
    except Exception as error:
        raise _unreadable(pgettext("detail", "damaged file")) from error
    if syntax == RLELossless:
        return _clean(_run_length(stream, form), form)
    return _clean(_compressed(stream, form), form)


def digest(stored: NDArray[np.int32]) -> bytes:
    """SHA-256 of one image's stored values, the same for every transfer syntax without loss."""
    return hashlib.sha256(stored.astype("<i4").tobytes()).digest()


def hounsfield(stored: NDArray[np.int32], form: PixelFormat) -> NDArray[np.int16]:
    """Stored values to Hounsfield units, padding to air; same shape."""
    hu: NDArray[Any]
    if form.slope == 1.0 and form.intercept.is_integer() and form.bits_stored <= 16:
        hu = stored + np.int32(np.clip(form.intercept, -1e6, 1e6))
    else:
        with np.errstate(over="ignore"):  # an impossible rescale ends at the limits below
            hu = np.rint(stored * form.slope + form.intercept)
    hu = np.clip(hu, AIR_HU, HIGHEST_HU).astype(np.int16)
    if form.padding is not None:
        hu[(stored >= form.padding[0]) & (stored <= form.padding[1])] = AIR_HU
    return hu


def _native(data: bytes, form: PixelFormat, order: str) -> Pixels:
    size = form.rows * form.columns
    if len(data) < size * form.bits_allocated // 8:
        raise _unreadable(pgettext("detail", "pixel data cut short"))
    values = np.frombuffer(data, dtype=f"{order}u{form.bits_allocated // 8}", count=size)
    return values.reshape(form.rows, form.columns)


def _clean(values: Pixels, form: PixelFormat) -> NDArray[np.int32]:
    """The stored bits alone, sign extended; the other bits may hold overlays (DICOM PS3.5 8.1.1)."""
    above = np.uint32(31 - form.high_bit)
    unused = 32 - form.bits_stored
    bits = values.astype(np.uint32, copy=False) << above
    if form.signed:
        return bits.view(np.int32) >> np.int32(unused)
    return (bits >> np.uint32(unused)).view(np.int32)


def _run_length(stream: bytes, form: PixelFormat) -> Pixels:
    """DICOM RLE (PS3.5 annex G): a header of 16 offsets, one segment a byte plane, high byte first."""
    planes = form.bits_allocated // 8
    if len(stream) < 64:
        raise _unreadable(pgettext("detail", "pixel data cut short"))
    header = np.frombuffer(stream, "<u4", count=16).astype(np.int64)
    if header[0] != planes:
        raise _unreadable(pgettext("detail", "damaged compressed image"))
    offsets = [*header[1 : planes + 1].tolist(), len(stream)]
    size = form.rows * form.columns
    value = np.zeros(size, np.uint32)
    for start, end in pairwise(offsets):
        if not 64 <= start < end <= len(stream):
            raise _unreadable(pgettext("detail", "damaged compressed image"))
        try:
            plane = np.frombuffer(imagecodecs.packbits_decode(stream[start:end]), np.uint8)
        except RuntimeError as error:
            raise _unreadable(pgettext("detail", "damaged compressed image")) from error
        if len(plane) < size:
            raise _unreadable(pgettext("detail", "pixel data cut short"))
        value = (value << np.uint32(8)) | plane[:size]
    return value.reshape(form.rows, form.columns)


def _compressed(stream: bytes, form: PixelFormat) -> Pixels:
    """JPEG lossless and lossy, JPEG-LS, JPEG 2000."""
    kind, rows, columns, components = _recognise(stream)
    if (rows, columns) != (form.rows, form.columns):
        raise _unreadable(pgettext("detail", "image size differs from the header"))
    if components != 1:
        raise _unreadable(pgettext("detail", "colour image"))
    # Without its end, the JPEG decoder silently fills with grey and the JPEG-LS decoder runs for seconds.
    if kind != "jpeg-2000" and b"\xff\xd9" not in stream[-16:]:
        raise _unreadable(pgettext("detail", "pixel data cut short"))
    try:
        if kind == "jpeg":
            image = imagecodecs.jpeg8_decode(stream)
        elif kind == "jpeg-ls":
            image = imagecodecs.jpegls_decode(stream)
        else:
            image = imagecodecs.jpeg2k_decode(stream)
    except (RuntimeError, ValueError, TypeError, MemoryError, NotImplementedError) as error:
        raise _unreadable(pgettext("detail", "damaged compressed image")) from error
    if image.shape != (form.rows, form.columns) or image.dtype.kind not in "iu":
        raise _unreadable(pgettext("detail", "image size differs from the header"))
    return image


def _recognise(stream: bytes) -> tuple[str, int, int, int]:
    """Kind, rows, columns and components of a compressed image, from its own header.

    Sources: ITU-T T.81 B.2.2 and T.87 C.2.2 (frame header), T.800 A.5.1 (SIZ), I.5.1 (JP2 signature).
    """
    boxed = stream[:12] == b"\x00\x00\x00\x0cjP  \r\n\x87\n"
    start = stream.find(b"\xff\x4f\xff\x51", 0, 4096) if boxed else 0
    if start >= 0 and stream[start : start + 4] == b"\xff\x4f\xff\x51":
        x1, y1, x0, y0 = (int.from_bytes(stream[start + k : start + k + 4], "big") for k in (8, 12, 16, 20))
        components = int.from_bytes(stream[start + 40 : start + 42], "big")
        return "jpeg-2000", y1 - y0, x1 - x0, components
    at = 2 if stream[:2] == b"\xff\xd8" else len(stream)
    while at + 10 <= len(stream):
        if stream[at] != 0xFF:
            break
        marker, length = stream[at + 1], int.from_bytes(stream[at + 2 : at + 4], "big")
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker in _JPEG_LOSSLESS_AND_LOSSY or marker == _JPEG_LS:
            rows = int.from_bytes(stream[at + 5 : at + 7], "big")
            columns = int.from_bytes(stream[at + 7 : at + 9], "big")
            return ("jpeg-ls" if marker == _JPEG_LS else "jpeg"), rows, columns, stream[at + 9]
        at += 2 + max(length, 2)
    raise _unreadable(pgettext("detail", "unsupported compression"))
