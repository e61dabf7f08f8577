"""A series in Slicer: its voxels on a regular grid, a transform that puts them where they are, its views.

Slicer's volume node would keep a leaning third axis, but much of Slicer takes a volume's axes to be at right
angles (segmentation, volume rendering, filters, turning a view to the volume). So the volume itself is
regular, and what that cannot say is a transform above it: a matrix where the gantry was tilted, which is
exact, quick and kept by all of Slicer; a grid of displacements, whose inverse is searched for each pixel,
only where steps are uneven. No voxel is computed anew: on every true slice the views show the stored values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import numpy_to_vtk

from ..images.geometry import Stack
from ..translation import _

WINDOWS = {"brain": (40, 80), "subdural": (75, 215), "stroke": (40, 40), "bone": (600, 2800)}
"""Centre and width in HU, in common use for viewing; the same as on the worklist page."""

_INVERSE_MM = 3e-5
"""To which a grid of displacements is inverted: at Slicer's 0.01 mm the next slice would shine through, at
1e-5 the search ends nowhere for some points beside the head."""
_GREY = "vtkMRMLColorTableNodeGrey"


@dataclass(frozen=True)
class Shown:
    """The nodes of one series in the scene."""

    stack: Stack
    volume: Any
    display: Any
    transform: Any
    """``None`` where the grid says it all."""

    @property
    def nodes(self) -> list[Any]:
        """All of them."""
        return [node for node in (self.volume, self.display, self.transform) if node is not None]


def add(scene: Any, stack: Stack, window: str) -> Shown:
    """Put a series into the scene, shown nowhere yet. Its voxels are ``stack.hu`` itself.

    Each node is whole when it comes into the scene, so that the scene's observers are called once for each.

    Args:
        scene: Slicer's.
        stack: the series.
        window: one of :data:`WINDOWS`.
    """
    transform = _transform(scene, stack)
    display = slicer.vtkMRMLScalarVolumeDisplayNode()
    display.SetAutoWindowLevel(False)
    for centre, width in WINDOWS.values():
        display.AddWindowLevelPreset(width, centre)
    display.SetAndObserveColorNodeID(_GREY)
    scene.AddNode(display)
    volume = slicer.vtkMRMLScalarVolumeNode()
    # Scenes are saved and sent: no name of a patient.
    volume.SetName(scene.GenerateUniqueName(stack.title))
    volume.SetAttribute("HeadCTTriage.SeriesInstanceUID", stack.series_instance_uid)
    volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(stack.ijk_to_ras))
    volume.SetAndObserveImageData(image(stack.hu))
    volume.SetAndObserveDisplayNodeID(display.GetID())
    if transform is not None:
        volume.SetAndObserveTransformNodeID(transform.GetID())
    scene.AddNode(volume)
    shown = Shown(stack, volume, display, transform)
    set_window(shown, window)
    return shown


def remove(nodes: list[Any]) -> None:
    """Those that are in a scene still."""
    for node in nodes:
        if node.GetScene() is not None:
            node.GetScene().RemoveNode(node)


def set_window(shown: Shown, name: str) -> None:
    """Grey values as :data:`WINDOWS` says."""
    centre, width = WINDOWS[name]
    shown.display.SetWindowLevel(width, centre)


def show_slice(view: Any, stack: Stack, number: int) -> None:
    """Turn a slice node to the slices' plane and move it to one; zoom and shift of the view are kept."""
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = stack.view_axes(), stack.centre_ras(number)
    _turn(view, pose)


def slice_of(view: Any, stack: Stack) -> int:
    """Number of the slice that a view is nearest to, measured along the slices' normal."""
    normal = stack.view_axes()[:, 2]
    heights = stack.corners_ras.mean(axis=(1, 2)) @ normal
    at = slicer.util.arrayFromVTKMatrix(view.GetSliceToRAS())[:3, 3]
    return int(np.argmin(np.abs(heights - at @ normal)))


def fit(view: Any, stack: Stack) -> None:
    """Zoom and shift a view, however it is turned, so that it shows the whole series."""
    pose = slicer.util.arrayFromVTKMatrix(view.GetSliceToRAS())
    extent = stack.corners_ras.reshape(-1, 3) @ pose[:3, :3]
    low, high = extent.min(axis=0), extent.max(axis=0)
    pose[:3, 3] = pose[:3, :3] @ ((low + high) / 2)
    across, down = (max(pixels, 1) for pixels in view.GetDimensions()[:2])
    scale = max((high[0] - low[0]) / across, (high[1] - low[1]) / down)
    view.SetFieldOfView(scale * across, scale * down, view.GetFieldOfView()[2])
    view.SetXYZOrigin(0, 0, 0)
    _turn(view, pose)


def _turn(view: Any, pose: NDArray[np.float64]) -> None:
    slicer.util.updateVTKMatrixFromArray(view.GetSliceToRAS(), pose)
    view.UpdateMatrices()


def image(voxels: NDArray[Any]) -> Any:
    """VTK's image that looks at the same memory; shape (slices, rows, columns)."""
    slices, rows, columns = voxels.shape
    data = vtk.vtkImageData()
    data.SetDimensions(columns, rows, slices)
    data.GetPointData().SetScalars(numpy_to_vtk(voxels.reshape(-1)))
    return data


def _transform(scene: Any, stack: Stack) -> Any:
    """The node that puts the regular grid where the slices are, ``None`` where they are there already."""
    if stack.uneven:
        node = slicer.vtkMRMLGridTransformNode()
        node.SetAndObserveTransformToParent(_displacements(stack))
    elif stack.to_world is not None:
        node = slicer.vtkMRMLLinearTransformNode()
        node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(stack.to_world))
    else:
        return None
    node.SetName(scene.GenerateUniqueName(_("{name}: how it was scanned").format(name=stack.title)))
    scene.AddNode(node)
    return node


def _displacements(stack: Stack) -> Any:
    """Given at the corners of every slice; between them all is linear, as the slices are flat."""
    slices, rows, columns = stack.hu.shape
    spacing = np.linalg.norm(stack.ijk_to_ras[:3, :3], axis=0)
    axes = np.eye(4)
    axes[:3, :3] = stack.ijk_to_ras[:3, :3] / spacing
    grid = vtk.vtkImageData()
    grid.SetDimensions(2, 2, slices)
    grid.SetOrigin(stack.ijk_to_ras[:3, 3])
    grid.SetSpacing(spacing[0] * (columns - 1), spacing[1] * (rows - 1), spacing[2])
    grid.GetPointData().SetScalars(numpy_to_vtk(stack.displacements.reshape(-1, 3), deep=True))
    made = slicer.vtkOrientedGridTransform()
    made.SetGridDirectionMatrix(slicer.util.vtkMatrixFromArray(axes))
    made.SetDisplacementGridData(grid)
    made.SetInterpolationModeToLinear()
    made.SetInverseTolerance(_INVERSE_MM)
    return made
