"""JPEG 2000: the codestream alone, and how large it is, before a decoder believes it.

The decoder makes room for tiles, precincts and code blocks as the stream announces them, thousands of times
what the stream itself takes. So every word of it that decides this is read first; what no decoder of one grey
image needs is refused. References are to ITU-T T.800.
"""

from dataclasses import dataclass

SIGNATURE = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
"""How a JP2 file begins (I.5.1)."""
BEGIN = b"\xff\x4f\xff\x51"
"""How a codestream begins: its size follows at once (A.4.1, A.5.1)."""

_MAX_TILES = 4096
"""Of 32 by 32 in the largest image taken. The decoder needs about 9 KB for each, before it reads one."""
_MAX_PARTS = 2**15
"""Precincts and code blocks of a tile. Blocks of 16 by 16 in the largest image make 22,000; the usual ones of
64 by 64 make 1,400. The decoder needs about 1.6 KB for each."""
_MAX_PACKETS = 2**20
"""Layers of all precincts of a tile: an entry each in the decoder's tables."""
_MAX_BITS = 32
_MAX_LEVELS, _MAX_BLOCK = 32, 12
"""Decompositions, and the exponents of a block's two sides together (A.6.1)."""
_COD, _COC, _SOT, _SOD, _END = 0x52, 0x53, 0x90, 0x93, 0xD9
_PASSED = frozenset({0x50, 0x55, 0x57, 0x58, 0x59, 0x5C, 0x5D, 0x5E, 0x5F, 0x60, 0x61, 0x63, 0x64})
"""Markers whose segments decide nothing here (A.2, T.814 A.2). Others are refused: the decoder would look for
markers inside a segment that it does not know."""


class DamagedStreamError(ValueError):
    """No codestream that an image of one component needs."""


@dataclass(frozen=True, slots=True)
class Size:
    """What SIZ says (A.5.1)."""

    rows: int
    columns: int
    components: int
    tile_rows: int
    """Of the largest tile, as far as it lies in the image."""
    tile_columns: int


def codestream(stream: bytes) -> bytes:
    """The codestream in the boxes of a JP2 file, or what is none as it is; other boxes may say anything.

    Raises:
        DamagedStreamError: there is none.
    """
    if not stream.startswith(SIGNATURE):
        return stream
    at = 0
    while at + 8 <= len(stream):
        length, kind, begin = int.from_bytes(stream[at : at + 4], "big"), stream[at + 4 : at + 8], at + 8
        if length == 1:
            length, begin = int.from_bytes(stream[at + 8 : at + 16], "big"), at + 16
        end = at + length if length else len(stream)
        if end < begin:
            break
        if kind == b"jp2c":
            return stream[begin:end]
        at = end
    raise DamagedStreamError


def size(stream: bytes) -> Size:
    """How large the image is.

    Raises:
        DamagedStreamError: it does not say so, or impossibly.
    """
    if not stream.startswith(BEGIN) or len(stream) < 45:
        raise DamagedStreamError
    right, bottom, left, top, width, height, tiles_left, tiles_top = (
        int.from_bytes(stream[at : at + 4], "big") for at in range(8, 40, 4)
    )
    components = int.from_bytes(stream[40:42], "big")
    bits, across, down = (stream[42] & 0x7F) + 1, stream[43], stream[44]
    columns, rows = right - left, bottom - top
    if not (
        columns > 0
        and rows > 0
        and width > 0
        and height > 0
        and tiles_left <= left < tiles_left + width
        and tiles_top <= top < tiles_top + height
        and bits <= _MAX_BITS
        and across == down == 1
    ):
        raise DamagedStreamError
    if -(-(right - tiles_left) // width) * -(-(bottom - tiles_top) // height) > _MAX_TILES:
        raise DamagedStreamError
    return Size(rows, columns, components, min(rows, height), min(columns, width))


def check(stream: bytes, found: Size) -> None:
    """Whether a decoder can be given a codestream of this size.

    Raises:
        DamagedStreamError: its header announces more than such an image has.
    """
    at = 4 + int.from_bytes(stream[4:6], "big")
    at = _header(stream, at, _SOT, found)
    part = 0
    while stream[at : at + 2] == b"\xff\x90":
        length = int.from_bytes(stream[at + 6 : at + 10], "big")
        begin = _header(stream, at + 12, _SOD, found)
        end = at + length if length else len(stream)
        part += 1
        if end < begin or part > 255 * _MAX_TILES:
            raise DamagedStreamError
        at = end


def _header(stream: bytes, at: int, last: int, found: Size) -> int:
    """Check the segments of a header up to the marker that ends it, and where that is."""
    while stream[at : at + 1] == b"\xff":
        marker = stream[at + 1] if at + 1 < len(stream) else _END
        if marker == last:
            return at
        length = int.from_bytes(stream[at + 2 : at + 4], "big")
        if length < 2:
            break
        if marker in {_COD, _COC}:
            _check_coding(stream[at : at + 2 + length], marker, found)
        elif marker not in _PASSED:
            break
        at += 2 + length
    raise DamagedStreamError


def _check_coding(segment: bytes, marker: int, found: Size) -> None:
    """COD and COC (A.6.1, A.6.2)."""
    if len(segment) < (14 if marker == _COD else 11):
        raise DamagedStreamError
    if marker == _COD:
        own_precincts, layers, coding = segment[4] & 1, int.from_bytes(segment[6:8], "big"), segment[9:]
    else:
        own_precincts, layers, coding = segment[5] & 1, 1, segment[6:]
    levels, block = coding[0], (coding[1] + 2, coding[2] + 2)
    sizes = coding[5:] if own_precincts else bytes([0xFF]) * (levels + 1)
    if levels > _MAX_LEVELS or sum(block) > _MAX_BLOCK or len(sizes) <= levels:
        raise DamagedStreamError
    precincts = blocks = 0
    for level, exponents in zip(range(levels, -1, -1), sizes, strict=False):
        columns, rows = (-(-side // 2**level) for side in (found.tile_columns, found.tile_rows))
        across, down = exponents & 15, exponents >> 4
        # Two more than fit: where a tile begins within one, it has a part of two.
        precincts += (columns // 2**across + 2) * (rows // 2**down + 2)
        blocks += (columns // 2 ** min(across, block[0]) + 2) * (rows // 2 ** min(down, block[1]) + 2)
    if precincts + blocks > _MAX_PARTS or precincts * layers > _MAX_PACKETS:
        raise DamagedStreamError
