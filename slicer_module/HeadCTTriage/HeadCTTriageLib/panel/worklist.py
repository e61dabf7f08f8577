"""The section "Worklist": asked for again and again, shown as it was when the server is away."""

from __future__ import annotations

import time
from typing import Any, Callable, Optional

import qt

from ..errors import TriageError
from ..server.cases import Case, Worklist
from ..server.client import TriageClient
from ..translation import _
from . import rows
from .background import Background, Task
from .login import WELL, WRONG, say
from .worklist_table import WorklistTable

REFRESH_SECONDS = 10
"""After an answer; the web page asks as often."""
SLOWEST_SECONDS = 60
"""While the server is away each pause is twice the one before, up to this."""
TICK_MS = 1000


class WorklistSection:
    """The table, its filters and its refreshing."""

    def __init__(
        self,
        ui: Any,
        background: Background,
        language: str,
        opened: Callable[[Case], None],
        came: Callable[[], None],
    ) -> None:
        """Nothing is shown before a login.

        Args:
            ui: the panel's widgets.
            background: for asking the server.
            language: ``en`` or ``ja``.
            opened: called with the case that the doctor wants to see.
            came: called after each answer of the server.
        """
        self._ui, self._background, self._language = ui, background, language
        self._opened, self._came = opened, came
        self.table = WorklistTable(ui.worklistTable, self._show_selection)
        self._client: Optional[TriageClient] = None
        self._asking: Optional[Task] = None
        self._list: Optional[Worklist] = None
        self._received = ""
        self._trouble = ""
        self._pause = REFRESH_SECONDS
        self._due = 0.0
        self._unsent: frozenset[str] = frozenset()
        self._spoken: set[str] = set()
        """Studies that the doctor spoke of and that the list does not know of yet."""
        self._unread_only = False
        self._clock = qt.QTimer()
        self._clock.interval = TICK_MS
        self._clock.timeout.connect(self._tick)
        ui.worklistTable.activated.connect(self.open_selected)
        ui.openButton.clicked.connect(self.open_selected)
        ui.filterLineEdit.textChanged.connect(self._filter)
        ui.listComboBox.addItems([_("Queue"), _("Earlier studies")])
        ui.listComboBox.currentIndexChanged.connect(self._show_list)
        self._show_freshness()

    def start(self, client: TriageClient) -> None:
        """Show this server's worklist from now on."""
        self._client = client
        self._clock.start()
        self.refresh()

    def stop(self) -> None:
        """Forget the list: it belongs to a login that has ended."""
        self._clock.stop()
        if self._asking:
            self._asking.cancel()
            self._asking = None
        self._client = self._list = None
        self._trouble = ""
        self._spoken.clear()
        self.table.show((), self._language, frozenset())
        self._show_freshness()

    def end(self) -> None:
        """Do nothing any more."""
        self._clock.stop()
        self.table.stop()

    def refresh(self) -> None:
        """Ask now."""
        client = self._client
        if client is None or self._asking:
            return
        known = frozenset(self._spoken)

        def answered(worklist: Worklist) -> None:
            self._spoken -= known
            self._answered(worklist)

        self._asking = self._background.run(lambda task: client.worklist(), answered, self._failed)

    def note_spoken(self, case_id: str) -> None:
        """The server has a review of a study: it waits no more, though the list shows it so."""
        self._spoken.add(case_id)
        self.refresh()

    def case(self, case_id: str) -> Optional[Case]:
        """A study of the queue or of the earlier ones."""
        cases = (*self._list.rows, *self._list.earlier) if self._list else ()
        return next((case for case in cases if case.id == case_id), None)

    def set_unsent(self, case_ids: frozenset[str]) -> None:
        """Which studies have a review that the server does not have yet."""
        if case_ids != self._unsent:
            self._unsent = case_ids
            self._show_list()

    def set_unread_only(self, unread_only: bool) -> None:
        """Whether studies that were read are left out."""
        if unread_only != self._unread_only:
            self._unread_only = unread_only
            self._filter()

    def open_selected(self) -> None:
        """Open the study that is selected."""
        case = self.table.selected()
        if case:
            self._opened(case)

    def following(self, case_id: str, login: str) -> Optional[Case]:
        """The case to open next: the first after this one that waits for the reader, else the first of all.

        In the server's order, whatever the table is sorted by. One whose review is unsent waits no more.
        """
        if self._list is None:
            return None
        earlier = any(case.id == case_id for case in self._list.earlier)
        cases = list(self._list.earlier if earlier else self._list.rows)
        at = next((number for number, case in enumerate(cases) if case.id == case_id), -1)
        order = cases[at + 1 :] + cases[: max(at, 0)]
        done = self._unsent | self._spoken
        return next((c for c in order if rows.waits_for(c, login) and c.id not in done), None)

    def _answered(self, worklist: Worklist) -> None:
        self._asking = None
        self._list = worklist
        self._received = time.strftime("%H:%M:%S")
        self._trouble = ""
        self._pause = REFRESH_SECONDS
        self._due = time.monotonic() + self._pause
        self._show_list()
        self._show_freshness()
        self._came()

    def _failed(self, error: TriageError) -> None:
        self._asking = None
        self._trouble = str(error)
        self._due = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, SLOWEST_SECONDS)
        self._show_freshness()

    def _tick(self) -> None:
        if not self._asking and time.monotonic() >= self._due:
            self.refresh()
        if not self.table.updating:
            self.table.show_waiting()

    def _show_list(self) -> None:
        if self._list is None:
            return
        queued = max(self._list.total, len(self._list.rows))
        earlier = max(self._list.total_earlier, len(self._list.earlier))
        self._ui.listComboBox.setItemText(0, _("Queue ({count})").format(count=queued))
        self._ui.listComboBox.setItemText(1, _("Earlier studies ({count})").format(count=earlier))
        cases = self._list.earlier if self._ui.listComboBox.currentIndex == 1 else self._list.rows
        self.table.show(cases, self._language, self._unsent, self._show_freshness)

    def _filter(self) -> None:
        self.table.filter(self._ui.filterLineEdit.text, self._unread_only)
        self._show_freshness()

    def _show_freshness(self) -> None:
        label = self._ui.freshnessLabel
        if self._client is None:
            say(label, _("Not connected."))
        elif self._trouble and self._list is not None:
            words = _("The list is as of {time}: {why}").format(time=self._received, why=self._trouble)
            say(label, words, WRONG)
        elif self._trouble:
            say(label, self._trouble, WRONG)
        elif self._list is None:
            say(label, _("Reading the worklist ..."))
        else:
            shown = _("{count} studies shown, as of {time}")
            say(label, shown.format(count=self.table.count(), time=self._received), WELL)
        self._show_selection()

    def _show_selection(self) -> None:
        self._ui.openButton.enabled = self._client is not None and self.table.selected() is not None
