"""A file that Orthanc cannot read any more is one series' trouble, not the queue's."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from orthanc_process import ORTHANC, PLUGIN, OrthancProcess

from headct.generator.generation import generate, write

pytestmark = pytest.mark.skipif(not (ORTHANC.exists() and PLUGIN.exists()), reason="Orthanc is not installed")


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[OrthancProcess]:
    options = {"QuietSeconds": 2, "MaxAttempts": 1, "WorkerNiceness": 0, "Previews": False}
    one = OrthancProcess(tmp_path / "orthanc", options)
    one.configuration["MaximumStorageCacheSize"] = 0  # else it would give the file from memory
    yield one
    one.stop()
    one.http.close()


def send(orthanc: OrthancProcess, kind: str, folder: Path) -> str:
    files = write(generate(kind, 7, salt="damaged", matrix=256, thickness_mm=7.0), folder)
    (series,) = orthanc.send(file.read_bytes() for file in files)
    return series


def test_the_queue_goes_on_behind_a_series_that_orthanc_cannot_give(
    orthanc: OrthancProcess, tmp_path: Path
) -> None:
    orthanc.start_triage()
    damaged = send(orthanc, "normal", tmp_path / "damaged")
    stored = sorted((tmp_path / "orthanc" / "orthanc").glob("??/??/*"), key=lambda file: file.stat().st_size)
    stored[-1].unlink()
    whole = send(orthanc, "epidural", tmp_path / "whole")
    orthanc.wait(orthanc.settled)
    assert orthanc.get(f"series/{whole}")["state"] == "assessed"
    found = orthanc.get(f"series/{damaged}")
    assert found["state"] == "failed"
    assert found["reason"]["code"] == "unreadable"
