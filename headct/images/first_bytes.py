"""Does a file begin as DICOM does? Told from its first bytes, never from its name."""

import re

from pydicom.valuerep import STANDARD_VR

HEAD_BYTES = 132
"""The preamble and the four letters after it (PS3.10 section 7.1)."""

_VRS = b"(?:%b)" % "|".join(sorted(STANDARD_VR)).encode()
_BARE = re.compile(
    rb"\x02\x00.\x00(?:%b|..\x00\x00)|\x08\x00.\x00(?:%b|..\x00\x00|\xff{4})|\x00\x08\x00.(?:%b)"
    % (_VRS, _VRS, _VRS),
    re.DOTALL,
)
"""First element of a file without preamble: file meta information, or the data set itself, in the little
endian syntaxes or the big one (PS3.5 section 7.1); without a representation where that is implicit, and of a
length that a sequence may leave open. Only such files are parsed to be sure: others could keep a parser busy
for hours."""


def is_marked(data: bytes) -> bool:
    """Whether the letters DICM stand after the preamble: then it is DICOM, or a damaged one."""
    return data[HEAD_BYTES - 4 : HEAD_BYTES] == b"DICM"


def may_be_dicom(data: bytes) -> bool:
    """Whether it begins like DICOM, with preamble or without; of the latter only parsing makes sure.

    Args:
        data: a file's first bytes, :data:`HEAD_BYTES` at least where it has as many.
    """
    return is_marked(data) or _BARE.match(data) is not None
