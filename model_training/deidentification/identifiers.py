"""What the images of a hospital say of a person, a place or a device: what must not be found in the data.

Shares nothing with ``profile``, so that a mistake made there is not made here again. Everything that is not
known to be technique counts, in sequences, private attributes and the file meta information too. Names are
taken apart into their components, since one alone betrays a person; numbers count without separators and
leading zeros too.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from enum import Enum, auto
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pydicom.charset import convert_encodings
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag

from headct.errors import DeidentificationError
from headct.images.quiet import quiet


class Kind(Enum):
    """What a value identifies; all that is ever said of it."""

    NAME = "a person's name"
    NUMBER = "an identifying number, address or device"
    TEXT = "a text"
    DATE = "a date"
    UID = "a UID"


@dataclass(frozen=True, slots=True)
class Identifiers:
    """Values of the input that must not be in the output. Shown by nothing."""

    values: frozenset[tuple[Kind, str]] = field(default=frozenset(), repr=False)
    dates: frozenset[date] = field(default=frozenset(), repr=False)
    uids: frozenset[str] = field(default=frozenset(), repr=False)
    raw: frozenset[bytes] = field(default=frozenset(), repr=False)
    """Names outside ASCII as the input's bytes have them."""
    encodings: frozenset[str] = frozenset()
    """Of the input's character sets, as Python names them."""

    @classmethod
    def of(cls, files: Iterable[bytes | Path]) -> "Identifiers":
        """Read from the originals.

        Raises:
            DeidentificationError: a file cannot be read.
        """
        found = _Collector()
        for place, file in enumerate(files, start=1):
            try:
                with quiet():
                    with BytesIO(file) if isinstance(file, bytes) else file.open("rb") as source:
                        dataset = dcmread(source, force=True)
                    found.take(dataset.file_meta)
                    found.take(dataset)
            except (
                Exception
            ):  # arbitrary bytes; an error of the parser may quote a value and is not passed on
                raise DeidentificationError(f"image {place} cannot be read for what identifies") from None
        return found.result()


def folded(text: str) -> str:
    """A text as it is compared: width, case, hiragana or katakana, and the number of spaces do not count."""
    text = unicodedata.normalize("NFKC", text).casefold().translate(_KATAKANA)
    return " ".join(text.split())


def parse_date(text: str) -> date | None:
    """The day a DICOM date or date-time starts with, in any common order of separators."""
    found = _DAY.match(text.strip())
    try:
        return date(*(int(part) for part in found.groups())) if found else None
    except ValueError:
        return None


_KATAKANA = {code: code + 0x60 for code in range(ord("ぁ"), ord("ゖ") + 1)}
_DAY = re.compile(r"(\d{4})[-./]?(\d\d)[-./]?(\d\d)")
_BETWEEN_COMPONENTS = re.compile(r"[\^\s,・·]+")
_LINES = re.compile(r"[\r\n\f\t\\]+")
_STANDARD_UID = "1.2.840.10008."
_PIXEL_DATA = 0x7FE00010

_NUMBERS = frozenset({
    "AccessionNumber", "AdmissionID", "CassetteID", "DetectorID", "DeviceSerialNumber",
    "FillerOrderNumberImagingServiceRequest", "GantryID", "InstitutionAddress", "InstitutionName",
    "InsurancePlanIdentification", "IssuerOfAdmissionID", "IssuerOfPatientID", "MedicalRecordLocator",
    "OrderCallbackPhoneNumber", "OrderCallbackTelecomInformation", "OtherPatientIDs", "PatientAddress",
    "PatientID", "PatientInstitutionResidence", "PatientTelecomInformation", "PatientTelephoneNumbers",
    "PerformedProcedureStepID", "PerformedStationName", "PersonAddress", "PersonTelecomInformation",
    "PersonTelephoneNumbers", "PlacerOrderNumberImagingServiceRequest", "PlateID",
    "ReferringPhysicianAddress", "ReferringPhysicianTelephoneNumbers", "RequestedProcedureID",
    "ScheduledProcedureStepID", "ScheduledStationName", "ServiceEpisodeID", "StationName", "StudyID",
    "UniqueDeviceIdentifier",
})  # fmt: skip
_TEXTS = frozenset({"AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_TECHNIQUE = frozenset({
    "ConvolutionKernel", "ImageType", "ImplementationVersionName", "LossyImageCompressionMethod",
    "Manufacturer", "ManufacturerModelName", "Modality", "PatientPosition", "PhotometricInterpretation",
    "RescaleType", "ScanOptions",
})  # fmt: skip
"""Words that stay in the data; :meth:`_Collector._is_technique` says what else may say the same."""
_DEVICE = frozenset({"Manufacturer", "ManufacturerModelName"})
_STATIONS = frozenset({"PerformedStationName", "ScheduledStationName", "StationName"})
_PATIENT = frozenset({"OtherPatientIDs", "OtherPatientNames", "ResponsiblePerson"})
"""And all of group 0010: technique never says it."""
_MAKERS = frozenset({
    "canon", "company", "corporation", "electric", "elscint", "fujifilm", "general", "healthcare",
    "healthineers", "hitachi", "imaging", "imatron", "marconi", "medical", "neusoft", "philips", "picker",
    "samsung", "shimadzu", "siemens", "systems", "toshiba", "united",
})  # fmt: skip
"""What operators and stations are called where nobody gave them a name."""
_TERMS = frozenset({
    "axial", "bone", "boneplus", "brain", "cine", "ct", "derived", "detail", "edge", "head", "helical",
    "helix", "localizer", "lung", "mode", "monochrome2", "mpr", "normal", "original", "plus", "primary",
    "reformatted", "routine", "scout", "secondary", "seq", "sequence", "sharp", "smooth", "soft", "som5",
    "som7", "spi", "spiral", "standard", "surview", "topogram", "ultra", "volume",
})  # fmt: skip
"""Of scan modes, kinds of images and kernels; makers repeat them in private attributes."""
_KERNEL = re.compile(r"[a-z]{1,2}\d{1,3}[a-z]{0,2}")
"""Such as FC21, H31s, Hr40f."""
_LONG_NUMBER = re.compile(r"\d{4}")
_IMPLEMENTATION = "ImplementationClassUID"
"""Names a program, not a person; ours too, when its own output is read again."""


class _Origin(Enum):
    """Who speaks in an attribute, as far as it tells whether it may be technique."""

    PATIENT = auto()
    STATION = auto()
    PRIVATE = auto()
    OTHER = auto()

    @classmethod
    def of(cls, tag: BaseTag, keyword: str) -> "_Origin":
        if tag.group == 0x0010 or keyword in _PATIENT:
            return cls.PATIENT
        if keyword in _STATIONS:
            return cls.STATION
        return cls.PRIVATE if tag.is_private and not tag.is_private_creator else cls.OTHER


class _Collector:
    """Goes through datasets and keeps what identifies."""

    def __init__(self) -> None:
        self.values: set[tuple[_Origin, Kind, str]] = set()
        self.technique: set[str] = set()
        self.device: set[str] = set()
        self.dates: set[date] = set()
        self.uids: set[str] = set()
        self.raw: set[bytes] = set()
        self.encodings: set[str] = set()

    def take(self, dataset: Dataset) -> None:
        for tag in sorted(dataset.keys()):
            if tag == _PIXEL_DATA:
                continue
            original = dataset.get_item(tag).value  # bytes until converted
            try:
                element = dataset[tag]
            except Exception:  # a value that cannot be converted may identify all the same
                self._take(tag, "UN", original)
                continue
            if element.VR == "SQ":
                for item in element.value or ():
                    self.take(item)
                continue
            keyword = keyword_for_tag(tag)
            if keyword == "SpecificCharacterSet":
                self.encodings |= set(convert_encodings(element.value))
            # Names are found in attributes of the wrong representation.
            known = dictionary_VR(tag) if keyword else element.VR
            vr = known if known in _TEXTS | {"DA", "DT", "UI"} else element.VR
            if vr == "PN" and isinstance(original, bytes) and (b"\x1b" in original or not original.isascii()):
                self.raw.add(original.strip(b" \0"))
            many = isinstance(element.value, MultiValue | list | tuple)
            for value in element.value if many else [element.value]:
                self._take(tag, vr, value)

    def _take(self, tag: BaseTag, vr: str, value: object) -> None:
        keyword = keyword_for_tag(tag)
        if keyword in _TECHNIQUE:
            (self.device if keyword in _DEVICE else self.technique).add(folded(str(value)))
            return
        if isinstance(value, bytes):
            text, vr = _readable(value), "UN"
        else:
            text = str(value).strip(" \0") if value is not None and vr in _TEXTS | {"DA", "DT", "UI"} else ""
        if vr == "UI":
            if text and not text.startswith(_STANDARD_UID) and keyword != _IMPLEMENTATION:
                self.uids.add(text)
        elif vr in {"DA", "DT"} and (day := parse_date(text)):
            self.dates.add(day)
        elif text:
            origin = _Origin.of(tag, keyword)
            if vr == "PN":
                self.values |= {(origin, Kind.NAME, name) for name in _names(text)}
                return
            kind = Kind.NUMBER if keyword in _NUMBERS else Kind.TEXT
            self.values |= {
                (origin, kind, spelt) for line in _LINES.split(text) for spelt in _spellings(line) if spelt
            }

    def result(self) -> Identifiers:
        return Identifiers(
            values=frozenset(
                (kind, text)
                for origin, kind, text in self.values
                if not self._is_technique(origin, kind, text)
            ),
            dates=frozenset(self.dates),
            uids=frozenset(self.uids),
            raw=frozenset(self.raw),
            encodings=frozenset(self.encodings),
        )

    def _is_technique(self, origin: _Origin, kind: Kind, text: str) -> bool:
        """Whether a value may stay as technique says the same: an operator "SIEMENS", a protocol "HELICAL".

        Only whole words, never a long number: an identifier copied into technique must be found there.
        """
        text = folded(text)
        if origin is _Origin.PATIENT or _LONG_NUMBER.search(text):
            return False
        words = re.findall(r"[^\W_]+", text)
        of_device = any(_holds(said, text) for said in self.device)
        there = of_device or any(_holds(said, text) for said in self.technique)
        if kind is Kind.NAME:
            return of_device and _MAKERS.issuperset(words)
        if kind is Kind.NUMBER:
            return there and origin is _Origin.STATION
        if origin is _Origin.PRIVATE:
            return of_device or (there and all(word in _TERMS or _KERNEL.fullmatch(word) for word in words))
        return there


def _holds(said: str, text: str) -> bool:
    """Whether a folded text is part of another as whole words; letters and digits part words too."""
    if text not in said:
        return False
    before = r"(?<!\d)" if text[0].isdecimal() else r"(?<![^\W\d_])"
    after = r"(?!\d)" if text[-1].isdecimal() else r"(?![^\W\d_])"
    return bool(re.search(before + re.escape(text) + after, said))


def _names(text: str) -> Iterator[str]:
    """Components of a person's name, and family and given name together in either order."""
    for group in text.split("="):
        parts = [part for part in _BETWEEN_COMPONENTS.split(group) if part]
        yield from parts
        if len(parts) > 1:
            yield from (
                between.join(order) for between in ("", " ", "^") for order in (parts[:2], parts[1::-1])
            )


def _spellings(text: str) -> Iterator[str]:
    """A value as it is, and a number without separators and without leading zeros."""
    text = " ".join(text.split())
    yield text
    digits = re.sub(r"\D", "", text)
    if len(digits) >= 7 and 2 * len(digits) >= len(text):
        yield digits
    if len(text.lstrip("0")) >= 6:
        yield text.lstrip("0")


def _readable(value: bytes) -> str:
    """Text in an attribute of unknown meaning; empty when it is none."""
    for encoding in ("utf-8", "shift_jis"):
        try:
            text = value.strip(b" \0").decode(encoding)
        except UnicodeDecodeError:
            continue
        return text if text.isprintable() and len(text) <= 1024 else ""
    return ""
