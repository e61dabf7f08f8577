"""Header values as they are found: absent, empty, malformed or right. Nothing here raises.

Reading a text that character sets hold for leaves it in the header as the bytes it was stored in: a patient
is filed by those bytes, which may be no text in any character set.
"""

import math
from collections.abc import MutableSequence
from functools import lru_cache
from typing import Any

from pydicom.charset import convert_encodings, encode_string
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.valuerep import CUSTOMIZABLE_CHARSET_VR, PersonName

from headct.images.files.values import Stored, short, tag_of
from headct.images.quiet import quiet
from headct.terms.demographics import Demographics

MAX_ITEMS = 200_000
"""Of a sequence, those within its items too: each takes some two thousand bytes once it is parsed, and eight
before. 6,000 frames with all their functional groups have 90,000."""
_KEPT = 2**15
"""Short values that are kept decoded: most are the same in every image of a series, and the others are asked
for again. Those of 3,000 images have some 15 MB."""


def text(header: Dataset, keyword: str) -> str:
    """A value as text, several joined by a backslash; empty when absent or unreadable.

    Without zero characters, which fill values up, are part of no text, and are taken by no database.
    """
    found = header.get_item(tag_of(keyword), keep_deferred=True)
    if found is None:
        return ""
    value = short(header, keyword, found)
    return _text(header, keyword) if value is None else _decoded_text(value)


@quiet()
def _text(header: Dataset, keyword: str) -> str:
    return _joined(_texts(header, keyword))


@lru_cache(maxsize=_KEPT)
@quiet()
def _decoded_text(value: Stored) -> str:
    try:
        return _joined(_each_text(value.decoded()))
    except MemoryError:
        raise
    except Exception:  # as below
        return ""


@quiet()
def stored(header: Dataset, keyword: str) -> bytes:
    """A text as the bytes it was stored in; as they would be stored, where the header never was in a file."""
    try:
        found = header.get_item(keyword) if keyword in header else None
        if isinstance(found, RawDataElement):
            return found.value or b""
        return encode_string("\\".join(_texts(header, keyword)), convert_encodings(list(_encodings(header))))
    except MemoryError:
        raise
    except Exception:  # bytes under any character set, the right ones and others
        return b""


@quiet()
def identifier(header: Dataset, keyword: str) -> str:
    """A text where it stands for the bytes stored; else those, for two that differ must never be one."""
    found = text(header, keyword)
    whole = "\\".join(_texts(header, keyword)).rstrip(" \0")
    lossless = found == whole and "\N{REPLACEMENT CHARACTER}" not in found
    return found if lossless else stored(header, keyword).hex()


def numbers(header: Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    """Exactly ``count`` finite numbers, else ``None``."""
    found = header.get_item(tag_of(keyword), keep_deferred=True)
    if found is None:
        return None
    value = short(header, keyword, found)
    return _numbers(header, keyword, count) if value is None else _decoded_numbers(value, count)


@quiet()
def _numbers(header: Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    return _finite(_value(header, keyword), count)


@lru_cache(maxsize=_KEPT)
@quiet()
def _decoded_numbers(value: Stored, count: int) -> tuple[float, ...] | None:
    try:
        return _finite(value.decoded(), count)
    except MemoryError:
        raise
    except Exception:  # as above
        return None


def _finite(value: Any, count: int) -> tuple[float, ...] | None:
    """Exactly so many finite numbers."""
    if value is None or isinstance(value, bytes):
        return None
    values = [value] if isinstance(value, str) or not hasattr(value, "__iter__") else list(value)
    if len(values) != count:
        return None
    try:
        found = tuple(float(v) for v in values)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if all(math.isfinite(v) for v in found) else None


def number(header: Dataset, keyword: str) -> float | None:
    """One finite number, else ``None``."""
    found = numbers(header, keyword, 1)
    return None if found is None else found[0]


@quiet()
def items(header: Dataset, keyword: str) -> tuple[Dataset, ...]:
    """The items of a sequence; none when it is absent, unreadable, or has more than any image has."""
    found = header.get_item(keyword) if keyword in header else None
    if isinstance(found, RawDataElement) and _count_items(found.value) > MAX_ITEMS:
        return ()
    value = _value(header, keyword)
    return tuple(value) if isinstance(value, Sequence) else ()


def demographics(header: Dataset) -> Demographics:
    """Patient and study; from the bytes, for the character sets."""
    return Demographics(
        patient_id=text(header, "PatientID"),
        patient_name=text(header, "PatientName"),
        birth_date=text(header, "PatientBirthDate"),
        sex=text(header, "PatientSex"),
        age=text(header, "PatientAge"),
        accession_number=text(header, "AccessionNumber"),
        study_date=text(header, "StudyDate"),
        study_time=text(header, "StudyTime"),
        study_description=text(header, "StudyDescription"),
    )


def element(header: Dataset, tag: BaseTag) -> DataElement:
    """An element that is there, decoded; the header keeps it as stored.

    Raises:
        Exception: the value cannot be decoded; the errors have no common root.
    """
    found = header.get_item(tag)
    if isinstance(found, RawDataElement):
        return convert_raw_data_element(found, encoding=_encodings(header), ds=header)
    return header[tag]


def _texts(header: Dataset, keyword: str) -> list[str]:
    """Every value of a text, as decoded."""
    tag = tag_of(keyword)
    try:
        if tag not in header:
            return []
        found = element(header, tag) if _in_character_sets(tag) else header[tag]
        return _each_text(found.value)
    except MemoryError:
        raise
    except Exception:  # as below
        return []


def _joined(values: list[str]) -> str:
    return "\\".join(value.replace("\0", "").strip() for value in values)


def _each_text(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str | PersonName) or not hasattr(value, "__iter__"):
        return [str(value)]
    return [str(v) for v in value]


@lru_cache
def _in_character_sets(tag: BaseTag) -> bool:
    """Whether an element's bytes mean what the character sets say; others are decoded once and kept so."""
    return not dictionary_has_tag(tag) or dictionary_VR(tag) in CUSTOMIZABLE_CHARSET_VR


def _encodings(header: Dataset) -> str | MutableSequence[str]:
    """The character sets of a header, as pydicom names them."""
    return header.original_character_set or convert_encodings(header.get("SpecificCharacterSet"))


def _count_items(value: bytes | None) -> int:
    """Items in a sequence as stored, or a few more (PS3.5 7.5.1)."""
    return max(map((value or b"").count, (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")))


def _value(header: Dataset, keyword: str) -> Any:
    tag = tag_of(keyword)
    try:
        return header[tag].value if tag in header else None
    except MemoryError:
        raise
    except Exception:  # conversion of damaged values raises errors without a common root
        return None
