"""The extension as Slicer builds it: each file of the module is in it, and only what Slicer ships is used."""

import ast
import re
import sys
from pathlib import Path

import pytest

EXTENSION = Path(__file__).parents[2] / "slicer_module"
MODULE = EXTENSION / "HeadCTTriage"
SCRIPTS = sorted(MODULE.rglob("*.py"))

SHIPPED = {"requests", "urllib3", "pydicom", "numpy"}
"""What Slicer's own Python has and this module uses; urllib3 is what requests stands on."""
GIVEN = {"slicer", "vtk", "qt", "ctk", "HeadCTTriageLib"}
"""What Slicer puts beside it, and the module's own helpers."""


def _listed(cmake: str, name: str) -> set[str]:
    block = re.search(rf"set\({name}\n(.*?)\)", cmake, re.DOTALL)
    assert block, f"{name} is not set"
    return {line.strip().replace("${MODULE_NAME}", "HeadCTTriage") for line in block[1].split()}


def test_every_file_of_the_module_is_installed() -> None:
    cmake = (MODULE / "CMakeLists.txt").read_text()
    listed = _listed(cmake, "MODULE_PYTHON_SCRIPTS") | _listed(cmake, "MODULE_PYTHON_RESOURCES")
    there = {
        path.relative_to(MODULE).as_posix()
        for path in MODULE.rglob("*")
        if path.is_file() and path.name != "CMakeLists.txt" and "cache" not in str(path.relative_to(MODULE))
    }
    assert listed == there


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.name)
def test_written_for_every_python_that_slicer_has_had_since_5_0(script: Path) -> None:
    ast.parse(script.read_text(encoding="utf-8"), script.name, feature_version=(3, 9))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.name)
def test_imports_only_what_slicer_ships(script: Path) -> None:
    allowed = SHIPPED | GIVEN | set(sys.stdlib_module_names)
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        names = (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
        for name in names:
            assert name.split(".")[0] in allowed, f"{script.name} imports {name}"


MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "translation": set(),
    "language": {"translation"},
    "server": {"errors", "translation"},
    "images": {"errors", "translation"},
    "scene": {"errors", "translation", "images"},
    "words": {"translation", "server"},
    "panel": {"errors", "translation", "words", "server", "images", "scene"},
}
"""Each room of the library, and those below it."""


def _imported(script: Path) -> set[str]:
    """Modules of the library that a script names, also those for types alone."""
    here = script.relative_to(MODULE).with_suffix("").parts
    found = set()
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            module = ".".join([*here[: -node.level], *([node.module] if node.module else [])])
            # "from . import rows" names a module, "from .rows import TONES" a name in one.
            found |= {f"{module}.{alias.name}" for alias in node.names} | {module}
    return found


def test_arrows_between_the_rooms_point_one_way() -> None:
    for script in (MODULE / "HeadCTTriageLib").rglob("*.py"):
        room = script.relative_to(MODULE).with_suffix("").parts[1]
        for module in _imported(script):
            other = [*module.split("."), room][1]
            known = other in MAY_IMPORT and other != room
            assert not known or other in MAY_IMPORT[room], f"{script.relative_to(MODULE)} imports {module}"


def test_no_circle_of_imports() -> None:
    scripts = {".".join(s.relative_to(MODULE).with_suffix("").parts): s for s in SCRIPTS}
    left = {name: _imported(script) & set(scripts) for name, script in scripts.items()}
    while free := [name for name, needs in left.items() if not needs & set(left)]:
        for name in free:
            del left[name]
    assert left == {}


def test_there_are_scripts_to_look_at() -> None:
    assert MODULE / "HeadCTTriage.py" in SCRIPTS
