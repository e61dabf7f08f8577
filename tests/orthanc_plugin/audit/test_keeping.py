"""The audit in Orthanc's process: written, linked, noted beside the key, looked at, let go."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest
from audit_house import PEOPLE, USERS, House, review
from store_samples import open_store

from orthanc_plugin.audit import chain, starts, upkeep
from orthanc_plugin.audit.beside import END_FILE
from orthanc_plugin.audit.checking import Fault, FaultKind
from orthanc_plugin.audit.keeping import UNKNOWN, Auditor
from orthanc_plugin.audit.refused_logins import FILE, Refusals
from orthanc_plugin.audit.starts import Start


def test_all_is_linked_and_its_end_noted_beside_the_key(house: House) -> None:
    auditor = house.start()
    review(house)
    house.notes.note("login_refused", actor="sato", address="192.0.2.7")
    house.run(auditor)
    assert [entry.event for entry in house.entries()] == [
        chain.BEGAN,
        chain.STARTED,
        "reviewed",
        "login_refused",
    ]
    assert house.end is not None
    assert house.end.number == 4
    assert (auditor.faults, auditor.trouble) == ((), None)
    auditor.stop()
    assert house.entries()[-1].event == "stopped"
    assert house.end.number == 5


def test_of_logins_only_those_are_written_that_orthanc_knows(house: House) -> None:
    auditor = house.start()
    for login in ("sato", "correct horse", "Yamada^Tarou", ""):
        house.notes.note("login_refused", actor=login, address="192.0.2.7")
    house.run(auditor)
    refused = house.entries("login_refused")
    assert [entry.actor for entry in refused] == ["sato", UNKNOWN, UNKNOWN, UNKNOWN]
    assert refused[0].detail == {"address": "192.0.2.7"}


def test_what_the_doorkeeper_refused_is_told_with_how_often(house: House) -> None:
    auditor = house.start()
    door = Refusals(house.settings().storage / FILE)
    for _ in range(3):
        door.add("sato", "192.0.2.7")
    door.write()
    house.run(auditor)
    (refused,) = house.entries("login_refused")
    assert (refused.actor, refused.detail) == ("sato", {"address": "192.0.2.7", "times": 3})


def test_a_flood_is_a_few_entries_with_how_often(house: House) -> None:
    auditor = house.start()
    house.run(auditor, 1)
    for _ in range(2_100):
        house.notes.note("login_refused", actor="sato", address="192.0.2.7")
    house.run(auditor, 70)
    assert [entry.detail.get("times", 1) for entry in house.entries("login_refused")] == [1, 2099]


def test_a_start_says_how_things_stand_and_what_changed_and_no_secret(house: House) -> None:
    house.run(house.start(), 1)
    house.run(house.start(), 1)
    others = {"RegisteredUsers": {**USERS, "sato": "another"}, "DicomPort": 104, "LuaScripts": ["x.lua"]}
    people = {"sato": {**PEOPLE["sato"], "Role": "reader"}}
    house.run(house.start(others, people=people, workers=2, database="sqlite:////x/y.sqlite"), 1)
    first, second, third = (entry.detail for entry in house.entries(chain.STARTED))
    assert first["changed"] == []
    assert second == {"changed": [], "as_in": house.entries(chain.STARTED)[0].number}
    assert first["people"] == PEOPLE
    assert third["changed"] == [
        "options.DicomPort",
        "options.LuaScripts",
        "people.sato",
        "settings.Database",
        "settings.Workers",
        "users.sato",
    ]
    assert not any(word in json.dumps(third) for word in ("correct", "battery", "another", "x.lua"))


def test_how_things_stand_is_said_again_before_it_is_let_go(house: House) -> None:
    auditor = house.start()
    house.run(auditor)
    house.now += starts.REPEATED_SECONDS
    review(house)
    house.run(auditor)
    house.run(house.start(), 1)
    assert house.entries(chain.STARTED)[-1].detail["people"] == PEOPLE


def test_a_new_key_over_the_old_one_changes_nothing(house: House) -> None:
    house.run(house.start(), 2)
    file = house.settings().key_file
    file.write_text("f" * 64 + "\n" + file.read_text().splitlines()[-1] + "\n")
    auditor = house.start()
    house.run(auditor)
    assert house.entries(chain.STARTED)[-1].detail["changed"] == []
    assert auditor.faults == ()


def test_a_password_of_the_database_stands_nowhere(house: House) -> None:
    options = house.settings(database="postgresql://triage:secret@127.0.0.1/triage")
    assert "secret" not in json.dumps(Start.of(options, {}, "1.10.1").settings)


def put_back_an_old_copy(house: House) -> None:
    house.database.close()
    shutil.copy(house.folder / "old.sqlite", house.folder / "triage.sqlite")


def cut_off(house: House) -> None:
    house.write("DELETE FROM audit WHERE number > 4")


def delete_one(house: House) -> None:
    house.write("DELETE FROM audit WHERE number = 4")


def alter_one(house: House) -> None:
    house.write("UPDATE audit SET actor = 'tanaka' WHERE number = 4")


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        (put_back_an_old_copy, Fault(FaultKind.CUT_OFF, 4, 8)),
        (cut_off, Fault(FaultKind.CUT_OFF, 5, 8)),
        (delete_one, Fault(FaultKind.MISSING, 4, 4)),
        (alter_one, Fault(FaultKind.ALTERED, 4, 4)),
    ],
)
def test_what_was_done_to_the_store_is_told_at_the_start_and_stands_in_the_audit(
    house: House, harm: Callable[[House], None], found: Fault
) -> None:
    auditor = house.start()
    review(house)
    house.run(auditor)
    with closing(sqlite3.connect(house.folder / "triage.sqlite")) as store:
        store.execute("VACUUM INTO ?", (str(house.folder / "old.sqlite"),))
    review(house, *(f"later{n}" for n in range(4)))
    house.run(auditor)
    auditor.stop()
    harm(house)
    for _start in range(2):
        auditor = house.start()
        house.run(auditor)
        assert auditor.faults == (found,)
        auditor.stop()
    assert [Fault.of(entry) for entry in house.entries(chain.FAULT)] == [found], "told once"
    house.now += upkeep.TOLD_SECONDS
    assert auditor.faults == ()


def test_a_lost_store_is_told_and_a_lost_note_of_its_end(house: House) -> None:
    auditor = house.start()
    review(house)
    house.run(auditor)
    auditor.stop()
    house.database.close()
    for end in ("", "-wal", "-shm"):
        (house.folder / f"triage.sqlite{end}").unlink(missing_ok=True)
    house.database = open_store(house.folder)
    auditor = house.start()
    house.run(auditor)
    assert auditor.faults == (Fault(FaultKind.CUT_OFF, 1, 4),)
    auditor.stop()
    (house.folder / "secrets" / END_FILE).unlink()
    auditor = house.start()
    house.run(auditor)
    assert auditor.faults[-1].kind is FaultKind.NOT_NOTED


def test_what_is_done_while_it_runs_is_found_the_next_day(house: House) -> None:
    auditor = house.start()
    review(house, "reviewed", "rerun")
    house.run(auditor)
    house.write("DELETE FROM audit WHERE event = 'reviewed'")
    house.run(auditor)
    assert auditor.faults == ()
    house.now += upkeep.CHECK_SECONDS
    house.run(auditor)
    assert auditor.faults == (Fault(FaultKind.MISSING, 3, 3),)


def test_an_end_that_goes_while_it_runs_is_found_at_once(house: House) -> None:
    auditor = house.start()
    review(house, "reviewed", "rerun")
    house.run(auditor)
    house.write("DELETE FROM audit WHERE number > 2")
    review(house, "hurried", "behind", "it")
    house.run(auditor, 1)
    assert auditor.faults == (Fault(FaultKind.CUT_OFF, 3, 4),)


def test_years_are_counted_in_the_time_that_the_program_ran(house: House) -> None:
    auditor = house.start(audit_years=2)
    review(house)
    house.run(auditor)
    auditor.stop()
    house.now += 3 * upkeep.YEAR_SECONDS  # switched off
    auditor = house.start(audit_years=2)
    review(house, "of_now")
    house.run(auditor)
    assert len(house.entries("reviewed")) == 1
    house.now += 2 * upkeep.YEAR_SECONDS
    review(house, "much_later")
    house.run(auditor)
    kept = [entry.event for entry in house.entries()]
    assert "reviewed" not in kept
    assert "much_later" in kept
    auditor.stop()
    house.run(auditor := house.start(audit_years=2))
    assert auditor.faults == ()


def test_without_keys_all_is_written_and_waits(house: House) -> None:
    options = house.settings()
    auditor = Auditor(house.database, options, None, notes=house.notes, start=Start.of(options, {}, "1.10.1"))
    house.notes.note("login_refused")
    review(house)
    house.run(auditor)
    assert [entry.number for entry in house.entries()] == [None, None]
    assert auditor.faults == ()
    house.run(house.start())
    assert {entry.event for entry in house.entries()} >= {"login_refused", "reviewed"}
    assert all(entry.number for entry in house.entries())


def test_what_cannot_be_written_is_kept_and_written_later(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    auditor = house.start()
    house.run(auditor, 2)
    with monkeypatch.context() as broken:
        broken.setattr(house.database, "writing", lambda: 1 / 0)
        for number in range(5):
            house.notes.note("login_refused", address=f"192.0.2.{number}")
            with pytest.raises(ZeroDivisionError):
                auditor.keep()
    house.run(auditor, 2)
    assert [entry.detail["address"] for entry in house.entries("login_refused")] == [
        f"192.0.2.{number}" for number in range(5)
    ]
