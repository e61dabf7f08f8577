"""The wheel in an environment of its own, with what it names as its dependencies and nothing else."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from places import ROOT

from headct.generator.generation import generate, write

PACKAGES = ("headct", "orthanc_plugin", "model_training")
OF_DEVELOPERS = {"README.md", ".gitignore"}
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, for a build leaves folders behind."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in (*PACKAGES, "models", "pyproject.toml", "setup.py", "README.md", "LICENSE", "MANIFEST.in"):
        subprocess.run(["cp", "-r", ROOT / name, source / name], check=True)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--wheel-dir", folder, source], check=True, capture_output=True)
    (made,) = folder.glob("*.whl")
    return made


def needed(name: str, known: dict[str, Distribution]) -> dict[str, Distribution]:
    """A distribution's dependencies, and theirs, without any extra."""
    for text in distribution(name).requires or ():
        wanted = Requirement(text)
        if wanted.name not in known and (not wanted.marker or wanted.marker.evaluate({"extra": ""})):
            known[wanted.name] = distribution(wanted.name)
            needed(wanted.name, known)
    return known


def top_level(one: Distribution) -> Iterator[str]:
    """Names beside each other in site-packages."""
    for file in one.files or ():
        if not file.parts[0].startswith((".", "__pycache__")):
            yield file.parts[0]


@pytest.fixture(scope="module")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment with the wheel in it."""
    folder = tmp_path_factory.mktemp("clean") / "venv"
    venv.create(folder)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
    for one in needed("headct-triage", {}).values():
        for name in set(top_level(one)):
            (site / name).symlink_to(Path(str(one.locate_file(name))))
    pip = [sys.executable, "-m", "pip", "--python", folder, "install", "--no-deps", "--no-index"]
    subprocess.run([*pip, wheel], check=True, capture_output=True)
    return folder / "bin"


def run(program: Path, *arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HEADCT"))}
    return subprocess.run(
        [program, *arguments], capture_output=True, text=True, check=False, cwd=folder, env=own
    )


def tracked(package: str) -> list[Path]:
    """What git knows of a package; a developer's stray files are nobody else's."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", package], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def test_everything_beside_the_code_is_in_it(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in [*tracked(package), *(ROOT / package).glob("web/static/vendor/*")]
        if path.name not in OF_DEVELOPERS
    }
    bundles = {f"headct/{path.relative_to(ROOT)}" for path in (ROOT / "models").rglob("*") if path.is_file()}
    # Licences of packages go where licences of a wheel are looked for.
    assert {name for name in wanted | bundles if name not in inside} <= {"orthanc_plugin/LICENSE"}
    assert {f"{package}/py.typed" for package in PACKAGES} <= inside
    assert any(name.endswith("bundle.json") for name in inside)
    assert any(name.endswith("licenses/orthanc_plugin/LICENSE") for name in inside)


def test_a_series_is_judged_with_the_model_in_it(clean: Path, tmp_path: Path) -> None:
    write(generate("subdural", 1, matrix=192, thickness_mm=8.0), tmp_path / "series")
    judged = run(clean / "headct", "assess", tmp_path / "series", "--json", folder=tmp_path)
    assert judged.returncode == 0, judged.stderr
    (said,) = json.loads(judged.stdout)
    assert said["state"] == "assessed" and said["bundle"]["name"] == "headct-bleed"
    where = "import headct; print(headct.__file__)"
    assert str(clean.parent) in run(clean / "python", "-c", where, folder=tmp_path).stdout


@pytest.mark.parametrize("command", ["up", "import"])
def test_what_needs_an_extra_says_which(clean: Path, tmp_path: Path, command: str) -> None:
    refused = run(clean / "headct", command, "--data", "x", folder=tmp_path)
    assert refused.returncode == 2
    assert f"the command {command} needs more: pip install 'headct-triage[plugin]'" in refused.stderr
