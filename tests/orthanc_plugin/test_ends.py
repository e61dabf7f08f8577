"""That Orthanc ended unasked is known at the next start, and told for a day."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orthanc_plugin.health.ends import ENDS, RUNNING, Ends

NOW = datetime.now(UTC)


def ran(folder: Path, ending: str) -> Ends:
    """What a process knows that comes after one that ended so."""
    code = "import os; from pathlib import Path; from orthanc_plugin.health.ends import Ends\n"
    code += f"ends = Ends(Path({str(folder)!r})); ends.start(); {ending}"
    subprocess.run([sys.executable, "-c", code], check=False)
    known = Ends(folder)
    known.start()
    return known


def test_a_first_start_and_a_good_end_say_nothing(tmp_path: Path) -> None:
    known = ran(tmp_path, "ends.stop()")
    assert (known.count, known.told(NOW)) == (0, None)
    known.stop()
    assert list(tmp_path.iterdir()) == []


def test_a_bad_end_is_told_for_a_day_and_counted_for_good(tmp_path: Path) -> None:
    for count in (1, 2):
        known = ran(tmp_path, "os.kill(os.getpid(), 9)")
        assert known.count == count
        end = known.told(datetime.now(UTC))
        assert end is not None
        assert NOW - timedelta(minutes=1) < end.at <= end.again <= datetime.now(UTC)
        assert known.told(end.again + timedelta(days=1, seconds=1)) is None
        # A server that ended well since has not forgotten.
        known.stop()
        later = ran(tmp_path, "ends.stop()")
        assert later.told(datetime.now(UTC)) == end
        later.stop()


def test_a_second_start_in_one_process_is_no_end(tmp_path: Path) -> None:
    for _ in range(2):
        known = Ends(tmp_path)
        known.start()
        assert known.count == 0


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"count": "x"}', '{"count": 1, "at": 3, "again": ""}']
)
def test_a_file_that_cannot_be_read_keeps_nothing_from_running(tmp_path: Path, text: str) -> None:
    (tmp_path / ENDS).write_text(text)
    known = Ends(tmp_path)
    known.start()
    assert known.told(NOW) is None
    known.stop()


def test_nor_does_a_folder_that_is_not_there(tmp_path: Path) -> None:
    known = Ends(tmp_path / "none")
    known.start()
    assert known.told(NOW) is None
    known.stop()


def test_the_last_sign_of_life_is_the_time_of_the_end(tmp_path: Path) -> None:
    (tmp_path / RUNNING).write_text("another process")
    before = datetime(2026, 3, 1, 2, 30, tzinfo=UTC)
    os.utime(tmp_path / RUNNING, (before.timestamp(), before.timestamp()))
    known = Ends(tmp_path)
    known.start()
    assert known.told(datetime.now(UTC)).at == before  # type: ignore[union-attr]
    assert json.loads((tmp_path / ENDS).read_text())["count"] == 1


def test_who_was_refused_the_store_leaves_the_sign_of_who_has_it(tmp_path: Path) -> None:
    (tmp_path / RUNNING).write_text("another process")
    Ends(tmp_path).stop()
    assert (tmp_path / RUNNING).exists()
