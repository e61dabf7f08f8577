"""The section "Case": one study opened, its images shown by the module's logic, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Any, Callable, Optional

import pydicom
import qt

from .. import words
from ..errors import TriageError, UnreadableError
from ..images.drawn import Drawn
from ..images.drawn import read as read_drawn
from ..images.geometry import Stack, stack
from ..server.cases import Case, KeySlice, PreviousSeries, Series, Study
from ..server.client import TriageClient
from ..server.download import download
from ..server.previous import previous_series
from ..translation import _
from . import case_words
from .background import Background, Task
from .login import WRONG, say

WINDOW_NAMES = ("brain", "subdural", "stroke", "bone")
KEY_SLICES_A_ROW = 4
MOST_KEY_SLICES = 12


@dataclass(frozen=True)
class Loaded:
    """What came of one series."""

    stack: Stack
    drawn: Optional[Drawn]
    """Where the server drew what it suspects."""
    warnings: tuple[str, ...]


class CaseSection:
    """Opens one case at a time; another one, or cancelling, ends its loading."""

    def __init__(
        self,
        ui: Any,
        background: Background,
        logic: Any,
        language: str,
        *,
        parameters: Callable[[], Any],
        shown: Callable[[Study, Series], None],
        closed: Callable[[], None],
    ) -> None:
        """No case is open yet.

        Args:
            ui: the panel's widgets.
            background: for all that waits.
            logic: the module's, which alone touches the scene.
            language: ``en`` or ``ja``.
            parameters: the parameter node, for the window.
            shown: called when a series can be looked at, or that has failed: the doctor may speak of it.
            closed: called when no series is shown any more.
        """
        self._ui, self._background, self._logic, self._language = ui, background, logic, language
        self._parameters, self._shown, self._closed = parameters, shown, closed
        self._client: Optional[TriageClient] = None
        self._loading: Optional[Task] = None
        self._beside: Optional[Task] = None
        self.case: Optional[Case] = None
        self.study: Optional[Study] = None
        self.series: Optional[Series] = None
        self._previous: list[PreviousSeries] = []
        self._key_buttons: list[Any] = []
        self._key_slice = -1
        self._filling = False
        self._windows = {name: getattr(ui, f"{name}Button") for name in WINDOW_NAMES}
        for name, button in self._windows.items():
            self._on_click(button, self.show_window, name)
        ui.cancelButton.clicked.connect(self.cancel)
        ui.previousButton.clicked.connect(self.show_previous)
        ui.seriesComboBox.currentIndexChanged.connect(self._choose_series)
        table = ui.figuresTable
        table.columnCount = len(case_words.figure_headings())
        table.setHorizontalHeaderLabels(case_words.figure_headings())

    def connect(self, client: TriageClient) -> None:
        """Cases are opened from this server from now on."""
        self._client = client

    def open(self, case: Case, series_id: str = "") -> None:
        """Show a case, its best series or another one of it."""
        client = self._client
        if client is None:
            return
        self.close()
        self.case = case
        ui = self._ui
        ui.caseCollapsibleButton.collapsed = False
        ui.caseLabel.text = case_words.heading(case, self._language)
        ui.loadProgressBar.setRange(0, 0)
        ui.loadFrame.visible = True
        say(ui.imagesLabel, "")

        def work(task: Task) -> Loaded:
            study = client.study(case.id)
            series = _chosen(study, series_id)
            task.report(self._study_came, study, series)

            def progress(came: int, total: int) -> None:
                task.report(self._progress, came, total)

            images = download(client, series.id, on_progress=progress, cancelled=task.cancelled)
            made = stack(images, task.cancelled)
            try:
                return Loaded(made, _drawn(client, series, made), made.warnings)
            except TriageError as error:  # the images are shown all the same
                sentence = _("The region of the bleed cannot be shown. {why}").format(why=error)
                return Loaded(made, None, (*made.warnings, sentence))

        self._loading = self._background.run(work, self._loaded, self._failed)

    def close(self) -> None:
        """Show nothing; what is under way is ended."""
        for task in (self._loading, self._beside):
            if task:
                task.cancel()
        self._loading = self._beside = None
        self.case = self.study = self.series = None
        self._previous = []
        ui = self._ui
        ui.caseLabel.text = _("No case is open.")
        ui.loadFrame.visible = False
        ui.openCaseWidget.visible = False
        say(ui.imagesLabel, "")
        self._logic.closeCase()
        self._closed()

    def disconnect(self) -> None:
        """The login has ended, and what it showed goes."""
        self.close()
        self._client = None

    def cancel(self) -> None:
        """End the loading; what is known of the case stays."""
        if self._loading:
            self._loading.cancel()
            self._loading = None
            self._ui.loadFrame.visible = False
            say(self._ui.imagesLabel, _("The images were not loaded: cancelled."), WRONG)

    def renew(self, study: Study) -> None:
        """Show what is said of the open case now; its images stay."""
        if self.series is None or self.case is None or study.case.id != self.case.id:
            return
        now = next((series for series in study.series if series.id == self.series.id), None)
        if now is not None:
            self.study, self.series, self.case = study, now, study.case
            self._show_words()

    def show_window(self, name: str) -> None:
        """Grey values for brain, subdural, stroke or bone."""
        self._parameters().window = name
        self._logic.showWindow(name)
        for other, button in self._windows.items():
            button.checked = other == name

    def next_window(self) -> None:
        """The one to the right, then the first again."""
        now = WINDOW_NAMES.index(self._parameters().window)
        self.show_window(WINDOW_NAMES[(now + 1) % len(WINDOW_NAMES)])

    def next_key_slice(self) -> None:
        """Jump to the next slice that the machine names, then to the first again."""
        if self._key_buttons:
            self._jump((self._key_slice + 1) % len(self._key_buttons))

    def show_previous(self) -> None:
        """Load the chosen earlier series and show it beside the open one."""
        client, chosen = self._client, self._ui.previousComboBox.currentIndex
        if client is None or self.series is None or not 0 <= chosen < len(self._previous):
            return
        if self._beside:
            self._beside.cancel()
        series = self._previous[chosen]
        self._ui.loadFrame.visible = True
        self._ui.loadProgressBar.setRange(0, 0)

        def work(task: Task) -> Stack:
            def progress(came: int, total: int) -> None:
                task.report(self._progress, came, total)

            images = download(client, series.id, on_progress=progress, cancelled=task.cancelled)
            return stack(images, task.cancelled)

        def done(made: Stack) -> None:
            self._beside = None
            self._ui.loadFrame.visible = False
            self._logic.openPrevious(made)

        def failed(error: TriageError) -> None:
            self._beside = None
            self._ui.loadFrame.visible = False
            say(self._ui.imagesLabel, str(error), WRONG)

        self._beside = self._background.run(work, done, failed)

    def _study_came(self, study: Study, series: Series) -> None:
        self.study, self.series, self.case = study, series, study.case
        self._filling = True
        combo = self._ui.seriesComboBox
        combo.clear()
        for one in study.series:
            combo.addItem(words.series_title(one))
        combo.currentIndex = study.series.index(series)
        self._filling = False
        self._show_words()
        self._ui.openCaseWidget.visible = True
        self._ask_previous(study.case)

    def _choose_series(self) -> None:
        number = self._ui.seriesComboBox.currentIndex
        if self._filling or self.study is None or self.case is None or number < 0:
            return
        chosen = self.study.series[number]
        if self.series is None or chosen.id != self.series.id:
            self.open(self.case, chosen.id)

    def _progress(self, came: int, total: int) -> None:
        self._ui.loadProgressBar.setRange(0, total)
        self._ui.loadProgressBar.value = came

    def _loaded(self, loaded: Loaded) -> None:
        self._loading = None
        self._ui.loadFrame.visible = False
        window = self._parameters().window
        self._logic.load(loaded.stack)
        self.show_window(window)
        self._ui.segmentationCheckBox.visible = loaded.drawn is not None
        if loaded.drawn is not None:
            self._logic.loadSegmentation(loaded.drawn)
        say(self._ui.imagesLabel, case_words.images(loaded.warnings, len(loaded.stack.left_out)))
        self._show_key_slices()
        self.next_key_slice()
        self._ready()

    def _failed(self, error: TriageError) -> None:
        self._loading = None
        self._ui.loadFrame.visible = False
        say(self._ui.imagesLabel, str(error), WRONG)
        self._ready()

    def _ready(self) -> None:
        if self.study is not None and self.series is not None:
            self._shown(self.study, self.series)

    def _show_words(self) -> None:
        ui, series, case = self._ui, self.series, self.case
        if series is None or case is None:
            return
        assessment = series.assessment
        ui.caseLabel.text = case_words.heading(case, self._language)
        ui.findingsLabel.text = case_words.findings(case, series, self._language)
        self._show_figures(series)
        ui.historyLabel.text = case_words.history(series, self._language)
        ui.detailsCollapsibleButton.visible = assessment is not None
        ui.detailsLabel.text = case_words.details(assessment) if assessment else ""
        ui.previousWidget.visible = bool(self._previous)
        ui.segmentationCheckBox.visible = False
        self._show_key_slices()

    def _show_figures(self, series: Series) -> None:
        table = self._ui.figuresTable
        rows = [case_words.figures(f) for f in series.assessment.findings] if series.assessment else []
        table.rowCount = len(rows)
        for number, row in enumerate(rows):
            for column, text in enumerate(row):
                table.setItem(number, column, qt.QTableWidgetItem(text))
        table.resizeColumnsToContents()
        table.visible = bool(rows)

    def _show_key_slices(self) -> None:
        ui = self._ui
        for button in self._key_buttons:
            ui.keySlicesLayout.removeWidget(button)
            button.deleteLater()
        self._key_buttons, self._key_slice = [], -1
        for number, key in enumerate(self._keys()):
            button = qt.QPushButton(_("slice {number}").format(number=key.number))
            button.checkable = True
            self._on_click(button, self._jump, number)
            ui.keySlicesLayout.addWidget(button, number // KEY_SLICES_A_ROW, number % KEY_SLICES_A_ROW)
            self._key_buttons.append(button)
        ui.keySlicesLabel.visible = bool(self._key_buttons)

    def _keys(self) -> tuple[KeySlice, ...]:
        assessment = self.series.assessment if self.series else None
        return assessment.key_slices[:MOST_KEY_SLICES] if assessment else ()

    def _jump(self, number: int) -> None:
        self._key_slice = number
        key = self._keys()[number]
        self._logic.jumpToSlice(key.sop_instance_uid, key.frame)
        for other, button in enumerate(self._key_buttons):
            button.checked = other == number

    def _ask_previous(self, case: Case) -> None:
        client = self._client
        if client is None:
            return

        def came(found: list[PreviousSeries]) -> None:
            if self.case is None or self.case.id != case.id:
                return
            self._previous = found
            self._ui.previousComboBox.clear()
            for series in found:
                self._ui.previousComboBox.addItem(case_words.previous_title(series))
            self._ui.previousWidget.visible = bool(found)

        # Without them the case can be read all the same.
        self._background.run(lambda task: previous_series(client, case.id), came, lambda error: None)

    def _on_click(self, button: Any, action: Callable[[Any], None], value: Any) -> None:
        button.clicked.connect(lambda: action(value))


def _chosen(study: Study, series_id: str) -> Series:
    """A series of a study by its name, else the best that has images."""
    with_images = [series for series in study.series if series.images]
    for series in with_images:
        if series.id == series_id or not series_id:
            return series
    raise UnreadableError(_("The study has no images to show."))


def _drawn(client: TriageClient, series: Series, made: Stack) -> Optional[Drawn]:
    """What the machine drew, where its drawing is switched on."""
    for document in series.documents:
        if document.kind == "segmentation" and document.orthanc_id and not document.withdrawn:
            try:
                return read_drawn(pydicom.dcmread(BytesIO(client.file(document.orthanc_id))), made)
            except pydicom.errors.InvalidDicomError:
                raise UnreadableError(_("It is no DICOM file.")) from None
    return None
