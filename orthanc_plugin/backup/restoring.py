"""A backup becomes the data folder of a stack, on this machine or another one."""

import fcntl
import json
import os
import shutil
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from headct.errors import SealError
from headct.reports.seals import KEY_FILE
from orthanc_plugin.audit.upkeep import settle_restored
from orthanc_plugin.backup import attachments, copying, databases, manifest
from orthanc_plugin.backup.coverage import PROGRAMS
from orthanc_plugin.backup.errors import BackupError, RestoreError
from orthanc_plugin.backup.making import GENERATION
from orthanc_plugin.backup.manifest import DATA, About
from orthanc_plugin.backup.new_machine import Settled, settle
from orthanc_plugin.stack import orthanc
from orthanc_plugin.stack.running import UNFINISHED_RESTORE
from orthanc_plugin.store.database import Database, knows_schema


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored."""

    folder: Path
    """The backup."""
    about: About
    settled: Settled | None
    """``None`` where a server keeps the store."""


def find(folder: Path) -> Path:
    """The backup that is meant: the folder itself, or the newest of the generations in it."""
    if not (folder / manifest.SUMS).exists() and folder.is_dir():
        found = [path for path in folder.iterdir() if GENERATION.fullmatch(path.name) and path.is_dir()]
        if found:
            return max(found, key=lambda path: path.name)
    return folder


def check(folder: Path) -> About:
    """Read all of a backup and compare; nothing is written.

    Raises:
        RestoreError: it is no backup, was altered or cannot be restored by this version.
    """
    about, sums = _opened(folder)
    manifest.check_files(folder, sums)
    for place in filter(None, (about.store, about.index)):
        if damage := databases.damage(folder / place):
            raise RestoreError(f"{place} is damaged: {damage}")
    return about


def restore(folder: Path, target: Path) -> Restored:
    """Make a data folder of a backup.

    Args:
        folder: the backup.
        target: the data folder, which is not there yet or empty.

    Raises:
        RestoreError: nothing was restored.
    """
    folder, target = folder.resolve(), target.absolute()
    _check_target(target, folder)
    about, sums = _opened(folder)
    there = target.is_dir()
    try:
        settled = _filled(folder, target, about, sums)
    except BaseException as error:
        _empty(target, remove=not there)
        if isinstance(error, OSError):
            raise RestoreError(copying.failure(error)) from error
        if isinstance(error, BackupError):
            raise RestoreError(str(error)) from error
        if isinstance(error, sqlite3.Error | SQLAlchemyError | ValueError):
            # Without its statement, which may name a patient.
            said = getattr(error, "orig", None) or type(error).__name__
            raise RestoreError(f"a database of the backup cannot be used: {said}") from error
        raise
    return Restored(folder, about, settled)


def _filled(folder: Path, target: Path, about: About, sums: Mapping[str, str]) -> Settled | None:
    """Copy, compare, and make right for this machine; until the end a file says that it is not finished."""
    wanted = {place: digest for place, digest in sums.items() if place.startswith(f"{DATA}/")}
    copying.make_folders(target)
    copying.require_room(target, sum((folder / place).stat().st_size for place in wanted))
    marker = target / UNFINISHED_RESTORE
    copying.create(marker).close()
    for place, digest in wanted.items():
        found, _ = copying.copy(folder / place, target / _restored(place))
        if found != digest:
            raise manifest.altered(place)
    _point_to(target, about)
    keys = [target / _restored(place) for place in wanted if PurePosixPath(place).name == KEY_FILE]
    settled = _settled(target, about, keys)
    target.chmod(copying.PRIVATE_FOLDER)
    os.sync()
    marker.unlink()
    copying.flush(target)
    return settled


def _opened(folder: Path) -> tuple[About, dict[str, str]]:
    """What a backup is and consists of, as far as can be told without reading all of it."""
    about, sums = About.read(folder), manifest.read_sums(folder)
    manifest.check_list(folder, sums)
    expected = {manifest.ABOUT, *filter(None, (about.store, about.index))}
    if not expected <= set(sums):
        raise RestoreError(f"the backup was altered: {manifest.SUMS} does not name all of it")
    if copying.digest(folder / manifest.ABOUT) != sums[manifest.ABOUT]:
        raise manifest.altered(manifest.ABOUT)
    if about.store:
        schema = _schema(folder / about.store)
        if not knows_schema(schema):
            raise RestoreError(
                f"the store in {folder} is of a newer version ({about.program}): install that first"
            )
    return about, sums


def _schema(store: Path) -> str:
    try:
        with closing(databases.read_only(store)) as connection:
            return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])
    except (sqlite3.Error, TypeError) as error:
        raise RestoreError(f"the backup was altered: {store} is no store of triage") from error


def _check_target(target: Path, folder: Path) -> None:
    real = target.resolve()
    if real.is_relative_to(folder) or folder.is_relative_to(real):
        raise RestoreError(f"{target} and the backup lie in each other")
    if (target / "lock").exists():
        with (target / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RestoreError(f"a stack runs on {target}: restore into another folder") from error
    if (target / UNFINISHED_RESTORE).exists():
        raise RestoreError(f"a restore into {target} was broken off: remove what lies in it, then try again")
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise RestoreError(f"{target} is not empty: restore into a new folder, nothing is overwritten")


def _point_to(target: Path, about: About) -> None:
    """Have the hospital's own options name files and folders where they lie now."""
    path = target / orthanc.LOCAL_OPTIONS
    if not path.exists():
        return
    options = json.loads(path.read_text())
    pointed = _pointed(options, {old: str(target / place) for old, place in about.places.items()})
    if pointed != options:
        path.write_text(json.dumps(pointed, indent=2, ensure_ascii=False) + "\n")


def _pointed(option: Any, places: Mapping[str, str]) -> Any:
    if isinstance(option, list):
        return [_pointed(one, places) for one in option]
    if isinstance(option, dict):
        return {k: v if k in PROGRAMS else _pointed(v, places) for k, v in option.items()}
    if not isinstance(option, str):
        return option
    before, mark, path = option.rpartition("sqlite:///") if option.startswith("sqlite:") else ("", "", option)
    for old in sorted(places, key=len, reverse=True):
        if path == old or path.startswith(f"{old}/"):
            return f"{before}{mark}{places[old]}{path.removeprefix(old)}"
    return option


def _settled(target: Path, about: About, keys: Iterable[Path]) -> Settled | None:
    """The store brought to this version of the program, and to this machine."""
    if not about.store:
        return None
    index = target / _restored(about.index) if about.index else None
    last_change, without = None, set[str]()
    if index is not None:
        last_change = attachments.last_change(index)
        without = attachments.series_without_files(index, target / _restored(about.images_folder))
    database = Database(f"sqlite:///{target / _restored(about.store)}")
    try:
        database.migrate()
        with database.writing() as session:
            settled = settle(session, about, last_change, without)
        for key in keys:
            with suppress(SealError):  # told at the start: as it was when it was backed up
                settle_restored(database, key)
        return settled
    finally:
        database.close()


def _restored(place: str) -> str:
    """Where a file or folder of a backup lies in the restored data folder."""
    return place.removeprefix(f"{DATA}/")


def _empty(target: Path, *, remove: bool) -> None:
    """What a failed restore wrote; the folder was empty before."""
    if remove:
        shutil.rmtree(target, ignore_errors=True)
        return
    for path in target.iterdir() if target.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
