"""Slicer's core as the logic meets it in the application: a scene and slice views, no window and no Qt."""

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import slicer

MODULE = Path(__file__).parents[2] / "slicer_module" / "HeadCTTriage"
DEFAULTS = {"Red": "Axial", "Yellow": "Sagittal", "Green": "Coronal"}


@contextmanager
def started() -> Iterator[dict[str, Any]]:
    """A new scene as ``slicer.mrmlScene`` and views into it; gives the vtkMRMLSliceLogic of each by name."""
    scene, logic = slicer.vtkMRMLScene(), slicer.vtkMRMLApplicationLogic()
    logic.SetMRMLScene(scene)
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene)
    layout = slicer.vtkMRMLLayoutNode()
    for arrangement in (layout.SlicerLayoutFourUpView, layout.SlicerLayoutSideBySideView):
        layout.AddLayoutDescription(arrangement, "<layout/>")
    scene.AddNode(layout)
    views = {}
    for name, orientation in DEFAULTS.items():
        views[name] = slicer.vtkMRMLSliceLogic()
        views[name].SetMRMLScene(scene)
        views[name].SetMRMLApplicationLogic(logic)
        node = views[name].AddSliceNode(name)
        node.SetDefaultOrientation(orientation)
        node.SetOrientationToDefault()
        views[name].ResizeSliceNode(400, 300)
    app = SimpleNamespace(applicationLogic=lambda: logic)
    with mock.patch.multiple(slicer, mrmlScene=scene, app=app, create=True):
        yield views
        for view in views.values():
            view.SetMRMLScene(None)


def module() -> ModuleType:
    """``HeadCTTriage.py``, with empty base classes for those that need a window."""
    bases = ModuleType("slicer.ScriptedLoadableModule")
    for part in ("", "Widget", "Logic", "Test"):
        name = "ScriptedLoadableModule" + part
        setattr(bases, name, type(name, (), {"__init__": lambda self, parent=None: None}))
    words = ModuleType("slicer.i18n")
    words.tr, words.translate = lambda text: text, lambda context, text: text
    parameters = ModuleType("slicer.parameterNodeWrapper")
    parameters.parameterNodeWrapper, parameters.Choice = lambda kind: kind, lambda choices: None
    spec = importlib.util.spec_from_file_location("HeadCTTriage_without_a_window", MODULE / "HeadCTTriage.py")
    made = importlib.util.module_from_spec(spec)
    with mock.patch.dict(sys.modules, {m.__name__: m for m in (bases, words, parameters)}):
        spec.loader.exec_module(made)
    return made


def imported_without_qt() -> bool:
    """Whether the logic comes up in a Python that has no Qt; in a process of its own."""
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['qt', 'ctk', 'PySide6']));"
        f"sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(MODULE)!r}];"
        "import slicer_core_host; slicer_core_host.module().HeadCTTriageLogic()"
    )
    return subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
