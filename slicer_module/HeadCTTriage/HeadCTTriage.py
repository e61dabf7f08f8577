"""The review panel of headct-triage in 3D Slicer: worklist, images, assessment and review."""

# Without "from __future__ import annotations": Slicer reads the parameter node's types as this is imported.
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Optional

import numpy as np
import slicer
from HeadCTTriageLib.images.drawn import Drawn
from HeadCTTriageLib.images.geometry import Stack, stack
from HeadCTTriageLib.scene import segmentation, volume
from HeadCTTriageLib.scene.side_by_side import SideBySide
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Choice, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


class HeadCTTriage(ScriptedLoadableModule):
    """What Slicer shows of the module."""

    def __init__(self, parent: Any) -> None:
        # Not needed by the logic, which runs without a window.
        from HeadCTTriageLib.language import install_translation

        ScriptedLoadableModule.__init__(self, parent)
        install_translation(slicer.app, Path(__file__).parent / "Resources" / "Translations")
        parent.title = _("Head CT Triage")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Triage")]
        parent.dependencies = []
        parent.contributors = ["The headct-triage developers"]
        parent.helpText = _(
            "Worklist, images, assessment and review of head CTs that a headct-triage server has judged."
            " The program supports; the physician decides."
        )
        parent.acknowledgementText = ""


@parameterNodeWrapper
class HeadCTTriageParameterNode:
    """What belongs to the scene. Nothing of server, login or patient: scenes are saved and passed on."""

    unreviewedOnly: bool = False
    showSegmentation: bool = True
    window: Annotated[str, Choice(list(volume.WINDOWS))] = "brain"


class HeadCTTriageWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel as Slicer knows it; what happens in it is ``HeadCTTriageLib.panel.panel``."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic: Optional[HeadCTTriageLogic] = None
        self._parameterNode: Any = None
        self._parameterNodeGuiTag: Any = None
        self._panel: Any = None

    def setup(self) -> None:
        """Called when the user opens the module the first time."""
        # Not needed by the logic, which runs without a window.
        from HeadCTTriageLib.language import language
        from HeadCTTriageLib.panel.panel import Panel

        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/HeadCTTriage.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = HeadCTTriageLogic()
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.initializeParameterNode()
        self._panel = Panel(
            self.ui,
            self.logic,
            lambda: self._parameterNode,
            settings=slicer.app.userSettings(),
            language=language(slicer.app),
            ask=slicer.util.confirmYesNoDisplay,
            # Slicer can run without a main window, as its own tests do.
            window=slicer.util.mainWindow() or uiWidget,
        )
        self._panel.parameters_changed()

    def cleanup(self) -> None:
        """Called when the application closes and the module is destroyed."""
        # Called too where setup() failed.
        if self._panel is not None:
            self._panel.stop()
        self._forgetParameterNode()
        self.removeObservers()

    def enter(self) -> None:
        """Called each time the user opens the module."""
        self.initializeParameterNode()
        self._panel.enter()

    def exit(self) -> None:
        """Called each time the user opens another module."""
        self._panel.exit()

    def onSceneStartClose(self, caller: Any, event: Any) -> None:
        """The nodes are about to go."""
        self._forgetParameterNode()

    def onSceneEndClose(self, caller: Any, event: Any) -> None:
        """The scene is empty; the panel stays connected and shows no case."""
        self.initializeParameterNode()
        self._panel.scene_closed()

    def initializeParameterNode(self) -> None:
        """Join the panel to the scene's parameter node."""
        if self._parameterNode is not None:
            return
        self._parameterNode = HeadCTTriageParameterNode(self.logic.getParameterNode())
        self._parameterNodeGuiTag = self._parameterNode.connectGui(self.ui)
        self.addObserver(self._parameterNode, "ModifiedEvent", self._parametersChanged)

    def _forgetParameterNode(self) -> None:
        if self._parameterNode is not None:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self.removeObserver(self._parameterNode, "ModifiedEvent", self._parametersChanged)
            self._parameterNode = None

    def _parametersChanged(self, caller: Any = None, event: Any = None) -> None:
        self._panel.parameters_changed()


class HeadCTTriageLogic(ScriptedLoadableModuleLogic):
    """The open case as images in the scene and in the slice views; no panel and no server.

    The first slice view (Red) shows the series as it was scanned, slice by slice; the others reformat it. All
    of this is quick and belongs on the main thread; what is slow, ``HeadCTTriageLib.images.geometry.stack``,
    belongs on another. Nodes are removed by their owner alone: what a user puts into the scene stays.
    """

    VIEW, OTHER_VIEW = "Red", "Yellow"
    VIEWS = ("Red", "Yellow", "Green")

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self.window = "brain"
        self._shown: Optional[volume.Shown] = None
        self._previous: Optional[volume.Shown] = None
        self._drawn: list[Any] = []
        self._beside: Optional[SideBySide] = None
        self._layout: Optional[int] = None

    # The open case

    @property
    def stack(self) -> Optional[Stack]:
        """The series that is open; ``None`` also after somebody removed its volume from the scene."""
        return self._shown.stack if self._shown is not None and self._shown.volume.GetScene() else None

    def load(self, stack: Stack) -> Any:
        """Show a series in place of the one that is open.

        Returns:
            the vtkMRMLScalarVolumeNode.
        """
        self.closeCase()
        self._shown = volume.add(slicer.mrmlScene, stack, self.window)
        self._showIn(self.VIEWS, self._shown)
        selection = slicer.app.applicationLogic().GetSelectionNode()
        if selection is not None:
            selection.SetActiveVolumeID(self._shown.volume.GetID())
        return self._shown.volume

    def closeCase(self) -> None:
        """Remove what was loaded here, and nothing else."""
        self.closePrevious()
        self.closeSegmentation()
        if self._shown is not None:
            volume.remove(self._shown.nodes)
            self._shown = None
            for name in self.VIEWS:
                view = self._view(name)
                if view is not None:
                    view.SetOrientationToDefault()

    def showWindow(self, name: str) -> None:
        """Grey values for ``brain``, ``subdural``, ``stroke`` or ``bone``, of the previous series too."""
        self.window = name
        for shown in (self._shown, self._previous):
            if shown is not None:
                volume.set_window(shown, name)

    # Slices

    def currentSlice(self) -> Optional[int]:
        """Number of the slice that is in sight, 0 at the feet."""
        view, stack = self._view(self.VIEW), self.stack
        return None if view is None or stack is None else volume.slice_of(view, stack)

    def showSlice(self, number: int) -> None:
        """Show one slice, as it was scanned; the nearest there is."""
        view, stack = self._view(self.VIEW), self.stack
        if view is not None and stack is not None:
            volume.show_slice(view, stack, min(max(number, 0), len(stack.hu) - 1))

    def jumpToSlice(self, sopInstanceUID: str, frame: Optional[int] = None) -> bool:
        """Show the slice of an image, or of one of its frames; false where it is not among those shown."""
        stack = self.stack
        number = None if stack is None else stack.slice_of(sopInstanceUID, frame)
        if number is None:
            return False
        self.showSlice(number)
        return True

    # An earlier series beside it

    def openPrevious(self, stack: Stack) -> Any:
        """Show an earlier series beside the open one, in the same window and at the same height of the head.

        Returns:
            its vtkMRMLScalarVolumeNode; ``None`` where no case is open.
        """
        self.closePrevious()
        if self._shown is None or self.stack is None:
            return None
        self._previous = volume.add(slicer.mrmlScene, stack, self.window)
        layout = self._layoutNode()
        if layout is not None:
            self._layout = layout.GetViewArrangement()
            layout.SetViewArrangement(layout.SlicerLayoutSideBySideView)
        self._showIn([self.OTHER_VIEW], self._previous)
        view, other = self._view(self.VIEW), self._view(self.OTHER_VIEW)
        if view is not None and other is not None:
            volume.show_slice(other, stack, 0)
            self._beside = SideBySide(view, self._shown.stack, other, stack)
        return self._previous.volume

    def closePrevious(self) -> None:
        """Back to the open series alone, in the layout there was."""
        if self._beside is not None:
            self._beside.close()
            self._beside = None
        if self._previous is None:
            return
        volume.remove(self._previous.nodes)
        self._previous = None
        layout, other = self._layoutNode(), self._view(self.OTHER_VIEW)
        if layout is not None and self._layout is not None:
            layout.SetViewArrangement(self._layout)
        if other is not None:
            other.SetOrientationToDefault()
        if self._shown is not None and self.stack is not None:
            self._showIn([self.OTHER_VIEW], self._shown)

    # What the server drew

    def loadSegmentation(self, drawn: Drawn) -> Any:
        """Lay what the server drew over the open series, half transparent.

        Args:
            drawn: of ``HeadCTTriageLib.images.drawn.read``.

        Returns:
            the vtkMRMLSegmentationNode; ``None`` where no case is open.
        """
        self.closeSegmentation()
        if self._shown is None or self.stack is None:
            return None
        self._drawn = segmentation.add(slicer.mrmlScene, drawn, self._shown)
        return self._drawn[0]

    def showSegmentation(self, visible: bool) -> None:
        """Show or hide what was drawn."""
        if self._drawn and self._drawn[0].GetScene() is not None:
            self._drawn[0].GetDisplayNode().SetVisibility(visible)

    def closeSegmentation(self) -> None:
        """Remove it."""
        volume.remove(self._drawn)
        self._drawn = []

    # Views

    def _showIn(self, names: Sequence[str], shown: volume.Shown) -> None:
        for name in names:
            view, layers = self._view(name), slicer.mrmlScene.GetNodeByID("vtkMRMLSliceCompositeNode" + name)
            if view is None or layers is None:
                continue
            layers.SetBackgroundVolumeID(shown.volume.GetID())
            if name == self.VIEW:
                volume.show_slice(view, shown.stack, 0)
            volume.fit(view, shown.stack)
            if name == self.VIEW:
                volume.show_slice(view, shown.stack, len(shown.stack.hu) // 2)

    def _view(self, name: str) -> Any:
        return slicer.mrmlScene.GetNodeByID("vtkMRMLSliceNode" + name)

    def _layoutNode(self) -> Any:
        return slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")


class HeadCTTriageTest(ScriptedLoadableModuleTest):
    """What can be tested within Slicer without a server or files: a small series, its volume, its views."""

    def setUp(self) -> None:
        """Begin with an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        """As Slicer's self test asks for it."""
        self.setUp()
        self.test_series_is_shown()

    def test_series_is_shown(self) -> None:
        """The voxels and their places are the series'; closing the case removes them."""
        made = stack(self.images())
        logic = HeadCTTriageLogic()
        node = logic.load(made)
        assert (slicer.util.arrayFromVolume(node)[2] == made.hu[2]).all()
        there = [0.0, 0.0, 0.0]
        node.TransformPointToWorld(made.ijk_to_ras[:3] @ [7, 7, 2, 1], there)
        assert np.allclose(there, made.corners_ras[2, 1, 1])
        assert logic.jumpToSlice(made.sop_instance_uids[3]) and logic.currentSlice() == 3
        logic.showWindow("bone")
        assert node.GetDisplayNode().GetWindow() == volume.WINDOWS["bone"][1]
        logic.closeCase()
        assert node.GetScene() is None

    @staticmethod
    def images() -> list[Dataset]:
        """Headers and pixels of six images of a tilted gantry, each brighter than the one below it."""
        made = []
        for number in range(6):
            image = Dataset()
            image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, f"2.25.{number + 1}"
            image.SeriesInstanceUID = image.FrameOfReferenceUID = "2.25.100"
            image.Rows = image.Columns = 8
            image.PixelSpacing = [0.5, 0.5]
            image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
            image.ImagePositionPatient = [-2, -2 + number, 5 * number]
            image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
            image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 1
            image.RescaleSlope, image.RescaleIntercept = 1, 0
            image.PixelData = np.full((8, 8), 10 * number, np.int16).tobytes()
            image.file_meta = FileMetaDataset()
            image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            made.append(image)
        return made
