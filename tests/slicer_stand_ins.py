"""Python parts of 3D Slicer that ``slicer-core`` does not have, as far as the module for Slicer uses them.

Written anew after Slicer's documentation and registered under Slicer's names, so that the module's files can
be imported; nothing is imported for that, neither ``slicer`` nor Qt. Parameters are kept in a real
``vtkMRMLScriptedModuleNode`` of the scene ``slicer.mrmlScene``.
"""

import sys
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MODULE = Path(__file__).resolve().parents[1] / "slicer_module" / "HeadCTTriage"


def register() -> None:
    """Let Slicer's own Python modules be imported."""
    for name, members in {
        "i18n": {"tr": _tr, "translate": _translate},
        "ScriptedLoadableModule": {base.__name__: base for base in _BASES},
        "parameterNodeWrapper": {"parameterNodeWrapper": _parameterNodeWrapper, "Choice": Choice},
    }.items():
        module = types.ModuleType(f"slicer.{name}")
        vars(module).update(members)
        sys.modules.setdefault(module.__name__, module)


# --- slicer.i18n ------------------------------------------------------------------------------------------


def _translate(context: str, text: str) -> str:
    """In the application's language; as written where there is no application."""
    app = getattr(sys.modules.get("slicer"), "app", None)
    translate = getattr(app, "translate", None)
    return translate(context, text) if translate else text


def _tr(text: str) -> str:
    """A sentence of a Python file, under the name that Slicer gives to the file's sentences."""
    file = Path(sys._getframe(1).f_code.co_filename)
    package = f"{file.parent.name}." if (file.parent / "__init__.py").exists() else ""
    return _translate(package + file.stem, text)


# --- slicer.ScriptedLoadableModule ------------------------------------------------------------------------


class ScriptedLoadableModule:
    def __init__(self, parent: Any) -> None:
        self.parent = parent
        self.moduleName = type(self).__name__

    def resourcePath(self, filename: str) -> str:
        return str(MODULE / "Resources" / filename)


class ScriptedLoadableModuleWidget:
    def __init__(self, parent: Any = None) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.developerMode = False
        self.parent = parent
        self.layout = parent.layout()

    def resourcePath(self, filename: str) -> str:
        return str(MODULE / "Resources" / filename)

    def setup(self) -> None:
        pass

    def cleanup(self) -> None:
        pass


class ScriptedLoadableModuleLogic:
    def __init__(self, parent: Any = None) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Logic")

    def getParameterNode(self) -> Any:
        import slicer

        found = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if found is None:
            found = slicer.vtkMRMLScriptedModuleNode()
            found.SetSingletonTag(self.moduleName)
            found.SetModuleName(self.moduleName)
            found.SetAttribute("ModuleName", self.moduleName)
            found = slicer.mrmlScene.AddNode(found)
        return found


class ScriptedLoadableModuleTest:
    def runTest(self) -> None:
        raise NotImplementedError


_BASES = (
    ScriptedLoadableModule,
    ScriptedLoadableModuleWidget,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
)


# --- slicer.parameterNodeWrapper --------------------------------------------------------------------------


@dataclass
class Choice:
    """The values that there are."""

    choices: list[Any]


def _parameterNodeWrapper(cls: type) -> type:
    """Make a class with annotations and defaults one whose attributes are parameters of a node.

    Types put off as text are refused: Slicer's wrapper reads them while the module is being imported, and
    finds their names only if whoever imports it has made it known by then.
    """
    hints = dict(cls.__annotations__)
    if any(isinstance(hint, str) for hint in hints.values()):
        raise TypeError(f"the types of {cls.__name__} are texts")
    defaults = {name: getattr(cls, name) for name in hints}
    for name, hint in hints.items():
        setattr(cls, name, _parameter(name, hint))

    def made(self: Any, node: Any) -> None:
        self.parameterNode = node
        for name, value in defaults.items():
            if not node.GetParameter(name):
                setattr(self, name, value)

    members: dict[str, Any] = {
        "__init__": made,
        "AddObserver": lambda self, *arguments: self.parameterNode.AddObserver(*arguments),
        "RemoveObserver": lambda self, tag: self.parameterNode.RemoveObserver(tag),
        "connectGui": _connect,
        "disconnectGui": _disconnect,
    }
    for name, member in members.items():
        setattr(cls, name, member)
    return cls


def _parameter(name: str, hint: Any) -> property:
    kind, limits = (
        (typing.get_args(hint)[0], typing.get_args(hint)[1:]) if typing.get_args(hint) else (hint, ())
    )

    def read(self: Any) -> Any:
        text = self.parameterNode.GetParameter(name)
        return text == "true" if kind is bool else kind(text)

    def write(self: Any, value: Any) -> None:
        if not isinstance(value, kind):
            raise TypeError(f"{name} is a {kind.__name__}")
        for limit in limits:
            if isinstance(limit, Choice) and value not in limit.choices:
                raise ValueError(f"{name} is none of {limit.choices}")
        self.parameterNode.SetParameter(name, str(value).lower() if kind is bool else str(value))

    return property(read, write)


def _connect(self: Any, ui: Any) -> None:
    """Join widgets with the dynamic property SlicerParameterName to the parameters of that name.

    Slicer's own gives back no tag either, so that what is joined stays joined.
    """
    for widget in vars(ui).values():
        name = widget.property("SlicerParameterName")
        if name:
            _join(self, widget, name)


def _disconnect(self: Any, tag: Any) -> None:
    """Nothing: no tag is known."""


def _join(self: Any, widget: Any, name: str) -> None:
    """A check box, the only kind of widget that the module joins to a parameter."""

    def from_widget(*_: object) -> None:
        setattr(self, name, widget.isChecked())

    def from_node(*_: object) -> None:
        widget.setChecked(getattr(self, name))

    from_node()
    widget.toggled.connect(from_widget)
    self.AddObserver("ModifiedEvent", from_node)
