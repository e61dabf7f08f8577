"""Slices are where their headers say, in the server's order, with the values that others read there."""

import copy
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scans
from data import SHARED, needs_shared_data
from HeadCTTriageLib.errors import CancelledError, UnreadableError
from HeadCTTriageLib.images.geometry import EXACT_MM, ROUNDED_MM, Stack, stack
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, JPEGLosslessSV1, generate_uid

from headct.generator.kinds import Order
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
@settings(max_examples=60)
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


# What is not as it should be


def test_only_what_fits_together_is_shown_and_the_rest_is_named() -> None:
    images = scans.scan()
    localizer, small, other, coarse, captured = scans.scan([100, 101, 102, 103, 104])
    localizer.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    small.Rows, small.PixelData = 9, small.PixelData[: 9 * 12 * 2]
    other.ImageOrientationPatient = list(scans.CORONAL.ravel())
    coarse.PixelSpacing = [1.5, 1.0]
    captured.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    del captured.ImageOrientationPatient
    strangers = [localizer, small, other, coarse, captured]
    for image in strangers:
        image.FrameOfReferenceUID = images[0].FrameOfReferenceUID
    moved = scans.scan([50])[0]
    repeat = copy.deepcopy(images[2])
    repeat.SOPInstanceUID, repeat.InstanceNumber = generate_uid(), 99
    report = Dataset()
    report.SOPInstanceUID, report.Modality = generate_uid(), "SR"
    found = stack([*strangers, report, *images, repeat, moved])
    assert found.sop_instance_uids == tuple(image.SOPInstanceUID for image in images)
    said = {one.sop_instance_uid: one.reason for one in found.left_out}
    assert said == {
        localizer.SOPInstanceUID: "localizer",
        small.SOPInstanceUID: "of another size",
        other.SOPInstanceUID: "lies in another direction",
        coarse.SOPInstanceUID: "of another scale",
        captured.SOPInstanceUID: "screen capture",
        moved.SOPInstanceUID: "in another frame of reference",
        repeat.SOPInstanceUID: "a second image at the same place",
        report.SOPInstanceUID: "not a picture that can be placed",
    }
    assert found.numbers[repeat.SOPInstanceUID] == 2, "a key slice may name either"


def test_of_several_times_at_each_place_the_first_is_shown() -> None:
    early, late = scans.scan(seed=1, AcquisitionNumber=1), scans.scan(seed=2, AcquisitionNumber=2)
    for one, other in zip(early, late, strict=True):
        other.FrameOfReferenceUID = one.FrameOfReferenceUID
    found = stack([*late, *early])
    assert found.sop_instance_uids == tuple(image.SOPInstanceUID for image in early)
    assert len(found.left_out) == 5


def test_a_frame_of_reference_for_each_image_parts_nothing() -> None:
    images = scans.scan()
    for image in images:
        image.FrameOfReferenceUID = generate_uid()
    assert len(stack(images).hu) == 5


@pytest.mark.parametrize(
    ("attributes", "numbers", "step"),
    [
        ({"ImagePositionPatient": None}, "SliceLocation", 2.5),
        ({"ImagePositionPatient": None, "SpacingBetweenSlices": 4.0}, "InstanceNumber", 4.0),
        ({"ImagePositionPatient": None, "SliceThickness": 3.0}, "InstanceNumber", 3.0),
    ],
)
def test_without_positions_slices_are_ordered_by_what_is_there(
    attributes: dict[str, Any], numbers: str, step: float
) -> None:
    images = scans.scan(**attributes)
    for n, image in enumerate(images):
        setattr(image, numbers, 2.5 * n if numbers == "SliceLocation" else n + 1)
    found = stack(images[::-1])
    assert found.sop_instance_uids == tuple(image.SOPInstanceUID for image in images)
    assert np.linalg.norm(found.ijk_to_ras[:3, 2]) == pytest.approx(step)
    assert any("where they lie" in said for said in found.warnings)


def test_what_is_missing_is_assumed_and_said() -> None:
    images = scans.scan(
        PixelSpacing=None, ImageOrientationPatient=None, RescaleSlope=None, RescaleIntercept=None
    )
    found = stack(images)
    assert [word for word in ("turned", "scale", "Hounsfield") if any(word in s for s in found.warnings)] == [
        "turned",
        "scale",
        "Hounsfield",
    ]
    assert np.linalg.norm(found.ijk_to_ras[:3, 0]) == pytest.approx(230 / 12)
    np.testing.assert_array_equal(
        found.hu[0], np.frombuffer(images[0].PixelData, "<u2").reshape(10, 12) - 1024.0
    )


def test_one_image_alone_has_its_thickness() -> None:
    found = stack(scans.scan([7.0], SliceThickness=3.0))
    assert np.linalg.norm(found.ijk_to_ras[:3, 2]) == pytest.approx(3.0)
    assert found.to_world is None and not found.uneven


def test_a_hole_is_said() -> None:
    found = stack(scans.scan([0, 5, 10, 25, 30, 35]))
    assert found.warnings == (
        "Slices are missing: 15.0 mm between slices 2 and 3. What lies there is computed.",
    )


def test_the_title_names_no_patient() -> None:
    found = stack(scans.scan())
    assert found.title == "2026-01-15 Brain"


def test_impossible_values_are_as_if_absent() -> None:
    images = scans.scan(ImageOrientationPatient=[1.0, 0, 0, 1.0, 0, 0], SliceLocation=float("nan"))
    images[0].PixelSpacing = [0.0, -1.0]
    found = stack(images)
    assert len(found.hu) == 5 and len(found.warnings) == 2


def test_no_image_at_all_is_an_error() -> None:
    report = Dataset()
    report.SOPInstanceUID = generate_uid()
    for nothing in ([], [report]):
        with pytest.raises(UnreadableError):
            stack(nothing)


def test_it_can_be_cancelled() -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(CancelledError):
        stack(scans.scan(), cancelled)


ODD = (
    *(None, "", "x", "nan", "inf", "1e308", "-1e308", "1e-308", "0", "-5", "70000", "2.5", "1.2.3", r"1\2"),
    *(r"1\0\0", r"0\0\0", r"1\0\0\0\1\0", r"1e300\0\0\0\1e300\0", r"1e308\1e308\1e308", r"1e-300\1e-300"),
    *(r"1e5\1e5", r"-0.5\0.5", r"1e-5\0.5"),
)
KEYWORDS = [
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "SliceLocation"),
    *("SpacingBetweenSlices", "InstanceNumber", "AcquisitionNumber", "Rows", "Columns", "SamplesPerPixel"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "RescaleSlope", "RescaleIntercept"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit", "NumberOfFrames", "ImageType", "SOPClassUID"),
    *("SOPInstanceUID", "FrameOfReferenceUID", "PixelData", "StudyDate", "ReconstructionDiameter"),
    *("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"),
]


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.parametrize("keyword", KEYWORDS)
def test_whatever_headers_say_there_are_pictures_or_an_error_in_words(keyword: str) -> None:
    for value in ODD:
        for changed in (1, 3):
            images = scans.scan([0, 5, 10], shape=(4, 4))
            for image in images[:changed]:
                image.pop(keyword, None)
                if value is not None:
                    element = DataElement(tag_for_keyword(keyword), "LO", value.split("\\"))
                    image[keyword] = element
            check_sane(images, f"{keyword}={value!r} in {changed}")
        for image in images:
            image.pop("ImagePositionPatient", None)
        check_sane(images, f"{keyword}={value!r}, without places")


def check_sane(images: Sequence[Dataset], what: str) -> None:
    try:
        found = stack(images)
    except UnreadableError as error:
        assert str(error).endswith(".")
        return
    assert np.isfinite(found.corners_ras).all() and np.isfinite(found.ijk_to_ras).all(), what
    assert np.abs(np.linalg.det(found.ijk_to_ras)) > 1e-12, what
    assert found.to_world is None or np.isfinite(found.to_world).all(), what
    assert len(found.corners_ras) == len(found.hu) == len(found.sop_instance_uids) > 0, what
    assert set(found.sop_instance_uids) <= set(found.numbers), what
    assert max(found.numbers.values()) < len(found.hu), what
    assert np.isfinite(found.view_axes()).all() and np.isfinite(found.heights_mm()).all(), what


# Pixels


def test_every_way_of_storing_pixels_gives_the_same_hounsfield_units() -> None:
    wanted = np.array([[-1024, -500, 0], [40, 1000, 3071]])
    stored = {
        "signed": (
            wanted,
            "<i2",
            {"PixelRepresentation": 1, "BitsStored": 16, "HighBit": 15, "RescaleIntercept": 0},
        ),
        "12 bit signed": (wanted & 0xFFF, "<u2", {"PixelRepresentation": 1, "RescaleIntercept": 0}),
        "unsigned": (wanted + 1024, "<u2", {}),
        "overlay in the high bits": ((wanted + 1024) | 0xA000, "<u2", {}),
        "slope": (
            wanted - 7,
            "<i4",
            {
                "BitsAllocated": 32,
                "BitsStored": 32,
                "HighBit": 31,
                "PixelRepresentation": 1,
                "RescaleIntercept": 7,
            },
        ),
        "inverted display": (wanted + 1024, "<u2", {"PhotometricInterpretation": "MONOCHROME1"}),
    }
    wide = np.clip(wanted, -1024, 1023)
    for name, (values, kind, attributes) in stored.items():
        wanted_here = wide if name == "12 bit signed" else wanted
        values = (wide & 0xFFF) if name == "12 bit signed" else values
        image = scans.scan([0.0], shape=(2, 3), **attributes)[0]
        image.PixelData = values.astype(kind).tobytes()
        found = stack([image])
        assert found.hu.dtype == np.int16, name
        np.testing.assert_array_equal(found.hu[0], wanted_here, err_msg=name)
    big = scans.scan([0.0], shape=(2, 3))[0]
    big.file_meta.TransferSyntaxUID, big.PixelData = (
        ExplicitVRBigEndian,
        (wanted + 1024).astype(">u2").tobytes(),
    )
    np.testing.assert_array_equal(stack([big]).hu[0], wanted)
    eight = scans.scan([0.0], shape=(2, 3), BitsAllocated=8, BitsStored=8, HighBit=7, RescaleIntercept=-10)[0]
    eight.PixelData = bytes([0, 1, 2, 3, 4, 255])
    np.testing.assert_array_equal(stack([eight]).hu[0], [[-10, -9, -8], [-7, -6, 245]])


def test_rescale_differs_from_slice_to_slice() -> None:
    images = scans.scan([0, 5, 10])
    images[1].RescaleIntercept = 0
    images[2].RescaleSlope = 2
    stored = [np.frombuffer(image.PixelData, "<u2").reshape(10, 12).astype(int) for image in images]
    found = stack(images)
    for k, values in enumerate((stored[0] - 1024, stored[1], stored[2] * 2 - 1024)):
        np.testing.assert_array_equal(found.hu[k], values)


def test_what_does_not_fit_into_16_bits_is_kept_as_it_is() -> None:
    images = scans.scan([0, 5, 10], BitsStored=16, HighBit=15)
    images[1].RescaleSlope = 0.5
    images[2].RescaleSlope = 20
    stored = [np.frombuffer(image.PixelData, "<u2").reshape(10, 12).astype(float) for image in images]
    found = stack(images)
    assert found.hu.dtype == np.float32
    for k, slope in enumerate((1, 0.5, 20)):
        np.testing.assert_array_equal(found.hu[k], stored[k] * slope - 1024)


def test_padding_is_air_unless_it_would_blank_out_tissue() -> None:
    signed = {"PixelRepresentation": 1, "BitsStored": 16, "HighBit": 15}
    image = scans.scan([0.0], shape=(2, 3), RescaleIntercept=-1024, **signed)[0]
    image.PixelData = np.array([[-32768, 0, 1064], [1064, -32768, 2000]], "<i2").tobytes()
    image.PixelPaddingValue = -32768
    np.testing.assert_array_equal(stack([image]).hu[0], [[-1024, -1024, 40], [40, -1024, 976]])
    image.PixelPaddingValue = 1064
    assert stack([image]).hu[0, 0, 2] == 40


@pytest.mark.parametrize("damage", ["short", "compressed", "depth", "none"])
def test_damaged_pixels_are_an_error_in_words(damage: str) -> None:
    images = scans.scan()
    if damage == "short":
        images[2].PixelData = images[2].PixelData[:-2]
    elif damage == "compressed":
        images[2].file_meta.TransferSyntaxUID = JPEGLosslessSV1
    elif damage == "depth":
        images[2].BitsAllocated = 12
    else:
        images[2].PixelData = None
    with pytest.raises(UnreadableError, match=r"^An image .*\.$"):
        stack(images)


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
