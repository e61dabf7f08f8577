"""Orthanc gets the room that is held back; while there is none at all, whoever asks is told so."""

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from small_disk import small_disk
from stack_process import PATIENCE, free_ports, wait_until

from headct.errors import SettingsError
from orthanc_plugin.housekeeping.reserve import Reserve
from orthanc_plugin.stack import room
from orthanc_plugin.stack.options import Options
from orthanc_plugin.stack.room import Room


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Options:
    monkeypatch.setattr(room, "LOOK_SECONDS", 0.05)
    (tmp_path / "data" / "orthanc").mkdir(parents=True)
    return Options(tmp_path / "data", *free_ports(3))


@pytest.fixture
def disk(options: Options) -> Iterator[Path]:
    with small_disk(options.data, 40) as mounted:
        if not mounted:
            pytest.skip("no disk can be mounted here")
        (options.data / "orthanc").mkdir()
        yield options.data


def test_what_is_held_back_is_given_before_a_start(options: Options, disk: Path) -> None:
    held = Reserve(disk / "orthanc" / "headct-triage")
    held.take()
    made = Room(options)
    (disk / "others").write_bytes(bytes(7 * 2**20))
    made.make()
    assert held.held == 0
    assert not made.was_short()
    made.close()


def test_it_waits_for_a_disk_that_can_be_written_and_says_so(options: Options, disk: Path) -> None:
    written: list[str] = []
    held = Reserve(disk / "orthanc" / "headct-triage")
    held.take()
    (disk / "others").write_bytes(bytes(7 * 2**20))

    def prepare() -> str:
        (disk / "orthanc.json").write_text("{}")
        return "ready"

    def wait() -> None:
        with_room = Room(options)
        written.append(with_room.wait_for(prepare))
        with_room.close()

    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()

    def page() -> str:
        try:
            return httpx.get(f"{options.orthanc_url}/triage/", trust_env=False).text
        except httpx.TransportError:
            return ""

    wait_until(lambda: "Read-only file system" in page(), PATIENCE, page)
    assert written == []
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    waiting.join(PATIENCE)
    assert written == ["ready"]
    assert page() == "", "the port is Orthanc's"
    assert held.held == 0


def test_what_cannot_be_written_for_another_reason_is_an_error(options: Options) -> None:
    def prepare() -> None:
        (options.data / "orthanc").write_text("a folder is in the way")

    with pytest.raises(SettingsError, match="orthanc cannot be written"):
        Room(options).wait_for(prepare)


def test_an_orthanc_that_is_dead_for_another_reason_has_no_stand_in(options: Options) -> None:
    made = Room(options)
    made.look(dead=True)
    assert not made.was_short()
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{options.orthanc_url}/triage/", trust_env=False)
