"""True masks in the forms they come in, onto the slabs of a series."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from headct.errors import UnusableInputError
from headct.images.geometry import stack
from headct.images.headers import text
from headct.images.quiet import quiet
from headct.images.series import CTSeries


@dataclass(frozen=True, slots=True)
class PngMasks:
    """One image a slice with blood, on the grid of the stored slice; anything but black is blood."""

    images: tuple[tuple[str, Path], ...]
    """Which slice, by the value of ``keyword``, and its image."""
    keyword: str = "SOPInstanceUID"

    @property
    def files(self) -> tuple[Path, ...]:
        """The images."""
        return tuple(path for _, path in self.images)

    def __call__(self, series: CTSeries) -> NDArray[np.float32]:
        """Share of each voxel that is blood, shape of ``series.hu``."""
        slices = {text(header, self.keyword): k for k, header in enumerate(series.headers)}
        marks = {}
        for value, path in self.images:
            if value not in slices:
                raise UnusableInputError(f"mask {path.name} belongs to no slice of its series")
            try:
                with Image.open(path) as image:
                    marks[slices[value]] = np.array(image.convert("L")) > 0
            except (OSError, UnidentifiedImageError) as error:
                raise UnusableInputError(f"mask {path.name} cannot be read") from error
        return on_slabs(series, marks)


@dataclass(frozen=True, slots=True)
class SegMasks:
    """A DICOM segmentation (PS3.3 A.51) whose frames name the slices they were drawn on.

    Every segment counts as blood.
    """

    file: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """The one file."""
        return (self.file,)

    def __call__(self, series: CTSeries) -> NDArray[np.float32]:
        """Share of each voxel that is blood, shape of ``series.hu``."""
        from highdicom.seg import segread  # takes a second, which other sources need not wait

        try:
            with quiet():
                planes = segread(self.file).get_pixels_by_source_instance(
                    list(series.sop_instance_uids),
                    ignore_spatial_locations=True,
                    assert_missing_frames_are_empty=True,
                )
        except Exception as error:  # highdicom's errors about damaged or foreign files have no common root
            raise UnusableInputError(f"mask {self.file.name} does not fit its series") from error
        return on_slabs(series, {k: plane.any(axis=-1) for k, plane in enumerate(planes) if plane.any()})


def on_slabs(series: CTSeries, marks: Mapping[int, NDArray[np.bool_]]) -> NDArray[np.float32]:
    """Masks of single slices, as stored, to the share of blood in each voxel of the series' slabs.

    Args:
        series: the series they were drawn on.
        marks: number of the slice to its mask, shape (Rows, Columns) of the stored image; slices without
            blood may be absent.

    Raises:
        UnusableInputError: a mask has another shape than the image.
    """
    share = np.zeros(series.hu.shape, np.float32)
    placed = stack(series.headers)
    for slab, members in enumerate(series.slabs):
        for member in set(members) & set(marks):
            mark = placed.upright(marks[member][None].astype(np.int16))[0]
            if mark.shape != share.shape[1:]:
                raise UnusableInputError(f"a mask of shape {mark.shape} for slices of {share.shape[1:]}")
            share[slab] += mark / np.float32(len(members))
    return share
