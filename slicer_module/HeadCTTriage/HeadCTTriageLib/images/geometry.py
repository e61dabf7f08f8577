"""Where the slices of a series lie: sorted from feet to head, and what a regular grid cannot say of them.

Coordinates are Slicer's: RAS in mm (x to the patient's right, y to the front, z to the head). Voxels are
(i, j, k): column, row, slice.

Nothing here needs Slicer, so that it runs beside the application's main thread.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ..errors import CancelledError
from ..translation import _
from .frames import Slice, Vector, slices_of
from .headers import text
from .hounsfield import hounsfield, rescale_known
from .ordering import STEP_MM, LeftOut, members_of, normal_of, placed, places_of, step_of

EXACT_MM = 5e-4
"""A lean that moves no voxel further than this is none."""
ROUNDED_MM = 0.01
"""Headers are written with two decimals at least: unevenness below this says nothing of the table."""

_HOLE = 1.5
"""A gap this many times the median of its neighbours is a hole: one missing slice doubles a gap."""
_TISSUE_HU, _TISSUE_MM2 = -200, 1000.0
"""A slice with this much above that shows a part of the body and not noise or the headrest alone."""


@dataclass(frozen=True, eq=False)
class Stack:
    """A series in memory. Slice 0 is at the feet, as the server counts."""

    hu: NDArray[Any]
    """Hounsfield units, int16 where they fit, else float32; shape (slices, rows, columns)."""
    ijk_to_ras: Vector
    """(4, 4): the nearest grid of right angles and even steps."""
    to_world: Vector | None
    """(4, 4): from that grid to where the voxels are, where a tilt is all there is; else ``None``."""
    uneven: bool
    """No matrix says where the voxels are, ``corners_ras`` alone does."""
    corners_ras: Vector
    """Centres of each slice's corner voxels; shape (slices, first and last row, first and last column, 3)."""
    sop_instance_uids: tuple[str, ...]
    """Of each slice; the same for all frames of one image."""
    numbers: dict[str, int]
    """Slice by SOP instance UID, of images left out as repeated too; of several frames the first."""
    frames: dict[tuple[str, int], int]
    """Slice by SOP instance UID and frame; frames count from 1."""
    left_out: tuple[LeftOut, ...]
    warnings: tuple[str, ...]
    """What the doctor should know of these images; sentences."""
    series_instance_uid: str
    title: str
    """Date of the study and description of the series; no name of a patient."""

    @property
    def displacements(self) -> Vector:
        """From the regular grid to where the corner voxels are; shape as ``corners_ras``."""
        return self.corners_ras - _corners(self.ijk_to_ras, self.hu.shape)

    def slice_of(self, sop_instance_uid: str, frame: float | None) -> int | None:
        """The slice of an image, or of one of its frames; ``None`` where it is not among those here."""
        if frame is None:
            return self.numbers.get(sop_instance_uid)
        return self.frames.get((sop_instance_uid, int(frame)))

    def centre_ras(self, number: int) -> Vector:
        """Middle of a slice."""
        return np.asarray(self.corners_ras[number].mean(axis=(0, 1)), np.float64)

    def heights_mm(self) -> Vector:
        """Of the slices' middles above that of the last slice with a head in it, along the normal."""
        normal = self.view_axes()[:, 2]
        heights = self.corners_ras.mean(axis=(1, 2)) @ normal
        spacing = np.linalg.norm(self.ijk_to_ras[:3, :2], axis=0)
        enough = _TISSUE_MM2 / float(spacing.prod())
        shown = (
            k for k in reversed(range(len(self.hu))) if np.count_nonzero(self.hu[k] > _TISSUE_HU) > enough
        )
        return np.asarray(heights - heights[next(shown, -1)], np.float64)

    def view_axes(self) -> Vector:
        """Axes of a view of these slices as they are hung, not as they are stored: columns of (3, 3).

        They point right, up, out. Axial: patient's right on the left, front up. Coronal: the same, head up.
        Sagittal: front on the left, head up. As in Slicer's own views, "out" is towards the head, the front,
        the patient's right.
        """
        axes = self.ijk_to_ras[:3, :3] / np.linalg.norm(self.ijk_to_ras[:3, :3], axis=0)
        plane = int(np.argmax(np.abs(axes[:, 2])))
        right = np.array([0.0, -1.0, 0.0] if plane == 0 else [-1.0, 0.0, 0.0])
        up = np.array([0.0, 1.0, 0.0] if plane == 2 else [0.0, 0.0, 1.0])
        flat = int(np.argmax(np.abs(right @ axes[:, :2])))
        chosen = (axes[:, flat], right), (axes[:, 1 - flat], up), (axes[:, 2], np.eye(3)[plane])
        return np.stack([axis if axis @ towards >= 0 else -axis for axis, towards in chosen], axis=1)


def stack(datasets: Sequence[Dataset], cancelled: threading.Event | None = None) -> Stack:
    """The series' slices from feet to head.

    Of images that make no stack together the largest set that does is taken; the others are named in
    ``left_out``. An absent attribute alone refuses nothing: what is assumed instead is said in ``warnings``.

    Args:
        datasets: images of one series, not compressed, in any order; enhanced multi-frame images too.
        cancelled: set to end it.

    Raises:
        UnreadableError: no image at all, or one that is damaged.
        CancelledError: it was.
    """
    images = [(text(dataset, "SOPInstanceUID"), slices_of(dataset)) for dataset in datasets]
    left_out = [LeftOut(uid, _("not an image that can be placed")) for uid, slices in images if not slices]
    warnings: list[str] = []
    members, others = members_of([one for _uid, slices in images for one in slices], warnings)
    along, members = placed(members, warnings)
    places = places_of(members, along)
    kept, along = [members[place[0]] for place in places], along[[place[0] for place in places]]
    repeated = {members[n].sop_instance_uid: k for k, place in enumerate(places) for n in place[1:]}
    own = {kept[k].sop_instance_uid: k for k in reversed(range(len(kept)))}
    left_out += others
    left_out += [LeftOut(uid, _("a second image at the same place")) for uid in repeated if uid not in own]
    hu = _voxels(kept, cancelled)
    warnings += _said_of_pixels(kept) + _said_of_holes(along)
    corners = np.stack([one.corners() for one in kept])
    grid, tilted = _matrices(kept[0], corners)
    straight, leaning = _error(grid, corners, hu.shape), _error(tilted, corners, hu.shape)
    uneven = leaning > ROUNDED_MM
    return Stack(
        hu=hu,
        ijk_to_ras=grid,
        to_world=tilted @ np.linalg.inv(grid) if not uneven and straight > leaning + EXACT_MM else None,
        uneven=uneven,
        corners_ras=corners,
        sop_instance_uids=tuple(one.sop_instance_uid for one in kept),
        numbers={**repeated, **own},
        frames={(one.sop_instance_uid, one.frame + 1): k for k, one in enumerate(kept)},
        left_out=tuple(left_out),
        warnings=tuple(warnings),
        series_instance_uid=text(kept[0].header, "SeriesInstanceUID"),
        title=_title(kept[0].header),
    )


def _title(header: Dataset) -> str:
    day = text(header, "StudyDate")
    written = f"{day[:4]}-{day[4:6]}-{day[6:]}" if len(day) == 8 and day.isdigit() else day
    return " ".join(word for word in (written, text(header, "SeriesDescription") or "CT") if word)


# Pixels


def _voxels(kept: list[Slice], cancelled: threading.Event | None) -> NDArray[Any]:
    """int16, and float32 from the first slice on that does not fit."""
    hu: NDArray[Any] = np.empty((len(kept), *kept[0].shape), np.int16)
    for k, one in enumerate(kept):
        if cancelled is not None and cancelled.is_set():
            raise CancelledError(_("Cancelled."))
        values = hounsfield(one.image, one.frame, one.header)
        limits = np.iinfo(np.int16)
        if hu.dtype == np.int16 and (
            values.dtype != np.int32 or values.min() < limits.min or values.max() > limits.max
        ):
            hu = hu.astype(np.float32)
        hu[k] = values
    return hu


def _said_of_pixels(kept: list[Slice]) -> list[str]:
    said = []
    if not all(rescale_known(one.header) for one in kept):
        said.append(_("Images do not say how to compute Hounsfield units; the usual way was taken."))
    if any(text(one.header, "PhotometricInterpretation") == "MONOCHROME1" for one in kept):
        said.append(_("Images are marked as inverted (MONOCHROME1); Hounsfield units are shown as they are."))
    return said


def _said_of_holes(along: Vector) -> list[str]:
    gaps = np.diff(along)
    holes = []
    for k, gap in enumerate(gaps):
        sides = [side for side in (gaps[max(0, k - 3) : k], gaps[k + 1 : k + 4]) if len(side)]
        usual = max((float(np.median(side)) for side in sides), default=float(gap))
        if gap > max(_HOLE * usual, 1.0):
            holes.append((k, float(gap)))
    return [
        _(
            "Slices are missing: {gap} mm between slices {below} and {above}. What lies there is computed."
        ).format(gap=f"{gap:.1f}", below=k, above=k + 1)
        for k, gap in holes
    ]


# Geometry


def _matrices(first: Slice, corners: Vector) -> tuple[Vector, Vector]:
    """IJK to RAS: the nearest grid of right angles, and one whose third axis may lean."""
    assert first.axes is not None and first.spacing is not None
    normal = normal_of(first)
    start, step = corners[0, 0, 0], normal * (step_of(first.header, "SliceThickness") or STEP_MM)
    if len(corners) > 1:
        start, step = np.polynomial.polynomial.polyfit(np.arange(len(corners)), corners[:, 0, 0], 1)
    row, down = first.axes[0], first.spacing[0]
    tilted = np.eye(4)
    tilted[:3] = np.stack([row * first.spacing[1], first.axes[1] * down, step, start], axis=1)
    column = first.axes[1] - (first.axes[1] @ row) * row
    column = column / np.linalg.norm(column)
    grid = tilted.copy()
    grid[:3, 1], grid[:3, 2] = column * down, normal * (step @ normal)
    return grid, tilted


def _corners(ijk_to_ras: Vector, shape: tuple[int, ...]) -> Vector:
    """Where a matrix puts the corners of each slice; shape as :attr:`Stack.corners_ras`."""
    slices, rows, columns = shape
    k, j, i = np.meshgrid(np.arange(slices), [0, rows - 1], [0, columns - 1], indexing="ij")
    return np.asarray(np.stack([i, j, k], axis=-1) @ ijk_to_ras[:3, :3].T + ijk_to_ras[:3, 3], np.float64)


def _error(ijk_to_ras: Vector, corners: Vector, shape: tuple[int, ...]) -> float:
    """Largest distance along an axis between where a matrix puts a corner and where it is, in mm."""
    return float(np.abs(corners - _corners(ijk_to_ras, shape)).max())
