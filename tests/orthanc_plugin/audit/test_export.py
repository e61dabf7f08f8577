"""The audit as CSV: whole, in parts, and nothing that a spreadsheet would run."""

import csv
import io
import json
import os
import pwd
from datetime import UTC, datetime
from pathlib import Path

import pytest
from audit_house import House, review
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from orthanc_plugin.audit import chain, export
from orthanc_plugin.audit.export import COLUMNS, harmless
from orthanc_plugin.stack.audit_command import command
from orthanc_plugin.store.database import Database

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@given(st.text())
def test_no_cell_is_a_formula_and_no_table_falls_apart(text: str) -> None:
    (row,) = csv.reader(io.StringIO(export.lines([[text, "next"]]), newline=""))
    cell, following = row
    assert following == "next"
    assert cell.lstrip(" ")[:1] not in set("=+-@\t\r＝＋－＠")
    assert cell.removeprefix("'") == text.replace("\0", "").removeprefix("'")


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "＋1", "－1", "＠1"]
)
def test_what_begins_like_one_begins_with_an_apostrophe(text: str) -> None:
    assert harmless(text) == f"'{text}"


def test_parts_are_the_whole(database: Database) -> None:
    with database.writing() as session:
        for number in range(25):
            chain.add(
                session, "reviewed", NOW, actor="=cmd|'/C calc'!A0", address="192.0.2.7", at_hand=number
            )
    with database.reading() as session:
        whole = "".join(export.parts(session, 4))
    rows = list(csv.DictReader(io.StringIO(whole, newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert [json.loads(row["detail"])["at_hand"] for row in rows] == list(range(25))
    assert {row["actor"] for row in rows} == {"'=cmd|'/C calc'!A0"}
    assert {(row["address"], row["times"]) for row in rows} == {("192.0.2.7", "1")}


def test_a_part_goes_on_after_the_last_number_of_the_one_before(house: House) -> None:
    auditor = house.start()
    review(house, *(f"event{n}" for n in range(20)))
    house.run(auditor)
    found, after = [], 0
    with house.database.reading() as session:
        while rows := list(csv.DictReader(io.StringIO(export.table(session, after, 6), newline=""))):
            found += [row["event"] for row in rows]
            after = int(rows[-1]["number"])
    assert found == [chain.BEGAN, chain.STARTED, *(f"event{n}" for n in range(20))]


class TestCommand:
    def data(self, house: House) -> str:
        options = {"StorageDirectory": str(house.folder), "HeadCTTriage": {"Storage": str(house.folder)}}
        (house.folder / "orthanc.json").write_text(json.dumps(options))
        return str(house.folder)

    def test_a_whole_one_is_said_to_be_whole_and_an_altered_one_is_not(self, house: House) -> None:
        auditor = house.start()
        review(house)
        house.run(auditor)
        said = CliRunner().invoke(command, ["verify", "--data", self.data(house)])
        assert (said.exit_code, said.output) == (
            0,
            "3 entries, the last one number 3.\nNothing is missing, altered or moved.\n",
        )
        review(house, "rerun")
        house.run(auditor)
        house.write("DELETE FROM audit WHERE event = 'reviewed'")
        said = CliRunner().invoke(command, ["verify", "--data", self.data(house)])
        assert said.exit_code == 1
        assert "Entries 3 to 3 are missing." in said.output

    def test_what_the_start_found_is_told_for_as_long_as_it_is_kept(self, house: House) -> None:
        auditor = house.start()
        review(house, "reviewed", "rerun")
        house.run(auditor)
        auditor.stop()
        house.write("DELETE FROM audit WHERE number > 3")
        data = self.data(house)
        assert "went up to entry 5" in CliRunner().invoke(command, ["verify", "--data", data]).output
        house.run(house.start())
        said = CliRunner().invoke(command, ["verify", "--data", data])
        assert said.exit_code == 1
        assert "Found before: The audit once went up to entry 5." in said.output

    def test_it_is_written_as_a_table(self, house: House, tmp_path: Path) -> None:
        auditor = house.start()
        review(house)
        house.run(auditor)
        file = tmp_path / "audit.csv"
        said = CliRunner().invoke(command, ["export", "--data", self.data(house), str(file)])
        assert said.exit_code == 0, said.output
        rows = list(csv.DictReader(file.open(encoding="utf-8", newline="")))
        assert [row["event"] for row in rows] == [chain.BEGAN, chain.STARTED, "reviewed"]
        house.run(auditor)
        CliRunner().invoke(command, ["export", "--data", self.data(house), str(file)])
        last = list(csv.DictReader(file.open(encoding="utf-8", newline="")))[-1]
        assert (last["number"], last["event"]) == ("4", "exported"), (
            "who took the table away is in the next one"
        )
        assert json.loads(last["detail"]) == {"user": pwd.getpwuid(os.getuid()).pw_name, "what": "audit"}

    @pytest.mark.parametrize("lost", ["triage.sqlite", "secrets/reports.key", "orthanc.json"])
    def test_what_keeps_it_from_telling_is_one_line(self, house: House, lost: str) -> None:
        house.run(house.start())
        data = self.data(house)
        (house.folder / lost).unlink()
        said = CliRunner().invoke(command, ["verify", "--data", data])
        assert said.exit_code == 2
        assert said.output.startswith("headct audit: ")
        assert said.output.count("\n") == 1
