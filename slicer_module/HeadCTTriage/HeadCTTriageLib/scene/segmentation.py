"""What the server drew, as a segmentation over a series that is in the scene."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer

from ..images.drawn import Drawn
from ..translation import _
from .volume import Shown, image

FILL, OUTLINE = 0.35, 1.0
"""Opacities: the image shows through, the rim is clear."""


def add(scene: Any, drawn: Drawn, shown: Shown) -> list[Any]:
    """Lay regions over a series. They lie under the same transform as its volume, so they tilt with it.

    Returns:
        the vtkMRMLSegmentationNode and its display node.
    """
    display = slicer.vtkMRMLSegmentationDisplayNode()
    display.SetOpacity2DFill(FILL)
    display.SetOpacity2DOutline(OUTLINE)
    scene.AddNode(display)
    node = slicer.vtkMRMLSegmentationNode()
    node.SetName(scene.GenerateUniqueName(_("Drawn by the server")))
    node.SetAndObserveDisplayNodeID(display.GetID())
    if shown.transform is not None:
        node.SetAndObserveTransformNodeID(shown.transform.GetID())
    scene.AddNode(node)
    node.SetReferenceImageGeometryParameterFromVolumeNode(shown.volume)
    for segment in drawn.segments:
        node.AddSegmentFromBinaryLabelmapRepresentation(
            _labelmap(segment.mask, segment.start, shown.stack.ijk_to_ras), segment.name, segment.colour
        )
    return [node, display]


def _labelmap(
    mask: np.ndarray[Any, Any], start: tuple[int, int, int], ijk_to_ras: np.ndarray[Any, Any]
) -> Any:
    """The mask at its place in the volume's grid."""
    placed = slicer.vtkOrientedImageData()
    placed.DeepCopy(image(mask))
    k, j, i = start
    slices, rows, columns = mask.shape
    placed.SetExtent(i, i + columns - 1, j, j + rows - 1, k, k + slices - 1)
    placed.SetGeometryFromImageToWorldMatrix(slicer.util.vtkMatrixFromArray(ijk_to_ras))
    return placed
