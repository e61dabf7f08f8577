"""What the server drew lies on the slices it was drawn on, or is refused."""

from collections.abc import Iterator
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pytest
import report_cases
import scans
from HeadCTTriageLib.errors import UnreadableError
from HeadCTTriageLib.images.drawn import Drawn, read
from HeadCTTriageLib.images.geometry import Stack, stack
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import JPEGLSLossless, generate_uid

from headct.findings.region import Region
from headct.images.reading import load_series
from headct.network.preprocessing import CROP_COLUMNS, CROP_ROWS
from headct.reports import segmentation

UNEVEN = (0.0, 2.5, 5.0, 7.5, 12.5, 17.5, 22.5)


@pytest.fixture
def logic() -> Iterator[Any]:
    application = pytest.importorskip(
        "slicer_core_host", reason="Slicer's core is made for Python 3.11 alone"
    )
    with application.started():
        yield application.module().HeadCTTriageLogic()


def drawn_by_library(images: list[Dataset], masks: NDArray[np.uint8], **changes: Any) -> Dataset:
    """A binary segmentation; ``masks``: shape (images, rows, columns, segments)."""
    described = [
        hd.seg.SegmentDescription(
            number + 1,
            f"Bleed {number + 1}",
            codes.SCT.MorphologicallyAbnormalStructure,
            codes.SCT.Hemorrhage,
            hd.seg.SegmentAlgorithmTypeValues.MANUAL,
            display_color=hd.color.CIELabColor(*((53.24, 80.09, 67.2), (87.73, -86.18, 83.18))[number]),
        )
        for number in range(masks.shape[-1])
    ]
    document = hd.seg.Segmentation(
        images, masks, "BINARY", described, generate_uid(), 9, generate_uid(), 1, "Maker", "Model", "1", "1"
    )
    for keyword, value in changes.items():
        setattr(document, keyword, value)
    file = BytesIO()
    dcmwrite(file, document, enforce_file_format=True)
    return dcmread(BytesIO(file.getvalue()))


def whole(drawn: Drawn, found: Stack, segment: int = 0) -> NDArray[np.uint8]:
    """A region on all of the stack's voxels."""
    one = drawn.segments[segment]
    mask = np.zeros(found.hu.shape, np.uint8)
    mask[tuple(slice(a, a + n) for a, n in zip(one.start, one.mask.shape, strict=True))] = one.mask
    return mask


def blob(shape: tuple[int, ...], seed: int = 0) -> NDArray[np.uint8]:
    mask = np.zeros(shape, np.uint8)
    mask[1:4, 2:7, 3:9] = np.random.default_rng(seed).integers(0, 2, (3, 5, 6))
    mask[1, 2, 3] = mask[3, 6, 8] = 1
    return mask


# Read


@given(data=st.data(), rows=st.integers(3, 11), columns=st.integers(3, 11), slices=st.integers(1, 6))
@settings(max_examples=20)
def test_any_mask_comes_back_in_place(data: st.DataObject, rows: int, columns: int, slices: int) -> None:
    images = scans.scan([n * 5.0 for n in range(slices)], shape=(rows, columns))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    masks = (rng.random((slices, rows, columns, 2)) < data.draw(st.floats(0, 1))).astype(np.uint8)
    masks[0, 0, 0] = [1, 0]
    masks[0, 0, 1] = [0, 1]
    masks[..., 1] &= 1 - masks[..., 0]
    document = drawn_by_library(images, masks)
    order = data.draw(st.permutations(images))
    found = stack(order)
    drawn = read(document, found)
    assert [one.name for one in drawn.segments] == [
        "Bleed 1 (not a diagnosis)",
        "Bleed 2 (not a diagnosis)",
    ]
    for n in range(2):
        np.testing.assert_array_equal(whole(drawn, found, n), masks[..., n])
    np.testing.assert_allclose([one.colour for one in drawn.segments], [(1, 0, 0), (0, 1, 0)], atol=0.01)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lean": (0.0, -0.3)},
        {"heights": UNEVEN, "lean": (0.0, 0.2)},
        {"axes": scans.PRONE},
        {"axes": np.array([[0.0, 1, 0], [1, 0, 0]])},
    ],
    ids=["plain", "tilted", "uneven", "prone", "transposed"],
)
def test_what_the_server_writes_is_read(options: dict[str, Any], tmp_path: Path) -> None:
    images = scans.scan(shape=(48, 40), **options)
    files = scans.written(images, tmp_path)
    series = load_series(files)
    mask = np.zeros((len(series.slabs), CROP_ROWS, CROP_COLUMNS), bool)
    mask[1:4, 5:20, 8:15] = True
    mask[2, 19, 14] = False
    document = segmentation.write(
        series,
        report_cases.bleeding(series),
        Region(mask, np.eye(2, 3)),
        sent_at=datetime(2026, 1, 15, 4, 0),
    )
    found = stack(images)
    assert found.sop_instance_uids == series.sop_instance_uids
    drawn = read(dcmread(BytesIO(document)), found)
    (segment,) = drawn.segments
    wanted = segmentation.read(document)
    assert segment.name == f"{wanted.label} (not a diagnosis)"
    np.testing.assert_allclose(segment.colour, (1, 0, 1), atol=0.01)
    read_back = whole(drawn, found)
    for k, uid in enumerate(found.sop_instance_uids):
        there = wanted.masks.get(uid, np.zeros((48, 40), bool))
        np.testing.assert_array_equal(read_back[k], there)
    assert read_back.sum() == 3 * 15 * 7 - 1 or len(series.slabs) != len(found.hu)


def test_without_names_of_images_frames_go_to_their_places() -> None:
    images = scans.scan(lean=(0.0, -0.3))
    masks = blob((5, 10, 12))
    document = drawn_by_library(images, masks[..., None])
    for frame in document.PerFrameFunctionalGroupsSequence:
        del frame.DerivationImageSequence
    found = stack(images)
    np.testing.assert_array_equal(whole(read(document, found), found), masks)


def test_without_places_frames_go_to_the_images_they_name() -> None:
    images = scans.scan()
    masks = blob((5, 10, 12))
    document = drawn_by_library(images, masks[..., None])
    for frame in document.PerFrameFunctionalGroupsSequence:
        del frame.PlanePositionSequence
    found = stack(images)
    np.testing.assert_array_equal(whole(read(document, found), found), masks)


def _without_places(document: Dataset) -> None:
    for frame in document.PerFrameFunctionalGroupsSequence:
        del frame.DerivationImageSequence, frame.PlanePositionSequence


def _moved(document: Dataset) -> None:
    place = document.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0]
    place.ImagePositionPatient = [place.ImagePositionPatient[0] + 3, *place.ImagePositionPatient[1:]]


def _mirrored(document: Dataset) -> None:
    plane = document.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]
    plane.ImageOrientationPatient = [-1, 0, 0, 0, 1, 0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: setattr(d, "Modality", "SR"), "no binary"),
        (lambda d: setattr(d, "SegmentationType", "FRACTIONAL"), "no binary"),
        (lambda d: setattr(d, "PixelData", d.PixelData[:3]), "damaged"),
        (lambda d: d.pop("PixelData"), "damaged"),
        (lambda d: setattr(d.file_meta, "TransferSyntaxUID", JPEGLSLossless), "damaged"),
        (lambda d: d.pop("PerFrameFunctionalGroupsSequence"), "damaged"),
        (lambda d: d.pop("Rows"), "damaged"),
        (lambda d: setattr(d.SegmentSequence[0], "SegmentNumber", 7), "damaged"),
        (lambda d: (setattr(d, "Rows", 12), setattr(d, "Columns", 10)), "other images"),
        (_without_places, "other images"),
        (_moved, "other images"),
        (_mirrored, "other images"),
    ],
)
def test_what_does_not_belong_there_is_refused(change: Any, said: str) -> None:
    images = scans.scan()
    document = drawn_by_library(images, blob((5, 10, 12))[..., None])
    change(document)
    with pytest.raises(UnreadableError, match=said):
        read(document, stack(images))


def test_a_drawing_on_another_series_is_refused() -> None:
    document = drawn_by_library(scans.scan(), blob((5, 10, 12))[..., None])
    with pytest.raises(UnreadableError, match="other images"):
        read(document, stack(scans.scan(corner=(-110, -95, 200))))


# In Slicer


@pytest.mark.parametrize(
    "options",
    [{}, {"lean": (0.0, -0.4)}, {"heights": UNEVEN, "lean": (0.0, 0.2)}, {"axes": scans.CORONAL}],
    ids=["plain", "tilted", "uneven", "coronal"],
)
def test_the_region_lies_on_its_voxels_and_has_its_volume(options: dict[str, Any], logic: Any) -> None:
    import slicer
    import vtk

    images = scans.scan(**options)
    found = stack(images)
    mask = blob(found.hu.shape)
    document = drawn_by_library(
        sorted(images, key=lambda d: found.numbers[d.SOPInstanceUID]), mask[..., None]
    )
    volume = logic.load(found)
    before = slicer.mrmlScene.GetNumberOfNodes()
    node = logic.loadSegmentation(read(document, found))
    (segment_id,) = node.GetSegmentation().GetSegmentIDs()
    assert node.GetTransformNodeID() == volume.GetTransformNodeID()
    segment = node.GetSegmentation().GetSegment(segment_id)
    assert segment.GetName() == "Bleed 1 (not a diagnosis)"
    np.testing.assert_allclose(segment.GetColor(), (1, 0, 0), atol=0.01)
    display = node.GetDisplayNode()
    assert 0 < display.GetOpacity2DFill() < 0.5 and display.GetVisibility()
    labelmap = slicer.vtkOrientedImageData()
    node.GetBinaryLabelmapRepresentation(segment_id, labelmap)
    to_ras = vtk.vtkMatrix4x4()
    labelmap.GetImageToWorldMatrix(to_ras)
    to_ras = slicer.util.arrayFromVTKMatrix(to_ras)
    np.testing.assert_allclose(to_ras, found.ijk_to_ras, atol=1e-9)
    columns, rows, slices = (slice(a, b + 1) for a, b in np.reshape(labelmap.GetExtent(), (3, 2)))
    values = slicer.util.arrayFromSegmentInternalBinaryLabelmap(node, segment_id)
    np.testing.assert_array_equal(values, mask[slices, rows, columns])
    assert values.sum() == mask.sum()
    # Its volume in the world: each voxel's edges as the transform turns them.
    to_world = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(node.GetParentTransformNode(), None, to_world)
    ml = 0.0
    for k, j, i in np.argwhere(mask):
        middle = to_ras[:3] @ [i, j, k, 1]
        edges = [
            np.subtract(to_world.TransformPoint(middle + half), to_world.TransformPoint(middle - half))
            for half in to_ras[:3, :3].T / 2
        ]
        ml += abs(np.linalg.det(edges)) / 1000
    heights = found.corners_ras.mean(axis=(1, 2)) @ found.view_axes()[:, 2]
    wanted = (mask.sum(axis=(1, 2)) * np.abs(np.gradient(heights))).sum() * 0.75 * 0.5 / 1000
    assert ml == pytest.approx(wanted, rel=1e-6)
    logic.showSegmentation(False)
    assert not display.GetVisibility()
    logic.closeSegmentation()
    assert slicer.mrmlScene.GetNumberOfNodes() == before


def test_the_region_goes_with_the_case(logic: Any) -> None:
    import slicer

    images = scans.scan()
    found = stack(images)
    drawn = read(drawn_by_library(images, blob(found.hu.shape)[..., None]), found)
    assert logic.loadSegmentation(drawn) is None, "no case is open"
    before = slicer.mrmlScene.GetNumberOfNodes()
    logic.load(found)
    first = logic.loadSegmentation(drawn)
    second = logic.loadSegmentation(drawn)
    assert first.GetScene() is None and second.GetScene() is not None
    logic.closeCase()
    assert slicer.mrmlScene.GetNumberOfNodes() == before
    logic.showSegmentation(True)
