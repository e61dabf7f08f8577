"""DICOM with sequences nested too deeply: parsers call themselves for each level, and end with their stack.

Or with so many items or elements beside each other that a parser does nothing else for minutes.

Told from the bytes, in bounded time and by nothing that calls itself. Standard library alone: it is asked
inside Orthanc before anything of ours is known to be there.
"""

import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

MAX_LEVELS = 24
"""Nothing we know of has more than ten. Orthanc (1.10, 1.12) ends at 46 to 50 by its web server, whose
threads have 100 kB; what lies in its storage is read there too."""
MAX_LEVELS_FOR_LUA = 7
"""Where Orthanc has Lua scripts, it hands them what an image says level by level without making room for it:
four places of Lua's stack a level and five, of 33 to 40 (Orthanc 1.10, ``LuaContext::PushJson``; Lua 5.3).
Beyond, it writes into whatever else lies in its memory: with 12 levels within seconds."""
MAX_ELEMENTS = 1_000_000
"""Of a file with many items; 1,500 frames in one file have some 50,000. More are not looked at."""
MAX_BESIDE = 50_000
"""Items of one sequence, elements of one data set. Orthanc (1.10) needs some 0.6 s for 20,000 and 5 to 10 s
for 40,000, by more than the square: 200,000, in a file of 2 MB, kept it busy for over ten minutes.
Segmentations of many organs have 30,000 items."""
MAX_INFLATED = 2**28
"""Bytes that a deflated data set may have to be looked at (PS3.5 section A.5)."""

_LEAST_BYTES = 8
"""Of an element or an item."""
_HEAD_BYTES = 132
"""The preamble and the letters DICM."""
_SHORT = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
"""Representations whose length has two bytes (PS3.5 section 7.1.2). Of others it has four, behind two more;
what are no capital letters has two, as DCMTK takes it."""
_FRAGMENTS = frozenset(b"OB OD OF OL OV OW".split())
"""Of an open length they hold compressed pixels in pieces, and no data sets (PS3.5 section A.4)."""
_OPEN = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)
_PIXELS = (0x7FE0, 0x0010)
_ITEMS = {True: b"\xfe\xff\x00\xe0", False: b"\xff\xfe\xe0\x00"}
"""How an item begins, in little endian and in big: no level is without one, and most files have too few for
any doubt."""
_PACKED_BYTES, _PIECE_BYTES = 2**16, 2**20
_DEFLATED = b"\x02\0\x10\0UI\x16\x001.2.840.10008.1.2.1.99"
_IMPLICIT = b"\x02\0\x10\0UI\x12\x001.2.840.10008.1.2\0"
_BIG_ENDIAN = b"\x02\0\x10\0UI\x14\x001.2.840.10008.1.2.2\0"
_META_BYTES = 2**16
"""File meta information ends before."""


def nested_too_deeply(data: bytes, most: int = MAX_LEVELS) -> bool:
    """Whether a file, or a data set without its head, nests sequences too deeply, or has too much in one.

    What cannot be looked through in bounded time and memory counts as such. Whether there are representations
    is said by a head that may be wrong: it is looked at both ways. Elements are counted as the head says
    alone: what is read in the wrong way has elements without end among its pixels.

    Args:
        data: the file.
        most: levels that it may have.
    """
    begin = _begin(data)
    if _DEFLATED in data[: min(begin, _META_BYTES)]:
        return _too_deep_inflated(data, begin, most)
    return any(
        data.count(item) > most and _walked(data, begin, most, little=little)
        for little, item in _ITEMS.items()
    ) or _too_many(data, begin, data[:begin])


def _too_many(data: bytes, begin: int, head: bytes) -> bool:
    """Whether a data set has too many elements, read as a head says."""
    if len(data) - begin < MAX_BESIDE * _LEAST_BYTES:
        return False
    walk = _Walk(data, little=_BIG_ENDIAN not in head)
    return walk.too_deep(begin, MAX_LEVELS, explicit=_IMPLICIT not in head, elements=True)


def _too_deep_inflated(data: bytes, begin: int, most: int) -> bool:
    """The same of what is unpacked: only what has items enough is ever in memory as a whole."""
    size = items = 0
    before = b""
    for piece in _inflated(data, begin):
        size += len(piece)
        if size > MAX_INFLATED:
            return True
        items += max((before + piece).count(item) for item in _ITEMS.values())
        before = piece[-3:]
    if items <= most and size < MAX_BESIDE * _LEAST_BYTES:
        return False
    unpacked = b"".join(_inflated(data, begin))
    nested = items > most and any(_walked(unpacked, 0, most, little=little) for little in _ITEMS)
    return nested or _too_many(unpacked, 0, b"")


def _walked(data: bytes, begin: int, most: int, *, little: bool) -> bool:
    walk = _Walk(data, little=little)
    return any(walk.too_deep(begin, most, explicit=explicit) for explicit in (True, False))


class _Element(NamedTuple):
    """What stands before a value."""

    tag: tuple[int, int]
    representation: bytes
    length: int
    at: int
    """Where the value begins."""


class _Open(NamedTuple):
    """A sequence or an item that we are in."""

    is_item: bool
    end: int
    explicit: bool
    fragments: bool = False
    at: int = 0
    """Where it begins."""


class _Walk:
    """A data set from element to element, in one of the ways to write it."""

    def __init__(self, data: bytes, *, little: bool) -> None:
        self._data = data
        self._numbers = struct.Struct("<HHI" if little else ">HHI")
        self._long = struct.Struct("<I" if little else ">I")
        self._short = struct.Struct("<H" if little else ">H")
        self._item = self._numbers.pack(*_ITEM, 0)[:4]

    def element(self, at: int, *, explicit: bool) -> _Element | None:
        """The one at a place; nothing where the data are at their end."""
        data = self._data
        if at + 12 > len(data):
            return self._last(at)
        group, number, length = self._numbers.unpack_from(data, at)
        if not explicit or group == _ITEM[0]:
            return _Element((group, number), b"", length, at + 8)
        name = data[at + 4 : at + 6]
        if name in _SHORT or not (name.isalpha() and name.isupper()):
            return _Element((group, number), name, self._short.unpack_from(data, at + 6)[0], at + 8)
        return _Element((group, number), name, self._long.unpack_from(data, at + 8)[0], at + 12)

    def _last(self, at: int) -> _Element | None:
        """An end, or an empty item: only they are so short and matter."""
        if at + 8 > len(self._data):
            return None
        group, number, length = self._numbers.unpack_from(self._data, at)
        return _Element((group, number), b"", length, at + 8)

    def too_deep(self, at: int, most: int, *, explicit: bool, elements: bool = False) -> bool:
        """Whether more items than that lie within each other, or too many items (and elements) beside."""
        within: list[_Open] = []
        beside: Counter[int] = Counter()
        levels = 0
        for _ in range(MAX_ELEMENTS):
            while within and at >= within[-1].end:
                left = within.pop()
                levels -= left.is_item
                at = left.end
            here = within[-1] if within else _Open(is_item=True, end=len(self._data), explicit=explicit)
            element = self.element(at, explicit=here.explicit)
            if element is None:
                return False
            at = element.at
            is_item = element.tag == _ITEM and not here.fragments
            levels += is_item
            beside[here.at] += is_item or (elements and element.tag[0] not in (0, _ITEM[0]))
            if levels > most or beside[here.at] > MAX_BESIDE:
                return True
            if is_item:
                within.append(_Open(is_item=True, end=self._end(element), explicit=here.explicit, at=at))
            elif element.tag == _ITEM_END:
                if within and here.is_item:
                    levels -= within.pop().is_item
            elif element.tag == _SEQUENCE_END:
                # Some writers forget the end of the item before.
                while within and within[-1].is_item:
                    levels -= within.pop().is_item
                if within:
                    within.pop()
            elif element.tag != _ITEM and self._is_sequence(element):
                within.append(self._sequence(element, explicit=here.explicit))
            else:
                at += element.length
        return True

    def _is_sequence(self, element: _Element) -> bool:
        """Whether it is one, or may be: without a representation only a value that begins as one tells."""
        return (
            element.length == _OPEN
            or element.representation == b"SQ"
            or self._data.startswith(self._item, element.at)
        )

    def _sequence(self, element: _Element, *, explicit: bool) -> _Open:
        pixels = element.representation in _FRAGMENTS or (not explicit and element.tag == _PIXELS)
        return _Open(
            is_item=False,
            end=self._end(element),
            at=element.at,
            # What is unknown is written without representations (PS3.5 section 6.2.2).
            explicit=explicit and element.representation != b"UN",
            fragments=pixels and element.length == _OPEN,
        )

    def _end(self, element: _Element) -> int:
        """Where it ends at the latest."""
        whole = len(self._data)
        return whole if element.length == _OPEN else min(whole, element.at + element.length)


def _begin(data: bytes) -> int:
    """Where the data set begins: behind the file meta information, whatever that says of its length."""
    at = _HEAD_BYTES if data[_HEAD_BYTES - 4 : _HEAD_BYTES] == b"DICM" else 0
    head = _Walk(data, little=True)
    while data[at : at + 2] == b"\x02\0" and at < _META_BYTES:
        element = head.element(at, explicit=True)
        if element is None or element.length > _META_BYTES or element.representation in {b"SQ", b"UN"}:
            break
        at = element.at + element.length
    return at


def _inflated(data: bytes, begin: int) -> Iterator[bytes]:
    """A deflated data set in pieces, as far as it can be unpacked."""
    unpacking = zlib.decompressobj(-zlib.MAX_WBITS)
    for at in range(begin, len(data), _PACKED_BYTES):
        rest = data[at : at + _PACKED_BYTES]
        while rest:
            try:
                yield unpacking.decompress(rest, _PIECE_BYTES)
            except zlib.error:
                return
            rest = unpacking.unconsumed_tail
