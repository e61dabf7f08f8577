"""Logins refused at the door: summed, handed over once, and without end neither in memory nor on disk."""

import json
from pathlib import Path

import pytest

from orthanc_plugin.audit import refused_logins
from orthanc_plugin.audit.refused_logins import MOST_KEPT, Refusals, Refused, hand_over, take

HERE, THERE = "192.0.2.7", "192.0.2.8"


def test_summed_taken_and_taken_once(tmp_path: Path) -> None:
    made = Refusals(tmp_path / "file")
    for _ in range(3):
        made.add("sato", HERE)
    made.add("", THERE)
    assert take(tmp_path / "file") == ()
    made.write()
    assert take(tmp_path / "file") == (), "whoever has it open may still write"
    made.add("sato", HERE)
    made.write()
    assert take(tmp_path / "file") == (Refused("sato", HERE, 3), Refused("", THERE, 1))
    assert take(tmp_path / "file") == (Refused("sato", HERE, 1),)
    assert list(tmp_path.iterdir()) == []


def test_the_audit_is_told_of_each(tmp_path: Path) -> None:
    made, told = Refusals(tmp_path / "file"), []
    for login in ("sato", "", "sato"):
        made.add(login, HERE)
    made.write()
    for _ in range(3):
        hand_over(tmp_path / "file", lambda *event, **who: told.append((*event, who)))
    sato, nobody = (
        {"actor": login, "address": HERE, "times": times} for login, times in (("sato", 2), ("", 1))
    )
    assert told == [("login_refused", sato), ("login_refused", nobody)]


def test_what_cannot_be_written_is_written_later(tmp_path: Path) -> None:
    made = Refusals(tmp_path / "folder" / "file")
    made.add("sato", HERE)
    made.write()
    (tmp_path / "folder").mkdir()
    made.write()
    take(tmp_path / "folder" / "file")
    assert take(tmp_path / "folder" / "file") == (Refused("sato", HERE, 1),)


def test_neither_memory_nor_disk_fills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refused_logins, "MOST_BYTES", 100)
    made = Refusals(tmp_path / "file")
    for number in range(2 * MOST_KEPT):
        made.add("", str(number))
    made.write()
    size = (tmp_path / "file").stat().st_size
    made.add("", HERE)
    made.write()
    assert (tmp_path / "file").stat().st_size == size
    take(tmp_path / "file")
    found = take(tmp_path / "file")
    assert sum(one.count for one in found) == 2 * MOST_KEPT
    assert len(found) == MOST_KEPT + 1


def test_a_line_cut_off_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(json.dumps(["sato", HERE, 2]) + '\n["sa')
    take(tmp_path / "file")
    assert take(tmp_path / "file") == (Refused("sato", HERE, 2),)
