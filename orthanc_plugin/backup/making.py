"""A backup is made under another name, read again, and only then called what it is."""

import fcntl
import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from orthanc_plugin.backup import copying
from orthanc_plugin.backup.coverage import Coverage
from orthanc_plugin.backup.errors import BackupError, RestoreError
from orthanc_plugin.backup.writing import Made, Writer

UNFINISHED = ".headct-unfinished-"
"""How a backup is called until it is one; short, for the file system may allow no long names."""
GENERATION = re.compile(r"headct-\d{8}T\d{6}Z")


def backup(
    data: Path, folder: Path, *, images: bool = False, keep: int | None = None, servers: bool = False
) -> Made:
    """Back up the stack on a data folder, whether it runs or not.

    Args:
        data: the data folder.
        folder: the backup, which is not there yet; with ``keep`` the folder of all generations.
        images: whether images are part of it.
        keep: how many generations stay, this one included.
        servers: whether databases that a server keeps are backed up by its own means.

    Raises:
        BackupError: there is no backup; nothing of it is left.
        SettingsError: the configuration of the stack cannot be read.
    """
    coverage = Coverage.of(data)
    _check_databases(coverage, images=images, servers=servers)
    now = datetime.now(UTC).replace(microsecond=0)
    target = folder.absolute() if keep is None else folder.absolute() / f"headct-{now:%Y%m%dT%H%M%SZ}"
    try:
        _check_target(target, coverage)
        copying.make_folders(target.parent)
        _remove_unfinished(target.parent)
        with _unfinished(target.parent) as place:
            made = Writer(coverage, place, now, images=images).write(target)
            place.rename(target)
        copying.flush(target.parent)
        if keep is not None:
            _remove_old(target, keep)
    except OSError as error:
        raise BackupError(copying.failure(error)) from error
    except sqlite3.Error as error:
        raise BackupError(f"a database cannot be copied: {error}") from error
    except RestoreError as error:
        raise BackupError(f"read again, the backup is not what was written: {error}") from error
    return made


def _check_databases(coverage: Coverage, *, images: bool, servers: bool) -> None:
    kept = [
        *(["the store of triage"] if coverage.store_elsewhere else []),
        *(["Orthanc's index"] if coverage.index_elsewhere else []),
    ]
    if kept and not servers:
        raise BackupError(
            f"a database server keeps {' and '.join(kept)}: back that up by its own means, such as pg_dump, "
            "and say --databases-elsewhere here for the rest"
        )
    if images and coverage.index_elsewhere:
        raise BackupError(
            "a database server keeps Orthanc's index, so which files are images is not known here: "
            f"back up {coverage.images} with it by other means"
        )
    store = coverage.settings.database_path
    for path in (store, None if coverage.index_elsewhere else coverage.index):
        if path is not None and not path.is_file():
            raise BackupError(f"{path} is not there: start the stack, and see what its page says")


def _check_target(target: Path, coverage: Coverage) -> None:
    real = target.parent.resolve() / target.name
    for folder in (*coverage.places, coverage.images, coverage.index.parent):
        if folder.is_dir() and real.is_relative_to(folder.resolve()):
            raise BackupError(f"{target} lies in {folder}, which is backed up: name a place outside of it")
    if os.path.ismount(target):
        raise BackupError(f"{target} is a whole file system: name a folder in it")
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise BackupError(f"{target} is there already, and is not overwritten")


@contextmanager
def _unfinished(parent: Path) -> Iterator[Path]:
    """A folder that is removed when the block raises; while it lasts, others see that it is in use."""
    place = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=parent))
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # some network file systems have no such locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield place
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    finally:
        os.close(descriptor)


def _remove_unfinished(parent: Path) -> None:
    """What backups left behind that were killed."""
    for place in parent.glob(f"{UNFINISHED}*"):
        try:
            descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue  # it was just finished
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(place, ignore_errors=True)
        except OSError:
            continue  # in use, or nobody can tell
        finally:
            os.close(descriptor)


def _remove_old(newest: Path, keep: int) -> None:
    """Generations beyond those that are kept; the one just made stays, whatever the clock says."""
    others = [
        path
        for path in newest.parent.iterdir()
        if path != newest and GENERATION.fullmatch(path.name) and path.is_dir() and not path.is_symlink()
    ]
    for old in sorted(others, key=lambda path: path.name, reverse=True)[keep - 1 :]:
        going = old.with_name(f"{UNFINISHED}{old.name}")
        old.rename(going)  # half of a backup is none
        shutil.rmtree(going)
