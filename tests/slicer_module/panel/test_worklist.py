"""The worklist in a real Qt window: its order, what is looked for in it, and how it is renewed."""

import re
from collections.abc import Callable

import pytest

pytest.importorskip("slicer", reason="slicer-core is made for Python 3.11 alone")
pytest.importorskip("PySide6", reason="PySide6 cannot be imported")
from fake_cases import orthanc_id
from fake_triage import FakeTriage
from one_app import Served
from processor_time import noticed
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from qt_host import Host, longest_gap, run_until
from reader import Reader, say
from ward import STUDIES, Ward

from headct.terms.urgency import Urgency

RIGHT = "RED: urgent, specialist now"


def test_worklist_has_words_beside_colours_in_the_order_of_work(reader: Reader) -> None:
    reader.connected()
    assert reader.names() == ["red", "black", "yellow", "green"]
    signs = {key: reader.cell(key, 0) for key in STUDIES}
    assert signs["red"].data() == RIGHT
    assert signs["black"].data() == "Suspected extreme severity, specialist now"
    assert signs["green"].data() == "Nothing flagged"
    grounds = [sign.data(Qt.ItemDataRole.BackgroundRole).color().name() for sign in signs.values()]
    assert len(set(grounds)) == 4
    assert reader.cell("red", 4).data().startswith("deep bleed, about 41 ml")
    assert re.fullmatch(r"\d+ min", reader.cell("red", 2).data())


def test_sorting_by_another_column_and_back(reader: Reader) -> None:
    reader.connected()
    header = reader.ui.worklistTable.horizontalHeader()

    def click_heading(column: int) -> None:
        place = header.sectionViewportPosition(column) + 20
        QTest.mouseClick(
            header.viewport(),
            Qt.MouseButton.LeftButton,
            pos=header.viewport().rect().center().__class__(place, 5),
        )

    click_heading(1)
    assert reader.names() == sorted(STUDIES)
    click_heading(1)
    assert reader.names() == sorted(STUDIES, reverse=True)
    click_heading(0)
    assert reader.names() == ["red", "black", "yellow", "green"]


def test_filters_by_words_and_by_what_is_unread(reader: Reader) -> None:
    reader.connected()
    reader.type(reader.ui.filterLineEdit, "PATIENT yell")
    assert reader.names() == ["yellow"]
    reader.type(reader.ui.filterLineEdit, "p-r(ed")
    assert reader.names() == []
    reader.ui.filterLineEdit.clear()
    assert reader.rows() == 4
    say(reader.room, "ito", "yellow")
    reader.panel.worklist.refresh()
    run_until(lambda: "Ito" in reader.cell("yellow", 3).data())
    reader.click(reader.ui.unreviewedCheckBox)
    assert reader.names() == ["red", "black", "green"]


def test_selection_stays_where_it_is_when_the_list_changes(reader: Reader) -> None:
    reader.connected()
    reader.ui.worklistTable.selectRow(2)
    assert reader.panel.worklist.table.selected().patient_id == "P-yellow"
    reader.room.arrive("worse", Urgency.RED)
    reader.panel.worklist.refresh()
    run_until(lambda: reader.rows() == 5)
    assert reader.names().index("worse") < reader.names().index("yellow")
    assert reader.panel.worklist.table.selected().patient_id == "P-yellow"


def test_last_list_stays_with_its_time_when_the_server_is_away(reader: Reader) -> None:
    reader.connected()
    reader.ward.away()
    reader.panel.worklist.refresh()
    run_until(lambda: "The list is as of" in reader.ui.freshnessLabel.text())
    assert re.search(r"as of \d\d:\d\d:\d\d: .*localhost", reader.ui.freshnessLabel.text())
    assert reader.rows() == 4
    reader.ward.back()
    reader.panel.worklist.refresh()
    run_until(lambda: reader.ui.freshnessLabel.text().startswith("4 studies shown"))


def test_waiting_goes_on_between_two_answers(reader: Reader) -> None:
    reader.connected()
    before = reader.cell("red", 2).data()
    reader.panel.worklist.table._since -= 3600
    reader.panel.worklist.table.show_waiting()
    assert before.endswith(" min") and reader.cell("red", 2).data().startswith("1 h")


def test_two_thousand_studies_come_change_and_sort_without_a_stall(
    new_host: Callable[..., Host],
) -> None:
    fake = FakeTriage()
    kinds = fake.rows
    many = tuple(
        kinds[n % len(kinds)].model_copy(update={"id": orthanc_id(f"{n}"), "patient_id": f"{n:06d}"})
        for n in range(2000)
    )
    ward = Ward(Served(fake))
    reader = Reader(new_host(), None, ward)
    table = reader.panel.worklist.table
    # Qt loads its fonts with the first letters of a script; that is not the list's doing.
    reader.connect()
    run_until(lambda: reader.rows() == len(kinds) and not table.updating)
    fake.rows = many
    with longest_gap() as longest:
        reader.panel.worklist.refresh()
        run_until(lambda: reader.rows() == 2000 and not table.updating)
        came = longest()
        reader.ui.worklistTable.selectRow(1500)
        chosen = table.selected().patient_id
        fake.rows = (
            kinds[0].model_copy(update={"id": orthanc_id("new")}),
            *fake.rows[:1000],
            *fake.rows[1200:],
        )
        reader.panel.worklist.refresh()
        run_until(lambda: reader.rows() == 1801 and not table.updating)
        assert table.selected().patient_id == chosen
        assert reader.ui.worklistTable.model().index(0, 0).data(Qt.ItemDataRole.UserRole) == orthanc_id("new")
        changed = longest()
        reader.ui.worklistTable.sortByColumn(1, Qt.SortOrder.AscendingOrder)
        reader.type(reader.ui.filterLineEdit, "dent 00")
        run_until(lambda: reader.rows() < 200)
        filtered = longest()
    ward.away()
    said = f"longest gaps in seconds: {came:.3f} coming, {changed:.3f} changed, {filtered:.3f} filtered"
    assert max(came, changed, filtered) < noticed(), said
