"""DICOM files whose headers claim, or grow into, more than an image has: alone they are a series."""

import struct
import zlib
from collections.abc import Iterable

from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
)

from hostile import Hostile
from hostile.streams import SIDE

_LONG = frozenset({b"OB", b"OW", b"SQ", b"UN", b"UT", b"OF"})
_OPEN = 0xFFFFFFFF
ITEM = b"\xfe\xff\x00\xe0"
_END_OF_ITEM = b"\xfe\xff\x0d\xe0" + bytes(4)
END_OF_SEQUENCE = b"\xfe\xff\xdd\xe0" + bytes(4)
_GROUPS = (0x5200, 0x9230)
"""Per-frame functional groups."""
_PIXELS = (0x7FE0, 0x0010)


def element(tag: tuple[int, int], vr: bytes, value: bytes, length: int | None = None) -> bytes:
    """One of explicit VR, little endian; its length as it is, or as it is said to be."""
    size = len(value) if length is None else length
    head = struct.pack("<HH2s", *tag, vr)
    return head + (struct.pack("<2xI", size) if vr in _LONG else struct.pack("<H", size & 0xFFFF)) + value


def item(content: bytes, length: int | None = None) -> bytes:
    """One of a sequence or of encapsulated pixels."""
    return ITEM + struct.pack("<I", len(content) if length is None else length) + content


def file(body: bytes, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """A file of a data set."""
    uid = syntax.encode() + b"\0" * (len(syntax) % 2)
    meta = element((2, 0x10), b"UI", uid)
    return bytes(128) + b"DICM" + element((2, 0), b"UL", struct.pack("<I", len(meta))) + meta + body


def _number(tag: tuple[int, int], value: int) -> bytes:
    return element(tag, b"US", struct.pack("<H", value))


def image(
    *more: bytes,
    sop_class: str = CTImageStorage,
    side: tuple[int, int] = (SIDE, SIDE),
    frames: int | str | None = None,
    pixels: bytes | None = None,
) -> bytes:
    """The data set of one image of nothing; ``more`` comes before the size, in place of other elements."""
    uid = sop_class.encode()
    parts = [
        element((8, 0x16), b"UI", uid + b"\0" * (len(uid) % 2)),
        element((8, 0x18), b"UI", b"2.25.1\0\0"),
        element((8, 0x60), b"CS", b"CT"),
        element((0x20, 0xD), b"UI", b"2.25.2\0\0"),
        element((0x20, 0xE), b"UI", b"2.25.3\0\0"),
        *more,
        _number((0x28, 2), 1),
        *([element((0x28, 8), b"IS", str(frames).encode())] if frames is not None else []),
        *map(_number, [(0x28, 0x10), (0x28, 0x11)], side),
        *map(_number, [(0x28, 0x100), (0x28, 0x101), (0x28, 0x102), (0x28, 0x103)], [16, 16, 15, 0]),
        element(_PIXELS, b"OW", bytes(2 * SIDE * SIDE)) if pixels is None else pixels,
    ]
    return b"".join(parts)


# --- sequences ------------------------------------------------------------------------------------


def nested(depth: int, *, told: bool) -> bytes:
    """A sequence in a sequence, their lengths told or left open."""
    inner = b""
    for _ in range(depth):
        if told:
            inner = element((8, 0x1140), b"SQ", item(inner))
        else:
            inner = element((8, 0x1140), b"SQ", item(inner + _END_OF_ITEM, _OPEN) + END_OF_SEQUENCE, _OPEN)
    return inner


def _many_items(count: int, *, told: bool, tag: tuple[int, int] = (8, 0x1140)) -> bytes:
    items = item(b"") * count
    return element(tag, b"SQ", items) if told else element(tag, b"SQ", items + END_OF_SEQUENCE, _OPEN)


def _many_elements(count: int) -> bytes:
    return b"".join(_private(k) for k in range(count))


def _private(number: int) -> bytes:
    return struct.pack("<HH2sH", 0x0009 + 2 * (number >> 16), number & 0xFFFF, b"LO", 0)


def _sequences(many: int) -> dict[str, bytes]:
    return {
        "nested 5,000 times": file(image(nested(5_000, told=False))),
        "nested 2,000 times, lengths told": file(image(nested(2_000, told=True))),
        "far too many items": file(image(_many_items(many, told=False))),
        "far too many items, length told": file(image(_many_items(many, told=True, tag=(0x18, 0x12)))),
        "far too many private elements": file(image(_many_elements(many))),
        "a sequence without end": file(image(element((8, 0x1140), b"SQ", item(b"", _OPEN), _OPEN))),
        "an item longer than the file": file(image(element((8, 0x1140), b"SQ", item(b"", 2**31), _OPEN))),
        "pixels in a sequence": file(image(element((8, 0x1140), b"SQ", item(image())))),
    }


# --- lengths --------------------------------------------------------------------------------------


def _lengths(size: int) -> dict[str, bytes]:
    private = (0x0009, 0x1001)
    parts = [element((9, 0x1000 + k), b"OB", bytes(size // 80)) for k in range(80)]
    return {
        "a private element of 2 GB": file(image(element(private, b"OB", b"", 2**31))),
        "a private element of 4 GB": file(image(element(private, b"UN", b"", 2**32 - 2))),
        "a far too large header": file(image(*parts)),
        "a far too large value": file(image(element(private, b"OB", bytes(size)))),
        "an icon larger than its image": file(image(element((0x88, 0x200), b"SQ", item(image())))),
        "65,535 by 65,535": file(image(side=(65_535, 65_535))),
        "no rows": file(image(side=(0, SIDE))),
        "2,048 by 2,048, without pixels": file(image(side=(2048, 2048))),
        "four billion frames": file(image(frames=2**32 - 1)),
        "frames that are no number": file(image(frames="9" * 12)),
        "pixels of 4 GB": file(image(pixels=element(_PIXELS, b"OW", b"\0\0", 2**32 - 2))),
        "pixels without end": file(image(pixels=element(_PIXELS, b"OB", item(b""), _OPEN)), JPEG2000Lossless),
        "half a million fragments": file(
            image(pixels=element(_PIXELS, b"OB", item(b"") * 500_000 + END_OF_SEQUENCE, _OPEN)),
            JPEG2000Lossless,
        ),
    }


# --- several frames -------------------------------------------------------------------------------


def _frames(groups: int, frames: int, pixels: bytes | None = None, *more: bytes, told: bool = True) -> bytes:
    sequence = _many_items(groups, told=told, tag=_GROUPS)
    body = image(sop_class=EnhancedCTImageStorage, frames=frames, pixels=b"")
    stored = element(_PIXELS, b"OW", bytes(2 * SIDE * SIDE)) if pixels is None else pixels
    return body + sequence + b"".join(more) + stored


def _tables() -> Iterable[tuple[str, bytes]]:
    """Extended tables of offsets (PS3.3 C.7.6.3.1.8) that name the same megabytes again and again."""
    count, size = 500, 2**20
    pixels = element(_PIXELS, b"OB", item(b"") + item(bytes(size)) + END_OF_SEQUENCE, _OPEN)
    for name, offset, length in (
        ("the same frame 500 times", 0, size),
        ("frames beyond the end", 2**63, 2**63),
        ("frames of four billion bytes", 0, 2**32),
    ):
        table = element((0x7FE0, 1), b"OV", b"", 8 * count), struct.pack("<Q", offset) * count
        lengths = element((0x7FE0, 2), b"OV", b"", 8 * count), struct.pack("<Q", length) * count
        yield name, _frames(count, count, pixels, _very_long(*table), _very_long(*lengths))


def _very_long(head: bytes, value: bytes) -> bytes:
    # OV has a length of 32 bits, which is none of those above.
    return head[:6] + struct.pack("<2xI", len(value)) + value


def _multi_frames(many: int) -> dict[str, bytes]:
    found = {
        "far too many frames": file(_frames(many, many)),
        "far too many frames, length left open": file(_frames(many, many, told=False)),
        "10,000 frames": file(_frames(10_000, 10_000)),
        "5,000 frames of one": file(_frames(5_000, 5_000)),
        "more frames than are told": file(_frames(3, 5_000)),
    }
    return found | {name: file(body, JPEG2000Lossless) for name, body in _tables()}


# --- deflated -------------------------------------------------------------------------------------


def deflated(body: bytes, zeros: int = 0) -> bytes:
    """A file whose data set is deflated, with many zeros behind it that take no room."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    pieces = [packer.compress(body)]
    piece = bytes(2**20)
    pieces += [packer.compress(piece) for _ in range(zeros // len(piece))]
    return file(b"".join([*pieces, packer.flush()]), DeflatedExplicitVRLittleEndian)


def _deflated(zeros: int, many: int) -> dict[str, bytes]:
    private = element((0x0009, 0x1001), b"OB", b"", zeros)
    return {
        "zeros behind the image": deflated(image(), zeros),
        "pixels of zeros": deflated(image(pixels=element(_PIXELS, b"OW", b"", zeros)), zeros),
        "a private element of zeros": deflated(image(private, pixels=b""), zeros),
        "far too many items": deflated(image(_many_items(many, told=False))),
        "frames of zeros": deflated(
            _frames(5_000, 5_000, element(_PIXELS, b"OW", b"", min(zeros, 2**31))), zeros
        ),
        "cut off": deflated(image())[:-50],
        "no deflated data": file(b"\xff" * 1000, DeflatedExplicitVRLittleEndian),
        "nothing": file(b"", DeflatedExplicitVRLittleEndian),
    }


def headers(many: int, size: int, zeros: int) -> list[Hostile[bytes]]:
    """Every case.

    Args:
        many: items, elements and frames where there are far too many.
        size: bytes of what is far too large.
        zeros: bytes that what is deflated grows to.
    """
    found: list[Hostile[bytes]] = []
    for kind, cases in (
        ("sequences", _sequences(many)),
        ("lengths", _lengths(size)),
        ("frames", _multi_frames(many)),
        ("deflated", _deflated(zeros, many)),
    ):
        found += [Hostile(f"{kind}: {name}", lambda d=data: d) for name, data in cases.items()]
    return found
