"""What report, review and key objects share: their frame around the content, and how content is found."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from io import BytesIO
from typing import Any, TypeVar

from highdicom import ContributingEquipment, SOPClass
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.valuerep import DT

import headct
from headct.errors import ReportError
from headct.images import headers
from headct.images.quiet import quiet
from headct.reports import codes
from headct.reports.characters import CHARACTER_SET, write_as_stored
from headct.reports.evidence import accession_number_to_say
from headct.terms.assessment import BundleIdentity

MANUFACTURER = "headct-triage"

_SAID = ("SOPClassUID", "ManufacturerModelName", "ContentDate", "ContentTime", "ContentSequence", "PixelData")
"""What a document is known by when its patient, its study and its UIDs are replaced."""

_Key = TypeVar("_Key")

_ESCAPE = "\N{SYMBOL FOR ESCAPE}"
_UNWRITABLE = re.compile(rf"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff{_ESCAPE}]| \Z")
"""What a DICOM text cannot hold (PS3.5 section 6.1.3), a space at the end, often dropped, and the escape."""


def attributes(bundle: BundleIdentity | None, made_at: datetime, series_description: str) -> dict[str, Any]:
    """Series, equipment and SOP common attributes, as highdicom's constructors name them.

    Args:
        bundle: which model spoke; ``None`` when a person did.
        made_at: date and time of the document.
        series_description: of the series it makes.
    """
    date, time = made_at.date(), made_at.time().replace(microsecond=0)
    return {
        "series_description": series_description,
        "series_date": date,
        "series_time": time,
        "content_date": date,
        "content_time": time,
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": bundle.name[:64] if bundle else MANUFACTURER,
        "software_versions": (headct.__version__, *([bundle.version[:64]] if bundle else [])),
        "specific_character_set": CHARACTER_SET,
        "contributing_equipment": [_processing_equipment(bundle, made_at)] if bundle else [],
    }


def in_zone_of_images(made_at: datetime, first: Dataset) -> datetime:
    """The same moment in the zone that the images say theirs is, for all times of a document are of one zone.

    Where they are silent, the server's is taken to be theirs.
    """
    offset = headers.text(first, "TimezoneOffsetFromUTC")
    if not offset or made_at.tzinfo is None:
        return made_at
    return made_at.astimezone(datetime.strptime(offset, "%z").tzinfo)


def series_number(first: int, header: Dataset) -> int:
    """A number out of the scanner's way, different for the series of one study.

    Args:
        first: number of the first of such series; the images' own is added.
        header: of an image of the series.
    """
    own = headers.number(header, "SeriesNumber")
    return first + (int(own) if own is not None and 0 < own < 400 else 0)


def unnamed(slices: list[Dataset]) -> list[Dataset]:
    """The evidence without the patient's name, which highdicom would log where it finds it unusual."""
    first = Dataset()
    first.update(slices[0])
    first.add_new("PatientName", "PN", None)  # a new element: the old one is shared with the evidence
    return [first, *slices[1:]]


def with_patient(item: Dataset, first: Dataset) -> Dataset:
    """A reference to one slice with the patient and study of the first."""
    found = Dataset()
    found.update(first)
    found.update(item)
    return found


def finished(document: SOPClass, first: Dataset, made_at: datetime) -> bytes:
    """The document as a DICOM file, with the patient's name and without a trace of this machine's clock."""
    document["PatientName"] = first.get_item("PatientName")
    _separate(document)
    document.InstanceCreationDate = document.ContentDate
    document.InstanceCreationTime = document.ContentTime
    for equipment in document.ContributingEquipmentSequence:
        if "ContributionDateTime" in equipment:
            equipment.ContributionDateTime = DT(f"{made_at:%Y%m%d%H%M%S}")
    if made_at.tzinfo is not None:
        document.TimezoneOffsetFromUTC = f"{made_at:%z}"[:5]
    write_as_stored(document, first)
    if accession_number_to_say(first):
        document.AccessionNumber = None
    buffer = BytesIO()
    document.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@contextmanager
def refusing(why: str) -> Iterator[None]:
    """Turn whatever damaged bytes raise into a :class:`ReportError`; pydicom's errors have no common root."""
    try:
        with quiet():
            yield
    except ReportError:
        raise
    except Exception as error:
        raise ReportError(why) from error


def parsed(document: bytes, sop_class_uid: str) -> Dataset:
    """A DICOM file of the expected SOP class.

    Raises:
        ReportError: it is something else.
    """
    with refusing("not a DICOM file"):
        found = dcmread(BytesIO(document))
        if found.get("SOPClassUID") != sop_class_uid:
            raise ReportError("not a document of the expected kind")
    return found


def made_from(document: bytes) -> tuple[str, frozenset[str]]:
    """By what a document is known again under another patient, study and UIDs; and the series it refers to.

    Returns:
        A digest of what is said in it and when it was said, empty where we did not write it; and the UIDs of
        the series that its references name.

    Raises:
        ReportError: not a DICOM file.
    """
    with refusing("not a DICOM file"):
        found = dcmread(BytesIO(document))
        if found.get("Manufacturer") != MANUFACTURER:
            return "", frozenset()
        said = Dataset()
        for keyword in _SAID:
            if keyword in found:
                said[keyword] = found[keyword]
        return hashlib.sha256(said.to_json().encode()).hexdigest(), frozenset(_referred_series(found))


def _referred_series(item: Dataset, *, root: bool = True) -> Iterator[str]:
    if not root and "SeriesInstanceUID" in item:
        yield str(item.SeriesInstanceUID)
    for element in item:
        if element.VR == "SQ":
            for below in element.value:
                yield from _referred_series(below, root=False)


def concept(item: Dataset, keyword: str = "ConceptNameCodeSequence") -> Code:
    """The code in one of an item's code sequences."""
    code = item[keyword][0]
    value = code.get("CodeValue") or code.get("LongCodeValue") or code.URNCodeValue
    return Code(str(value), str(code.CodingSchemeDesignator), str(code.CodeMeaning))


def children(item: Dataset, name: Code) -> list[Dataset]:
    """The content items of that name directly below an item."""
    return [child for child in item.get("ContentSequence", []) if concept(child) == name]


def only(item: Dataset, name: Code) -> Dataset:
    """The one content item of that name directly below an item."""
    (found,) = children(item, name)
    return found


def coded(item: Dataset, name: Code) -> list[Code]:
    """The values of the coded items of that name."""
    return [concept(child, "ConceptCodeSequence") for child in children(item, name)]


def key(table: Mapping[_Key, Code], code: Code) -> _Key:
    """What a code stands for."""
    return next(key for key, value in table.items() if value == code)


def escaped(text: str) -> str:
    """Free text as a DICOM text can hold it; :func:`plain` gives it back to the last character."""
    return _UNWRITABLE.sub(lambda found: f"{_ESCAPE}{ord(found[0]):04x}", text)


def plain(text: str) -> str:
    """Inverse of :func:`escaped`."""
    return re.sub(f"{_ESCAPE}([0-9a-f]{{4}})", lambda found: chr(int(found[1], 16)), text)


def _separate(container: Dataset) -> None:
    """Every item under its name on a line of its own; viewers run continuous items together."""
    if container.get("ValueType") == "CONTAINER":
        container.ContinuityOfContent = "SEPARATE"
        for item in container.get("ContentSequence", []):
            _separate(item)


def _processing_equipment(bundle: BundleIdentity, made_at: datetime) -> ContributingEquipment:
    equipment = ContributingEquipment(
        MANUFACTURER,
        codes.PROCESSING_EQUIPMENT,
        manufacturer_model_name=bundle.name[:64],
        software_versions=(headct.__version__, bundle.version[:64]),
        contribution_datetime=made_at.replace(microsecond=0, tzinfo=None),
        contribution_description="Triage of the head CT; the physician decides",
    )
    # A retrained network is another device (IHE AI Results).
    equipment.DeviceUID = bundle.device_uid
    return equipment
