"""What a backup covers: everything in the data folder but a short list, and what the settings keep elsewhere.

Were it a list of what is kept, a file that a later version adds would be missed in silence.
"""

import json
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Self

from headct.errors import SettingsError
from headct.network.bundle import shipped_bundles
from orthanc_plugin.backup.errors import BackupError
from orthanc_plugin.settings import Settings, from_orthanc
from orthanc_plugin.stack import orthanc

MADE_ANEW = frozenset({"lock", "logs", "nginx", "loopback.lua", orthanc.CONFIGURATION})
"""In the data folder: written at each start, or of one start alone."""
MADE_AGAIN = frozenset({"supervisor.lock", "running", "work", "reserve", "previews"})
"""In the folder of triage: of one start alone, room held back, or drawn again from the images."""
BESIDE_SQLITE = ("", "-wal", "-shm", "-journal")
"""A database and what lies beside it while it is used: copied by :mod:`orthanc_plugin.backup.databases`."""
PROGRAMS = frozenset({"Plugins", "PythonScript", "Python"})
"""Options that name parts of the installation, which no backup of data brings along."""
DATABASE_PLUGINS = ("PostgreSQL", "MySQL", "ODBC")
"""Sections of Orthanc's plugins that keep its index in a server."""
ORTHANC = PurePosixPath("orthanc")
TRIAGE = ORTHANC / "headct-triage"
ELSEWHERE = PurePosixPath("elsewhere")
"""Where in the restored data folder lies what lay outside of the old one."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file to be copied."""

    path: Path
    place: PurePosixPath
    """In the data folder as it will be restored."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """What there is to be backed up of the stack on one data folder."""

    data: Path
    settings: Settings
    index: Path
    """Orthanc's database, where it is a file."""
    images: Path
    """Orthanc's folder of images."""
    places: dict[Path, PurePosixPath]
    """Files and folders of the settings, and where they lie in the restored data folder."""
    store_elsewhere: bool
    """Whether a server keeps the store."""
    index_elsewhere: bool
    """Whether a server keeps Orthanc's database."""
    skipped: list[str] = field(default_factory=list)
    """What is neither a file nor a folder."""

    @classmethod
    def of(cls, data: Path) -> Self:
        """Of a data folder, by the configuration that its stack was last started with.

        Raises:
            BackupError: no stack was ever started on it.
            SettingsError: its configuration cannot be read.
        """
        data = data.resolve()
        options = orthanc.last_started(data)
        if not options:
            raise BackupError(f"{data} is no data folder of `headct up`: there is no {orthanc.CONFIGURATION}")
        images, index = (
            (data / str(options.get(name) or options["StorageDirectory"])).resolve()
            for name in ("StorageDirectory", "IndexDirectory")
        )
        # Which Python runs the workers is the installation's.
        settings = from_orthanc({**options, "StorageDirectory": str(images)}).model_copy(
            update={"python": None}
        )
        places = {data: PurePosixPath()}
        _place(places, images, ORTHANC)
        _place(places, index, ORTHANC)
        _place(places, settings.storage, TRIAGE)
        for name, path in settings:
            if isinstance(path, Path) and path not in shipped_bundles():
                _place(places, path, ELSEWHERE / name)
        if settings.database_path is not None:
            _place(places, settings.database_path, TRIAGE / "triage.sqlite")
        for number, file in enumerate(_named_files(data), start=1):
            _place(places, file, ELSEWHERE / f"{number}-{file.name}")
        return cls(
            data,
            settings,
            index=index / "index",
            images=images,
            places=places,
            store_elsewhere=settings.database_path is None,
            index_elsewhere=any(_keeps_index(options.get(name)) for name in DATABASE_PLUGINS),
        )

    def files(self) -> Iterator[Found]:
        """All files but databases and images, each once.

        Raises:
            OSError: a folder cannot be read.
        """
        taken: set[PurePosixPath] = set()
        for root, place in self.places.items():
            for path, inside in self._walk(root, set()):
                if place / inside not in taken:
                    taken.add(place / inside)
                    yield Found(path, place / inside)

    def _walk(self, top: Path, above: set[Path]) -> Iterator[tuple[Path, PurePosixPath]]:
        """Files below a folder, links followed, but not round in a circle."""
        try:
            mode = top.stat().st_mode
        except OSError:
            if top.is_symlink() or top in (self.data, self.settings.storage):
                self.skipped.append(str(top))
            return  # there are no models of the hospital's own, or it was just deleted
        if stat.S_ISREG(mode):
            if top not in self._databases():
                yield top, PurePosixPath()
            return
        real = top.resolve()
        if not stat.S_ISDIR(mode) or real in above:
            self.skipped.append(str(top))
            return
        if real in (self.images, self.index.parent) and real != self.data:
            return  # images are copied as Orthanc lists them
        left_out = {self.data: MADE_ANEW, self.settings.storage: MADE_AGAIN}.get(top, frozenset())
        for entry in sorted(top.iterdir()):
            if entry.name not in left_out:
                for path, inside in self._walk(entry, above | {real}):
                    yield path, PurePosixPath(entry.name) / inside

    def _databases(self) -> set[Path]:
        store = self.settings.database_path
        return {
            Path(f"{database}{end}") for database in (store, self.index) if database for end in BESIDE_SQLITE
        }

    def place(self, path: Path) -> PurePosixPath:
        """Where a file or folder lies in the restored data folder."""
        found = _below(self.places, path)
        if found is None:
            raise BackupError(f"{path} belongs to nothing that is backed up")
        return found


def _place(places: dict[Path, PurePosixPath], path: Path, otherwise: PurePosixPath) -> None:
    """Where it lay below what is known already, else where it is told to."""
    places.setdefault(path, _below(places, path) or otherwise)


def _below(places: dict[Path, PurePosixPath], path: Path) -> PurePosixPath | None:
    for folder in (path, *path.parents):
        if folder in places:
            return places[folder] / path.relative_to(folder)
    return None


def _keeps_index(section: Any) -> bool:
    return isinstance(section, dict) and bool(section.get("EnableIndex"))


def _named_files(data: Path) -> list[Path]:
    """Files that the hospital's own options name, such as certificates and keys for TLS."""
    path = data / orthanc.LOCAL_OPTIONS
    try:
        options = json.loads(path.read_text()) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} is not readable JSON: {error}") from error
    found = (Path(text) for text in _strings(options) if text.startswith("/") and "\0" not in text)
    return sorted({file for file in found if _is_file(file)})


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a text too long for the name of a file
        return False


def _strings(options: Any) -> Iterator[str]:
    if isinstance(options, str):
        yield options
    elif isinstance(options, list):
        for option in options:
            yield from _strings(option)
    elif isinstance(options, dict):
        for name, option in options.items():
            if name not in PROGRAMS:
                yield from _strings(option)
