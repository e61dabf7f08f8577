"""What the server drew on a series: a DICOM segmentation (PS3.3 A.51), laid onto the slices again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import UID

from ..errors import UnreadableError
from ..translation import _
from .frames import LPS_TO_RAS
from .geometry import Stack
from .headers import items, number, numbers, text

SAME_PLACE_MM = 0.5
"""How far a drawing's pixels may lie from those of the image it was drawn on; headers are rounded."""
_PARALLEL = 0.999
_MAGENTA = (1.0, 0.0, 1.0)
"""Where no colour is given: none of the triage colours."""


@dataclass(frozen=True, eq=False)
class Segment:
    """One region."""

    name: str
    colour: tuple[float, float, float]
    """Red, green and blue, 0 to 1."""
    mask: NDArray[np.uint8]
    """0 or 1 on the stack's voxels, cut down to the region; shape (slices, rows, columns)."""
    start: tuple[int, int, int]
    """Slice, row and column of the mask's first voxel in the stack."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """The regions of one segmentation. Empty ones are left away."""

    segments: tuple[Segment, ...]


def read(dataset: Dataset, stack: Stack) -> Drawn:
    """Read a binary segmentation that was drawn on the pixels of a series.

    Args:
        dataset: the segmentation.
        stack: that series.

    Raises:
        UnreadableError: no binary segmentation, damaged, or drawn on other images.
    """
    if text(dataset, "Modality") != "SEG" or text(dataset, "SegmentationType") != "BINARY":
        raise UnreadableError(_("The drawing is no binary DICOM segmentation."))
    groups = list(items(dataset, "PerFrameFunctionalGroupsSequence"))
    shared = next(items(dataset, "SharedFunctionalGroupsSequence"), Dataset())
    frames = _frames(dataset, len(groups))
    if frames.shape[1:] != stack.hu.shape[1:]:
        raise _elsewhere()
    masks: dict[int, NDArray[np.uint8]] = {}
    for group, frame in zip(groups, frames):
        # What holds for all frames is said once.
        said = (group, shared)
        segment = int(
            (_first(said, "SegmentIdentificationSequence", "ReferencedSegmentNumber", 1) or (0.0,))[0]
        )
        if segment not in masks:
            masks[segment] = np.zeros(stack.hu.shape, np.uint8)
        masks[segment][_slice(said, stack)] |= frame
    described = {int(number(item, "SegmentNumber") or 0): item for item in items(dataset, "SegmentSequence")}
    if not set(masks) <= set(described):
        raise UnreadableError(_("The drawing is damaged."))
    return Drawn(tuple(_cut(described[n], mask) for n, mask in sorted(masks.items()) if mask.any()))


def _elsewhere() -> UnreadableError:
    return UnreadableError(_("The drawing was made on other images than those shown."))


def _frames(dataset: Dataset, count: int) -> NDArray[np.uint8]:
    """0 or 1; shape (frames, rows, columns). One bit a pixel, the lowest first (PS3.5 8.1.1)."""
    syntax = text(getattr(dataset, "file_meta", Dataset()), "TransferSyntaxUID")
    rows, columns = int(number(dataset, "Rows") or 0), int(number(dataset, "Columns") or 0)
    data = dataset.get("PixelData")
    compressed = bool(syntax) and UID(syntax).is_transfer_syntax and UID(syntax).is_compressed
    pixels = count * rows * columns
    if compressed or not isinstance(data, bytes) or not pixels or len(data) * 8 < pixels:
        raise UnreadableError(_("The drawing is damaged."))
    bits = np.unpackbits(np.frombuffer(data, np.uint8), count=pixels, bitorder="little")
    return bits.reshape(count, rows, columns)


def _slice(said: tuple[Dataset, Dataset], stack: Stack) -> int:
    """Number of the slice a frame was drawn on: of the image it names, or else the one at its place."""
    named = (
        item for group in said for item in items(group, "DerivationImageSequence", "SourceImageSequence")
    )
    known = (
        stack.slice_of(text(item, "ReferencedSOPInstanceUID"), number(item, "ReferencedFrameNumber"))
        for item in named
    )
    own_slice = next((k for k in known if k is not None), None)
    position = _first(said, "PlanePositionSequence", "ImagePositionPatient", 3)
    axes = _first(said, "PlaneOrientationSequence", "ImageOrientationPatient", 6)
    if position is None or axes is None:
        if own_slice is None:
            raise _elsewhere()
        return own_slice
    corner = np.array(position) * LPS_TO_RAS
    if own_slice is None:
        own_slice = int(np.argmin(np.linalg.norm(stack.corners_ras[:, 0, 0] - corner, axis=1)))
    first, last_column, last_row = (stack.corners_ras[own_slice, j, i] for j, i in ((0, 0), (0, 1), (1, 0)))
    own = np.stack([last_column - first, last_row - first])
    own = own / np.linalg.norm(own, axis=1, keepdims=True)
    parallel = (own * np.array(axes).reshape(2, 3) * LPS_TO_RAS).sum(axis=1).min() > _PARALLEL
    if not parallel or np.linalg.norm(first - corner) > SAME_PLACE_MM:
        raise _elsewhere()
    return own_slice


def _first(said: Iterable[Dataset], macro: str, keyword: str, count: int) -> tuple[float, ...] | None:
    """Numbers in a functional group, the frame's own before those of all frames."""
    found = (numbers(item, keyword, count) for group in said for item in items(group, macro))
    return next((values for values in found if values is not None), None)


def _cut(description: Dataset, mask: NDArray[np.uint8]) -> Segment:
    box = []
    for axis in range(3):
        there = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        box.append(slice(int(there[0]), int(there[-1]) + 1))
    label = text(description, "SegmentLabel")
    return Segment(
        name=_("{label} (not a diagnosis)").format(label=label),
        colour=_colour(description),
        mask=np.ascontiguousarray(mask[box[0], box[1], box[2]]),
        start=(box[0].start, box[1].start, box[2].start),
    )


def _colour(description: Dataset) -> tuple[float, float, float]:
    """CIE L*a*b* as DICOM writes it (PS3.3 C.10.7.1.1) to sRGB (IEC 61966-2-1), white point D65."""
    stored = numbers(description, "RecommendedDisplayCIELabValue", 3)
    if stored is None:
        return _MAGENTA
    light, a, b = stored[0] / 65535 * 100, stored[1] / 65535 * 255 - 128, stored[2] / 65535 * 255 - 128
    middle = (light + 16) / 116
    ratios = np.array([middle + a / 500, middle, middle - b / 200])
    xyz = np.where(ratios > 6 / 29, ratios**3, 3 * (6 / 29) ** 2 * (ratios - 4 / 29)) * [0.9505, 1.0, 1.089]
    to_rgb = [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
    linear = np.clip(np.array(to_rgb) @ xyz, 0.0, 1.0)
    shown = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    red, green, blue = (float(value) for value in np.clip(shown, 0.0, 1.0))
    return red, green, blue
