"""An earlier series beside the open one: where one view goes, the other follows."""

from __future__ import annotations

from typing import Any

import numpy as np
import vtk

from ..images.geometry import Stack
from .volume import show_slice, slice_of


class SideBySide:
    """The second view shows the slice as far below the top of the head as the first does, at the same scale.

    Two examinations have no coordinates in common, and slices are wanted as they were taken. So the views
    are linked by height and not by Slicer's own link, which moves views to the same coordinates.
    """

    def __init__(self, view: Any, stack: Stack, other_view: Any, other: Stack) -> None:
        """``view``: slice node of the open series; ``other_view``: that of the earlier one."""
        self._view, self._stack, self._heights = view, stack, stack.heights_mm()
        self._other_view, self._other, self._other_heights = other_view, other, other.heights_mm()
        self._observer = view.AddObserver(vtk.vtkCommand.ModifiedEvent, self.follow)
        self.follow()

    def follow(self, *_event: Any) -> None:
        """Bring the second view to where the first is."""
        height = self._heights[slice_of(self._view, self._stack)]
        show_slice(self._other_view, self._other, int(np.argmin(np.abs(self._other_heights - height))))
        field, size = self._view.GetFieldOfView(), self._view.GetDimensions()
        other_size = self._other_view.GetDimensions()
        # A view that no layout shows may have no pixels.
        across, down = (field[n] / max(size[n], 1) * max(other_size[n], 1) for n in range(2))
        self._other_view.SetFieldOfView(across, down, self._other_view.GetFieldOfView()[2])
        self._other_view.SetXYZOrigin(*self._view.GetXYZOrigin())

    def close(self) -> None:
        """Let the second view go its own way."""
        self._view.RemoveObserver(self._observer)
