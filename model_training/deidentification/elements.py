"""A strict reader of image files in one form, without gaps: each byte belongs to an attribute or is refused.

The form is a DICOM file (PS3.10, 7.1) in Explicit VR Little Endian (PS3.5, 7.1.2 and 7.5), attributes in
order, all lengths said, pixel data uncompressed. Written for the audit alone: a forgiving reader would pass
over what the audit looks for.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from headct.errors import DeidentificationError
from headct.images.first_bytes import HEAD_BYTES, is_marked

PREAMBLE = 128
_LONG = frozenset({
    "OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV",
})  # fmt: skip
"""Representations with a length of four bytes (PS3.5, table 7.1-1)."""
_SHORT = frozenset({
    "AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH", "SL", "SS",
    "ST", "TM", "UI", "UL", "US",
})  # fmt: skip
_ITEM = 0xFFFEE000
_DEEPEST = 16


@dataclass(frozen=True, slots=True)
class Element:
    """One attribute; a sequence has no value of its own and comes before its items' attributes."""

    tag: int
    vr: str
    value: bytes = field(repr=False)
    start: int
    """Of the value in the file."""
    path: tuple[int, ...] = ()
    """Tags of the sequences around it."""

    @property
    def name(self) -> str:
        """``(gggg,eeee)``, sequences in front."""
        return "/".join(f"({tag >> 16:04X},{tag & 0xFFFF:04X})" for tag in (*self.path, self.tag))


def elements(data: bytes) -> Iterator[Element]:
    """All attributes of a file, file meta information first.

    Raises:
        DeidentificationError: not in the form; says where, not what.
    """
    if not is_marked(data):
        raise DeidentificationError("no DICOM file")
    yield from _elements(data, HEAD_BYTES, len(data), ())


def _elements(data: bytes, at: int, end: int, path: tuple[int, ...]) -> Iterator[Element]:
    previous = -1
    while at < end:
        tag, vr, start, stop = _head(data, at, end)
        if tag <= previous or tag >> 16 == 0xFFFE:
            raise DeidentificationError(f"attributes out of order at byte {at}")
        if vr == "SQ":
            if len(path) == _DEEPEST:
                raise DeidentificationError(f"sequences too deep at byte {at}")
            yield Element(tag, vr, b"", start, path)
            yield from _items(data, start, stop, (*path, tag))
        else:
            yield Element(tag, vr, data[start:stop], start, path)
        previous, at = tag, stop


def _items(data: bytes, at: int, end: int, path: tuple[int, ...]) -> Iterator[Element]:
    while at < end:
        if _tag(data, at) != _ITEM:
            raise DeidentificationError(f"no item at byte {at}")
        stop = _stop(data, at + 4, 4, end)
        yield from _elements(data, at + 8, stop, path)
        at = stop


def _head(data: bytes, at: int, end: int) -> tuple[int, str, int, int]:
    """Tag and representation of the attribute at a byte, and where its value starts and stops."""
    vr = data[at + 4 : at + 6].decode("latin-1")
    if vr in _LONG:
        if data[at + 6 : at + 8] != b"\0\0":
            raise DeidentificationError(f"something in reserved bytes at byte {at}")
        return _tag(data, at), vr, at + 12, _stop(data, at + 8, 4, end)
    if vr in _SHORT:
        return _tag(data, at), vr, at + 8, _stop(data, at + 6, 2, end)
    raise DeidentificationError(f"no attribute at byte {at}")


def _tag(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little") << 16 | int.from_bytes(data[at + 2 : at + 4], "little")


def _stop(data: bytes, at: int, size: int, end: int) -> int:
    """Where the value ends whose length stands at a byte."""
    start = at + size
    stop = start + int.from_bytes(data[at:start], "little")
    if stop > end:
        raise DeidentificationError(f"value cut short, or of unsaid length, at byte {at}")
    return stop
