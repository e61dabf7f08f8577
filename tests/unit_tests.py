"""Which tests are unit tests: `make check` runs those that need none of what is large or long to install.

What a file of tests needs is read from its imports and those of what it imports, helpers and product alike,
so that nothing has to be marked twice. Imports within functions of helpers and product are not followed. The
marks ``long`` and ``validator`` take out single tests.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from places import PLACES, TESTS

SYSTEM = {"tensorflow", "keras", "tensorboard", "slicer", "vtk", "PySide6", "dcmqi", "playwright"}
"""Packages that unit tests do without."""
ORTHANC = {"orthanc_process"}
"""Helpers that start a server."""
IMPORTED_FROM = (*PLACES, TESTS / "slicer_module")


def is_system_test(path: Path) -> bool:
    """Whether a file of tests needs an Orthanc, a browser, TensorFlow or 3D Slicer."""
    return TESTS / "e2e" in path.parents or bool(_needed(path) & (SYSTEM | ORTHANC))


def _needed(path: Path) -> set[str]:
    """Top-level names of everything that is imported on the way, of ours and others'."""
    found: set[str] = set()
    seen: set[Path] = set()
    waiting = [path, *(p / "conftest.py" for p in path.parents if TESTS in (p, *p.parents))]
    while waiting:
        one = waiting.pop()
        if one in seen or not one.is_file():
            continue
        seen.add(one)
        for name in _imported(one):
            found.add(name.split(".")[0])
            waiting += _files(name)
    return found


@cache
def _imported(path: Path) -> tuple[str, ...]:
    """Dotted names that a file imports: of a file of tests everywhere, of others when they are loaded."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names: list[str] = []
    for node in ast.walk(tree) if path.name.startswith("test_") else _when_loaded(tree):
        match node:
            case ast.Import():
                names += [alias.name for alias in node.names]
            case ast.ImportFrom(level=0, module=str(module)):
                names += [module, *(f"{module}.{alias.name}" for alias in node.names)]
            case ast.Call(func=ast.Attribute(attr="importorskip"), args=[ast.Constant(value=str(name)), *_]):
                names.append(name)
    return tuple(names)


def _when_loaded(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        yield node
        yield from _when_loaded(node)


@cache
def _files(name: str) -> tuple[Path, ...]:
    """The files of our own that are loaded for a dotted name."""
    parts = name.split(".")
    found = []
    for place in IMPORTED_FROM:
        for n in range(1, len(parts) + 1):
            base = place.joinpath(*parts[:n])
            found += [p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()]
    return tuple(found)
