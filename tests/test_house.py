"""The house as ARCHITECTURE.md has it: small rooms, and arrows that point one way."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from places import ROOT

PACKAGES = ("headct", "orthanc_plugin", "model_training")
SLICER = ROOT / "slicer_module" / "HeadCTTriage"
REASON = re.compile(r"# \w")
"""A comment; a rule across the page, such as ``# --- pages ---``, is none."""
LONGEST_FILE, LONGEST_FUNCTION, MOST_MODULES = 400, 60, 20
FILES = sorted(
    path
    for place in (*(ROOT / package for package in PACKAGES), SLICER, ROOT / "tests")
    for path in place.rglob("*.py")
    if "Resources" not in path.parts
)


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FILES, ids=named)
def test_a_file_can_be_read_at_a_sitting(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("path", FILES, ids=named)
def test_a_long_function_says_why_above_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    unexplained = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            above = lines[first - 2].strip() if first > 1 else ""
            if node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION and not REASON.match(above):
                unexplained.append(f"{node.name}, {node.end_lineno - node.lineno + 1} lines")
    assert not unexplained


def test_no_folder_holds_more_modules_than_one_takes_in() -> None:
    folders = {path.parent for path in FILES}
    modules = {
        folder: [p for p in FILES if p.parent == folder and p.name != "__init__.py"] for folder in folders
    }
    crowded = {named(folder): len(found) for folder, found in modules.items() if len(found) > MOST_MODULES}
    assert not crowded


@cache
def imports() -> dict[str, set[str]]:
    """Modules of ours by dotted name, and all that each imports, lazily too, but not for types alone."""
    found: dict[str, set[str]] = {}
    for path in FILES:
        if path.relative_to(ROOT).parts[0] in PACKAGES:
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            found[name] = set(_imported(ast.parse(path.read_text(encoding="utf-8"))))
    return found


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        yield from _imported(node)


def importers(*packages: str) -> set[str]:
    """Who imports any of these packages."""
    return {name for name, wanted in imports().items() if {w.split(".")[0] for w in wanted} & set(packages)}


def test_imports_of_the_packages_are_absolute() -> None:
    """Or the arrows below would not be seen."""
    relative = [
        named(path)
        for path in FILES
        if path.relative_to(ROOT).parts[0] in PACKAGES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not relative


def test_arrows_point_one_way() -> None:
    assert importers("orthanc") == {"orthanc_plugin.plugin"}
    packages = {
        one: {name.split(".")[0] for name in importers(one)}
        for one in ("orthanc_plugin", "model_training", "tensorflow", "keras")
    }
    assert packages["orthanc_plugin"] <= {"orthanc_plugin"}
    assert packages["model_training"] <= {"model_training"}
    assert packages["tensorflow"] | packages["keras"] <= {"model_training"}


def test_the_module_for_slicer_knows_none_of_the_packages() -> None:
    for path in FILES:
        if SLICER in path.parents:
            own = {name.split(".")[0] for name in _imported(ast.parse(path.read_text(encoding="utf-8")))}
            assert not own & set(PACKAGES), named(path)


def room(name: str) -> str:
    """The folder, or the module itself where it stands at the root of its package."""
    parts = name.split(".")
    return ".".join(parts[:2])


def rooms() -> dict[str, set[str]]:
    """Which rooms a room imports from, when it is loaded or later."""
    known = imports()
    found: dict[str, set[str]] = {}
    for name, wanted in known.items():
        own = {w for w in wanted if w in known and w.count(".")}
        found.setdefault(room(name), set()).update({room(w) for w in own} - {room(name)})
    return found


def test_rooms_lie_in_no_circle() -> None:
    arrows = rooms()

    def reach(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [*arrows.get(start, ())]
        while waiting:
            one = waiting.pop()
            if one not in seen:
                seen.add(one)
                waiting += arrows.get(one, ())
        return seen

    reached = {name: reach(name) for name in arrows}
    circles = {
        tuple(sorted(o for o in reached[name] if name in reached[o]))
        for name in arrows
        if name in reached[name]
    }
    assert not circles
