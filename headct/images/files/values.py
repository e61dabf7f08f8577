"""Short values as a file has them, each decoded once: most are the same in every image of a series."""

from functools import lru_cache
from typing import Any, NamedTuple

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement, convert_raw_data_element
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag
from pydicom.valuerep import STR_VR

_LONGEST = 128
"""Bytes of a short value."""
_PLAIN = frozenset({*map(str, STR_VR), "US", "SS", "UL", "SL", "FD", "FL"})
"""Representations that are decoded by their own bytes and the character sets alone."""


class Stored(NamedTuple):
    """A value with all that says what it means: equal ones mean the same."""

    keyword: str
    representation: str | None
    length: int
    value: bytes | None
    implicit: bool
    little: bool
    encodings: str | tuple[str, ...]

    def decoded(self) -> Any:
        """As pydicom decodes it.

        Raises:
            Exception: it cannot be decoded; the errors have no common root.
        """
        keyword, representation, length, value, implicit, little, encodings = self
        raw = RawDataElement(tag_of(keyword), representation, length, value, 0, implicit, little)
        sets = encodings if isinstance(encodings, str) else list(encodings)
        return convert_raw_data_element(raw, encoding=sets).value


@lru_cache(maxsize=1024)
def tag_of(keyword: str) -> BaseTag:
    """The tag of an attribute of the standard."""
    return Tag(keyword)


def short(header: Dataset, keyword: str, found: object) -> Stored | None:
    """An element of a header as its file has it; ``None`` where it is long, no plain value, or made since."""
    if not isinstance(found, RawDataElement):
        return None
    _, representation, length, value, _, implicit, little, _, _ = found
    encodings = header.original_character_set
    if length > _LONGEST or (value is None and length) or not encodings:
        return None
    if (representation or _representation(keyword)) not in _PLAIN:
        return None  # a sequence, or what other elements tell how to read
    sets = encodings if isinstance(encodings, str) else tuple(encodings)
    return Stored(keyword, representation, length, value, implicit, little, sets)


@lru_cache(maxsize=1024)
def _representation(keyword: str) -> str:
    return dictionary_VR(tag_of(keyword))
