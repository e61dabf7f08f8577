"""Headers that do not say what they should: what fits together is shown, the rest is named."""

import copy
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import scans
from HeadCTTriageLib.errors import CancelledError, UnreadableError
from HeadCTTriageLib.images.geometry import stack
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid


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
        report.SOPInstanceUID: "not an image that can be placed",
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
def test_whatever_headers_say_there_are_images_or_an_error_in_words(keyword: str) -> None:
    ordinary = scans.scan([0, 5, 10], shape=(4, 4))
    for value in ODD:
        for changed in (1, 3):
            images = [Dataset() for _ in ordinary]
            for image, like in zip(images, ordinary, strict=True):
                image.update(like)
                image.file_meta = like.file_meta
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
