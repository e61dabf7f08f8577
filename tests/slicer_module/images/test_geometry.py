"""Slices are where their headers say, in the server's order, with the values that others read there."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scans
from data import SHARED, needs_shared_data
from HeadCTTriageLib.images.geometry import EXACT_MM, ROUNDED_MM, Stack, stack
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from headct.generator.generation import Order
from headct.generator.scanner import Plane
from headct.images.geometry import stack as stack_of_server
from headct.images.reading import load_series

LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])
UNEVEN = (0.0, 2.5, 5.0, 7.5, 12.5, 17.5, 22.5)


def placed(found: Stack) -> NDArray[np.float64]:
    """Where the stack's matrices put the corner voxels; shape as ``corners_ras``."""
    slices, rows, columns = found.hu.shape
    to_ras = found.ijk_to_ras if found.to_world is None else found.to_world @ found.ijk_to_ras
    k, j, i = np.meshgrid(range(slices), [0, rows - 1], [0, columns - 1], indexing="ij")
    return np.stack([i, j, k, np.ones_like(i)], axis=-1) @ to_ras[:3].T


def read_by_itk(files: Sequence[Path]) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Corner voxels and Hounsfield units of each slice, file by file, as SimpleITK has them."""
    itk = pytest.importorskip("SimpleITK")
    corners, pixels = [], []
    for file in files:
        image = itk.ReadImage(str(file))
        columns, rows, _ = image.GetSize()
        ends = [[(i, j, 0) for i in (0, columns - 1)] for j in (0, rows - 1)]
        corners.append([[image.TransformIndexToPhysicalPoint(end) for end in row] for row in ends])
        pixels.append(itk.GetArrayFromImage(image)[0])
    return np.array(corners) * LPS_TO_RAS, np.stack(pixels)


def check_against_itk(files: Sequence[Path]) -> Stack:
    """Every slice by itself, and the whole series where ITK's geometry can say where it lies."""
    itk = pytest.importorskip("SimpleITK")
    by_uid = {str(image.SOPInstanceUID): (image, file) for file in files if (image := scans.plain(file))}
    found = stack([image for image, _ in by_uid.values()])
    in_order = [by_uid[uid][1] for uid in found.sop_instance_uids]
    corners, pixels = read_by_itk(in_order)
    assert np.abs(found.corners_ras - corners).max() < 1e-3
    np.testing.assert_array_equal(found.hu, pixels)
    if not found.uneven:
        assert np.abs(placed(found) - corners).max() < 1e-3
    if not found.uneven and found.to_world is None:
        whole = itk.ReadImage([str(file) for file in in_order])
        slices, rows, columns = found.hu.shape
        for i, j, k in [(0, 0, 0), (columns - 1, 0, 0), (0, rows - 1, slices - 1), (3, 5, slices // 2)]:
            there = np.array(whole.TransformIndexToPhysicalPoint((i, j, k))) * LPS_TO_RAS
            assert np.abs(found.ijk_to_ras[:3] @ [i, j, k, 1] - there).max() < 1e-3
    return found


# Against SimpleITK and against the server


@pytest.mark.parametrize(
    ("name", "options", "lean", "uneven"),
    [
        ("plain", {}, False, False),
        ("tilted", {"lean": (0.0, -0.4)}, True, False),
        ("uneven", {"heights": UNEVEN}, False, True),
        ("tilted and uneven", {"heights": UNEVEN, "lean": (0.02, 0.3)}, False, True),
        ("coronal", {"axes": scans.CORONAL}, False, False),
        ("sagittal", {"axes": scans.SAGITTAL}, False, False),
        ("prone, head first or feet first", {"axes": scans.PRONE}, False, False),
        ("oblique", {"axes": scans.AXIAL @ scans.rotation(10, 20, -15).T}, False, False),
        (
            "oblique and tilted",
            {"axes": scans.AXIAL @ scans.rotation(10, 20, 5).T, "lean": (0, 0.2)},
            True,
            False,
        ),
        ("thin, rounded", {"heights": np.arange(40) * 0.625, "decimals": 2}, False, False),
    ],
)
def test_made_up_series_lie_where_simpleitk_says(
    name: str, options: dict[str, Any], lean: bool, uneven: bool, tmp_path: Path
) -> None:
    images = scans.scan(**options)
    found = stack(images[1::2] + images[::2])
    images.sort(key=lambda image: found.sop_instance_uids.index(image.SOPInstanceUID))
    corners, pixels = read_by_itk(scans.written(images, tmp_path))
    assert (found.to_world is not None, found.uneven) == (lean, uneven)
    assert np.abs(found.corners_ras - corners).max() < 1e-3
    np.testing.assert_array_equal(found.hu, pixels)
    if not uneven:
        # Rounding to two decimals is evened out, which is the only difference there may be.
        assert np.abs(placed(found) - corners).max() < (ROUNDED_MM if options.get("decimals") else 1e-3)
    assert (
        found.sop_instance_uids == tuple(image.SOPInstanceUID for image in images) == order_on_server(images)
    )


def order_on_server(images: Sequence[Dataset]) -> tuple[str, ...]:
    return tuple(str(images[n].SOPInstanceUID) for n in stack_of_server(images).order)


@pytest.mark.long
@pytest.mark.parametrize(
    "options",
    [
        {"tilt_deg": 18.0},
        {"fine_base": True},
        {"fine_base": True, "tilt_deg": -12.0, "order": Order.SHUFFLED},
        {"thickness_mm": 8.0, "order": Order.HEAD_FIRST},
        {"plane": Plane.CORONAL},
    ],
)
def test_generated_heads_lie_where_simpleitk_says(options: dict[str, Any], tmp_path: Path) -> None:
    images = scans.generated("normal", seed=2, matrix=64, **options)
    found = check_against_itk(scans.written(images, tmp_path))
    assert found.uneven == options.get("fine_base", False)
    assert found.sop_instance_uids == order_on_server(images)
    assert not found.left_out and not found.warnings


REAL = [
    "real_studies/siemens_stroke_0019983/ct",
    "real_studies/siemens_stroke_0226308/ct",
    "real_studies/toshiba_trauma/axial_brain",
    "real_studies/toshiba_trauma/coronal",
    "ct_ich/series/CTICH-049",
    "phe_sich/series/PHESICH-0001",
]


@needs_shared_data
@pytest.mark.parametrize("folder", REAL)
def test_real_series_lie_where_simpleitk_says_and_are_counted_as_on_the_server(folder: str) -> None:
    files = sorted(file for file in (SHARED / folder).rglob("*") if file.is_file())
    found = check_against_itk(files)
    assert found.sop_instance_uids == load_series(files).sop_instance_uids
    assert not found.left_out and not found.warnings
    assert found.uneven == ("0226308" in folder)
    assert (found.to_world is not None) == ("axial" in folder)


@needs_shared_data
def test_a_localizer_alone_is_shown_as_what_it_is() -> None:
    files = sorted((SHARED / "real_studies/toshiba_trauma/localizer").rglob("*.dcm"))
    found = stack([scans.plain(file) for file in files])
    assert len(found.hu) + len(found.left_out) == len(files) and len(found.hu) >= 1


# Any geometry

ANGLES = st.floats(-180, 180)
GAPS = st.lists(st.floats(0.3, 12), min_size=1, max_size=12)


@given(
    angles=st.tuples(ANGLES, ANGLES, ANGLES),
    gaps=GAPS | st.integers(1, 12).map(lambda n: [2.5] * n),
    lean=st.tuples(st.floats(-0.6, 0.6), st.floats(-0.6, 0.6)) | st.just((0.0, 0.0)),
    spacing=st.tuples(st.floats(0.2, 2), st.floats(0.2, 2)),
    data=st.data(),
)
@settings(max_examples=25)
def test_any_stack_is_sorted_and_lies_where_it_was_put(
    angles: tuple[float, float, float],
    gaps: list[float],
    lean: tuple[float, float],
    spacing: tuple[float, float],
    data: st.DataObject,
) -> None:
    axes = scans.AXIAL @ scans.rotation(*angles).T
    images = scans.scan(np.append(0, np.cumsum(gaps)), axes=axes, lean=lean, spacing=spacing, shape=(4, 5))
    shuffled = data.draw(st.permutations(images))
    lost = data.draw(st.integers(0, len(images) - 2))
    found = stack(shuffled[lost:])
    by_uid = {image.SOPInstanceUID: image for image in images}
    assert sorted(found.sop_instance_uids) == sorted(image.SOPInstanceUID for image in shuffled[lost:])
    normal = np.cross(axes[0], axes[1])
    towards = normal * np.sign(normal[np.argmax(np.abs(normal))])
    heights = [np.array(by_uid[uid].ImagePositionPatient) @ towards for uid in found.sop_instance_uids]
    assert heights == sorted(heights)
    steps = np.diff(heights)
    if len(steps) > 1 and not 0.5 * ROUNDED_MM < np.ptp(steps) < 10 * ROUNDED_MM:
        assert found.uneven == (np.ptp(steps) > ROUNDED_MM)
    for k, uid in enumerate(found.sop_instance_uids):
        image = by_uid[uid]
        np.testing.assert_array_equal(found.hu[k], scans.hu(image))
        first, across, down = (
            np.array(image.ImagePositionPatient),
            *np.array(image.ImageOrientationPatient).reshape(2, 3),
        )
        for (j, i), row, column in [((0, 0), 0, 0), ((0, 1), 0, 4), ((1, 0), 3, 0), ((1, 1), 3, 4)]:
            there = (first + across * spacing[1] * column + down * spacing[0] * row) * LPS_TO_RAS
            assert np.abs(found.corners_ras[k, j, i] - there).max() < 1e-6
    if not found.uneven:
        assert np.abs(placed(found) - found.corners_ras).max() <= ROUNDED_MM + EXACT_MM
    grid = found.ijk_to_ras[:3, :3] / np.linalg.norm(found.ijk_to_ras[:3, :3], axis=0)
    np.testing.assert_allclose(grid.T @ grid, np.eye(3), atol=1e-9)
    view = found.view_axes()
    np.testing.assert_allclose(view.T @ view, np.eye(3), atol=1e-9)
    assert abs(abs(view[:, 2] @ (normal * LPS_TO_RAS)) - 1) < 1e-9


@pytest.mark.parametrize(
    ("axes", "right", "up"),
    [
        (scans.AXIAL, (-1, 0, 0), (0, 1, 0)),
        (scans.PRONE, (-1, 0, 0), (0, 1, 0)),
        (np.array([[0.0, 1, 0], [1, 0, 0]]), (-1, 0, 0), (0, 1, 0)),
        (scans.CORONAL, (-1, 0, 0), (0, 0, 1)),
        (scans.SAGITTAL, (0, -1, 0), (0, 0, 1)),
    ],
)
def test_slices_are_hung_the_usual_way_however_they_are_stored(
    axes: NDArray[np.float64], right: tuple[int, ...], up: tuple[int, ...]
) -> None:
    view = stack(scans.scan(axes=axes)).view_axes()
    np.testing.assert_allclose(view[:, 0], right, atol=1e-9)
    np.testing.assert_allclose(view[:, 1], up, atol=1e-9)


# Enhanced multi-frame images


def test_frames_of_an_enhanced_image_are_slices(tmp_path: Path) -> None:
    images = scans.scan([0, 5, 10, 15])
    enhanced = copy.deepcopy(images[0])
    enhanced.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2.1"
    for keyword in (
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "PixelSpacing",
        "RescaleSlope",
        "RescaleIntercept",
    ):
        delattr(enhanced, keyword)
    order = [2, 0, 3, 1]
    enhanced.NumberOfFrames = 4
    enhanced.PixelData = b"".join(images[n].PixelData for n in order)
    enhanced.SharedFunctionalGroupsSequence = [Dataset()]
    (shared,) = enhanced.SharedFunctionalGroupsSequence
    measures, turned, rescale = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = images[0].PixelSpacing, 5.0
    turned.ImageOrientationPatient = images[0].ImageOrientationPatient
    rescale.RescaleSlope, rescale.RescaleIntercept = 1, -1024
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [turned]
    shared.PixelValueTransformationSequence = [rescale]
    enhanced.PerFrameFunctionalGroupsSequence = []
    for n in order:
        frame, place = Dataset(), Dataset()
        place.ImagePositionPatient = images[n].ImagePositionPatient
        frame.PlanePositionSequence = [place]
        enhanced.PerFrameFunctionalGroupsSequence.append(frame)
    found, plain = stack([enhanced]), stack(images)
    np.testing.assert_array_equal(found.hu, plain.hu)
    np.testing.assert_allclose(found.corners_ras, plain.corners_ras)
    assert found.sop_instance_uids == (enhanced.SOPInstanceUID,) * 4 and not found.left_out
    assert found.numbers == {enhanced.SOPInstanceUID: 0}
    uid = enhanced.SOPInstanceUID
    assert [found.slice_of(uid, frame) for frame in (1, 2, 3, 4, 5, None)] == [2, 0, 3, 1, None, 0]
