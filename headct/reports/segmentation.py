"""One DICOM Segmentation a series: the region of the bleeds on the original images, writer and reader.

For the annotation profile alone (PS3.3 A.51, BINARY). One frame a slice with blood, on that slice's own
pixels and at its own place, so that gantry tilt and uneven spacing stay what they are. A drawn region is no
diagnosis, and the segment's description says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.color import CIELabColor
from highdicom.seg import (
    SegmentAlgorithmTypeValues,
    Segmentation,
    SegmentationTypeValues,
    SegmentDescription,
)
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, SegmentationStorage
from pydicom.valuerep import DSfloat

from headct.errors import ReportError
from headct.findings.region import Region
from headct.images.frames import frame_number
from headct.images.geometry import as_stored
from headct.images.headers import number, numbers, text
from headct.images.planes import Vector, orientation
from headct.images.quiet import quiet
from headct.images.series import CTSeries
from headct.language import Language
from headct.reports import codes, documents
from headct.reports.characters import writable
from headct.reports.documents import MANUFACTURER, refusing
from headct.reports.evidence import evidence
from headct.reports.identity import case_identity, result_uid
from headct.terms.assessment import Assessment, BundleIdentity, FindingKind
from headct.wording import notice, region_words

SERIES_DESCRIPTION = "Head CT triage: suspected bleed"
SERIES_NUMBER = 9800
"""The number of the judged series is added."""
CONTENT_LABEL = "SUSPECTED_BLEED"

MAX_PIXELS = 2**27
"""Of all frames together, 128 MB while they are written: 512 slices of 512 x 512."""

_SAME_DIRECTION = 1e-3
"""Between direction cosines: a quarter of a millimetre across a head."""
_SAME_SPACING_MM = 1e-4
"""A twentieth of a millimetre over 512 pixels."""
_EVEN_MM = 0.01
"""Gaps that differ by less are one step."""
_THICK_MM = 50.0
"""No slice of a head is thicker; such a value in a header is wrong."""
_COLOUR = CIELabColor(60.3, 98.2, -60.8)
"""Magenta (sRGB 255, 0, 255; white point D65): none of the triage colours, which mean something else."""
_ASSUMED = {
    "orientation": "the orientation of the images",
    "pixel_spacing": "the pixel spacing",
    "slice_positions": "the positions of the images",
}


@dataclass(frozen=True, slots=True)
class Segment:
    """What a segmentation says, as read back."""

    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    """The judged series, not the segmentation's own."""
    frame_of_reference_uid: str
    masks: Mapping[str, NDArray[np.bool_]]
    """By SOP instance UID of the image, ``UID#FRAME`` for a frame of several: shape (rows, columns), on the
    pixels as that image stores them."""
    label: str
    description: str
    bundle: BundleIdentity


@quiet()
def write(
    series: CTSeries,
    assessment: Assessment,
    region: Region,
    *,
    sent_at: datetime,
    language: Language = "en",
) -> bytes:
    """The region as a DICOM file. The same arguments give the same bytes.

    Args:
        series: the judged one.
        assessment: of the series.
        region: what is drawn.
        sent_at: date and time of the document, written in the images' zone where they and it have one, else
            as its wall clock shows.
        language: of label and description, where the character set of the images has it; codes stay English.

    Raises:
        ReportError: the headers do not say where the images lie, or the region is empty or too large.
    """
    slices = _placed(series)
    language, sent_at = writable(language, slices[0]), documents.in_zone_of_images(sent_at, slices[0])
    drawn = _drawn(series, region)
    identity, bundle, judged_by = case_identity(series), assessment.bundle, assessment.judged_by
    for item in slices:
        item.Rows, item.Columns = next(iter(drawn.values())).shape
    frames = _as_plain_images(slices)
    first, *others = (slices[k] for k in drawn)
    tracking_uid = result_uid(identity, judged_by, "seg-tracking")
    with refusing("the headers of the images allow no segmentation"):
        document = Segmentation(
            source_images=documents.unnamed([documents.with_patient(first, slices[0]), *others]),
            pixel_array=np.stack(list(drawn.values())),
            segmentation_type=SegmentationTypeValues.BINARY,
            segment_descriptions=[_segment(assessment, tracking_uid, language)],
            series_instance_uid=result_uid(identity, judged_by, "seg-series"),
            series_number=documents.series_number(SERIES_NUMBER, series.headers[0]),
            sop_instance_uid=result_uid(identity, judged_by, "seg"),
            instance_number=1,
            # A segmentation must have one; a retrained network is another device.
            device_serial_number=bundle.digest,
            content_label=CONTENT_LABEL,
            content_description=SERIES_DESCRIPTION,
            **documents.attributes(bundle, sent_at, SERIES_DESCRIPTION),
        )
    # Every slice was looked at. The library looks the class of each one up in tables, which takes seconds.
    (judged,) = document.ReferencedSeriesSequence
    for k, item in enumerate(slices):
        if k not in drawn:
            document.SourceImageSequence.append(_reference(item))
            judged.ReferencedInstanceSequence.append(_reference(item))
    _refer_to_frames(document, frames)
    # The library draws this one at random.
    dimensions = result_uid(identity, judged_by, "seg-dimensions")
    for item in (*document.DimensionOrganizationSequence, *document.DimensionIndexSequence):
        item.DimensionOrganizationUID = dimensions
    return documents.finished(document, slices[0], sent_at)


def read(document: bytes) -> Segment:
    """What :func:`write` wrote.

    Raises:
        ReportError: not a segmentation of this program, or a damaged one.
    """
    found = documents.parsed(document, SegmentationStorage)
    with refusing("damaged segmentation"):
        if found.get("Manufacturer") != MANUFACTURER or found.ContentLabel != CONTENT_LABEL:
            raise ReportError("not a segmentation of this program")
        (segment,) = found.SegmentSequence
        (judged,) = found.ReferencedSeriesSequence
        (algorithm,) = segment.SegmentationAlgorithmIdentificationSequence
        (equipment,) = (
            item
            for item in found.ContributingEquipmentSequence
            if item.Manufacturer == MANUFACTURER  # the library names itself too
        )
        frames = found.pixel_array.astype(bool).reshape(-1, found.Rows, found.Columns)
        images = [_source(frame) for frame in found.PerFrameFunctionalGroupsSequence]
        return Segment(
            sop_instance_uid=str(found.SOPInstanceUID),
            study_instance_uid=str(found.StudyInstanceUID),
            series_instance_uid=str(judged.SeriesInstanceUID),
            frame_of_reference_uid=str(found.FrameOfReferenceUID),
            masks=dict(zip(images, frames, strict=True)),
            label=str(segment.SegmentLabel),
            description=str(segment.SegmentDescription),
            bundle=BundleIdentity(
                name=str(algorithm.AlgorithmName),
                version=str(algorithm.AlgorithmVersion),
                device_uid=str(equipment.DeviceUID),
                digest=str(found.DeviceSerialNumber),
            ),
        )


def _placed(series: CTSeries) -> list[Dataset]:
    """The evidence with the place of every slice.

    Raises:
        ReportError: the headers do not say it, or not of all slices alike.
    """
    for what, words in _ASSUMED.items():
        if what in series.assumed:
            raise ReportError(f"the headers do not say {words}")
    if len({text(header, "FrameOfReferenceUID") for header in series.headers}) > 1:
        raise ReportError("the images have no common frame of reference")
    slices = evidence(series)
    if "FrameOfReferenceUID" not in slices[0]:
        raise ReportError("the headers do not say the frame of reference")
    with refusing("the headers do not say where the images lie"):
        directions = np.array([np.concatenate(_directions(header)) for header in series.headers])
        spacings = np.array([numbers(header, "PixelSpacing", 2) for header in series.headers], float)
        corners = np.array([numbers(header, "ImagePositionPatient", 3) for header in series.headers], float)
    if np.ptp(directions, axis=0).max() > _SAME_DIRECTION:
        raise ReportError("the orientation of the images varies")
    if np.ptp(spacings, axis=0).max() > _SAME_SPACING_MM:
        raise ReportError("the pixel spacing varies")
    shared = Dataset()
    shared.FrameOfReferenceUID = slices[0].FrameOfReferenceUID
    shared.ImageOrientationPatient = _decimals(directions[0])
    shared.PixelSpacing = _decimals(spacings[0])
    gaps = np.diff(series.slice_positions_mm)
    usual = float(np.median(gaps)) if len(gaps) else 1.0
    stated = number(series.headers[0], "SliceThickness") or 0.0
    shared.SliceThickness = _decimal(stated if 0 < stated < _THICK_MM else usual)
    if len(gaps) and np.ptp(gaps) < _EVEN_MM:
        shared.SpacingBetweenSlices = _decimal(usual)
    for item, corner in zip(slices, corners, strict=True):
        item.update(shared)
        item.ImagePositionPatient = _decimals(corner)
    return slices


def _drawn(series: CTSeries, region: Region) -> dict[int, NDArray[np.bool_]]:
    """The region as the images store their pixels, by slice number."""
    directions = _directions(series.headers[0])
    drawn: dict[int, NDArray[np.bool_]] = {}
    for k, mask in region.in_images(series):
        drawn[k] = as_stored(mask[None], *directions)[0]
        if len(drawn) * mask.size > MAX_PIXELS:
            raise ReportError("the region is too large to be drawn")
    if not drawn:
        raise ReportError("the region is empty")
    return drawn


def _directions(header: Dataset) -> tuple[Vector, Vector]:
    found = orientation(header)
    if found is None:
        raise ReportError("the headers do not say the orientation of the images")
    return found


def _segment(assessment: Assessment, tracking_uid: str, language: Language) -> SegmentDescription:
    bundle = assessment.bundle
    segment = SegmentDescription(
        segment_number=1,
        segment_label=region_words(language),
        segmented_property_category=codes.ABNORMAL_STRUCTURE,
        segmented_property_type=codes.FINDING_KINDS[FindingKind.HAEMORRHAGE],
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=AlgorithmIdentificationSequence(
            bundle.name[:64],
            codes.ARTIFICIAL_INTELLIGENCE,
            bundle.version[:64],
            source=MANUFACTURER,
            parameters={"bundle SHA-256": bundle.digest, "rubric version": assessment.rubric_version},
        ),
        tracking_uid=tracking_uid,
        tracking_id=region_words("en"),
        display_color=_COLOUR,
    )
    segment.SegmentDescription = notice(language)
    return segment


def _as_plain_images(slices: list[Dataset]) -> dict[str, Dataset]:
    """Give every frame of a multi-frame image a name of its own, for the library knows plain images alone.

    Returns:
        The references to the frames, by those names; empty where all are plain images.
    """
    frames: dict[str, Dataset] = {}
    for item in slices:
        if (frame := frame_number(item)) is None:
            continue
        name = result_uid(str(item.SOPInstanceUID), str(frame), "seg-frame")
        frames[name] = _reference(item)
        frames[name].ReferencedFrameNumber = frame
        item.SOPClassUID, item.SOPInstanceUID = CTImageStorage, name
    return frames


def _refer_to_frames(document: Dataset, frames: Mapping[str, Dataset]) -> None:
    """Put the frames where the library put their names, and whole images where it lists what it was given."""
    if not frames:
        return
    images = list({str(item.ReferencedSOPInstanceUID): item for item in frames.values()}.values())
    document.SourceImageSequence = [_whole(item) for item in images]
    document.ReferencedSeriesSequence[0].ReferencedInstanceSequence = [_whole(item) for item in images]
    for group in document.PerFrameFunctionalGroupsSequence:
        (source,) = group.DerivationImageSequence[0].SourceImageSequence
        source.update(frames[str(source.ReferencedSOPInstanceUID)])


def _whole(reference: Dataset) -> Dataset:
    found = Dataset()
    found.ReferencedSOPClassUID = reference.ReferencedSOPClassUID
    found.ReferencedSOPInstanceUID = reference.ReferencedSOPInstanceUID
    return found


def _reference(item: Dataset) -> Dataset:
    found = Dataset()
    found.ReferencedSOPClassUID, found.ReferencedSOPInstanceUID = item.SOPClassUID, item.SOPInstanceUID
    return found


def _source(frame: Dataset) -> str:
    (derivation,) = frame.DerivationImageSequence
    (image,) = derivation.SourceImageSequence
    number = frame_number(image)
    uid = str(image.ReferencedSOPInstanceUID)
    return uid if number is None else f"{uid}#{number}"


def _decimal(value: float) -> DSfloat:
    return DSfloat(float(value), auto_format=True)


def _decimals(values: NDArray[np.float64]) -> list[DSfloat]:
    return [_decimal(value) for value in values]
