"""Series in Slicer's own data model: voxels where the slices are, views that show a slice's stored values."""

import gc
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scans
from data import SHARED, needs_shared_data
from HeadCTTriageLib.images.geometry import Stack, stack
from numpy.typing import NDArray
from processor_time import noticed

from orthanc_plugin.worker.previews import LEVELS

slicer = pytest.importorskip("slicer", reason="Slicer's core is made for Python 3.11 alone")
application = pytest.importorskip("slicer_core_host")
vtk = pytest.importorskip("vtk")
vtk_to_numpy = pytest.importorskip("vtk.util.numpy_support").vtk_to_numpy
slice_of = pytest.importorskip("HeadCTTriageLib.scene.volume").slice_of

UNEVEN = (0.0, 2.5, 5.0, 7.5, 12.5, 17.5, 22.5)
GEOMETRIES = {
    "plain": {},
    "tilted": {"lean": (0.0, -0.4)},
    "uneven": {"heights": UNEVEN},
    "tilted and uneven": {"heights": UNEVEN, "lean": (0.05, 0.3)},
    "very uneven": {"heights": (0.0, 0.4, 12.0, 12.5, 13.0, 40.0, 41.0, 41.3), "lean": (0.0, -0.5)},
    "coronal": {"axes": scans.CORONAL},
    "sagittal": {"axes": scans.SAGITTAL},
    "prone": {"axes": scans.PRONE},
    "transposed": {"axes": np.array([[0.0, 1, 0], [1, 0, 0]])},
    "oblique": {"axes": scans.AXIAL @ scans.rotation(10, 20, -15).T},
    "oblique, tilted and uneven": {
        "axes": scans.AXIAL @ scans.rotation(170, 20, 5).T,
        "heights": UNEVEN,
        "lean": (0.1, 0.2),
    },
    "one slice": {"heights": (3.0,)},
}


@pytest.fixture
def views() -> Iterator[dict[str, Any]]:
    with application.started() as views:
        yield views


@pytest.fixture
def logic(views: dict[str, Any]) -> Any:
    return application.module().HeadCTTriageLogic()


def nodes() -> set[str]:
    scene = slicer.mrmlScene
    return {scene.GetNthNode(n).GetID() for n in range(scene.GetNumberOfNodes())}


def world(volume: Any, found: Stack) -> NDArray[np.float64]:
    """Where Slicer puts the corner voxels of every slice; shape as ``corners_ras``."""
    to_ras = slicer.util.arrayFromVTKMatrix(_matrix(volume))
    to_world = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(volume.GetParentTransformNode(), None, to_world)
    slices, rows, columns = found.hu.shape
    k, j, i = np.meshgrid(range(slices), [0, rows - 1], [0, columns - 1], indexing="ij")
    local = np.stack([i, j, k, np.ones_like(i)], axis=-1) @ to_ras[:3].T
    return np.array([to_world.TransformPoint(p) for p in local.reshape(-1, 3)]).reshape(local.shape)


def _matrix(volume: Any) -> Any:
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return matrix


def seen(view: Any, found: Stack) -> NDArray[np.int16]:
    """What the view's own reslicing gives on the pixel raster of the slices; as hung, row 0 at the top."""
    node = view.GetSliceNode()
    spacing = np.linalg.norm(found.ijk_to_ras[:3, :3], axis=0)
    rows, columns = found.hu.shape[1:]
    axes, hung = found.ijk_to_ras[:3, :2] / spacing[:2], found.view_axes()
    if abs(axes[:, 0] @ hung[:, 0]) < 0.5:
        spacing, rows, columns = spacing[[1, 0, 2]], columns, rows
    node.SetDimensions(columns, rows, 1)
    node.SetFieldOfView(columns * spacing[0], rows * spacing[1], 1)
    # A view's middle lies between the pixels of an even number; a slice's corner pixel is one's centre.
    node.SetXYZOrigin(0.5 * spacing[0], 0.5 * spacing[1], 0)
    node.UpdateMatrices()
    reslice = view.GetBackgroundLayer().GetReslice()
    reslice.Update()
    shown = reslice.GetOutput()
    assert shown.GetDimensions()[:2] == (columns, rows)
    return vtk_to_numpy(shown.GetPointData().GetScalars()).reshape(rows, columns)[::-1].copy()


def hung(found: Stack, number: int) -> NDArray[Any]:
    """A slice's stored values as it is hung, row 0 at the top."""
    values = found.hu[number]
    axes, view = found.ijk_to_ras[:3, :2], found.view_axes()
    if abs(axes[:, 0] @ view[:, 0]) < abs(axes[:, 1] @ view[:, 0]):
        values, axes = values.T, axes[:, ::-1]
    if axes[:, 0] @ view[:, 0] < 0:
        values = values[:, ::-1]
    return values[::-1] if axes[:, 1] @ view[:, 1] > 0 else values


@pytest.mark.parametrize("name", GEOMETRIES)
def test_voxels_lie_where_the_headers_say(name: str, logic: Any) -> None:
    found = stack(scans.scan(**GEOMETRIES[name]))
    volume = logic.load(found)
    assert np.abs(world(volume, found) - found.corners_ras).max() < 1e-6
    directions = np.array([[_matrix(volume).GetElement(r, c) for c in range(3)] for r in range(3)])
    directions = directions / np.linalg.norm(directions, axis=0)
    np.testing.assert_allclose(directions.T @ directions, np.eye(3), atol=1e-9)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(volume), found.hu)
    if "uneven" in name:
        kind = slicer.vtkMRMLGridTransformNode
    else:
        kind = slicer.vtkMRMLLinearTransformNode if name == "tilted" else type(None)
    assert type(volume.GetParentTransformNode()) is kind


@pytest.mark.parametrize("interpolated", [False, True])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_the_view_shows_the_stored_values_of_the_slice(
    name: str, interpolated: bool, logic: Any, views: dict[str, Any]
) -> None:
    found = stack(scans.scan(shape=(16, 20), **GEOMETRIES[name]))
    volume = logic.load(found)
    volume.GetDisplayNode().SetInterpolate(interpolated)
    for number, uid in enumerate(found.sop_instance_uids):
        assert logic.jumpToSlice(uid)
        assert logic.currentSlice() == number
        # Where steps differ seventyfold, the inverse found is a hair off, and rounding shows it.
        rounding = 1 if name == "very uneven" and interpolated else 0
        np.testing.assert_allclose(seen(views["Red"], found), hung(found, number), rtol=0, atol=rounding)


@needs_shared_data
@pytest.mark.parametrize("folder", ["toshiba_trauma/axial_brain", "siemens_stroke_0226308/ct"])
def test_the_view_shows_the_stored_values_of_real_slices(
    folder: str, logic: Any, views: dict[str, Any]
) -> None:
    files = [file for file in (SHARED / "real_studies" / folder).rglob("*") if file.is_file()]
    found = stack([scans.plain(file) for file in files])
    assert np.abs(world(logic.load(found), found) - found.corners_ras).max() < 1e-6
    for number in (0, 5, len(found.hu) - 1):
        logic.showSlice(number)
        np.testing.assert_array_equal(seen(views["Red"], found), hung(found, number))


def test_between_uneven_slices_the_view_lies_where_it_should(logic: Any, views: dict[str, Any]) -> None:
    heights = (0.0, 2.0, 4.0, 14.0, 24.0)
    images = scans.scan(heights, shape=(16, 20))
    for image, height in zip(images, heights, strict=True):
        image.PixelData = np.full((16, 20), 1024 + round(height * 10), "<u2").tobytes()
    found = stack(images)
    logic.load(found)
    for height in (1.0, 3.0, 9.0, 20.0):
        views["Red"].GetSliceNode().SetSliceOffset(found.corners_ras[0, 0, 0, 2] + height)
        assert np.abs(seen(views["Red"], found) - height * 10).max() <= 1


def test_the_whole_series_is_in_sight_and_zoom_is_kept_from_slice_to_slice(
    logic: Any, views: dict[str, Any]
) -> None:
    found = stack(scans.scan(lean=(0.0, -0.4)))
    logic.load(found)
    for name in ("Red", "Yellow", "Green"):
        node = views[name].GetSliceNode()
        to_xy = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Invert(node.GetXYToRAS(), to_xy)
        corners = np.array([to_xy.MultiplyPoint((*p, 1))[:2] for p in found.corners_ras.reshape(-1, 3)])
        if name == "Red":
            corners = corners[corners.shape[0] // 2 - 2 :][:4]
        size = np.array(node.GetDimensions()[:2])
        assert (corners > -1).all() and (corners < size + 1).all(), name
        assert views[name].GetSliceCompositeNode().GetBackgroundVolumeID() == "vtkMRMLScalarVolumeNode1"
    red = views["Red"].GetSliceNode()
    red.SetFieldOfView(3.0, 2.0, 1.0)
    red.SetXYZOrigin(1.0, -2.0, 0.0)
    logic.showSlice(4)
    assert red.GetFieldOfView() == (3.0, 2.0, 1.0) and red.GetXYZOrigin() == (1.0, -2.0, 0.0)


def test_windows_are_those_of_the_page(logic: Any) -> None:
    volume = logic.load(stack(scans.scan()))
    display = volume.GetDisplayNode()
    assert (display.GetLevel(), display.GetWindow()) == LEVELS[next(iter(LEVELS))]
    for name, (centre, width) in LEVELS.items():
        logic.showWindow(name.value)
        assert (display.GetLevel(), display.GetWindow()) == (centre, width)
        assert not display.GetAutoWindowLevel()
    again = logic.load(stack(scans.scan()))
    assert again.GetDisplayNode().GetWindow() == width, "the next case comes in the same window"


def test_an_image_that_is_not_there_moves_nothing(logic: Any) -> None:
    images = scans.scan()
    repeat = scans.scan(seed=1, InstanceNumber=99)[3]
    repeat.FrameOfReferenceUID = images[0].FrameOfReferenceUID
    logic.load(stack([*images, repeat]))
    logic.showSlice(1)
    assert not logic.jumpToSlice("1.2.3") and logic.currentSlice() == 1
    assert logic.jumpToSlice(repeat.SOPInstanceUID) and logic.currentSlice() == 3, "left out as repeated"
    logic.showSlice(99)
    assert logic.currentSlice() == 4
    logic.showSlice(-1)
    assert logic.currentSlice() == 0


def test_closing_removes_what_was_opened_and_nothing_else(logic: Any, views: dict[str, Any]) -> None:
    users = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "2026-01-15 Brain")
    before = nodes()
    found = stack(scans.scan(heights=UNEVEN))
    volume = logic.load(found)
    assert volume.GetName() != users.GetName()
    first = nodes() - before
    assert len(first) == 3
    logic.load(stack(scans.scan()))
    assert len(nodes() - before) == 2 and volume.GetScene() is None
    logic.closeCase()
    assert nodes() == before and logic.stack is None and logic.currentSlice() is None
    assert [view.GetSliceNode().GetOrientation() for view in views.values()] == [
        "Axial",
        "Sagittal",
        "Coronal",
    ]
    logic.closeCase()


def test_a_scene_that_was_closed_or_emptied_by_hand_is_no_open_case(logic: Any) -> None:
    volume = logic.load(stack(scans.scan(lean=(0.0, 0.3))))
    slicer.mrmlScene.RemoveNode(volume)
    assert logic.stack is None and logic.openPrevious(stack(scans.scan())) is None
    logic.showWindow("bone")
    logic.load(stack(scans.scan()))
    logic.openPrevious(stack(scans.scan()))
    slicer.mrmlScene.Clear(False)
    assert logic.stack is None and not logic.jumpToSlice("1.2")
    logic.closeCase()
    assert logic.load(stack(scans.scan())) is not None


def test_nothing_in_the_scene_names_the_patient(logic: Any) -> None:
    found = stack(scans.scan(lean=(0.0, 0.3)))
    logic.load(found)
    logic.openPrevious(stack(scans.scan(UNEVEN)))
    scene = slicer.mrmlScene
    scene.SetSaveToXMLString(1)
    scene.Commit()
    written = scene.GetSceneXMLString()
    assert "2026-01-15 Brain" in written and found.series_instance_uid in written
    assert "Yamada" not in written and "P1" not in written


def head(top: float, steps: int, step: float) -> Stack:
    """Slices of ``step`` mm; the last with a head in it ends at ``top``."""
    images = scans.scan([n * step for n in range(steps)], spacing=(10.0, 10.0), shape=(16, 20))
    for n, image in enumerate(images):
        image.PixelData = np.full((16, 20), 1060 if n * step <= top else 0, "<u2").tobytes()
    return stack(images)


def test_an_earlier_series_follows_at_the_same_height_of_the_head(logic: Any, views: dict[str, Any]) -> None:
    layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    layout.SetViewArrangement(layout.SlicerLayoutFourUpView)
    before = nodes()
    now, then = head(top=100, steps=25, step=5.0), head(top=60, steps=40, step=2.5)
    volume = logic.load(now)
    shared = nodes() - before
    previous = logic.openPrevious(then)
    assert layout.GetViewArrangement() == layout.SlicerLayoutSideBySideView
    assert views["Red"].GetSliceCompositeNode().GetBackgroundVolumeID() == volume.GetID()
    assert views["Yellow"].GetSliceCompositeNode().GetBackgroundVolumeID() == previous.GetID()
    red, yellow = views["Red"].GetSliceNode(), views["Yellow"].GetSliceNode()
    for number, other in [(20, 24), (16, 16), (10, 4), (0, 0), (24, 32)]:
        logic.showSlice(number)
        assert slice_of(yellow, then) == other
    red.SetSliceOffset(now.centre_ras(12)[2])
    assert slice_of(yellow, then) == 8, "the wheel moves it too"
    np.testing.assert_array_equal(seen(views["Yellow"], then), hung(then, 8))
    red.SetFieldOfView(40.0, 30.0, 1.0)
    red.SetXYZOrigin(3.0, 4.0, 0.0)
    wide = [node.GetFieldOfView()[0] / node.GetDimensions()[0] for node in (red, yellow)]
    assert wide[0] == pytest.approx(wide[1]) and yellow.GetXYZOrigin() == red.GetXYZOrigin()
    logic.showWindow("bone")
    assert [node.GetDisplayNode().GetWindow() for node in (volume, previous)] == [2800, 2800]
    logic.closePrevious()
    assert nodes() - before == shared and layout.GetViewArrangement() == layout.SlicerLayoutFourUpView
    assert views["Yellow"].GetSliceCompositeNode().GetBackgroundVolumeID() == volume.GetID()
    pose = slicer.util.arrayFromVTKMatrix(yellow.GetSliceToRAS())
    logic.showSlice(3)
    np.testing.assert_array_equal(slicer.util.arrayFromVTKMatrix(yellow.GetSliceToRAS()), pose)


def test_without_views_the_volume_is_loaded_all_the_same(logic: Any) -> None:
    slicer.mrmlScene = slicer.vtkMRMLScene()
    found = stack(scans.scan())
    assert logic.load(found) is not None
    assert logic.currentSlice() is None and logic.jumpToSlice(found.sop_instance_uids[0])
    logic.openPrevious(found)
    logic.closeCase()
    assert not nodes()


def test_voxels_outlive_the_stack_they_came_from(logic: Any) -> None:
    images = scans.scan(np.arange(40) * 1.0, shape=(256, 256))
    wanted = scans.hu(images[20])
    volume = logic.load(stack(images))
    logic._shown = None
    gc.collect()
    trash = [np.zeros((40, 256, 256), np.int16) for _ in range(8)]
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(volume)[20], wanted)
    assert len(trash) == 8


def test_300_slices_hold_up_the_main_thread_for_less_than_a_user_notices(logic: Any) -> None:
    images = scans.scan([0.0, 0.5], shape=(512, 512), lean=(0.0, 0.3))
    found = stack(images)
    large = np.repeat(found.hu, 150, axis=0)
    corners = np.concatenate([found.corners_ras + np.array([0, 0.15, 1]) * n for n in range(150)])
    uids = tuple(f"1.2.{n}" for n in range(300))
    found = replace(found, hu=large, corners_ras=corners, sop_instance_uids=uids)
    began = time.thread_time()
    logic.load(found)
    loading = time.thread_time() - began
    began = time.thread_time()
    logic.showSlice(200)
    assert max(loading, time.thread_time() - began) < noticed()


def test_the_logic_needs_no_qt() -> None:
    assert application.imported_without_qt()
