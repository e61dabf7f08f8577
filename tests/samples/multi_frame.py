"""Series of plain CT images written as multi-frame CT (DICOM PS3.3 A.38, A.70)."""

from collections.abc import Sequence
from copy import copy
from io import BytesIO

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames
from pydicom.tag import Tag
from pydicom.uid import UID, EnhancedCTImageStorage

_OF_A_FRAME = (
    *("ImageType", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType", "ConvolutionKernel", "KVP", "GantryDetectorTilt"),
    *("AcquisitionNumber", "AcquisitionTime", "AcquisitionDate", "InstanceNumber", "SliceLocation"),
    "PixelData",
)


def multi_frame(
    images: Sequence[Dataset],
    *,
    sop_class: UID = EnhancedCTImageStorage,
    frame_type: Sequence[str] = ("ORIGINAL", "PRIMARY", "VOLUME", "NONE"),
    fragments: int = 1,
    offsets: str = "basic",
    number: int = 1,
) -> Dataset:
    """One file of plain images, in the order given and in their transfer syntax.

    Args:
        images: of one series.
        sop_class: what it is stored as.
        frame_type: of every frame.
        fragments: that each compressed frame is cut into.
        offsets: the table that says where they begin: ``basic``, ``extended`` or ``none``.
        number: of the file in its series.
    """
    first = images[0]
    found = Dataset()
    found.update({tag: copy(first[tag]) for tag in list(first.keys()) if tag not in map(Tag, _OF_A_FRAME)})
    found.SOPClassUID, found.SOPInstanceUID = sop_class, f"{first.SOPInstanceUID}.{number}"
    found.file_meta = FileMetaDataset()
    found.file_meta.MediaStorageSOPClassUID, found.file_meta.MediaStorageSOPInstanceUID = (
        sop_class,
        found.SOPInstanceUID,
    )
    found.file_meta.TransferSyntaxUID = first.file_meta.TransferSyntaxUID
    found.NumberOfFrames, found.InstanceNumber = len(images), number
    found.ImageType = list(frame_type)
    found.SharedFunctionalGroupsSequence = [_shared(first, frame_type)]
    found.PerFrameFunctionalGroupsSequence = [_of_frame(image, k) for k, image in enumerate(images, 1)]
    _put_pixels(found, images, fragments, offsets)
    return found


def file(dataset: Dataset) -> bytes:
    """As bytes."""
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _group(macro: str, **attributes: object) -> list[Dataset]:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return [item]


def _shared(first: Dataset, frame_type: Sequence[str]) -> Dataset:
    groups = Dataset()
    groups.CTImageFrameTypeSequence = _group(
        "frame type", FrameType=list(frame_type), VolumeBasedCalculationTechnique="NONE"
    )
    groups.PixelMeasuresSequence = _group(
        "measures", PixelSpacing=first.PixelSpacing, SliceThickness=first.SliceThickness
    )
    groups.PlaneOrientationSequence = _group(
        "orientation", ImageOrientationPatient=first.ImageOrientationPatient
    )
    groups.CTReconstructionSequence = _group(
        "reconstruction", ConvolutionKernel=first.get("ConvolutionKernel", "")
    )
    groups.PixelValueTransformationSequence = _group(
        "rescale", RescaleSlope=first.RescaleSlope, RescaleIntercept=first.RescaleIntercept, RescaleType="HU"
    )
    return groups


def _of_frame(image: Dataset, number: int) -> Dataset:
    groups = Dataset()
    groups.PlanePositionSequence = _group("position", ImagePositionPatient=image.ImagePositionPatient)
    groups.FrameContentSequence = _group(
        "content",
        FrameAcquisitionNumber=int(image.get("AcquisitionNumber") or 1),
        FrameAcquisitionDateTime=f"{image.get('StudyDate', '20260101')}{image.get('AcquisitionTime', '')}",
        StackID="1",
        InStackPositionNumber=number,
    )
    return groups


def _put_pixels(found: Dataset, images: Sequence[Dataset], fragments: int, offsets: str) -> None:
    if not images[0].file_meta.TransferSyntaxUID.is_compressed:
        found.add_new("PixelData", "OW", b"".join(image.PixelData for image in images))
        return
    frames = [next(generate_frames(image.PixelData, number_of_frames=1)) for image in images]
    if offsets == "extended":
        found.PixelData, found.ExtendedOffsetTable, found.ExtendedOffsetTableLengths = encapsulate_extended(
            frames
        )
    else:
        found.PixelData = encapsulate(frames, fragments_per_frame=fragments, has_bot=offsets == "basic")
    found["PixelData"].VR = "OB"
    found["PixelData"].is_undefined_length = True
