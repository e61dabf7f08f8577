"""On a full disk a stack comes up, says so, takes no image, lets readers read, and goes on by itself."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import drawn_heads
import httpx
import pytest
from small_disk import fill, small_disk
from stack_process import PATIENCE, StackProcess, wait_until

from orthanc_plugin.housekeeping.reserve import BYTES, FILES

OPTIONS = {"HeadCTTriage": {"MinimumFreeGigabytes": 0.1, "Previews": False, "WorkerNiceness": 0}}
MEGABYTES = 220


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """One that tests may fill."""
    with small_disk(tmp_path / "disk", MEGABYTES) as mounted:
        if not mounted:
            pytest.skip("no disk can be mounted here")
        yield tmp_path / "disk"


def head(folder: Path, patient: str) -> tuple[Path, str]:
    return folder, drawn_heads.write_series(
        folder, drawn_heads.whole_head(28), PatientID=patient, PatientAge="050Y"
    )


def page(stack: StackProcess) -> str:
    try:
        return stack.http.get("/triage/").text
    except httpx.TransportError:
        return ""


def test_a_restart_on_a_full_disk(disk: Path, tmp_path: Path) -> None:
    first, second = head(tmp_path / "a", "P1"), head(tmp_path / "b", "P2")
    with StackProcess(disk / "data", OPTIONS) as stack:
        stack.send(first[0])
        stack.wait_final([first[1]])
        reserve = disk / "data" / "orthanc" / "headct-triage" / "reserve"
        wait_until(
            lambda: sum(f.stat().st_size for f in reserve.glob("*")) == FILES * BYTES,
            PATIENCE,
            lambda: "no room is held back",
        )
        stack.stop()

        others = fill(disk)
        stack.start(wait_for_triage=False)
        wait_until(lambda: "The disk is full" in page(stack), PATIENCE, lambda: page(stack) + stack.log())
        status = stack.api("status")
        assert (status["running"], status["takes_images"]) == (False, False)
        assert "The disk is full" in status["reason"]["en"]
        assert [row["patient_id"] for row in stack.rows()] == ["P1"], "readers read"
        wait_until(
            lambda: stack.api("status")["free_disk_bytes"] < 128 * 2**10,
            PATIENCE,
            lambda: "room is left for an image",
        )
        image = next(second[0].iterdir())
        assert stack.http.post("/instances", content=image.read_bytes()).status_code >= 500
        with pytest.raises(subprocess.CalledProcessError):
            stack.send(second[0])
        assert stack.get("/statistics")["CountStudies"] == 1

        others.unlink()
        wait_until(lambda: stack.api("status")["running"], PATIENCE, stack.log)
        stack.send(second[0])
        stack.wait_final([second[1]])
        stack.stop()

        # What was held back is gone too.
        for file in reserve.iterdir():
            file.unlink()
        others = fill(disk)
        assert stack.process is None
        begin(stack)
        wait_until(lambda: "Orthanc cannot run" in page(stack), PATIENCE, stack.log)
        assert "No space left on device" in page(stack)
        answer = stack.http.get("/triage/api/v1/status")
        assert answer.status_code == 503
        assert "No space left on device" in answer.json()["message"]
        assert stack.http.post("/instances", content=image.read_bytes()).status_code == 503
        others.unlink()
        wait_until(lambda: running(stack), PATIENCE, stack.log)
        assert {row["patient_id"] for row in stack.rows()} == {"P1", "P2"}


def begin(stack: StackProcess) -> None:
    """Start, and wait for nothing."""
    waits, stack._answers = stack._answers, lambda: True  # type: ignore[method-assign]
    stack.start(wait_for_triage=False)
    stack._answers = waits  # type: ignore[method-assign]


def running(stack: StackProcess) -> bool:
    try:
        answer = stack.http.get("/triage/api/v1/status")
    except httpx.TransportError:
        return False
    return answer.status_code == 200 and bool(answer.json()["running"])
