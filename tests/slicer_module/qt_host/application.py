"""``slicer.app`` and what else of the application the module meets."""

import importlib
import os
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import vtk
from HeadCTTriageLib import translation
from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets
from PySide6.QtCore import QCoreApplication, QSettings, Qt
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import (
    QApplication,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)
from shibokensupport import feature

from qt_host import widgets

MODULE = Path(__file__).parents[3] / "slicer_module" / "HeadCTTriage"
VIEWS = {"Red": (520, "Axial"), "Yellow": (260, "Sagittal"), "Green": (260, "Coronal")}
"""The slice views, their sizes in pixels and how they lie unless told otherwise."""


def start(folder: Path, language: str = "en") -> "App":
    """Put ``qt``, ``ctk`` and the application in place; settings and scene are new each time.

    Args:
        folder: for the settings file and what lies beside it.
        language: the application's, as in its settings.
    """
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    import slicer

    if "qt" not in sys.modules:
        sys.modules["qt"] = _qt()
        sys.modules["ctk"] = _module(
            "ctk", {kind.__name__: kind for kind in widgets.STAND_INS if "ctk" in kind.__name__}
        )
        for name in (
            "HeadCTTriage",
            *(
                ".".join(f.relative_to(MODULE).with_suffix("").parts)
                for f in (MODULE / "HeadCTTriageLib").rglob("*.py")
            ),
        ):
            feature.set_selection(feature.true_property, name)
        slicer.qMRMLWidget = widgets.qMRMLWidget
        slicer.util.childWidgetVariables = _child_widgets
        slicer.util.mainWindow = lambda verbose=True: slicer.app.main_window
        slicer.util.confirmYesNoDisplay = lambda text, **_: slicer.app.ask(text)
        slicer.util.modulePath = lambda name: str(MODULE / f"{name}.py")
    slicer.mrmlScene = slicer.vtkMRMLScene()
    # Slicer's module Colors puts it there.
    grey = slicer.vtkMRMLColorTableNode()
    grey.SetTypeToGrey()
    grey.SetSingletonTag("Grey")
    slicer.mrmlScene.AddNode(grey)
    slicer.app = App(slicer, folder, language)
    return slicer.app


class App:
    """``slicer.app``."""

    def __init__(self, slicer: Any, folder: Path, language: str) -> None:
        self._qt = QApplication.instance() or QApplication([])
        self._qt.setStyle("Fusion")
        self._settings = QSettings(str(folder / "Slicer.ini"), QSettings.Format.IniFormat)
        self._settings.setValue("Internationalization/Enabled", language != "en")
        self._settings.setValue("language", language)
        self._translators: list[QtCore.QTranslator] = []
        self._logic = slicer.vtkMRMLApplicationLogic()
        self._logic.SetMRMLScene(slicer.mrmlScene)
        self._layout = LayoutManager(slicer, self._logic)
        self.main_window = QMainWindow()
        self.questions: list[str] = []
        """What the doctor was asked, in dialogs that nobody would see here."""
        self.answers: list[bool] = []
        """What they answer next."""

    def ask(self, text: str) -> bool:
        """In the place of a dialog."""
        self.questions.append(text)
        return self.answers.pop(0)

    def userSettings(self) -> QSettings:
        """The settings file."""
        return self._settings

    def installTranslator(self, translator: QtCore.QTranslator) -> bool:
        """Have Qt look there for words too."""
        self._translators.append(translator)
        return QCoreApplication.installTranslator(translator)

    def translate(self, context: str, text: str) -> str:
        """Words in the application's language."""
        return QCoreApplication.translate(context, text)

    def applicationLogic(self) -> Any:
        """The real one, of the scene."""
        return self._logic

    def layoutManager(self) -> "LayoutManager":
        """The slice views."""
        return self._layout

    def end(self) -> None:
        """Forget this application's translations and close its window."""
        for translator in self._translators:
            QCoreApplication.removeTranslator(translator)
        translation.forget()
        self._layout.end()
        self.main_window.close()


class SliceWidget(QLabel):
    """A slice view: the image that a real slice logic makes."""

    def __init__(self, slicer: Any, application_logic: Any, name: str, size: int, orientation: str) -> None:
        super().__init__()
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLScene(slicer.mrmlScene)
        self._logic.SetMRMLApplicationLogic(application_logic)
        node = self._logic.AddSliceNode(name)
        node.SetDefaultOrientation(orientation)
        node.SetOrientationToDefault()
        self._logic.ResizeSliceNode(size, size)
        self.setFixedSize(size, size)
        # As in Slicer a view is painted once after many changes.
        self._due = QtCore.QTimer(self, singleShot=True, interval=0)
        self._due.timeout.connect(self.repaint_slice)
        self._tag = self._logic.AddObserver("ModifiedEvent", lambda *_: self._due.start())

    def sliceLogic(self) -> Any:
        """The real one."""
        return self._logic

    def mrmlSliceNode(self) -> Any:
        """The real one."""
        return self._logic.GetSliceNode()

    def pixels(self) -> np.ndarray | None:
        """What the view shows, RGBA; row 0 at the top."""
        from vtk.util.numpy_support import vtk_to_numpy

        self._logic.UpdatePipeline()
        connection = self._logic.GetImageDataConnection()
        if connection is None:
            return None
        connection.GetProducer().Update()
        image = connection.GetProducer().GetOutputDataObject(connection.GetIndex())
        columns, rows, _ = image.GetDimensions()
        scalars = image.GetPointData().GetScalars()
        if scalars is None or not columns:
            return None
        return vtk_to_numpy(scalars).reshape(rows, columns, -1)[::-1]

    def repaint_slice(self) -> None:
        """Paint it anew."""
        pixels = self.pixels()
        if pixels is None:
            self.clear()
            return
        grey = np.ascontiguousarray(pixels[..., :3])
        image = QImage(
            grey.data, grey.shape[1], grey.shape[0], grey.shape[1] * 3, QImage.Format.Format_RGB888
        )
        self.setPixmap(QPixmap.fromImage(image.copy()))

    def end(self) -> None:
        """Let the scene go."""
        self._due.stop()
        self._logic.RemoveObserver(self._tag)
        self._logic.SetMRMLScene(None)


class LayoutManager:
    """Which views there are; all are always in sight."""

    def __init__(self, slicer: Any, application_logic: Any) -> None:
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(slicer.mrmlScene)
        layout = slicer.vtkMRMLLayoutNode()
        for arrangement in (layout.SlicerLayoutFourUpView, layout.SlicerLayoutSideBySideView):
            layout.AddLayoutDescription(arrangement, "<layout/>")
        slicer.mrmlScene.AddNode(layout)
        self._views = {
            name: SliceWidget(slicer, application_logic, name, *how) for name, how in VIEWS.items()
        }
        logics = vtk.vtkCollection()
        for view in self._views.values():
            logics.AddItem(view.sliceLogic())
        application_logic.SetSliceLogics(logics)

    def sliceViewNames(self) -> tuple[str, ...]:
        """Names of the views."""
        return tuple(VIEWS)

    def sliceWidget(self, name: str) -> SliceWidget | None:
        """A view."""
        return self._views.get(name)

    def end(self) -> None:
        """Let the scene go."""
        for view in self._views.values():
            view.end()


class Host:
    """The application's window with the module in it."""

    def __init__(self, folder: Path, language: str = "en") -> None:
        import slicer

        self.app = start(folder, language)
        self.scene = slicer.mrmlScene
        triage = importlib.import_module("HeadCTTriage")
        self.parent = QWidget()
        QVBoxLayout(self.parent)
        module = triage.HeadCTTriage(_ModuleParent())
        self.module = module
        self.widget = triage.HeadCTTriageWidget(self.parent)
        self.widget.setup()
        panel = QScrollArea()
        panel.setWidgetResizable(True)
        panel.setWidget(self.parent)
        panel.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        panel.setFixedWidth(620)
        views = QWidget()
        places = QGridLayout(views)
        for number, name in enumerate(VIEWS):
            view = self.app.layoutManager().sliceWidget(name)
            places.addWidget(view, min(number, 1), max(number - 1, 0), 1, 1 if number else 2)
        places.setRowStretch(2, 1)
        centre = QWidget()
        both = QHBoxLayout(centre)
        both.addWidget(panel)
        both.addWidget(views)
        self.window = self.app.main_window
        self.window.setCentralWidget(centre)
        self.window.resize(1190, 1000)
        self.window.show()
        self.window.activateWindow()
        self.widget.enter()

    @property
    def ui(self) -> Any:
        """The panel's widgets by name."""
        return self.widget.ui

    def screenshot(self, path: Path) -> None:
        """What one would see."""
        for name in VIEWS:
            self.app.layoutManager().sliceWidget(name).repaint_slice()
        QApplication.processEvents()
        self.window.grab().save(str(path))

    def close(self) -> None:
        """As when Slicer ends.

        Raises:
            AssertionError: the module gave a widget an attribute that is no property of it.
        """
        made_up = _attributes_of_its_own(self.parent)
        assert not made_up, f"no properties of these widgets: {made_up}"
        self.widget.exit()
        self.widget.cleanup()
        self.app.end()
        self.window.deleteLater()
        QApplication.processEvents()


class _ModuleParent:
    """``qSlicerScriptedLoadableModule`` as the metadata class fills it in."""

    path = str(MODULE / "HeadCTTriage.py")


def _module(name: str, members: dict[str, Any]) -> types.ModuleType:
    module = types.ModuleType(name)
    vars(module).update(members)
    return module


def _qt() -> types.ModuleType:
    """Qt's own classes and namespaces, as PythonQt names them, and nothing of PySide6's."""
    classes = {
        name: getattr(part, name)
        for part in (QtCore, QtGui, QtWidgets, QtUiTools)
        for name in dir(part)
        if name.startswith("Q") and isinstance(getattr(part, name), type)
    }
    return _module("qt", {**classes, "QUiLoader": widgets.Loader})


def _attributes_of_its_own(widget: QWidget) -> list[tuple[str, str]]:
    """Widgets in it, and what Python code put on them; not what PySide6 does: signals, methods, children."""
    return [
        (child.objectName(), name)
        for child in widget.findChildren(QtCore.QObject)
        for name, value in vars(child).items()
        if not (callable(value) or isinstance(value, QtCore.QObject | QtCore.SignalInstance))
        and not name.startswith("_")
    ]


def _child_widgets(widget: QWidget) -> Any:
    ui = types.SimpleNamespace()
    for child in widget.findChildren(QtCore.QObject):
        if child.objectName() and not child.objectName().startswith("qt_"):
            setattr(ui, child.objectName(), child)
    return ui
