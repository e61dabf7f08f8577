"""The panel in a real Qt window, driven by clicks and keys, before a real store behind a real port."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("slicer", reason="slicer-core is made for Python 3.11 alone")
pytest.importorskip("PySide6", reason="PySide6 cannot be imported")
import reading_room
from fake_triage import FakeTriage, orthanc_id
from flask import Flask
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QCheckBox
from qt_host import Host, hold_the_lock, longest_gap, run_until, turn
from reading_room import ReadingRoom
from slicer_servers import Authority, as_json, http_server
from sqlalchemy import select
from ward import PASSWORD, Ward, head

from headct.terms.urgency import Urgency
from orthanc_plugin.states import DocumentKind
from orthanc_plugin.store import outbox, queue
from orthanc_plugin.store.tables import Assessment, Document
from orthanc_plugin.web import create_app

STUDIES = {"red": Urgency.RED, "black": Urgency.BLACK, "yellow": Urgency.YELLOW, "green": Urgency.GREEN}
RIGHT = "RED: urgent, specialist now"


class Reader:
    """Somebody before the panel."""

    def __init__(self, host: Host, room: ReadingRoom, ward: Ward) -> None:
        self.host, self.room, self.ward, self.ui = host, room, ward, host.ui
        self.panel = host.widget._panel

    def connect(self, user: str = "sato", password: str = PASSWORD) -> None:
        """Types address, user and password and presses Return."""
        self.type(self.ui.addressLineEdit, self.ward.url)
        self.type(self.ui.userLineEdit, user)
        self.type(self.ui.passwordLineEdit, password)
        QTest.keyClick(self.ui.passwordLineEdit, Qt.Key.Key_Return)

    def connected(self) -> "Reader":
        """With the worklist in sight."""
        self.connect()
        run_until(lambda: self.rows() == len(STUDIES), what="the worklist")
        return self

    def open(self, key: str) -> "Reader":
        """Opens a case by a double click."""
        self.click_row(key)
        self.shown(key)
        return self

    def click_row(self, key: str) -> None:
        """Double click on a patient's name."""
        table = self.ui.worklistTable
        place = table.visualRect(self.cell(key, 1)).center()
        QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
        QTest.mouseDClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)

    def shown(self, key: str) -> None:
        """Waits until a case can be spoken of, and looks at it for as long as that takes."""
        name = f"{key.title()} Patient"
        run_until(lambda: name in self.ui.caseLabel.text() and self.ui.reviewWidget.isEnabled(), what=key)
        self.panel.review._settled_at = 0.0

    def cell(self, key: str, column: int) -> Any:
        """A cell of the table, by the patient's name."""
        model = self.ui.worklistTable.model()
        for row in range(model.rowCount()):
            if model.index(row, 1).data() == f"{key.title()} Patient":
                return model.index(row, column)
        raise AssertionError(f"{key} is not in the table")

    def rows(self) -> int:
        """How many are shown."""
        return int(self.ui.worklistTable.model().rowCount())

    def names(self) -> list[str]:
        """First names in the order shown."""
        model = self.ui.worklistTable.model()
        return [model.index(row, 1).data().split()[0].lower() for row in range(model.rowCount())]

    def click(self, button: Any) -> None:
        """With the mouse."""
        run_until(button.isVisible, what=button.objectName())
        turn(10)  # what has just come into sight is laid out
        assert button.isEnabled(), button.objectName()
        # A check box is wider than what takes a click.
        place = QPoint(8, button.height() // 2) if isinstance(button, QCheckBox) else QPoint()
        QTest.mouseClick(button, Qt.MouseButton.LeftButton, pos=place)

    def press(self, key: Qt.Key) -> None:
        """A key together with Alt, wherever the focus is."""
        QTest.keyClick(self.host.window, key, Qt.KeyboardModifier.AltModifier)

    def type(self, field: Any, text: str) -> None:
        """In the place of what is there."""
        field.clear()
        QTest.keyClicks(field, text)

    def status(self) -> str:
        """What is said of the review."""
        return str(self.ui.reviewStatusLabel.text())

    def said(self, key: str) -> list[tuple[str, str | None, str]]:
        """What the server has of a study: action, urgency, comment."""
        return [
            (r.action.value, r.urgency.name if r.urgency is not None else None, r.comment)
            for r in self.room.reviews(key)
        ]


class Forwarded:
    """Whichever triage is there now: making the application takes longer than most tests."""

    now: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.now, name)


@pytest.fixture(scope="module")
def application() -> tuple[Forwarded, Flask]:
    triage = Forwarded()
    return triage, create_app(triage)


@pytest.fixture
def room(
    tmp_path: Path, application: tuple[Forwarded, Flask], monkeypatch: pytest.MonkeyPatch
) -> Iterator[ReadingRoom]:
    def make_app(triage: Any) -> Flask:
        application[0].now = triage
        return application[1]

    monkeypatch.setattr(reading_room, "create_app", make_app)
    folder = tmp_path / "room"
    folder.mkdir()
    made = ReadingRoom(folder, STUDIES)
    yield made
    made.close()


@pytest.fixture
def ward(room: ReadingRoom) -> Iterator[Ward]:
    made = Ward(room.app)
    for key in STUDIES:
        made.images(room.series(key), head())
    yield made
    made.held.set()
    made.away()


@pytest.fixture
def new_host(tmp_path: Path) -> Iterator[Callable[..., Host]]:
    open_hosts: list[Host] = []

    def make(language: str = "en", folder: Path = tmp_path) -> Host:
        open_hosts.append(Host(folder, language))
        return open_hosts[-1]

    yield make
    for host in open_hosts:
        host.close()


@pytest.fixture
def reader(new_host: Callable[..., Host], room: ReadingRoom, ward: Ward) -> Reader:
    return Reader(new_host(), room, ward)


# --- connect -------------------------------------------------------------------------------------------


def test_the_test_button_says_in_words_what_is_wrong_and_connects_nothing(reader: Reader) -> None:
    reader.connect(password="wrong")
    run_until(lambda: "does not know this user or password" in reader.ui.connectionLabel.text())
    reader.type(reader.ui.passwordLineEdit, PASSWORD)
    reader.click(reader.ui.testButton)
    run_until(lambda: reader.ui.connectionLabel.text().startswith("The server answers: triage"))
    reader.ward.away()
    reader.click(reader.ui.testButton)
    run_until(
        lambda: reader.ui.connectionLabel.text().endswith("no server runs there, or the port is another.")
    )
    reader.ward.back()
    assert reader.panel.login.client is None and reader.rows() == 0
    assert reader.ui.connectButton.text() == "Connect"


def test_address_and_user_are_remembered_the_password_nowhere(
    reader: Reader, new_host: Callable[..., Host], tmp_path: Path
) -> None:
    reader.connected().open("red")
    scene = reader.host.scene
    scene.SetURL(str(tmp_path / "scene.mrml"))
    scene.Commit()
    reader.click(reader.ui.greenButton)
    reader.ward.away()
    reader.click(reader.ui.sendButton)
    run_until(lambda: reader.ui.unsentFrame.isVisible())
    reader.host.app.userSettings().sync()
    written = [file for file in tmp_path.rglob("*") if file.is_file() and "room" not in file.parts]
    assert {"Slicer.ini", "scene.mrml"} <= {file.name for file in written}
    assert any(file.suffix == ".json" for file in written), "a review is kept"
    for file in written:
        assert PASSWORD.encode() not in file.read_bytes(), file
    assert b"Patient" not in (tmp_path / "scene.mrml").read_bytes()
    reader.ward.back()
    again = new_host()
    assert again.ui.addressLineEdit.text() == reader.ward.url
    assert again.ui.userLineEdit.text() == "sato"
    assert again.ui.passwordLineEdit.text() == ""


def test_disconnecting_forgets_list_case_and_password(reader: Reader) -> None:
    reader.connected().open("red")
    assert reader.ui.serverCollapsibleButton.property("collapsed")
    reader.ui.serverCollapsibleButton.setProperty("collapsed", False)
    reader.click(reader.ui.connectButton)
    run_until(lambda: reader.rows() == 0)
    assert reader.ui.caseLabel.text() == "No case is open."
    assert reader.ui.passwordLineEdit.text() == ""
    assert not reader.ui.reviewWidget.isEnabled()
    assert reader.host.scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 0


def test_a_hospitals_own_certificate_wants_its_ca_file(reader: Reader, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    status = FakeTriage().status().model_dump(mode="json")
    with http_server(lambda asked: as_json(200, status), authority.certificate("localhost")) as (url, asked):
        reader.ward.url = url
        reader.connect()
        run_until(lambda: "is of an issuer that is not known here" in reader.ui.connectionLabel.text())
        assert asked == [], "neither name nor password was sent"
        reader.ui.caPathLineEdit.setProperty("currentPath", str(authority.file))
        reader.click(reader.ui.testButton)
        run_until(lambda: reader.ui.connectionLabel.text().startswith("The server answers: triage"))


# --- worklist ------------------------------------------------------------------------------------------


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
    new_host: Callable[..., Host], application: tuple[Forwarded, Flask]
) -> None:
    fake = FakeTriage()
    kinds = fake.rows
    many = tuple(
        kinds[n % len(kinds)].model_copy(update={"id": orthanc_id(f"{n}"), "patient_id": f"{n:06d}"})
        for n in range(2000)
    )
    application[0].now = fake
    ward = Ward(application[1])
    reader = Reader(new_host(), None, ward)
    table = reader.panel.worklist.table
    # Qt loads its fonts with the first letters of a script; that is not the list's doing.
    reader.connect()
    run_until(lambda: reader.rows() == len(kinds) and not table.updating)
    fake.rows = many
    with longest_gap(time.thread_time) as longest:
        reader.panel.worklist.refresh()
        run_until(lambda: reader.rows() == 2000 and not table.updating, 60)
        came = longest()
        reader.ui.worklistTable.selectRow(1500)
        chosen = table.selected().patient_id
        fake.rows = (
            kinds[0].model_copy(update={"id": orthanc_id("new")}),
            *fake.rows[:1000],
            *fake.rows[1200:],
        )
        reader.panel.worklist.refresh()
        run_until(lambda: reader.rows() == 1801 and not table.updating, 60)
        assert table.selected().patient_id == chosen
        assert reader.ui.worklistTable.model().index(0, 0).data(Qt.ItemDataRole.UserRole) == orthanc_id("new")
        changed = longest()
        reader.ui.worklistTable.sortByColumn(1, Qt.SortOrder.AscendingOrder)
        reader.type(reader.ui.filterLineEdit, "dent 00")
        run_until(lambda: reader.rows() < 200)
        filtered = longest()
    ward.away()
    said = f"longest gaps in seconds: {came:.3f} coming, {changed:.3f} changed, {filtered:.3f} filtered"
    assert max(came, changed, filtered) < 0.1, said


# --- the case ------------------------------------------------------------------------------------------


def test_case_opens_with_images_words_windows_and_key_slices(reader: Reader) -> None:
    reader.connected().open("red")
    ui, logic = reader.ui, reader.host.widget.logic
    assert logic.currentSlice() == 15, "the first key slice"
    volume = reader.host.scene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
    assert volume.GetImageData().GetDimensions() == (64, 64, 33)
    assert (
        "about 41 ml" in ui.findingsLabel.text()
        and "Small bleeding can be missed." in ui.findingsLabel.text()
    )
    assert ui.figuresTable.item(0, 1).text() == "41.2"
    assert "physician makes the final judgement" in ui.noticeLabel.text() and ui.noticeLabel.isVisible()
    assert "probability" in ui.detailsLabel.text() and not ui.detailsLabel.isVisible()
    reader.click(ui.boneButton)
    assert volume.GetDisplayNode().GetWindow() == 2800
    assert ui.boneButton.isChecked() and not ui.brainButton.isChecked()
    reader.press(Qt.Key.Key_W)
    assert volume.GetDisplayNode().GetWindow() == 80 and ui.brainButton.isChecked()
    reader.press(Qt.Key.Key_K)
    assert logic.currentSlice() == 13
    reader.click(reader.panel.case._key_buttons[2])
    assert logic.currentSlice() == 17


def test_return_opens_the_selected_case_and_so_does_the_button(reader: Reader) -> None:
    reader.connected()
    table = reader.ui.worklistTable
    assert not reader.ui.openButton.isEnabled()
    place = table.visualRect(reader.cell("yellow", 1)).center()
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    QTest.keyClick(table, Qt.Key.Key_Return)
    reader.shown("yellow")
    table.selectRow(3)
    reader.click(reader.ui.openButton)
    reader.shown("green")


def test_previous_series_is_shown_beside_the_open_one(reader: Reader) -> None:
    reader.ward.images("earlier series", head(20))
    red = ("20260301", reader.room.series("red"))
    reader.ward.of_one_patient(
        {orthanc_id("red"): red, orthanc_id("earlier"): ("20250105", "earlier series")}
    )
    reader.connected().open("red")
    ui, logic = reader.ui, reader.host.widget.logic
    run_until(ui.previousButton.isVisible)
    assert ui.previousComboBox.currentText().startswith("2025-01-05")
    reader.click(ui.previousButton)
    run_until(lambda: reader.host.scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 2)
    assert not ui.loadFrame.isVisible() and logic.currentSlice() == 15
    reader.open("yellow")
    assert reader.host.scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 1
    assert not ui.previousWidget.isVisible()


def test_opening_another_case_ends_the_first_ones_loading(reader: Reader) -> None:
    reader.connected()
    reader.ward.held.clear()
    reader.click_row("red")
    run_until(lambda: reader.ward.count("GET", "/file") > 0)
    assert reader.ui.loadFrame.isVisible()
    first = reader.panel.case._loading
    reader.click_row("yellow")
    assert first.cancelled.is_set()
    reader.ward.held.set()
    reader.shown("yellow")
    assert reader.host.scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 1


def test_loading_can_be_cancelled(reader: Reader) -> None:
    reader.connected()
    reader.ward.held.clear()
    reader.click_row("red")
    run_until(lambda: reader.ward.count("GET", "/file") > 0)
    reader.click(reader.ui.cancelButton)
    assert not reader.ui.loadFrame.isVisible()
    assert "cancelled" in reader.ui.imagesLabel.text()
    assert "about 41 ml" in reader.ui.findingsLabel.text(), "what is said stays"
    reader.ward.held.set()


def test_images_that_do_not_come_are_said_and_the_case_can_be_reviewed(reader: Reader) -> None:
    reader.ward.images(reader.room.series("red"), [])
    reader.connected().open("red")
    assert reader.ui.imagesLabel.isVisible() and reader.ui.imagesLabel.text()
    assert reader.ui.reviewWidget.isEnabled()


def test_a_region_that_cannot_be_read_keeps_no_image_away(reader: Reader) -> None:
    room, now = reader.room, queue.utcnow()
    with room.database.writing() as session:
        drawn = Document(
            sop_instance_uid="1.2.77",
            series_id=room.series("red"),
            assessment_id=session.scalars(
                select(Assessment.id).where(Assessment.series_id == room.series("red"))
            ).one(),
            kind=DocumentKind.SEGMENTATION,
            content=b"",
            created_at=now,
        )
        session.add(drawn)
        session.flush()
        # A CT image where the region should be.
        outbox.document_sent(session, "1.2.77", orthanc_id(f"{room.series('red')} 0"), now)
    reader.connected().open("red")
    assert "region of the bleed cannot be shown" in reader.ui.imagesLabel.text()
    assert reader.host.widget.logic.currentSlice() == 15
    assert not reader.ui.segmentationCheckBox.isVisible()


def test_closing_the_scene_closes_the_case_and_the_panel_goes_on(reader: Reader) -> None:
    reader.connected().open("red")
    reader.host.scene.Clear(False)
    assert reader.ui.caseLabel.text() == "No case is open."
    assert not reader.ui.reviewWidget.isEnabled()
    reader.open("yellow")
    reader.click(reader.ui.boneButton)
    assert reader.host.widget._parameterNode.window == "bone"


def test_slicers_own_self_test_passes(reader: Reader) -> None:
    import HeadCTTriage

    HeadCTTriage.HeadCTTriageTest().runTest()


def test_nothing_of_the_case_is_left_when_it_is_closed_while_it_loads(reader: Reader) -> None:
    reader.connected()
    reader.click_row("red")
    reader.panel.case.close()
    run_until(lambda: not reader.panel.background.busy)
    assert reader.ui.caseLabel.text() == "No case is open."
    assert reader.host.scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 0


# --- review --------------------------------------------------------------------------------------------


def test_confirming_by_one_key_sends_and_opens_the_next(reader: Reader) -> None:
    reader.connected().open("red")
    reader.press(Qt.Key.Key_A)
    reader.shown("black")
    assert reader.said("red") == [("confirm", "RED", "")]
    assert dict(reader.room.reviews("red")[0].findings) == {"haemorrhage": True}
    assert reader.status() == "Sent: RED, Red Patient"
    run_until(lambda: "RED, Sato Hanako" in reader.cell("red", 3).data())


def test_relabelling_by_keys_with_findings_and_comment(reader: Reader) -> None:
    reader.connected().open("yellow")
    reader.press(Qt.Key.Key_3)
    assert reader.ui.redButton.isChecked() and reader.said("yellow") == []
    assert "Say below whether there is blood" in reader.status()
    signs = reader.panel.review.entries.signs
    reader.click(signs["subdural"])
    assert signs["haemorrhage"].text() == "bleed within the skull: present"
    reader.click(signs["fracture"])
    reader.click(signs["fracture"])
    reader.press(Qt.Key.Key_C)
    QTest.keyClicks(QApplication.focusWidget(), "by the falx")
    reader.press(Qt.Key.Key_Return)
    run_until(lambda: reader.said("yellow") != [])
    assert reader.said("yellow") == [("relabel", "RED", "by the falx")]
    assert {k.value: v for k, v in reader.room.reviews("yellow")[0].findings.items()} == {
        "haemorrhage": True,
        "subdural": True,
        "fracture": False,
    }


def test_black_and_exclusion_are_never_sent_by_one_key(reader: Reader) -> None:
    reader.connected().open("black")
    reader.press(Qt.Key.Key_A)
    assert "Black means" in reader.status() and reader.ui.blackButton.isChecked()
    reader.press(Qt.Key.Key_X)
    reader.press(Qt.Key.Key_5)
    assert "Say in the comment" in reader.status()
    reader.press(Qt.Key.Key_Return)
    run_until(lambda: not reader.panel.background.busy)
    assert reader.said("black") == []
    reader.press(Qt.Key.Key_1)
    reader.press(Qt.Key.Key_Return)
    run_until(lambda: reader.said("black") == [("exclude", None, "")])
    assert reader.room.reviews("black")[0].reason == "post_operative"


def test_a_key_pressed_twice_does_not_speak_of_the_next_case(reader: Reader) -> None:
    reader.connected().open("red")
    reader.press(Qt.Key.Key_A)
    run_until(lambda: "Black Patient" in reader.ui.caseLabel.text() and reader.ui.reviewWidget.isEnabled())
    reader.press(Qt.Key.Key_3)
    reader.press(Qt.Key.Key_Return)
    run_until(lambda: not reader.panel.background.busy)
    assert reader.said("black") == []


def test_keys_work_only_while_the_module_is_entered(reader: Reader) -> None:
    reader.connected().open("red")
    reader.host.widget.exit()
    reader.press(Qt.Key.Key_A)
    reader.host.widget.enter()
    run_until(lambda: not reader.panel.background.busy)
    assert reader.said("red") == []
    reader.press(Qt.Key.Key_2)
    assert reader.ui.yellowButton.isChecked()


def test_next_case_stays_away_when_it_is_not_wanted(reader: Reader) -> None:
    reader.connected().open("red")
    reader.click(reader.ui.nextCheckBox)
    reader.press(Qt.Key.Key_A)
    run_until(lambda: reader.status().startswith("Sent"))
    run_until(lambda: "Reviewed: RED" in reader.ui.historyLabel.text())
    assert "Red Patient" in reader.ui.caseLabel.text()
    reader.press(Qt.Key.Key_N)
    reader.shown("black")


def test_after_the_last_case_it_says_so(reader: Reader) -> None:
    reader.connected()
    for key in STUDIES:
        say(reader.room, "sato", key)
    reader.panel.worklist.refresh()
    run_until(lambda: all("Sato" in reader.cell(key, 3).data() for key in STUDIES))
    reader.open("red")
    reader.press(Qt.Key.Key_N)
    assert "No other case waits for you." in reader.status()


def test_conflict_says_who_said_what_and_the_doctor_decides(reader: Reader) -> None:
    reader.connected().open("red")
    say(reader.room, "ito", "red", urgency="GREEN")
    reader.press(Qt.Key.Key_4)
    reader.press(Qt.Key.Key_Return)
    run_until(
        lambda: (
            "Taro Ito says GREEN" in reader.ui.conflictLabel.text()
            or "Ito Taro says GREEN" in reader.ui.conflictLabel.text()
        )
    )
    assert reader.ui.conflictFrame.isVisible() and reader.ui.blackButton.isChecked()
    assert len(reader.said("red")) == 1
    for folded in (False, True):
        reader.ui.reviewCollapsibleButton.setProperty("collapsed", folded)
        reader.press(Qt.Key.Key_Return)
        turn(100)
        assert reader.ward.count("POST", "/review") == 1, "not before he has looked"
    reader.ui.reviewCollapsibleButton.setProperty("collapsed", False)
    run_until(lambda: reader.panel.review._now is not None)
    reader.click(reader.ui.lookAgainButton)
    assert not reader.ui.conflictFrame.isVisible() and reader.ui.blackButton.isChecked()
    reader.press(Qt.Key.Key_Return)
    run_until(lambda: len(reader.said("red")) == 2)
    assert reader.said("red")[1][:2] == ("relabel", "BLACK")
    run_until(lambda: not reader.ui.unsentFrame.isVisible())


def test_sending_mine_all_the_same(reader: Reader) -> None:
    reader.connected().open("red")
    say(reader.room, "ito", "red", urgency="GREEN")
    reader.press(Qt.Key.Key_A)
    run_until(lambda: reader.panel.review._now is not None)
    reader.click(reader.ui.insistButton)
    run_until(lambda: len(reader.said("red")) == 2)
    assert reader.said("red")[1][:2] == ("confirm", "RED")


def test_away_is_kept_shown_and_sent_later_once(reader: Reader) -> None:
    reader.connected().open("red")
    reader.ward.away()
    reader.press(Qt.Key.Key_A)
    run_until(lambda: reader.ui.unsentFrame.isVisible())
    assert "Not sent yet (1): RED, Red Patient" in reader.ui.unsentLabel.text()
    assert "kept and sent later by itself" in reader.status()
    run_until(lambda: reader.cell("red", 3).data().startswith("NOT SENT YET"))
    reader.panel.worklist.refresh()
    run_until(lambda: "as of" in reader.ui.freshnessLabel.text())
    reader.ward.back()
    reader.panel.worklist.refresh()
    run_until(lambda: not reader.ui.unsentFrame.isVisible())
    assert reader.said("red") == [("confirm", "RED", "")]
    assert reader.ward.count("POST", "/review") == 1


def test_unsent_survives_the_application(
    reader: Reader, new_host: Callable[..., Host], room: ReadingRoom, ward: Ward
) -> None:
    reader.connected().open("red")
    ward.away()
    reader.press(Qt.Key.Key_A)
    run_until(lambda: reader.ui.unsentFrame.isVisible())
    reader.host.widget.cleanup()
    ward.back()
    again = Reader(new_host(), room, ward)
    again.connect()
    run_until(lambda: again.said("red") == [("confirm", "RED", "")])


def test_refused_is_shown_with_the_servers_words_and_can_be_discarded(reader: Reader) -> None:
    reader.connect(user="mori")
    run_until(lambda: reader.rows() == 4)
    reader.open("red")
    reader.press(Qt.Key.Key_A)
    run_until(lambda: reader.status().startswith("Refused."))
    assert "Needs you: RED, Red Patient" in reader.ui.unsentLabel.text()
    assert reader.said("red") == []
    reader.host.app.answers.append(False)
    reader.click(reader.ui.discardUnsentButton)
    assert reader.ui.unsentFrame.isVisible()
    reader.host.app.answers.append(True)
    reader.click(reader.ui.discardUnsentButton)
    run_until(lambda: not reader.ui.unsentFrame.isVisible())
    assert "Discard this review?" in reader.host.app.questions[-1]


def test_conflict_that_turns_up_later_leads_back_to_the_case(reader: Reader) -> None:
    reader.connected().open("red")
    reader.ward.away()
    reader.press(Qt.Key.Key_4)
    reader.press(Qt.Key.Key_Return)
    run_until(lambda: reader.ui.unsentFrame.isVisible())
    say(reader.room, "ito", "red", urgency="GREEN")
    reader.ward.back()
    reader.open("yellow")
    reader.panel.worklist.refresh()
    run_until(lambda: "Needs you: BLACK, Red Patient" in reader.ui.unsentLabel.text())
    assert len(reader.said("red")) == 1
    reader.click(reader.ui.openUnsentButton)
    reader.shown("red")
    run_until(lambda: reader.panel.review._now is not None)
    assert "Ito Taro says GREEN" in reader.ui.conflictLabel.text() and reader.ui.blackButton.isChecked()
    reader.click(reader.ui.insistButton)
    run_until(lambda: len(reader.said("red")) == 2)
    assert reader.said("red")[1][:2] == ("relabel", "BLACK")
    run_until(lambda: not reader.ui.unsentFrame.isVisible())


def test_entries_are_there_again_when_the_reader_comes_back_to_the_case(reader: Reader) -> None:
    reader.connected().open("red")
    reader.press(Qt.Key.Key_2)
    reader.click(reader.panel.review.entries.signs["fracture"])
    reader.open("yellow")
    assert not reader.ui.yellowButton.isChecked()
    reader.open("red")
    assert reader.ui.yellowButton.isChecked()
    assert reader.panel.review.entries.signs["fracture"].text() == "skull fracture: present"


# --- never frozen --------------------------------------------------------------------------------------


def test_nothing_freezes_while_the_server_sleeps(reader: Reader) -> None:
    reader.ward.sleep = 10.0
    reader.connect()
    run_until(lambda: reader.ward.count("GET", "/status") == 1)
    gaps = []
    for _ in range(3):  # of which a busy machine may spoil one
        with longest_gap() as longest, hold_the_lock():
            until = time.monotonic() + 0.4
            run_until(lambda end=until: time.monotonic() > end)
            gaps.append(longest())
    assert 0.0 < min(gaps) < 0.1
    assert reader.ui.connectButton.text() == "Cancel"
    reader.click(reader.ui.connectButton)
    reader.ward.sleep = 0.2
    with longest_gap(time.thread_time) as longest, hold_the_lock():
        reader.click(reader.ui.connectButton)
        run_until(lambda: reader.rows() == len(STUDIES), what="the worklist")
        reader.open("red")
        reader.press(Qt.Key.Key_A)
        reader.shown("black")
        assert longest() < 0.1
    assert reader.said("red") == [("confirm", "RED", "")]


def test_the_stop_watch_notices_an_event_loop_that_stands_still() -> None:
    with longest_gap() as longest:
        run_until(lambda: longest() > 0.0)
        time.sleep(0.15)
        run_until(lambda: longest() > 0.1, 5)


def test_a_dead_server_does_not_keep_the_panel_from_ending(reader: Reader) -> None:
    reader.connected()
    reader.ward.sleep = 30.0
    reader.panel.worklist.refresh()
    reader.click_row("red")
    run_until(lambda: len(reader.panel.background._under_way) >= 2)
    started = time.monotonic()
    reader.host.widget.exit()
    reader.host.widget.cleanup()
    assert time.monotonic() - started < 0.5
    reader.ward.sleep = 0.0


def say(room: ReadingRoom, login: str, key: str, urgency: str = "YELLOW") -> None:
    """Another reader's word."""
    from orthanc_plugin.cases.review_views import ReviewRequest

    series = room.series(key)
    room.triage.review(
        series,
        login,
        ReviewRequest(
            action="relabel",
            urgency=urgency,
            based_on=room.triage.series(series).based_on,
            request_id=f"{login}-{key}",
        ),
    )
