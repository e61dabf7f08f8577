"""Compressed images to stored values: RLE, JPEG, JPEG-LS, JPEG 2000.

They are recognised by their own first bytes, not by the transfer syntax, which may be wrong. What they say of
themselves is believed where it agrees with the header of their file, and checked before anything is
allocated; what follows the end of an image is not read.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from headct.errors import NotAnalysedError
from headct.images.files import jpeg2000
from headct.language import Phrase, pgettext
from headct.reasons import Reason, ReasonCode

Pixels = NDArray[Any]
"""Stored values of some integer type, shape (rows, columns)."""

_JPEG_LOSSLESS_AND_LOSSY = frozenset({0xC0, 0xC1, 0xC2, 0xC3})
"""Start-of-frame markers read by the JPEG decoder (ITU-T T.81, table B.1)."""
_JPEG_LS = 0xF7
"""Start of frame of JPEG-LS (ITU-T T.87, C.1.1)."""
_SCAN = 0xDA
"""Start of scan: what follows it is pixels, in which no marker occurs by chance."""
_MAX_SCANS = 64
"""A progressive image of one component has about six; each goes over the whole image again."""
_WITHOUT_LENGTH = frozenset({0x00, 0x01, *range(0xD0, 0xDA)})
"""Markers that no segment follows (ITU-T T.81, table B.1). Before the first scan there are none, and readers
would differ in what comes behind them."""
_END = b"\xff\xd9"
_SCANS_AND_END = re.compile(rb"\xff[\xda\xd9]")
"""Where the pixels of a scan end, too: with the next one, or with the image."""
_LONGEST_RUN = 128
"""Bytes that one step of RLE gives (PS3.5 G.3.2)."""
_ITEM, _ITEM_HEADER = b"\xfe\xff\x00\xe0", 8
"""Tag of a fragment, and the bytes of its tag and length (PS3.5 A.4)."""


def unreadable(detail: Phrase) -> NotAnalysedError:
    """The error that refuses an image."""
    return NotAnalysedError(Reason(ReasonCode.UNREADABLE, str(detail)))


def joined(value: bytes) -> bytes:
    """One compressed image out of encapsulated pixel data (PS3.5 A.4): all its fragments.

    The table of offsets before them is sometimes wrong, and says nothing where there is one image.
    """
    fragments, at = [], 0
    while value[at : at + 4] == _ITEM:
        length = int.from_bytes(value[at + 4 : at + _ITEM_HEADER], "little")
        at += _ITEM_HEADER
        fragments.append(value[at : at + length])
        at += length
    # The table may be empty; where there is nothing else, it is the image without a table.
    return b"".join(fragments[1:] or fragments)


def run_length(stream: bytes, rows: int, columns: int, planes: int) -> Pixels:
    """DICOM RLE (PS3.5 annex G): a header of 16 offsets, one segment a byte plane, high byte first."""
    if len(stream) < 64:
        raise unreadable(pgettext("detail", "pixel data cut short"))
    header = np.frombuffer(stream, "<u4", count=16).astype(np.int64)
    if header[0] != planes:
        raise unreadable(pgettext("detail", "damaged compressed image"))
    offsets = [*header[1 : planes + 1].tolist(), len(stream)]
    size = rows * columns
    value = np.zeros(size, np.uint32)
    for start, end in pairwise(offsets):
        if not 64 <= start < end <= len(stream):
            raise unreadable(pgettext("detail", "damaged compressed image"))
        plane = _unpacked(stream[start:end], size)
        if len(plane) < size:
            raise unreadable(pgettext("detail", "pixel data cut short"))
        value = (value << np.uint32(8)) | plane[:size]
    return value.reshape(rows, columns)


def _unpacked(packed: bytes, size: int) -> NDArray[np.uint8]:
    """A segment of RLE (PS3.5 G.3), at least ``size`` bytes where it has them, and hardly more."""
    most = size + _LONGEST_RUN
    try:
        return np.frombuffer(imagecodecs.packbits_decode(packed, out=most), np.uint8)
    except RuntimeError as error:
        # Cut off behind what is wanted, or far longer than that.
        end = _packed_length(packed, size)
        if end is None:
            raise unreadable(pgettext("detail", "damaged compressed image")) from error
        return np.frombuffer(imagecodecs.packbits_decode(packed[:end], out=most), np.uint8)


def _packed_length(packed: bytes, size: int) -> int | None:
    """Bytes of a segment that give ``size`` bytes, ``None`` where it gives fewer."""
    at = given = 0
    while given < size:
        if at >= len(packed):
            return None
        code = packed[at]
        literal, repeated = code + 1 if code < 128 else 0, 257 - code if code > 128 else 0
        at += 1 + literal + (repeated > 0)
        given += literal + repeated
    return at if at <= len(packed) else None


def decompressed(stream: bytes, rows: int, columns: int) -> Pixels:
    """JPEG lossless and lossy, JPEG-LS, JPEG 2000."""
    try:
        # Boxes around a JPEG 2000 image say its size once more, and the decoder believes them.
        stream = jpeg2000.codestream(stream)
        codec = _jpeg_2000 if stream.startswith(jpeg2000.BEGIN) else _jpeg
        image = codec(stream, rows, columns)
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        raise unreadable(pgettext("detail", "damaged compressed image")) from error
    if image.shape != (rows, columns) or image.dtype.kind not in "iu":
        raise unreadable(pgettext("detail", "image size differs from the header"))
    return image


def _jpeg_2000(stream: bytes, rows: int, columns: int) -> Pixels:
    found = jpeg2000.size(stream)
    _agrees(found, rows, columns)
    jpeg2000.check(stream, found)
    image: Pixels = imagecodecs.jpeg2k_decode(stream)
    return image


def _jpeg(stream: bytes, rows: int, columns: int) -> Pixels:
    found = _recognise(stream)
    _agrees(found, rows, columns)
    # Without its end, the JPEG decoder silently fills with grey and the JPEG-LS decoder runs for seconds.
    marks = islice(_SCANS_AND_END.finditer(stream, found.scan), _MAX_SCANS + 1)
    end = next((mark.end() for mark in marks if mark[0] == _END), None)
    if end is None and stream.find(_END, found.scan) < 0:
        raise unreadable(pgettext("detail", "pixel data cut short"))
    if end is None:
        raise unreadable(pgettext("detail", "damaged compressed image"))
    return found.codec(stream[:end])


def _agrees(found: "_Compressed | jpeg2000.Size", rows: int, columns: int) -> None:
    """Whether an image says of itself what the header of its file says."""
    if (found.rows, found.columns) != (rows, columns):
        raise unreadable(pgettext("detail", "image size differs from the header"))
    if found.components != 1:
        raise unreadable(pgettext("detail", "colour image"))


@dataclass(frozen=True, slots=True)
class _Compressed:
    """What a compressed image says of itself."""

    codec: Callable[[bytes], Pixels]
    rows: int
    columns: int
    components: int
    scan: int
    """Where its pixels begin."""


def _recognise(stream: bytes) -> _Compressed:
    """A JPEG or JPEG-LS image by its own header (ITU-T T.81 B.2.2 and T.87 C.2.2, frame header)."""
    frame: _Compressed | None = None
    for marker, at in _segments(stream):
        if marker in _WITHOUT_LENGTH or (frame is not None and _is_frame(marker)):
            raise unreadable(pgettext("detail", "damaged compressed image"))
        if _is_frame(marker):
            codec = imagecodecs.jpegls_decode if marker == _JPEG_LS else imagecodecs.jpeg8_decode
            rows, columns = (int.from_bytes(stream[at + k : at + k + 2], "big") for k in (5, 7))
            frame = _Compressed(codec, rows, columns, stream[at + 9], len(stream))
        elif marker == _SCAN and frame is not None:
            return replace(frame, scan=at)
    if frame is None:
        raise unreadable(pgettext("detail", "unsupported compression"))
    return frame


def _is_frame(marker: int) -> bool:
    return marker in _JPEG_LOSSLESS_AND_LOSSY or marker == _JPEG_LS


def _segments(stream: bytes) -> Iterator[tuple[int, int]]:
    """Markers of a JPEG image up to its first scan, and where they are (ITU-T T.81 B.1.1.4)."""
    at = 2 if stream[:2] == b"\xff\xd8" else len(stream)
    while at + 10 <= len(stream) and stream[at] == 0xFF:
        marker, length = stream[at + 1], int.from_bytes(stream[at + 2 : at + 4], "big")
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        yield marker, at
        if marker == _SCAN:
            return
        at += 2 + max(length, 2)
