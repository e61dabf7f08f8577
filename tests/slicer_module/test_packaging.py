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


def test_there_are_scripts_to_look_at() -> None:
    assert MODULE / "HeadCTTriage.py" in SCRIPTS
