"""The .ui file opens in Qt's own loader and compiler, and the code speaks only of widgets that are in it."""

import ast
import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest.importorskip("slicer", reason="slicer-core is made for Python 3.11 alone")
pytest.importorskip("PySide6", reason="PySide6 cannot be imported")
from PySide6 import QtCore
from PySide6.QtCore import QFile, QIODevice, qInstallMessageHandler
from PySide6.QtWidgets import QWidget
from qt_host import start
from qt_host.widgets import STAND_INS, Loader

MODULE = Path(__file__).parents[3] / "slicer_module" / "HeadCTTriage"
UI = MODULE / "Resources" / "UI" / "HeadCTTriage.ui"
SCRIPTS = sorted(MODULE.rglob("*.py"))


def loaded(file: Path) -> tuple[QWidget, list[str]]:
    """The widget, and what Qt had to complain of."""
    complaints: list[str] = []
    before = qInstallMessageHandler(lambda kind, context, text: complaints.append(text))
    try:
        source = QFile(str(file))
        assert source.open(QIODevice.OpenModeFlag.ReadOnly)
        widget = Loader().load(source)
    finally:
        qInstallMessageHandler(before)
    return widget, complaints


def unknown(file: Path, loaded: QWidget) -> list[str]:
    """Properties that no widget has: Qt takes them for dynamic ones and says nothing."""
    widgets = {child.objectName(): child for child in [loaded, *loaded.findChildren(QWidget)]}
    return [
        f"{node.get('name')}.{name}"
        for node in ElementTree.parse(file).iter("widget")
        for name in [p.get("name") or "" for p in node.findall("property") if p.get("stdset") != "0"]
        if widgets[node.get("name") or ""].metaObject().indexOfProperty(name) < 0
    ]


def test_qt_loads_it_without_a_complaint(tmp_path: Path) -> None:
    app = start(tmp_path)
    widget, complaints = loaded(UI)
    assert complaints == []
    assert unknown(UI, widget) == []
    app.end()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('<property name="wordWrap">', '<property name="wordWarp">'),
        ('class="QTableView"', 'class="QTableVeiw"'),
        ("Qt::RichText", "Qt::RitchText"),
    ],
)
def test_what_is_unknown_would_be_noticed(tmp_path: Path, before: str, after: str) -> None:
    app = start(tmp_path)
    wrong = tmp_path / "wrong.ui"
    wrong.write_text(UI.read_text("utf-8").replace(before, after, 1), "utf-8")
    widget, complaints = loaded(wrong)
    assert complaints or unknown(wrong, widget)
    app.end()


def test_widgets_beyond_qts_are_declared_and_slicers() -> None:
    tree = ElementTree.parse(UI)
    declared = {node.findtext("class") for node in tree.iter("customwidget")}
    used = {node.get("class") for node in tree.iter("widget")}
    assert {name for name in used if not name.startswith("Q")} == declared
    assert declared <= {kind.__name__ for kind in STAND_INS}


def test_qts_compiler_takes_it() -> None:
    compiler = Path(QtCore.__file__).parent / "Qt" / "libexec" / "uic"
    if not compiler.exists():
        pytest.skip("Qt's user interface compiler is not installed")
    done = subprocess.run([compiler, "-g", "python", UI], capture_output=True, text=True, check=True)
    assert done.stderr == "" and "class Ui_HeadCTTriage" in done.stdout


def test_code_speaks_of_widgets_that_are_there() -> None:
    tree = ElementTree.parse(UI)
    there = {node.get("name") for kind in ("widget", "layout") for node in tree.iter(kind)}
    spoken_of = {name for script in SCRIPTS for name in re.findall(r"\bui\.(\w+)", script.read_text("utf-8"))}
    assert spoken_of - there == set()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_qt_is_spoken_to_as_pythonqt_understands_it(script: Path) -> None:
    """Enumerations without their scope, properties as attributes, nothing of PySide6's own."""
    tree = ast.parse(script.read_text("utf-8"))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        chain = ast.unparse(node)
        if chain.startswith("qt.") and re.fullmatch(r"[\w.]+", chain):
            assert chain.count(".") <= 2 or chain.startswith("qt.QCoreApplication.instance"), chain
        assert node.attr not in {"setText", "setEnabled", "setVisible", "isChecked", "Signal", "Slot"}, chain
    assert not [
        n
        for n in ast.walk(tree)
        if isinstance(n, ast.ClassDef) and any("qt." in ast.unparse(b) for b in n.bases)
    ]
