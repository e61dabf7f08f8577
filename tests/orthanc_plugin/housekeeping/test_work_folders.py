"""What killed workers leave is deleted; what is anybody else's, or of a worker that lives, is not."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orthanc_plugin.housekeeping import work_folders
from orthanc_plugin.housekeeping.work_folders import OLD_SECONDS, WorkFolder, remove_dead, root
from orthanc_plugin.settings import ROOT, Settings

WORKER = """
import sys, time
from pathlib import Path
from orthanc_plugin.housekeeping.work_folders import WorkFolder
folder = WorkFolder(Path(sys.argv[1])).path()
(folder / "series-x").mkdir()
(folder / "series-x" / "00000.dcm").write_bytes(b"image")
print(folder, flush=True)
time.sleep(600)
"""


def test_a_killed_worker_leaves_nothing_and_a_living_one_keeps_its_own(options: Settings) -> None:
    living = WorkFolder(root(options))
    (living.path() / "series-y").mkdir()
    command = [sys.executable, "-c", WORKER, str(root(options))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as worker:
        assert worker.stdout is not None
        folder = Path(worker.stdout.readline().strip())
        assert (folder / "series-x" / "00000.dcm").exists()
        assert remove_dead(options) == 0, "both live"
        assert folder.is_dir()
        worker.kill()
    assert remove_dead(options) == 1
    assert list(root(options).iterdir()) == [living.path()]
    assert (living.path() / "series-y").is_dir()
    living.remove()
    assert list(root(options).iterdir()) == []


def test_only_ours_is_deleted(options: Settings, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("of the hospital")
    place = root(options)
    (place / "notes").mkdir(parents=True)
    (place / "worker-file").write_text("no folder")
    (place / "worker-link").symlink_to(elsewhere)
    assert remove_dead(options) == 0
    assert {p.name for p in place.iterdir()} == {"notes", "worker-file", "worker-link"}
    assert (elsewhere / "kept").exists()


def test_what_an_earlier_release_left_goes_once_nobody_touches_it(options: Settings) -> None:
    for name, age in (("series-old", 2 * OLD_SECONDS), ("series-new", 60.0)):
        folder = root(options) / name
        folder.mkdir(parents=True)
        (folder / "00000.dcm").write_bytes(b"image")
        for path in (folder / "00000.dcm", folder):
            os.utime(path, (time.time() - age,) * 2)
    assert remove_dead(options) == 1
    assert [p.name for p in root(options).iterdir()] == ["series-new"]


def test_a_folder_that_was_deleted_is_made_again(options: Settings) -> None:
    mine = WorkFolder(root(options))
    first = mine.path()
    first.rmdir()
    assert mine.path().is_dir()
    assert mine.path() == mine.path() != first
    assert remove_dead(options) == 0


def test_where_there_are_no_locks_nothing_is_taken_for_dead(
    options: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(work_folders.fcntl, "flock", without)
    mine = WorkFolder(root(options))
    assert mine.path().is_dir()
    assert remove_dead(options) == 0
    assert mine.path().is_dir()


def test_nothing_was_ever_kept(options: Settings) -> None:
    assert remove_dead(options) == 0
