"""The widgets in which a review is made: colours, findings, reasons, comment."""

from __future__ import annotations

from typing import Any, Callable, Optional

import qt

from .. import words
from ..server.cases import EXCLUSIONS, FINDINGS, Urgency
from ..translation import _
from .login import WARNING, say
from .review import ReviewForm
from .rows import TONES

FINDINGS_A_ROW = 3
SIGN_LOOKS = {
    None: "",
    True: "QPushButton {font-weight: bold; background-color: #d9e8ff; color: #102a4a;}",
    False: "QPushButton {font-weight: bold; background-color: #e6e6e6; color: #333333;}",
}
"""Of findings not said, present, absent, besides what their buttons say."""


class ReviewEntries:
    """Shows a form, and tells what the doctor does to it."""

    def __init__(
        self,
        ui: Any,
        *,
        relabel: Callable[[Urgency], None],
        turn: Callable[[str], None],
        open_reasons: Callable[[bool], None],
        exclude: Callable[[str], None],
        comment: Callable[[str], None],
    ) -> None:
        """Each widget tells one function.

        Args:
            ui: the panel's widgets.
            relabel: called with the colour that was chosen.
            turn: called with the finding whose button was pressed.
            open_reasons: called with whether reasons to exclude are wanted.
            exclude: called with the reason that was chosen.
            comment: called with what was written.
        """
        self._ui, self._comment = ui, comment
        self._showing = False
        self.reasons_open = False
        """Whether reasons to exclude are asked for."""
        self.colours = {urgency: self._colour(urgency, relabel) for urgency in Urgency}
        self.signs = {finding: self._sign(finding, number, turn) for number, finding in enumerate(FINDINGS)}

        def choose_reason() -> None:
            if ui.reasonComboBox.currentIndex > 0:
                exclude(EXCLUSIONS[ui.reasonComboBox.currentIndex - 1])

        ui.reasonComboBox.addItems([_("Why?"), *map(words.exclusion, EXCLUSIONS)])
        ui.reasonComboBox.activated.connect(choose_reason)
        ui.excludeButton.clicked.connect(lambda: open_reasons(ui.excludeButton.checked))
        ui.commentTextEdit.textChanged.connect(self._written)

    def show(self, form: Optional[ReviewForm], *, busy: bool) -> None:
        """Show what is chosen; ``busy``: nothing can be chosen now."""
        ui = self._ui
        self._showing = True
        refusal = form.refusal if form else ""
        say(ui.refusalLabel, refusal, WARNING)
        ui.reviewWidget.enabled = form is not None and not busy and not refusal
        machine = form.machine if form else None
        ui.confirmButton.enabled = machine is not None
        ui.confirmButton.text = (
            _("Confirm: {what}").format(what=words.person_sign(machine)) if machine else _("Confirm")
        )
        choice = form.choice if form else None
        for urgency, button in self.colours.items():
            button.checked = choice is not None and choice.urgency == urgency
        for finding, button in self.signs.items():
            present = form.findings.get(finding) if form else None
            button.text = words.finding_said(finding, present)
            button.styleSheet = SIGN_LOOKS[present]
        reason = choice.reason if choice else None
        self.reasons_open = form is not None and (self.reasons_open or reason is not None)
        ui.reasonComboBox.currentIndex = EXCLUSIONS.index(reason) + 1 if reason else 0
        ui.reasonComboBox.visible = self.reasons_open
        ui.excludeButton.checked = self.reasons_open
        comment = form.comment if form else ""
        if ui.commentTextEdit.plainText != comment:
            ui.commentTextEdit.plainText = comment
        ui.sendButton.enabled = choice is not None and not busy and not refusal
        ui.sendButton.text = _("Send {what}").format(what=choice.shown) if choice else _("Send")
        self._showing = False

    def _colour(self, urgency: Urgency, relabel: Callable[[Urgency], None]) -> Any:
        button = getattr(self._ui, f"{urgency.value.lower()}Button")
        ground, ink = TONES[urgency.value.lower()]
        button.styleSheet = (
            f"QPushButton:checked {{background-color: {ground}; color: {ink}; font-weight: bold;}}"
            f"QPushButton {{border: 2px solid {ground}; border-radius: 4px; padding: 4px;}}"
        )
        button.toolTip = words.person_sign(urgency)
        button.clicked.connect(lambda: relabel(urgency))
        return button

    def _sign(self, finding: str, number: int, turn: Callable[[str], None]) -> Any:
        button = qt.QPushButton(words.finding(finding))
        button.objectName = f"{finding}Button"
        button.clicked.connect(lambda: turn(finding))
        self._ui.signsLayout.addWidget(button, number // FINDINGS_A_ROW, number % FINDINGS_A_ROW)
        return button

    def _written(self) -> None:
        # What the program writes there is no word of the doctor's.
        if not self._showing:
            self._comment(self._ui.commentTextEdit.plainText)
