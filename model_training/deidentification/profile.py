"""One CT series to images that name nobody: the Basic Application Level Confidentiality Profile (PS3.15).

Only what training needs is copied, each value checked for what it should be, and written anew; everything
else stays behind, known or not: private attributes, sequences, overlays, free text, bytes beside the
dataset. To what is copied ``dicom-anonymizer`` applies Table E.1-1: of the maintained libraries it alone
has the whole table, by edition, under a permissive licence (dicognito and deid follow no edition, idiscore
is GPL). That it leaves items of sequences alone and makes random UIDs does not matter here.

Options of the profile: Retain Longitudinal Temporal Information with Modified Dates (study date and time,
moved by the same for all of a patient) and Retain Patient Characteristics (age and sex).
"""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

import numpy as np
from dicomanonymizer.simpledicomanonymizer import (
    anonymize_dataset,
    delete_or_empty_or_replace_UID,
    initialize_actions,
    keep,
    replace_UID,
)
from numpy.typing import NDArray
from pydicom import dcmwrite
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian
from pydicom.valuerep import format_number_as_ds

from headct.eligibility.cautions import age_years
from headct.errors import DeidentificationError, NotAnalysedError
from headct.images.decoding import PixelFormat, decode, hounsfield
from headct.images.headers import text
from headct.images.quiet import quiet
from headct.images.reading import read_headers
from headct.images.series import DicomSource, Sources
from model_training.deidentification.pseudonyms import Key

EDITION = "2026c"
"""Of the standard, whose Table E.1-1 is applied."""
HIGHEST_AGE = 90
"""Years; all above 89 are said as this (45 CFR 164.514(b)(2)(i)(C))."""
IMPLEMENTATION_UID = UID("2.25.254544186939397574020593174409878502070")

COPIED = (
    "ImageType", "Modality", "Manufacturer", "ManufacturerModelName",
    "SliceThickness", "KVP", "ScanOptions", "DataCollectionDiameter", "ReconstructionDiameter",
    "GantryDetectorTilt", "ConvolutionKernel", "PatientPosition",
    "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID",
    "InstanceNumber", "PatientOrientation", "ImagePositionPatient", "ImageOrientationPatient",
    "SliceLocation", "SpacingBetweenSlices", "PixelSpacing",
    "SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns",
    "PixelPaddingValue", "PixelPaddingRangeLimit", "WindowCenter", "WindowWidth",
    "RescaleIntercept", "RescaleSlope", "RescaleType", "BurnedInAnnotation",
    "LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod",
)  # fmt: skip
"""What training, eligibility and geometry read, and what a CT image must have (PS3.3 A.3)."""
_EMPTY = (
    "AccessionNumber", "ReferringPhysicianName", "PatientBirthDate", "StudyID", "SeriesNumber",
    "AcquisitionNumber", "PositionReferenceIndicator", "Manufacturer", "KVP", "InstanceNumber",
    "PatientPosition",
)  # fmt: skip
"""An image must have them; they may be empty (type 2)."""
_OURS = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientAge", "StudyDate", "StudyTime")
"""Given by pseudonym and options; the library would put dummies there, a birth in the year 1 too."""

_WORDS = re.compile(r"[!-\[\]-~](?:[ -\[\]-~]{0,62}[!-\[\]-~])?")
"""Printable ASCII without backslash, as long as an LO may be."""
_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[Ee][+-]?\d+)?")
_UID = re.compile(r"[0-9.]{1,64}")
_DATE = re.compile(r"(\d{4})\.?(\d\d)\.?(\d\d)")
_TIME = re.compile(r"(\d\d):?(\d\d)?:?(\d\d)?(?:\.\d*)?")
_PADDING = ("PixelPaddingValue", "PixelPaddingRangeLimit")
_MODES = ("ImageType", "ScanOptions")
_TERMS = frozenset({
    "ADDITION", "AVERAGE", "AXIAL", "BASE", "BRAIN", "CINE", "CPR", "CSA", "CT", "CURVED", "DERIVED",
    "DUAL", "ENERGY", "FILTERED", "HEAD", "HELICAL", "HELIX", "IMAGE", "LOCALIZER", "MAX", "MAXIMUM",
    "MEAN", "MIN", "MINIMUM", "MINIP", "MIP", "MIXED", "MODE", "MONO", "MPR", "NONE", "NORMAL",
    "ORIGINAL", "OTHER", "PARALLEL", "PRIMARY", "PROJECTION", "RADIAL", "RANGE", "RECON", "REFORMATTED",
    "RESAMPLED", "ROTATION", "SCANOGRAM", "SCANOSCOPE", "SCOUT", "SECONDARY", "SEQ", "SEQUENCE", "SLICE",
    "SOM5", "SOM7", "SPI", "SPIRAL", "STACK", "STANDARD", "SUM", "SURVIEW", "THICK", "THIN", "TOP",
    "TOPOGRAM", "VOLUME", "VRT",
})  # fmt: skip
"""Words of kinds of images and scan modes; any other may be a name."""
_IMAGES_OF_TEXT = re.compile(r"SCREEN|CAPTURE|DOSE|REPORT|PROT(?:OCOL)?\b")
"""In ImageType: pages of text that scanners store as CT images."""

_Action = Callable[[Dataset, tuple[int, int]], None]


@dataclass(frozen=True, slots=True)
class Image:
    """A de-identified image: a file to be written."""

    name: str
    """From the new SOP instance UID."""
    data: bytes = field(repr=False)


@quiet()
def deidentify(files: Sources, key: Key) -> Iterator[Image]:
    """The images of one series, de-identified, in the order given, made while they are taken.

    Pixel values, geometry, rescale, kernel, sex and coarsened age stay as they are. Images are written
    uncompressed, so that nothing hides in a compressed stream or in unused bits.

    Args:
        files: the images of one CT series, as files or bytes.
        key: the hospital's.

    Raises:
        DeidentificationError: not one series of one patient, not CT, text burnt into the image, or an image
            cannot be read. Names the image by its place and never a value.
    """
    try:
        headers = read_headers(files)
    except NotAnalysedError as error:
        raise DeidentificationError(str(error)) from None
    for place, header in enumerate(headers, start=1):
        _check(header, f"image {place} of {len(headers)}")
    _check_one_series(headers)
    patient_id = text(headers[0], "PatientID")
    if not patient_id:
        raise DeidentificationError("no patient ID: images of different people would get one pseudonym")
    return _images(files, headers, key, patient_id)


def coarse_age(header: Dataset) -> str:
    """Age as PatientAge says it: years, months below two years, 90 for all above 89; empty when unknown."""
    age = age_years(header)
    if age is None:
        return ""
    return f"{min(int(age), HIGHEST_AGE):03d}Y" if age >= 2 else f"{int(age * 12):03d}M"


def _check(header: Dataset, place: str) -> None:
    problem = None
    if text(header, "SOPClassUID") != CTImageStorage or text(header, "Modality") != "CT":
        problem = "not a CT image (secondary captures, other modalities and multi-frame CT are not taken)"
    elif text(header, "BurnedInAnnotation").upper() not in {"", "NO"}:
        problem = "text is burnt into the image, says BurnedInAnnotation"
    elif _IMAGES_OF_TEXT.search(text(header, "ImageType").upper()):
        problem = "a page of text, says ImageType"
    elif text(header, "PhotometricInterpretation") not in {"", "MONOCHROME1", "MONOCHROME2"}:
        problem = "a colour image"
    elif not _UID.fullmatch(text(header, "SOPInstanceUID")):
        problem = "no SOP instance UID"
    if problem:
        raise DeidentificationError(f"{place}: {problem}")


def _check_one_series(headers: Sequence[Dataset]) -> None:
    for keyword in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID"):
        if len({text(header, keyword) for header in headers}) > 1:
            raise DeidentificationError(f"the images differ in {keyword}: not one series")
    if not (text(headers[0], "StudyInstanceUID") and text(headers[0], "SeriesInstanceUID")):
        raise DeidentificationError("no study or series instance UID")
    if len({text(header, "SOPInstanceUID") for header in headers}) < len(headers):
        raise DeidentificationError("two images have the same SOP instance UID")


def _images(files: Sources, headers: Sequence[Dataset], key: Key, patient_id: str) -> Iterator[Image]:
    actions, shift = _actions(key), key.shift(patient_id)
    for place, (source, header) in enumerate(zip(files, headers, strict=True), start=1):
        try:
            with quiet():
                form = PixelFormat.of(header)
                image = _copied(header)
                image.PatientName = image.PatientID = key.pseudonym(patient_id)
                sex = text(header, "PatientSex")
                image.PatientSex = sex if sex in {"M", "F", "O"} else ""
                image.PatientAge = coarse_age(header)
                image.StudyDate, image.StudyTime = _shifted(header, shift)
                anonymize_dataset(image, base_rules_gen=actions.copy)
                _set_pixels(image, source, form)
                image.update(_statement())
                made = Image(f"{image.SOPInstanceUID}.dcm", _file(image))
        except NotAnalysedError as error:
            raise DeidentificationError(f"image {place} of {len(headers)}: {error}") from None
        except (OSError, OverflowError, TypeError, ValueError):  # quotes the value that cannot be written
            raise DeidentificationError(f"image {place} of {len(headers)} cannot be written") from None
        yield made


def _actions(key: Key) -> dict[tuple[int, int], _Action]:
    """The table's actions by attribute, with keyed UIDs, and what the options retain left alone."""

    def keyed_uid(dataset: Dataset, tag: tuple[int, int]) -> None:
        if element := dataset.get(tag):
            element.value = key.uid(str(element.value))

    uids = (replace_UID, delete_or_empty_or_replace_UID)
    actions = initialize_actions(f"dicomfields_{EDITION}")
    actions = {tag: keyed_uid if action in uids else action for tag, action in actions.items()}
    return actions | {divmod(tag_for_keyword(keyword) or 0, 0x10000): keep for keyword in _OURS}


def _copied(header: Dataset) -> Dataset:
    """What training needs; a value that is not of its kind is left out."""
    image = Dataset()
    image.SOPClassUID = CTImageStorage
    for keyword in _EMPTY:
        setattr(image, keyword, None)
    for keyword in COPIED:
        values = [_plain(dictionary_VR(keyword), part) for part in text(header, keyword).split("\\")]
        if keyword in _MODES:
            values = [value if _TERMS.issuperset(re.split("[ _]+", value)) else "" for value in values]
        if None not in values and any(value != "" for value in values):
            setattr(image, keyword, values if len(values) > 1 else values[0])
    return image


def _plain(vr: str, value: str) -> Any:
    """One value as its representation wants it (PS3.5 6.2), ``None`` when it is something else.

    A word that is not plain ASCII becomes an empty one: its neighbours keep their places.
    """
    value = value.strip(" \0")
    if vr in {"DS", "IS", "US", "US or SS"}:
        if not _DECIMAL.fullmatch(value) or not math.isfinite(float(value)):
            return None
        if vr == "DS":
            return value if len(value) <= 16 else format_number_as_ds(float(value))
        return int(float(value)) if float(value).is_integer() else None
    if vr == "UI":
        return value if _UID.fullmatch(value) else None
    if vr == "CS":
        value = value.upper()
    return value if _WORDS.fullmatch(value) else ""


def _shifted(header: Dataset, shift: timedelta) -> tuple[str, str]:
    """Study date and time moved into the past; what is not a date or time is empty."""
    day, time = _DATE.fullmatch(text(header, "StudyDate")), _TIME.fullmatch(text(header, "StudyTime"))
    try:
        when = datetime(*(int(part) for part in day.groups())) if day else None  # type: ignore[arg-type]
        if when is None:
            return "", ""
        if time is None:
            return f"{when - timedelta(days=shift.days):%Y%m%d}".zfill(8), ""
        hours, minutes, seconds = (int(part or 0) for part in time.groups())
        when += timedelta(hours=hours, minutes=minutes, seconds=seconds) - shift
    except (ValueError, OverflowError):
        return "", ""
    return f"{when:%Y%m%d}".zfill(8), f"{when:%H%M%S}"


def _set_pixels(image: Dataset, source: DicomSource, form: PixelFormat) -> None:
    if form.bits_stored > 16:
        raise DeidentificationError("more than 16 bits a pixel")
    stored = decode(source, form)
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, form.bits_stored, form.bits_stored - 1
    image.PixelRepresentation = int(form.signed)
    image.add_new("PixelData", "OW", stored.astype("<i2" if form.signed else "<u2").tobytes())
    _set_padding(image, stored, form)


def _set_padding(image: Dataset, stored: NDArray[np.int32], form: PixelFormat) -> None:
    """Padding in the representation of the pixels (PS3.3 C.7.5.1.1.2).

    Some write it with the wrong sign. It is then taken by its bits, or left out, whichever leaves all
    Hounsfield units as they were.
    """
    for keyword in _PADDING:
        if keyword in image and not isinstance(image[keyword].value, int):
            del image[keyword]
    there = [keyword for keyword in _PADDING if keyword in image]
    lowest, highest = (-0x8000, 0x7FFF) if form.signed else (0, 0xFFFF)
    strange = [keyword for keyword in there if not lowest <= image[keyword].value <= highest]
    for keyword in there:
        value = image[keyword].value
        image[keyword].VR = "SS" if form.signed else "US"
        if keyword in strange:
            image[keyword].value = value + (-0x10000 if form.signed else 0x10000)
    if not strange:
        return
    before = hounsfield(stored, form)
    fits = all(lowest <= image[keyword].value <= highest for keyword in there)
    if not (fits and np.array_equal(hounsfield(stored, PixelFormat.of(image)), before)):
        for keyword in there:
            del image[keyword]
        if not np.array_equal(hounsfield(stored, PixelFormat.of(image)), before):
            raise DeidentificationError("padding that no pixel can have")


def _statement() -> Dataset:
    """What was done (PS3.3 C.7.1.1; codes of PS3.16 CID 7050), and that a face could be rendered."""
    options = codes.cid7050
    said = Dataset()
    said.PatientIdentityRemoved = "YES"
    said.DeidentificationMethodCodeSequence = []
    for code in (
        options.BasicApplicationConfidentialityProfile,
        options.RetainLongitudinalTemporalInformationModifiedDatesOption,
        options.RetainPatientCharacteristicsOption,
    ):
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator = code.value, code.scheme_designator
        item.CodeMeaning = code.meaning
        said.DeidentificationMethodCodeSequence.append(item)
    said.LongitudinalTemporalInformationModified = "MODIFIED"
    said.RecognizableVisualFeatures = "YES"
    return said


def _file(image: Dataset) -> bytes:
    """With a preamble of zeros and no more file meta information than must be (PS3.10, 7.1)."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_UID
    meta.ImplementationVersionName = "HEADCTDEID"
    image.file_meta = meta
    buffer = BytesIO()
    dcmwrite(buffer, image, enforce_file_format=True)
    return buffer.getvalue()
