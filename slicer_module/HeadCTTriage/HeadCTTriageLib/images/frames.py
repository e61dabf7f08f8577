"""The slices of a series, each with what its header says of its place: images, or frames of one image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ..translation import _
from .headers import items, number, numbers, text
from .hounsfield import size

Vector = NDArray[np.float64]

LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])
"""DICOM's coordinates (PS3.3 C.7.6.2.1.1) and Slicer's differ in the direction of x and y."""

LARGEST_MM = 1e5
"""No table of a scanner goes further, no slice lies further away; more is a damaged header."""
_PIXEL_MM = (0.01, 100.0)
"""Between pixels that may be."""
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_LOCALIZER = ("LOCALIZER", "SCOUT", "TOPOGRAM", "SURVIEW", "SCANOGRAM", "SCANOSCOPE")
"""ImageType (PS3.3 C.8.2.1.1.1), and the scan modes that some makers write."""
_MACROS = (
    "CTImageFrameTypeSequence",
    "PixelMeasuresSequence",
    "PlaneOrientationSequence",
    "PlanePositionSequence",
    "PixelValueTransformationSequence",
)
"""Functional groups of an enhanced CT (PS3.3 C.7.6.16.2, C.8.15.3) that say what a plain header says."""
_OF_THE_IMAGE = (
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "StudyDate",
    "SeriesDescription",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PixelRepresentation",
    "PhotometricInterpretation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
)


@dataclass(frozen=True, eq=False)
class Slice:
    """One slice and its place, as far as the header says. Coordinates are RAS in mm."""

    image: Dataset
    """Holds the pixels."""
    frame: int
    header: Dataset
    """What describes the slice; ``image`` itself unless it has several frames."""
    shape: tuple[int, int]
    """Rows and columns."""
    spacing: tuple[float, float] | None
    """Between rows, between columns."""
    axes: Vector | None
    """(2, 3): unit vectors in which the column index and the row index grow."""
    corner: Vector | None
    """(3,): centre of the first pixel."""
    stray: str
    """What it is where it is no slice: a localizer, a screen capture; else empty."""

    @property
    def sop_instance_uid(self) -> str:
        """Of the image."""
        return text(self.image, "SOPInstanceUID")

    @property
    def rank(self) -> tuple[float, float, str]:
        """Which of several slices of one place comes first."""
        return (
            number(self.header, "AcquisitionNumber") or 0.0,
            number(self.header, "InstanceNumber") or 0.0,
            self.sop_instance_uid,
        )

    def corners(self) -> Vector:
        """Centres of the corner pixels; shape (first and last row, first and last column, 3)."""
        assert self.axes is not None and self.corner is not None and self.spacing is not None
        across = self.axes[0] * self.spacing[1] * (self.shape[1] - 1)
        down = self.axes[1] * self.spacing[0] * (self.shape[0] - 1)
        beside = np.array([[np.zeros(3), across], [down, down + across]])
        return np.asarray(self.corner + beside, np.float64)


def slices_of(dataset: Dataset) -> list[Slice]:
    """The slices of one DICOM object; none where it is no image."""
    if size(dataset) is None or "PixelData" not in dataset:
        return []
    own = list(items(dataset, "PerFrameFunctionalGroupsSequence"))
    if not own:
        frames = int(number(dataset, "NumberOfFrames") or 1)
        return [_slice(dataset, 0, dataset)] if frames == 1 else []
    shared = list(items(dataset, "SharedFunctionalGroupsSequence"))
    return [_slice(dataset, n, _frame_header(dataset, [*shared, group])) for n, group in enumerate(own)]


def _frame_header(image: Dataset, groups: list[Dataset]) -> Dataset:
    """What a plain header would say of one frame."""
    header = Dataset()
    for keyword in _OF_THE_IMAGE:
        if keyword in image:
            header[keyword] = image[keyword]
    for group in groups:
        for macro in _MACROS:
            for item in items(group, macro):
                header.update(item)
    return header


def _slice(image: Dataset, frame: int, header: Dataset) -> Slice:
    shape = size(image)
    assert shape is not None
    spacing, corner = numbers(header, "PixelSpacing", 2), numbers(header, "ImagePositionPatient", 3)
    if spacing is not None and not (_PIXEL_MM[0] <= min(spacing) and max(spacing) <= _PIXEL_MM[1]):
        spacing = None
    if corner is not None and max(abs(value) for value in corner) > LARGEST_MM:
        corner = None
    return Slice(
        image=image,
        frame=frame,
        header=header,
        shape=shape,
        spacing=None if spacing is None else (spacing[0], spacing[1]),
        axes=_axes(header),
        corner=None if corner is None else np.array(corner) * LPS_TO_RAS,
        stray=_stray(header),
    )


def _axes(header: Dataset) -> Vector | None:
    """Unit vectors, ``None`` when absent or impossible."""
    values = numbers(header, "ImageOrientationPatient", 6)
    if values is None:
        return None
    axes = np.array(values).reshape(2, 3)
    lengths: Any = np.linalg.norm(axes, axis=1, keepdims=True)
    if not (lengths.min() > 0.9 and lengths.max() < 1.1):
        return None
    axes = axes / lengths
    return axes * LPS_TO_RAS if abs(float(axes[0] @ axes[1])) < 0.05 else None


def _stray(header: Dataset) -> str:
    kinds = ("ImageType", "ScanOptions", "FrameType")
    words = " ".join(text(header, keyword) for keyword in kinds).upper()
    if any(word in words for word in _LOCALIZER):
        return _("localizer")
    captured = text(header, "SOPClassUID").startswith(_SECONDARY_CAPTURE)
    return _("screen capture") if captured and _axes(header) is None else ""
