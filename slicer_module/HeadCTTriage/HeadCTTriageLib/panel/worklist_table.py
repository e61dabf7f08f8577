"""The worklist as a table: updated in place, a few milliseconds at a time, so that nobody notices."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Callable

import qt

from .. import words
from ..server.cases import Case
from . import rows

SLICE_SECONDS = 0.012
"""Of work at a time; then the event loop has its turn."""
COLUMN_WIDTHS = (205, 130, 70, 110, 220, 90, 70, 180)

ID_ROLE = int(qt.Qt.UserRole)
SORT_ROLE = ID_ROLE + 1
WANTED_ROLE = ID_ROLE + 2

WANTED, UNWANTED = "yes", "no"


class WorklistTable:
    """Shows studies in a table view; sorts and filters what it shows."""

    def __init__(self, view: Any, selected: Callable[[], None]) -> None:
        """``selected`` is called when another study, or none, is selected."""
        self._view = view
        self._cases: dict[str, Case] = {}
        self._shown: dict[str, tuple[rows.Row, int]] = {}
        """What the model holds of a study, and its place in the server's order."""
        self._filter = ("", False)
        self._since = time.monotonic()
        self._work: Iterator[None] | None = None
        self._when_done: Callable[[], None] = lambda: None
        self._timer = qt.QTimer()
        self._timer.interval = 0
        self._timer.timeout.connect(self._go_on)
        self._model = qt.QStandardItemModel()
        self._model.setHorizontalHeaderLabels(rows.headings())
        self._sorted = qt.QSortFilterProxyModel()
        self._sorted.setSourceModel(self._model)
        self._sorted.sortRole = SORT_ROLE
        self._sorted.filterRole = WANTED_ROLE
        self._sorted.filterKeyColumn = rows.URGENCY
        self._sorted.setFilterFixedString(WANTED)
        # Sorted and filtered once after each update, not after each cell.
        self._sorted.dynamicSortFilter = False
        view.setModel(self._sorted)
        view.sortByColumn(rows.URGENCY, qt.Qt.AscendingOrder)
        for column, width in enumerate(COLUMN_WIDTHS):
            view.setColumnWidth(column, width)
        view.selectionModel().selectionChanged.connect(selected)
        view.verticalScrollBar().valueChanged.connect(self.show_waiting)

    def stop(self) -> None:
        """Nothing is updated any more."""
        self._timer.stop()
        self._work = None

    @property
    def updating(self) -> bool:
        """Whether an update is under way."""
        return self._work is not None

    def show(
        self,
        cases: tuple[Case, ...],
        language: str,
        unsent: frozenset[str],
        when_done: Callable[[], None] = lambda: None,
    ) -> None:
        """Show these studies in this order; those shown already stay where they are selected and scrolled to.

        Args:
            cases: in the server's order.
            language: ``en`` or ``ja``.
            unsent: identifiers of studies with a review that the server does not have yet.
            when_done: called once all of it is shown; not if another list comes before that.
        """
        self._since = time.monotonic()
        self._work = self._update(cases, language, unsent)
        self._when_done = when_done
        self._timer.start()

    def filter(self, text: str, unread_only: bool) -> None:
        """Show only studies with all these words, or only those still to be read."""
        self._filter = (text, unread_only)
        for number in range(self._model.rowCount()):
            index = self._model.index(number, rows.URGENCY)
            self._write_wanted(index, self._shown[index.data(ID_ROLE)][0])
        self._sort()
        self.show_waiting()

    def selected(self) -> Case | None:
        """The study that is selected."""
        chosen = self._view.selectionModel().selectedRows()
        return self._cases.get(chosen[0].data(ID_ROLE)) if chosen else None

    def select(self, case_id: str) -> None:
        """Select a study, if it is shown."""
        for number in range(self._sorted.rowCount()):
            index = self._sorted.index(number, 0)
            if index.data(ID_ROLE) == case_id:
                self._view.selectRow(number)
                self._view.scrollTo(index)
                return

    def count(self) -> int:
        """How many studies the filters let through."""
        return int(self._sorted.rowCount())

    def show_waiting(self) -> None:
        """Bring the waiting of the rows in sight up to date, on the server's clock."""
        gone = time.monotonic() - self._since
        first = max(self._view.rowAt(0), 0)
        last = self._view.rowAt(self._view.viewport().height - 1)
        for number in range(first, (self._sorted.rowCount() if last < 0 else last + 1)):
            case = self._cases.get(self._sorted.index(number, 0).data(ID_ROLE))
            if case is None:
                continue
            seconds = case.waiting_seconds + (gone if rows.ages(case) else 0.0)
            cell = self._sorted.index(number, rows.WAITING)
            text = words.duration(seconds)
            if cell.data() != text:
                self._sorted.setData(cell, text)

    def _go_on(self) -> None:
        until = time.monotonic() + SLICE_SECONDS
        while self._work is not None and time.monotonic() < until:
            try:
                next(self._work)
            except StopIteration:
                self._work = None
                self._timer.stop()
                self._when_done()

    def _update(self, cases: tuple[Case, ...], language: str, unsent: frozenset[str]) -> Iterator[None]:
        """One small step at a time."""
        wanted = {case.id: case for case in cases}
        for number in range(self._model.rowCount() - 1, -1, -1):
            if self._model.index(number, 0).data(ID_ROLE) not in wanted:
                del self._shown[self._model.index(number, 0).data(ID_ROLE)]
                self._model.removeRows(number, 1)
            yield
        self._cases = wanted
        at = {self._model.index(number, 0).data(ID_ROLE): number for number in range(self._model.rowCount())}
        yield
        for place, case in enumerate(cases):
            row = rows.row(case, language, case.id in unsent)
            if case.id not in at:
                at[case.id] = self._model.rowCount()
                self._model.setRowCount(at[case.id] + 1)
            self._write(at[case.id], row, place)
            yield
        self._sort()
        self.show_waiting()

    def _write(self, number: int, row: rows.Row, place: int) -> None:
        before, place_before = self._shown.get(row.id, (None, -1))
        self._shown[row.id] = (row, place)
        if place != place_before:
            self._model.setData(self._model.index(number, rows.URGENCY), place, SORT_ROLE)
        if row == before:
            return
        ground, ink = rows.TONES[row.tone]
        font = qt.QFont()
        font.setBold(not row.read)
        for column, text in enumerate(row.cells):
            index = self._model.index(number, column)
            if before is None or before.cells[column] != text or before.read != row.read:
                if column != rows.WAITING:
                    self._model.setData(index, text)
                self._model.setData(index, font, qt.Qt.FontRole)
            if column not in (rows.URGENCY, rows.WAITING):
                self._model.setData(index, text.lower(), SORT_ROLE)
            self._model.setData(index, row.tooltip, qt.Qt.ToolTipRole)
        sign = self._model.index(number, rows.URGENCY)
        # The colour stays in sight when the row is selected.
        self._model.item(number, rows.URGENCY).setSelectable(False)
        self._model.setData(sign, row.id, ID_ROLE)
        self._write_wanted(sign, row)
        self._model.setData(sign, qt.QBrush(qt.QColor(ground)), qt.Qt.BackgroundRole)
        self._model.setData(sign, qt.QBrush(qt.QColor(ink)), qt.Qt.ForegroundRole)
        # Who waits longest comes first when times of waiting ascend backwards: by arrival.
        self._model.setData(self._model.index(number, rows.WAITING), row.first_arrival, SORT_ROLE)

    def _write_wanted(self, sign: Any, row: rows.Row) -> None:
        wanted = WANTED if rows.wanted(row, *self._filter) else UNWANTED
        if sign.data(WANTED_ROLE) != wanted:
            self._model.setData(sign, wanted, WANTED_ROLE)

    def _sort(self) -> None:
        header = self._view.horizontalHeader()
        self._sorted.invalidate()
        self._sorted.sort(header.sortIndicatorSection(), header.sortIndicatorOrder())
