"""A disk that is full, has room for no file more, or can only be read: what is said, and room for a start."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from small_disk import fill, small_disk
from store_samples import settings

from orthanc_plugin.housekeeping import disk
from orthanc_plugin.housekeeping.reserve import BYTES, FILES, Reserve
from orthanc_plugin.settings import Settings
from orthanc_plugin.stack.stand_in import why_not
from orthanc_plugin.store.database import Database


@pytest.fixture(name="small_disk")
def disk_of_few_files(tmp_path: Path) -> Iterator[Path]:
    """Of 48 MB and 60 files, where tests may mount one."""
    with small_disk(tmp_path / "disk", 48, "nr_inodes=60") as mounted:
        if not mounted:
            pytest.skip("no disk can be mounted here")
        yield tmp_path / "disk"


def open_and_close(storage: Path) -> None:
    database = Database(settings(storage).database_url)
    database.migrate()
    database.close()


def test_a_store_opens_on_a_full_disk(small_disk: Path) -> None:
    open_and_close(small_disk)
    reserve = Reserve(small_disk)
    reserve.take()
    assert reserve.held == FILES * BYTES
    others = fill(small_disk)
    assert disk.Disk.of(settings(small_disk)).is_full
    assert why_not(small_disk) is not None
    with pytest.raises(Exception, match=r"full|I/O|open"):
        open_and_close(small_disk)
    assert reserve.give()
    assert reserve.held == 0
    open_and_close(small_disk)
    reserve.take()
    assert disk.Disk.of(settings(small_disk)).free < 128 * 2**10, "no image finds room"
    others.unlink()
    reserve.take()
    assert reserve.held == FILES * BYTES


def test_where_there_is_enough_it_stays(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path)
    reserve.take()
    if shutil.disk_usage(tmp_path).free < 2 * FILES * BYTES:
        pytest.skip("this disk is nearly full itself")
    assert not reserve.give()
    assert reserve.held == FILES * BYTES


def test_a_disk_without_room_for_another_file(small_disk: Path) -> None:
    open_and_close(small_disk)
    Reserve(small_disk).take()
    for number in range(100):
        try:
            (small_disk / f"file{number}").touch()
        except OSError:
            break
    found = disk.Disk.of(settings(small_disk))
    assert found.files == 0
    assert found.is_full
    assert why_not(small_disk) is not None
    Reserve(small_disk).give()
    open_and_close(small_disk)
    assert why_not(small_disk) is None


def test_there_never_was_one(tmp_path: Path) -> None:
    assert not Reserve(tmp_path / "nowhere").give()
    (tmp_path / "file").write_text("in the way")
    Reserve(tmp_path / "file").take()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        ({"f_bavail": 0}, "The disk is full"),
        ({"f_favail": 0}, "The disk is full"),
        ({"f_files": 0, "f_favail": 0}, None),
        ({"f_flag": os.ST_RDONLY}, "The disk can only be read"),
        ({"f_bavail": 2**18}, "The disk is nearly full (1.0 GB free)."),
    ],
    ids=["well", "no room", "no files", "no such limit", "read only", "nearly full"],
)
def test_what_is_said(
    options: Settings, monkeypatch: pytest.MonkeyPatch, changes: dict[str, int], said: str | None
) -> None:
    well = {"f_bavail": 2**30, "f_frsize": 2**12, "f_files": 100_000, "f_favail": 90_000, "f_flag": 0}
    monkeypatch.setattr(disk.os, "statvfs", lambda _: SimpleNamespace(**{**well, **changes}))
    found = disk.Disk.of(options).trouble(options)
    assert (found is None) if said is None else str(found).startswith(said)
    assert disk.is_low(options) == (said is not None)
