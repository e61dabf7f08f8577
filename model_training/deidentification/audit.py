"""The independent pass: refuses output in which anything that identifies is left.

Shares no code with ``profile``. An image is read strictly, byte for byte, and each attribute judged by its
kind: what may hold a name by its nature (private, free text, unknown bytes, sequences) must not be there at
all, whether or not it holds one. Then the identifiers of the input are looked for in every value and in the
whole file, in files that are no images, and in the files' names. What is found is told by file, attribute
and kind, never by its value.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from headct.errors import DeidentificationError
from headct.images.first_bytes import is_marked
from model_training.deidentification.elements import PREAMBLE, Element, elements
from model_training.deidentification.identifiers import Identifiers, Kind
from model_training.deidentification.search import Search

_TOLD = 10
"""Traces told in one error."""
_HIGHEST_AGE = 90

_CT_IMAGE, _EXPLICIT_LITTLE = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"
_FILE_UID, _SYNTAX, _PROGRAM = 0x00020003, 0x00020010, 0x00020012
_META = frozenset({0x00020000, 0x00020001, 0x00020002, _FILE_UID, _SYNTAX, _PROGRAM, 0x00020013})
"""All that a file must say before the dataset, and the name of the program (PS3.10, table 7.1-1)."""
_SOP_CLASS, _SOP_INSTANCE, _MODALITY = 0x00080016, 0x00080018, 0x00080060
_STUDY_DATE, _STUDY_TIME = 0x00080020, 0x00080030
_NAME, _ID, _SEX, _AGE = 0x00100010, 0x00100020, 0x00100040, 0x00101010
_REMOVED, _METHODS, _DATES = 0x00120062, 0x00120064, 0x00280303
_BURNT_IN, _PIXELS = 0x00280301, 0x7FE00010
_STANDARD = {0x00020002: _CT_IMAGE, _SYNTAX: _EXPLICIT_LITTLE, _SOP_CLASS: _CT_IMAGE}
"""The only UIDs that are the same in every file."""
_TECHNIQUE = frozenset({0x00020013, 0x00080070, 0x00081090, 0x00181210, 0x00281054})
"""Words of technique: program, maker, model, kernel, unit."""
_BASIC, _MODIFIED_DATES, _CHARACTERISTICS = (
    ("113100", "DCM", "Basic Application Confidentiality Profile"),
    ("113107", "DCM", "Retain Longitudinal Temporal Information Modified Dates Option"),
    ("113108", "DCM", "Retain Patient Characteristics Option"),
)
"""Methods of PS3.16, CID 7050."""

_FORBIDDEN = {
    **dict.fromkeys(("LT", "ST", "UC", "UR", "UT"), "free text"),
    **dict.fromkeys(("OB", "OD", "OF", "OL", "OV", "OW", "UN"), "bytes of unknown meaning"),
    **dict.fromkeys(("AT", "FD", "FL", "SL", "SV", "UL", "UV"), "a binary number long enough for an ID"),
    **dict.fromkeys(("DA", "DT", "TM"), "a date or time"),
    "AE": "an application entity title",
    "PN": "a person's name",
    "SQ": "a sequence",
}
"""What must be empty or absent, by representation, with the exceptions in :func:`_must_not_be`."""
_NUMBER = re.compile(r"[+-]?\d*\.?\d*(?:[Ee][+-]?\d{1,3})?")
_NEW_UID = re.compile(r"2\.25\.\d{1,39}")
_AGES = re.compile(r"(\d{3})([DWMY])")


def audit(
    files: Iterable[tuple[str, bytes | Path]], identifiers: Identifiers, own_words: Iterable[str] = ()
) -> None:
    """Refuse files in which something identifies.

    Args:
        files: names as they will be in the data, and contents; images, and anything else of the data.
        identifiers: of the originals of all these files. Images are best audited a series at a time: the work
            grows with their number times that of the identifiers.
        own_words: of tables beside the images, such as names of columns; by itself none is taken for a name
            there.

    Raises:
        DeidentificationError: something is left, a file cannot be read, or there is none.
    """
    search = Search(identifiers, own_words)
    traces: list[str] = []
    place = 0
    for place, (name, content) in enumerate(files, start=1):
        named = search.beside(name)
        shown = name if named is None else f"file {place}"
        try:
            data = content if isinstance(content, bytes) else content.read_bytes()
        except OSError as error:
            raise DeidentificationError(f"{shown} cannot be read: {error.strerror}") from error
        if named:
            traces.append(f"{shown}: {named.value} of the input in its name")
        found = _image(data, search) if _is_image(name, data) else _beside(data, search)
        traces += [f"{shown}: {trace}" for trace in found]
        if len(traces) >= _TOLD:
            break
    if not place:
        raise DeidentificationError("no file to audit")
    if traces:
        raise DeidentificationError("; ".join(traces[:_TOLD]))


def files_below(folder: Path) -> Iterator[tuple[str, Path]]:
    """All files of a folder for :func:`audit`, named from there."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path


def _is_image(name: str, data: bytes) -> bool:
    return name.lower().endswith(".dcm") or is_marked(data)


def _beside(data: bytes, search: Search) -> Iterator[str]:
    """What is left in a file that is no image."""
    for encoding in ("utf-8", "cp932"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if found := search.beside(text):
            yield f"{found.value} of the input"
            return
        break
    if found := search.data(data):
        yield f"{found.value} of the input"


def _image(data: bytes, search: Search) -> Iterator[str]:
    if data[:PREAMBLE].strip(b"\0"):
        yield "something in the preamble"
    try:
        found = list(elements(data))
    except DeidentificationError as error:
        yield f"not in the form of the data: {error}"
        return
    values = {element.tag: _text(element) for element in found if not element.path}
    rest = bytearray(data)
    for element in found:
        if element.path == (_METHODS,):
            continue  # compared as a whole
        if trace := _must_not_be(element, values):
            yield f"{element.name} {trace}"
        elif kind := _found(element, search):
            yield f"{element.name} {kind.value} of the input"
        if element.vr in {"DS", "IS", "UI"}:
            # Judged as whole values; digits of many numbers in a row would hold any short one by chance.
            rest[element.start : element.start + len(element.value)] = bytes(len(element.value))
    if kind := search.data(bytes(rest)):
        yield f"{kind.value} of the input in the bytes"
    yield from _wrongly_said(found, values)


def _must_not_be(element: Element, values: dict[int, str]) -> str | None:
    """Why an attribute must not be there as it is, from its kind alone."""
    tag, vr, text = element.tag, element.vr, _text(element)
    if place := _misplaced(element):
        return place
    if tag >> 16 == 2 or tag in {_PIXELS, _METHODS} or (vr != "SQ" and not element.value.strip(b" \0")):
        return None
    shifted = vr in {"DA", "TM"} and tag in {_STUDY_DATE, _STUDY_TIME}
    pseudonym = tag == _NAME and text == values.get(_ID)
    if vr in _FORBIDDEN and not (shifted or pseudonym):
        return _FORBIDDEN[vr]
    if vr in {"SS", "US"}:
        return "several binary numbers" if len(element.value) > 2 else None
    return _malformed(tag, vr, text)


def _misplaced(element: Element) -> str | None:
    """Why there may be nothing at all at this place."""
    group = element.tag >> 16
    if group == 2 and element.tag not in _META:
        return "more file meta information than must be"
    if group % 2:
        return "a private attribute"
    if group & 0xFF00 in {0x5000, 0x6000}:
        return "a curve or an overlay"
    return _FORBIDDEN["SQ"] if element.path else None


def _malformed(tag: int, vr: str, text: str) -> str | None:
    """Why a short text is not what it should be."""
    if not (text.isascii() and text.isprintable()):
        return "characters outside ASCII"
    if vr == "AS":
        age = _AGES.fullmatch(text)
        return None if age and (age[2] != "Y" or int(age[1]) <= _HIGHEST_AGE) else "an age over 89"
    if vr in {"DS", "IS"} and not all(_NUMBER.fullmatch(part.strip()) for part in text.split("\\")):
        return "no number"
    if vr == "UI" and not _NEW_UID.fullmatch(text) and text != _STANDARD.get(tag):
        return "a UID that was not made anew"
    return "text burnt into the image" if tag == _BURNT_IN and text.upper() != "NO" else None


def _found(element: Element, search: Search) -> Kind | None:
    """Which of the input's identifiers a value holds."""
    tag, text = element.tag, _text(element)
    match element.vr:
        case "UI":
            return None if tag in _STANDARD else search.uid(text)
        case "DS" | "IS":
            return next(filter(None, map(search.number, text.split("\\"))), None)
        case "CS":
            return None if tag in {_REMOVED, _DATES} else search.technique(text)
        case "DA" | "LO" | "PN" | "SH" | "TM":
            return search.technique(text) if tag in _TECHNIQUE else search.text(text)
    return None


def _wrongly_said(found: list[Element], values: dict[int, str]) -> Iterator[str]:
    """What the image must say of itself and does not (PS3.15, E.1.1 and E.3.6)."""
    if values.get(_SOP_CLASS) != _CT_IMAGE or values.get(_MODALITY) != "CT":
        yield "not a CT image"
    if values.get(_FILE_UID) != values.get(_SOP_INSTANCE) or values.get(_SYNTAX) != _EXPLICIT_LITTLE:
        yield "file meta information of another image"
    if values.get(_REMOVED) != "YES":
        yield "(0012,0062) does not say that the identity was removed"
    said = [_text(element) for element in found if element.path == (_METHODS,)]
    methods = {tuple(said[k : k + 3]) for k in range(0, len(said), 3)}
    needed = {_BASIC}
    if values.get(_STUDY_DATE) or values.get(_STUDY_TIME):
        needed.add(_MODIFIED_DATES)
    if values.get(_AGE) or values.get(_SEX):
        needed.add(_CHARACTERISTICS)
    if not needed <= methods <= {_BASIC, _MODIFIED_DATES, _CHARACTERISTICS}:
        yield "(0012,0064) does not say how"
    if values.get(_DATES) != ("MODIFIED" if _MODIFIED_DATES in methods else "REMOVED"):
        yield "(0028,0303) does not say that dates were modified"


def _text(element: Element) -> str:
    # PS3.5 6.2: padded with a space, UIDs with a zero.
    return element.value.decode("latin-1").strip(" \0") if element.vr not in {"OB", "OW"} else ""
