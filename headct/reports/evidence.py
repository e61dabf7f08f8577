"""What a report takes over from the images: patient, study, and the references to every slice.

Headers are found malformed (a birth date of "Unknown" is real) and a report must be written nevertheless. So
nothing is copied unchecked: an impossible value is left out, the rest is kept, the headers stay as they are.
"""

import re
from collections.abc import Sequence

from pydicom import config
from pydicom.dataset import Dataset
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    SecondaryCaptureImageStorage,
)
from pydicom.valuerep import DA, TM, PersonName, validate_value

from headct.errors import ReportError
from headct.images import headers
from headct.images.frames import frame_number
from headct.images.quiet import quiet
from headct.images.series import CTSeries
from headct.reports.characters import take_over
from headct.terms.assessment import Assessment

_IMAGE_CLASSES = (
    CTImageStorage,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    SecondaryCaptureImageStorage,
)
"""What a CT slice may be stored as; a header that says anything else is taken to mean a CT image."""

_NAMES = ("PatientName", "ReferringPhysicianName")
_DATES = ("PatientBirthDate", "StudyDate")
_TEXTS = {
    "IssuerOfPatientID": "LO",
    "StudyID": "SH",
    "StudyDescription": "LO",
    "PatientAge": "AS",
    "Manufacturer": "LO",
    "ManufacturerModelName": "LO",
    "StationName": "SH",
    "DeviceSerialNumber": "LO",
    "InstitutionName": "LO",
}
_TYPE_2 = (
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
)
"""Attributes a document must have, if only empty (DICOM PS3.3 C.7.1.1 and C.7.2.1)."""

_SEXES = {"M": "M", "MALE": "M", "F": "F", "FEMALE": "F", "O": "O", "OTHER": "O"}
"""The defined terms (PS3.3 C.7.1.1), and what is written for them."""

_OFFSET = re.compile(r"[+-](0\d|1[0-4])[0-5]\d")
"""From UTC, as of the zones there are."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@quiet()
def evidence(series: CTSeries) -> list[Dataset]:
    """One small dataset a slice, in slice order: its references, and patient and study on the first.

    Raises:
        ReportError: the images name no study or no series, so no result could be filed with them, or an image
            has no name that could be referred to.
    """
    items = _references(series.headers, series.sop_instance_uids)
    for item in items:
        if item.SOPClassUID not in _IMAGE_CLASSES:
            item.SOPClassUID = CTImageStorage
        item.Rows, item.Columns = series.hu.shape[1:]
    return items


@quiet()
def evidence_of_images(images: Sequence[Dataset]) -> list[Dataset]:
    """The same for images that make no readable series, of whatever kind, in the order given.

    Raises:
        ReportError: as :func:`evidence` does, and where the images are of several series.
    """
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID"):
        if len({headers.text(image, keyword) for image in images}) != 1:
            raise ReportError("the images are not of one series")
    by_uid = {headers.text(image, "SOPInstanceUID"): image for image in images}
    return _references(list(by_uid.values()), list(by_uid))


@quiet()
def evidence_of_document(document: Dataset, header: Dataset) -> list[Dataset]:
    """The same as a document tells it that refers to images of one series.

    Args:
        document: refers to the images.
        header: what the document tells of patient, study and the images' equipment.
    """
    judged = document.CurrentRequestedProcedureEvidenceSequence[0]
    series = judged.ReferencedSeriesSequence[0]
    images = []
    for referenced in series.ReferencedSOPSequence:
        image = Dataset()
        image.StudyInstanceUID, image.SeriesInstanceUID = judged.StudyInstanceUID, series.SeriesInstanceUID
        image.SOPClassUID = referenced.ReferencedSOPClassUID
        image.SOPInstanceUID = referenced.ReferencedSOPInstanceUID
        images.append(image)
    first = Dataset()
    first.update(header)
    first.update(images[0])
    return evidence_of_images([first, *images[1:]])


def _references(images: Sequence[Dataset], sop_instance_uids: Sequence[str]) -> list[Dataset]:
    first = images[0]
    study, own_series = headers.text(first, "StudyInstanceUID"), headers.text(first, "SeriesInstanceUID")
    if not (study and own_series):
        raise ReportError("the images have no study or series UID")
    if any(not uid or "\\" in uid for uid in (study, own_series, *sop_instance_uids)):
        raise ReportError("a UID of the images is none")
    items = []
    for header, sop_instance_uid in zip(images, sop_instance_uids, strict=True):
        item = Dataset()
        stored_as = headers.text(header, "SOPClassUID")
        item.SOPClassUID = stored_as if _is_valid("UI", stored_as) else CTImageStorage
        item.SOPInstanceUID = sop_instance_uid
        item.StudyInstanceUID = study
        item.SeriesInstanceUID = own_series
        if (number := frame_number(header)) is not None:
            item.ReferencedFrameNumber = number
        items.append(item)
    items[0].update(patient_and_study(first))
    frame = headers.text(first, "FrameOfReferenceUID")
    if _is_valid("UI", frame):
        items[0].FrameOfReferenceUID = frame
    return items


def patient_and_study(header: Dataset) -> Dataset:
    """Patient, study and equipment attributes that are valid; those a document must have are there, if empty.

    The accession number may be longer than its attribute allows; see :func:`accession_number_to_say`.
    The PatientID is taken over byte for byte, even when invalid: a changed one would file the result with
    another patient.
    """
    found = Dataset()
    for keyword in _TYPE_2:
        setattr(found, keyword, None)
    for keyword in _NAMES:
        name = person_name(headers.text(header, keyword))
        if name:
            setattr(found, keyword, name)
    for keyword in _DATES:
        if date := _date(headers.text(header, keyword)):
            setattr(found, keyword, date)
    if time := _time(headers.text(header, "StudyTime")):
        found.StudyTime = time
    if (sex := _SEXES.get(headers.text(header, "PatientSex").upper())) is not None:
        found.PatientSex = sex
    if number := _CONTROL.sub("", headers.text(header, "AccessionNumber")):
        found.AccessionNumber = number
    if _OFFSET.fullmatch(offset := headers.text(header, "TimezoneOffsetFromUTC")):
        found.TimezoneOffsetFromUTC = offset
    for keyword, vr in _TEXTS.items():
        text = headers.text(header, keyword)
        text = text.upper() if vr == "AS" else text
        if text and _is_valid(vr, text):
            setattr(found, keyword, text)
    take_over(found, header)
    return found


def accession_number_to_say(first: Dataset) -> str:
    """The accession number where its attribute has no room for it: then it is said in words, and in full.

    Cut, it could be another study's.
    """
    number = headers.text(first, "AccessionNumber")
    return "" if _is_valid("SH", number) else number


def person_name(text: str) -> PersonName | None:
    """A name as the standard allows: three groups (alphabetic, ideographic, phonetic) of up to 64 characters.

    What is too long is cut rather than dropped, for a name is what people tell patients apart by.
    """
    groups = [
        "^".join(part.strip() for part in _CONTROL.sub("", group).split("^")[:5])[:64].rstrip(" ^")
        for group in text.replace("\\", " ").split("=")[:3]
    ]
    name = "=".join(groups).rstrip("=")
    return PersonName(name) if name else None


def _date(text: str) -> str | None:
    try:
        date = DA(text)
    except ValueError:
        return None
    return date.strftime("%Y%m%d").zfill(8) if date else None


def _time(text: str) -> str | None:
    try:
        return text if TM(text) and _is_valid("TM", text) else None
    except ValueError:
        return None


def _is_valid(vr: str, text: str) -> bool:
    try:
        validate_value(vr, text, config.RAISE)
    except ValueError:
        return False
    return bool(text) and not _CONTROL.search(text) and "\\" not in text


def key_slices(slices: Sequence[Dataset], assessment: Assessment) -> list[Dataset]:
    """The evidence of an assessment's key slices, in their order.

    Raises:
        ReportError: a key slice is not of the series.
    """
    known = {(str(item.SOPInstanceUID), frame_number(item)): item for item in slices}
    try:
        return [known[key.sop_instance_uid, key.frame] for key in assessment.key_slices]
    except KeyError as error:
        raise ReportError("a key slice is not of the series") from error


def reference(document: Dataset) -> Dataset:
    """What another document needs to name this one."""
    item = Dataset()
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID", "SOPInstanceUID"):
        setattr(item, keyword, document[keyword].value)
    return item


def referenced_slices(document: Dataset) -> tuple[str, ...]:
    """SOP instance UIDs of a document's evidence, in the order written: slice order."""
    return tuple(
        str(instance.ReferencedSOPInstanceUID)
        for study in document.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    )
