"""Somebody before the panel, who uses it as a doctor does; and another reader, who speaks meanwhile."""

from typing import Any

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox
from qt_host import Host, run_until, turn
from reading_room import ReadingRoom
from ward import PASSWORD, STUDIES, Ward

from orthanc_plugin.cases.review_views import ReviewRequest


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


def say(room: ReadingRoom, login: str, key: str, urgency: str = "YELLOW") -> None:
    """Another reader's word."""
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
