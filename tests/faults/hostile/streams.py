"""Compressed images that claim, or grow into, more than the header of their file allows.

Each is the encapsulated stream of one image whose header says :data:`SIDE` by :data:`SIDE`, 16 bits.
"""

import struct
import zlib

import imagecodecs
import numpy as np
from pydicom.uid import (
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from hostile import Hostile

SIDE = 512
_HUGE = 65_535
Stream = tuple[str, bytes]
"""Transfer syntax and bytes."""


def _picture(side: int = SIDE) -> np.ndarray:
    picture = np.zeros((side, side), np.uint16)
    picture[8:24, 8:40] = 1000
    return picture


# --- JPEG 2000 ------------------------------------------------------------------------------------


def codestream(side: int = SIDE, **options: object) -> bytes:
    """An honest one."""
    return bytes(
        imagecodecs.jpeg2k_encode(_picture(side), level=0, reversible=True, codecformat="j2k", **options)
    )


def blank(stream: bytes, packets: int = 64) -> bytes:
    """A codestream of one tile in which every packet is empty (T.800 B.9): it is valid, and shows nothing."""
    begin = stream.index(b"\xff\x93") + 2
    at = stream.index(b"\xff\x90")
    length = struct.pack(">I", begin - at + packets)
    return stream[: at + 6] + length + stream[at + 10 : begin] + bytes(packets) + b"\xff\xd9"


def box(kind: bytes, content: bytes) -> bytes:
    """A box of a JP2 file (T.800 I.4)."""
    return struct.pack(">I4s", 8 + len(content), kind) + content


def boxed(*boxes: bytes, side: int = SIDE) -> bytes:
    """A JP2 file of boxes behind an honest beginning."""
    header = box(b"ihdr", struct.pack(">IIHBBBB", side, side, 1, 15, 7, 0, 0))
    colour = box(b"colr", b"\x01\0\0" + struct.pack(">I", 17))
    return b"".join(
        [
            box(b"jP  ", b"\r\n\x87\n"),
            box(b"ftyp", b"jp2 \0\0\0\0jp2 "),
            box(b"jp2h", header + colour),
            *boxes,
        ]
    )


def siz(
    stream: bytes,
    *,
    size: tuple[int, int] | None = None,
    origin: tuple[int, int] | None = None,
    tile: tuple[int, int] | None = None,
    components: int | None = None,
    precision: int | None = None,
    sampling: int | None = None,
) -> bytes:
    """A codestream with another SIZ (T.800 A.5.1)."""
    changed = bytearray(stream)
    for at, pair in ((8, size), (16, origin), (24, tile)):
        if pair is not None:
            changed[at : at + 8] = struct.pack(">II", *pair)
    if precision is not None:
        changed[42] = precision - 1
    if sampling is not None:
        changed[43:45] = bytes((sampling, sampling))
    if components is not None:
        changed[40:42] = struct.pack(">H", components)
        changed[4:6] = struct.pack(">H", 38 + 3 * components)
        changed[42:45] = bytes(changed[42:45]) * components
    return bytes(changed)


def cod(stream: bytes, **values: int) -> bytes:
    """A codestream with another COD (T.800 A.6.1): ``layers``, ``levels``, ``width``, ``height``."""
    changed = bytearray(stream)
    at = stream.index(b"\xff\x52")
    if "layers" in values:
        changed[at + 6 : at + 8] = struct.pack(">H", values["layers"])
    for name, place in (("levels", 9), ("width", 10), ("height", 11)):
        if name in values:
            changed[at + place] = values[name]
    return bytes(changed)


def precincts(stream: bytes, exponents: int) -> bytes:
    """A codestream whose precincts are as small as may be at every resolution."""
    at = stream.index(b"\xff\x52")
    length = struct.unpack(">H", stream[at + 2 : at + 4])[0]
    levels = stream[at + 9]
    body = bytearray(stream[at + 4 : at + 2 + length])
    body[0] |= 1
    body = body[:10] + bytes([exponents]) * (levels + 1)
    return (
        stream[:at] + b"\xff\x52" + struct.pack(">H", 2 + len(body)) + bytes(body) + stream[at + 2 + length :]
    )


def in_first_tile(stream: bytes, segment: bytes) -> bytes:
    """A marker segment more in the header of the first tile part."""
    at = stream.index(b"\xff\x90") + 12
    length = struct.unpack(">I", stream[at - 6 : at - 2])[0] + len(segment)
    return stream[: at - 6] + struct.pack(">I", length) + stream[at - 2 : at] + segment + stream[at:]


def _segment(stream: bytes, marker: bytes) -> bytes:
    at = stream.index(marker)
    return stream[at : at + 2 + struct.unpack(">H", stream[at + 2 : at + 4])[0]]


_LARGE = 15_000


def false_size(inside: bytes, side: int = _LARGE) -> bytes:
    """A small size in a box that nobody reads, and a large image behind it."""
    large = blank(siz(codestream(), size=(side, side), tile=(side, side)))
    return boxed(box(inside, codestream()[:60]), box(b"jp2c", large), side=side)


def _jpeg_2000() -> dict[str, bytes]:
    plain = codestream()
    fine = blank(precincts(plain, 0x11), 2 * SIDE * SIDE)
    large = blank(siz(plain, size=(_LARGE, _LARGE), tile=(_LARGE, _LARGE)))
    return {
        "size in a free box": false_size(b"free"),
        "size in a box of text": false_size(b"xml "),
        "two codestreams, the first large": boxed(box(b"jp2c", large), box(b"jp2c", plain), side=_LARGE),
        "a box in a box": boxed(box(b"asoc", box(b"jp2c", plain)), box(b"jp2c", large), side=_LARGE),
        "a box that ends before it begins": boxed(struct.pack(">I4s", 3, b"jp2c") + plain),
        "a box of 64 bits": boxed(struct.pack(">I4sQ", 1, b"free", 2**63) + plain),
        "size far larger": large,
        "tiles of three pixels": blank(siz(plain, tile=(3, 3))),
        "tiles of no pixel": siz(plain, tile=(0, 0)),
        "far from the origin": siz(plain, size=(2**31 - 1, 2**31 - 1), origin=(2**31 - 1 - SIDE,) * 2),
        "behind its end": siz(plain, size=(SIDE, SIDE), origin=(2**32 - 1, 0)),
        "16,384 components": siz(plain, components=16_384),
        "38 bits": siz(plain, precision=38),
        "sampled": siz(plain, sampling=255),
        "sampled by nothing": siz(plain, sampling=0),
        "65,535 layers": blank(cod(plain, layers=_HUGE), 500_000),
        "255 levels": cod(plain, levels=255),
        "blocks of no size": cod(plain, width=255, height=255),
        "precincts of two pixels": fine,
        "precincts of two pixels, 64 layers": blank(cod(fine, layers=64), 64 * 2 * SIDE * SIDE),
        "blocks of four pixels": blank(cod(plain, width=0, height=0)),
        "precincts of two pixels in a tile": in_first_tile(plain, _segment(fine, b"\xff\x52")),
        "two sizes": plain[:2] + _segment(plain, b"\xff\x51") + large[2:],
        "no end of its parts": plain[: plain.index(b"\xff\x90") + 12] * 500,
        "cut off": plain[: len(plain) // 2],
        "a beginning alone": plain[:45],
    }


# --- JPEG and JPEG-LS -----------------------------------------------------------------------------


def _frame(stream: bytes) -> int:
    """Where the frame header of a JPEG image is."""
    return next(at for at in range(2, len(stream)) if stream[at] == 0xFF and stream[at + 1] in _FRAMES)


_FRAMES = (0xC0, 0xC1, 0xC2, 0xC3, 0xF7)


def _sized(stream: bytes, rows: int, columns: int) -> bytes:
    at = _frame(stream)
    return stream[: at + 5] + struct.pack(">HH", rows, columns) + stream[at + 9 :]


def _hidden(stream: bytes, before: bytes) -> bytes:
    """Something before the frame header."""
    return stream[:2] + before + stream[2:]


def _jpegs(stream: bytes) -> dict[str, bytes]:
    at = _frame(stream)
    frame = _segment(stream[at:], stream[at : at + 2])
    large = _sized(stream, _HUGE, _HUGE)
    scan = stream.index(b"\xff\xda")
    return {
        "size far larger": large,
        "two frames, the second large": stream[:at] + frame + large[at:],
        "two frames, the first large": large[: at + len(frame)] + stream[at:],
        # A marker without a length, of which a careless reader takes the next two bytes for one.
        "a frame behind a marker without length": large[:2] + b"\xff\x01" + large[2:] + stream,
        "a frame behind a restart": large[:2] + b"\xff\xd0" + large[2:] + stream,
        "a frame in a comment": _hidden(large, b"\xff\xfe" + struct.pack(">H", 2 + len(frame)) + frame),
        "height to be told later": _sized(stream, 0, SIDE) + b"\xff\xdc\0\x04\xff\xff",
        "a thousand scans": stream[:scan] + stream[scan:-2] * 1000 + b"\xff\xd9",
        "an image in an image": stream[:2] + stream + stream[2:],
        "cut off": stream[: len(stream) // 2],
        "no length": stream[:at] + b"\xff\xfe\0\0" + stream[at:],
        "fill bytes alone": b"\xff\xd8" + b"\xff" * 100_000,
    }


# --- run lengths ----------------------------------------------------------------------------------


def run_length(*planes: bytes) -> bytes:
    """An image of planes as they are given (PS3.5 G.5)."""
    starts, at = [], 64
    for plane in planes:
        starts.append(at)
        at += len(plane)
    return struct.pack("<16I", len(planes), *starts, *[0] * (15 - len(planes))) + b"".join(planes)


def _run_lengths() -> dict[str, bytes]:
    size = SIDE * SIDE
    runs = b"\x81\0"
    whole = runs * (size // 128)
    return {
        "a plane of far too much": run_length(runs * 4_000_000, runs * 4_000_000),
        "a plane of far too much, cut off": run_length(runs * 4_000_000 + b"\x81", whole),
        "one byte after the other": run_length(b"\0\0" * 500_000, whole),
        "nothing but pauses": run_length(b"\x80" * 500_000, whole),
        "planes over each other": struct.pack("<16I", 2, 64, 64, *[0] * 13) + whole,
        "planes the other way round": struct.pack("<16I", 2, 128, 64, *[0] * 13) + whole * 2,
        "planes beyond the end": struct.pack("<16I", 2, 64, 2**32 - 1, *[0] * 13) + whole,
        "four billion planes": struct.pack("<16I", 2**32 - 1, *[64] * 15) + whole,
        "cut off": run_length(whole, whole)[:-20],
    }


def streams() -> list[Hostile[Stream]]:
    """Every case."""
    lossless = bytes(imagecodecs.jpeg8_encode(_picture(), lossless=True, predictor=1))
    lossy = bytes(imagecodecs.jpeg8_encode((_picture() // 8).astype(np.uint8), level=90))
    near = bytes(imagecodecs.jpegls_encode(_picture()))
    deflated = zlib.compress(bytes(10_000_000))
    found: list[Hostile[Stream]] = []
    for syntax, kind, cases in (
        (JPEG2000Lossless, "JPEG 2000", _jpeg_2000()),
        (JPEGLosslessSV1, "JPEG lossless", _jpegs(lossless)),
        (JPEGBaseline8Bit, "JPEG", _jpegs(lossy)),
        (JPEGLSLossless, "JPEG-LS", _jpegs(near)),
        (RLELossless, "RLE", _run_lengths()),
        ("1.2.840.10008.1.2.8.1", "deflated frame", {"of nothing": deflated}),
    ):
        found += [
            Hostile(f"{kind}: {name}", lambda s=syntax, b=stream: (str(s), b))
            for name, stream in cases.items()
        ]
    return found
