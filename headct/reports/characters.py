"""The character set of a document: UTF-8, or that of the images where the patient cannot be told in another.

A patient is filed by the bytes of their number, and those may be no text in the character set that the images
declare, or another text in every other one. So a document carries them as they came. Where they mean the same
in UTF-8, all of it is UTF-8. Else what was taken over stays as stored, under the images' own character set,
and so is all else that this can write; Japanese gives way to English where it cannot. What persons wrote
stays: the items that have it declare UTF-8 for themselves, which the standard allows (DICOM PS3.3 C.12.1.1.2)
and not every viewer knows.
"""

import re

from pydicom.charset import convert_encodings, decode_bytes, default_encoding, encode_string
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.valuerep import TEXT_VR_DELIMS

from headct.images import headers
from headct.language import Language

CHARACTER_SET = "ISO_IR 192"
"""UTF-8, in which every name in every source character set can be written."""

_THE_SAME = re.compile(rb"[ -\[\]-}]*[ \0]?")
"""Bytes that are the same text in every character set, and the padding: ASCII without the backslash, a yen
sign in Japan, and the tilde, an overline there."""

_AS_STORED = {
    "PatientID": "LO",
    "PatientName": "PN",
    "IssuerOfPatientID": "LO",
    "ReferringPhysicianName": "PN",
    "StudyID": "SH",
    "AccessionNumber": "SH",
    "StudyDescription": "LO",
}
"""Texts of the images that stand in a document itself, not in one of its items."""

_JAPANESE = "脳のア"
"""A character set that has these has the others too; Korean ones lack the first."""


def take_over(found: Dataset, header: Dataset) -> None:
    """Have the evidence carry the patient's number as stored, and with it all that shares its character set.

    Args:
        found: what was taken over of the header so far, as text; what is empty stays so.
        header: of an image.
    """
    number = headers.stored(header, "PatientID")
    if _THE_SAME.fullmatch(number):
        found.PatientID = number.rstrip(b" \0").decode("ascii")
        return
    found.SpecificCharacterSet = header.get("SpecificCharacterSet")
    for keyword, vr in _AS_STORED.items():
        if found.get(keyword) or keyword == "PatientID":
            value, tag = headers.stored(header, keyword), Tag(keyword)
            found[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)


def writable(language: Language, first: Dataset) -> Language:
    """The language, or English where the character set of the evidence has no letters for it."""
    if language == "en" or _can_write(_JAPANESE, _encodings(first)):
        return language
    return "en"


def write_as_stored(document: Dataset, first: Dataset) -> None:
    """The same bytes in a document that is written next, and the rest of it still readable.

    Args:
        document: complete, and in UTF-8.
        first: the evidence that patient and study were taken from.
    """
    if "SpecificCharacterSet" not in first:
        return
    encodings = _encodings(first)
    for element in document:
        for item in element.value if element.VR == "SQ" else ():
            if not all(_can_write(str(part.value), encodings) for part in item.iterall()):
                item.SpecificCharacterSet = CHARACTER_SET
    for keyword in _AS_STORED:
        if keyword in first and keyword in document:
            document[keyword] = first.get_item(keyword)
    declared = first.SpecificCharacterSet
    if declared:
        document.SpecificCharacterSet = declared
    else:
        del document.SpecificCharacterSet
    # Elements that were stored so are written so.
    document.set_original_encoding(False, True, encodings if declared else default_encoding)


def _encodings(first: Dataset) -> list[str]:
    """The character sets of the document that will be written, as pydicom names them."""
    return convert_encodings(first.get("SpecificCharacterSet", CHARACTER_SET))


def _can_write(text: str, encodings: list[str]) -> bool:
    return text.isascii() or decode_bytes(encode_string(text, encodings), encodings, TEXT_VR_DELIMS) == text
