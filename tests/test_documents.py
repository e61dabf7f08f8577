"""Documents are true as far as a program can tell: links, paths, names of modules and functions, settings."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from fake_triage import FakeTriage
from places import ROOT

from orthanc_plugin.people import PersonSettings
from orthanc_plugin.settings import Settings
from orthanc_plugin.web import create_app
from orthanc_plugin.web.guards import API

FOLDERS = (
    "docs",
    "headct",
    "model_training",
    "models",
    "orthanc_plugin",
    "scripts",
    "slicer_module",
    "tests",
)
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(path for name in FOLDERS for path in (ROOT / name).rglob("*.md"))])
LIBRARY = "HeadCTTriageLib"
PACKAGES = {
    "headct": ROOT / "headct",
    "orthanc_plugin": ROOT / "orthanc_plugin",
    "model_training": ROOT / "model_training",
    LIBRARY: ROOT / "slicer_module" / "HeadCTTriage" / LIBRARY,
}

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
PATH = re.compile(rf"(?:{'|'.join(FOLDERS)}|docker|{LIBRARY})/[\w./*-]*")
NAME = re.compile(rf"(?:{'|'.join(PACKAGES)})(?:\.\w+)+")

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def prose(document: Path) -> str:
    """A document without its blocks of code."""
    return FENCE.sub("", document.read_text("utf-8"))


def anchors(document: Path) -> set[str]:
    """What a forge makes of the headings."""
    headings = re.findall(r"^#+ +(.+)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def is_there(path: str, document: Path) -> bool:
    """A path with or without stars, from the root, from the document's folder, or in the panel's library."""
    places = (ROOT, document.parent, PACKAGES[LIBRARY].parent)
    return any(any(place.glob(path.rstrip("/"))) for place in places)


@cache
def defined(path: Path) -> dict[str, ast.AST]:
    return dict(_defined(ast.parse(path.read_text("utf-8"))))


def _defined(scope: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Names that a module or a class gives to something."""
    for node in ast.iter_child_nodes(scope):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, node
            case ast.Assign(targets=targets):
                yield from ((t.id, node) for t in targets if isinstance(t, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name, node


def is_defined(name: str) -> bool:
    """A package, a module, or something that a module defines; nothing is imported for it."""
    package, *parts = name.split(".")
    place = PACKAGES[package]
    while parts and (place / parts[0]).is_dir():
        place /= parts.pop(0)
    module = place / "__init__.py"
    if parts and (place / f"{parts[0]}.py").is_file():
        module = place / f"{parts.pop(0)}.py"
    names = defined(module)
    for part in parts:
        if part not in names:
            return False
        names = dict(_defined(names[part]))
    return True


@every_document
def test_links_lead_somewhere(document: Path) -> None:
    broken = []
    for link in LINK.findall(prose(document)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


@every_document
def test_paths_are_there(document: Path) -> None:
    paths = [code for code in CODE.findall(prose(document)) if PATH.fullmatch(code)]
    paths = [re.sub(r"X\.Y\.Z", "*", path) for path in paths]
    assert [path for path in paths if not is_there(path, document)] == []


@every_document
def test_names_are_defined(document: Path) -> None:
    names = [code for code in CODE.findall(prose(document)) if NAME.fullmatch(code)]
    assert [name for name in names if not is_defined(name)] == []


def rooms() -> dict[str, list[str]]:
    """Of each folder with a row in the map, the modules that the row names."""
    found = {}
    for line in (ROOT / "ARCHITECTURE.md").read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 3 and re.fullmatch(r"`[\w/]+/`", cells[1]) and is_there(cells[1][1:-1], ROOT):
            assert cells[1][1:-2] not in found, f"{cells[1]} has two rows"
            found[cells[1][1:-2]] = [code for code in CODE.findall(line)[1:] if re.fullmatch(r"\w+", code)]
    return found


def test_the_map_names_every_module() -> None:
    """A new module gets its few words in the map of ``ARCHITECTURE.md``."""
    named = {f"{room}/{module}" for room, modules in rooms().items() for module in modules}
    there = {
        f"{package.name}/{path.relative_to(package).with_suffix('')}"
        for package in PACKAGES.values()
        for path in package.rglob("*.py")
        if path.name != "__init__.py" and "migrations" not in path.parts
    }
    assert (sorted(there - named), sorted(named - there)) == ([], [])


def imported(module: Path) -> Iterator[str]:
    """What a module imports by its whole name, ``from package.room import module`` included."""
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        match node:
            case ast.ImportFrom(module=str(name), names=names):
                yield from (f"{name}.{alias.name}" for alias in names)
            case ast.Import(names=names):
                yield from (alias.name for alias in names)


@pytest.mark.parametrize("package", ["headct", "model_training", "orthanc_plugin"])
def test_rooms_import_only_from_rooms_above_them_in_the_map(package: str) -> None:
    order = list(dict.fromkeys(room.split("/")[1] for room in rooms() if room.startswith(f"{package}/")))
    down = {
        (room, name)
        for room in order
        for module in (PACKAGES[package] / room).rglob("*.py")
        for name in imported(module)
        if name.startswith(f"{package}.") and name.split(".")[1] in order[order.index(room) + 1 :]
    }
    assert down == set()


def test_the_manual_names_every_setting() -> None:
    manual = (ROOT / "docs" / "manual" / "settings.md").read_text("utf-8")
    names = {str(field.alias) for of in (Settings, PersonSettings) for field in of.model_fields.values()}
    assert {name for name in names if f"`{name}`" not in manual} == set()
    tables = set(re.findall(r"^\| `(\w+)` \|", manual, re.MULTILINE))
    assert tables <= names


def test_the_manual_names_every_route() -> None:
    manual = (ROOT / "docs" / "manual" / "rest.md").read_text("utf-8")
    told = {(method, path) for method, path in re.findall(r"`(GET|POST) ([\w/{}.-]+)`", manual)}
    described = create_app(FakeTriage()).test_client().get(f"{API}/openapi.json").json
    assert described is not None
    there = {
        (method.upper(), path.removeprefix(f"{API}/"))
        for path, methods in described["paths"].items()
        for method in methods
    }
    assert {(method, re.sub(r"{\w+}", "{}", path)) for method, path in told} == {
        (method, re.sub(r"{\w+}", "{}", path)) for method, path in there
    }


def test_the_manual_names_every_metric() -> None:
    manual = (ROOT / "docs" / "manual" / "metrics.md").read_text("utf-8")
    answer = create_app(FakeTriage()).test_client().get(f"{API}/metrics").text
    assert set(re.findall(r"`(headct_\w+)`", manual)) == set(
        re.findall(r"^# TYPE (\w+)", answer, re.MULTILINE)
    )
