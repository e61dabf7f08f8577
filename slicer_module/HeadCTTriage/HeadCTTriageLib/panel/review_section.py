"""The section "Review", and the bar of what is not sent yet."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Optional

import qt

from .. import words
from ..errors import TriageError
from ..server.cases import EXCLUSIONS, FINDINGS, Series, Study, Urgency
from ..server.client import TriageClient
from ..server.outbox import Kept, Outbox, Outcome, State
from ..translation import _
from .background import Background, Task
from .login import WARNING, WRONG, say
from .review import ReviewForm, news
from .rows import TONES

LOOK_FIRST_SECONDS = 0.6
"""A key pressed twice must not speak of a case that has only just come up."""
FINDINGS_A_ROW = 3
SIGN_LOOKS = {
    None: "",
    True: "QPushButton {font-weight: bold; background-color: #d9e8ff; color: #102a4a;}",
    False: "QPushButton {font-weight: bold; background-color: #e6e6e6; color: #333333;}",
}
"""Of findings not said, present, absent, besides what their buttons say."""


class ReviewSection:
    """Makes reviews of the series that is shown, and sees to it that each of them is sent."""

    def __init__(
        self,
        ui: Any,
        background: Background,
        language: str,
        folder: Path,
        *,
        go_on: Callable[[str], None],
        renewed: Callable[[Study], None],
        unsent: Callable[[frozenset[str]], None],
        ask: Callable[[str], bool],
        open_study: Callable[[str], None],
    ) -> None:
        """Args:
        ui: the panel's widgets.
        background: for all that waits, the disk too.
        language: ``en`` or ``ja``.
        folder: for reviews that are not sent yet.
        go_on: called with the study of which a review was sent.
        renewed: called with what is said of the shown study now.
        unsent: called with the studies that have reviews which the server does not have.
        ask: a question to the doctor, yes or no.
        open_study: called with the study whose review needs the doctor.
        """
        self._ui, self._background, self._language, self._folder = ui, background, language, folder
        self._go_on, self._renewed, self._unsent, self._ask = go_on, renewed, unsent, ask
        self._client: Optional[TriageClient] = None
        self._outbox: Optional[Outbox] = None
        self._pending: list[Kept] = []
        self._flushing: Optional[Task] = None
        self._study: Optional[Study] = None
        self._form: Optional[ReviewForm] = None
        self._drafts: dict[str, ReviewForm] = {}
        self._now: Optional[Study] = None
        """Of a conflict: how things stand."""
        self._busy = False
        self._conflicted = False
        """The doctor has to say first what is to become of his entries."""
        self._settled_at = 0.0
        self._showing = False
        self._reasons_open = False
        self._flash = ""
        """What was sent last, in sight until the doctor goes on."""
        ui.confirmButton.clicked.connect(self.confirm)
        self._colours = {u: getattr(ui, f"{u.value.lower()}Button") for u in Urgency}
        for urgency, button in self._colours.items():
            ground, ink = TONES[urgency.value.lower()]
            button.styleSheet = (
                f"QPushButton:checked {{background-color: {ground}; color: {ink}; font-weight: bold;}}"
                f"QPushButton {{border: 2px solid {ground}; border-radius: 4px; padding: 4px;}}"
            )
            button.toolTip = words.person_sign(urgency)
            self._on_click(button, self.relabel, urgency)
        self._signs = {}
        for number, finding in enumerate(FINDINGS):
            button = qt.QPushButton(words.finding(finding))
            button.objectName = f"{finding}Button"
            self._on_click(button, self._turn, finding)
            ui.signsLayout.addWidget(button, number // FINDINGS_A_ROW, number % FINDINGS_A_ROW)
            self._signs[finding] = button
        ui.reasonComboBox.addItems([_("Why?"), *map(words.exclusion, EXCLUSIONS)])
        ui.reasonComboBox.activated.connect(self._choose_reason)
        ui.excludeButton.clicked.connect(lambda: self._open_reasons(ui.excludeButton.checked))
        ui.commentTextEdit.textChanged.connect(self._comment)
        ui.sendButton.clicked.connect(self.send)
        ui.lookAgainButton.clicked.connect(self.look_again)
        ui.insistButton.clicked.connect(self.insist)
        ui.sendUnsentButton.clicked.connect(lambda: self.flush(again=True))
        ui.openUnsentButton.clicked.connect(lambda: open_study(self._needing()[0].study_id))
        ui.discardUnsentButton.clicked.connect(self.discard)
        self._show()

    # --- the login -------------------------------------------------------------------------------------

    def connect(self, client: TriageClient) -> None:
        """Reviews go to this server as this login from now on, those left unsent before it too."""
        self._client = client
        self._outbox = Outbox(self._folder, client.server.url, client.server.user)
        self.flush()

    def disconnect(self) -> None:
        """The login has ended: what it left unsent waits for it."""
        self.clear()
        if self._flushing:
            self._flushing.cancel()
            self._flushing = None
        self._client = self._outbox = None
        self._drafts = {}
        self._hear([])

    @property
    def login(self) -> str:
        """As whom."""
        return self._client.server.user if self._client else ""

    # --- the series ------------------------------------------------------------------------------------

    def show(self, study: Study, series: Series) -> None:
        """The doctor may speak of this series from now on; what he had entered before is there again."""
        form = self._drafts.get(series.id) or ReviewForm(series)
        form.rebase(series)
        self._study, self._form, self._now = study, form, None
        self._settled_at = time.monotonic() + LOOK_FIRST_SECONDS
        self._ui.reviewCollapsibleButton.collapsed = False
        self._end_conflict()
        waiting = next((kept for kept in self._pending if kept.series_id == series.id), None)
        if waiting and waiting.state is State.CONFLICT:
            self._take_up(waiting)
        self._show()
        if form.hint or not self._flash:
            say(self._ui.reviewStatusLabel, form.hint)
        if waiting and waiting.state is State.UNSENT:
            say(
                self._ui.reviewStatusLabel, _("Your review of this series is kept and not sent yet."), WARNING
            )

    def clear(self) -> None:
        """No series is shown."""
        if self._form and self._form.touched:
            self._drafts[self._form.series.id] = self._form
        self._study = self._form = self._now = None
        self._busy = False
        self._end_conflict()
        self._show()
        say(self._ui.reviewStatusLabel, self._flash)

    def say(self, text: str) -> None:
        """A line to the doctor, below what was sent last."""
        say(self._ui.reviewStatusLabel, "\n".join(part for part in (self._flash, text) if part))

    # --- what the doctor does --------------------------------------------------------------------------

    def confirm(self) -> None:
        """Agree with the machine, and send that unless it is the worst that can be said."""
        if not self._ready():
            return
        form = self._form
        if form is None or form.machine is None:
            say(self._ui.reviewStatusLabel, _("There is nothing to confirm: choose a colour."), WARNING)
            return
        self._reasons_open = False
        if form.confirm():
            self.send()
        else:
            self._chosen()

    def relabel(self, urgency: Urgency) -> None:
        """Choose a colour."""
        if self._form and not self._busy:
            self._reasons_open = False
            self._form.relabel(urgency)
            self._chosen()

    def digit(self, number: int) -> None:
        """The colour of that number from 1 on; while reasons are asked for, the reason."""
        if self._form is None or self._busy or not self._ui.reviewWidget.enabled:
            return
        if self._reasons_open:
            self._ui.reasonComboBox.currentIndex = min(number, len(EXCLUSIONS))
            self._choose_reason()
        elif number <= len(Urgency):
            self.relabel(list(Urgency)[number - 1])

    def ask_reason(self) -> None:
        """Show the reasons for which a series may be excluded, or hide them."""
        if self._ui.reviewWidget.enabled:
            self._open_reasons(not self._reasons_open)

    def write(self) -> None:
        """To the comment."""
        self._ui.commentTextEdit.setFocus()

    def send(self) -> None:
        """Send what is chosen; what is missing is said."""
        form, study = self._form, self._study
        if form is None or study is None or not self._ready():
            return
        if form.missing:
            say(self._ui.reviewStatusLabel, form.missing, WARNING)
            if form.choice and form.choice.reason == "other":
                self.write()
            self._show()
            return
        self._deliver(form, study)

    def look_again(self) -> None:
        """Take up what is new; the entries stay, and are sent only when the doctor says so once more."""
        self._take_over()
        if self._form:
            say(self._ui.reviewStatusLabel, self._form.hint)

    def insist(self) -> None:
        """Take up what is new and send the entries all the same."""
        self._take_over()
        self._settled_at = 0.0
        self.send()

    def discard(self) -> None:
        """Forget the first review that needs the doctor, if he says so."""
        outbox, needing = self._outbox, self._needing()
        if outbox is None or not needing:
            return
        kept = needing[0]
        question = _("Discard this review? {case}: {message}").format(case=kept.case, message=_why(kept))

        def work(task: Task) -> list[Kept]:
            outbox.drop(kept)
            return outbox.pending()

        if self._ask(question):
            self._background.run(work, self._hear, self._unkept)

    def flush(self, again: bool = False) -> None:
        """Send what is unsent. ``again``: what was refused too."""
        outbox, client = self._outbox, self._client
        if outbox is None or client is None or self._flushing:
            return

        def work(task: Task) -> list[Kept]:
            for kept in outbox.pending() if again else ():
                if kept.state is State.REFUSED:
                    outbox.again(kept)
            outbox.send_all(client)
            return outbox.pending()

        def done(pending: list[Kept]) -> None:
            self._flushing = None
            self._hear(pending)

        def failed(error: TriageError) -> None:
            self._flushing = None
            self._unkept(error)

        self._flushing = self._background.run(work, done, failed)

    def flush_if_any(self) -> None:
        """The server answers again: send what waits for that."""
        if any(kept.state is State.UNSENT for kept in self._pending):
            self.flush()

    # --- sending ---------------------------------------------------------------------------------------

    def _deliver(self, form: ReviewForm, study: Study) -> None:
        outbox, client = self._outbox, self._client
        if outbox is None or client is None:
            return
        review, series_id = form.review(), form.series.id
        replaced = [k for k in self._pending if k.series_id == series_id and k.state is not State.UNSENT]
        what = form.choice.shown if form.choice else ""
        name = words.person_name(study.case.patient_name, self._language)[0] or study.case.patient_id
        case = ", ".join(part for part in (what, name) if part)
        self._busy = True
        self._show()
        say(self._ui.reviewStatusLabel, _("Sending ..."))

        def work(task: Task) -> tuple[list[Outcome], list[Kept]]:
            # First on disk: whatever happens then, it is not lost.
            outbox.keep(study, series_id, review, case)
            for kept in replaced:
                outbox.drop(kept)
            return outbox.send_all(client), outbox.pending()

        def done(answer: tuple[list[Outcome], list[Kept]]) -> None:
            outcomes, pending = answer
            mine = [o.kept for o in outcomes if o.kept.review.request_id == review.request_id]
            self._drafts.pop(series_id, None)
            self._hear(pending)
            if self._form is form:
                self._outcome(mine[0] if mine else None, form, case)

        def failed(error: TriageError) -> None:
            if self._form is form:
                self._busy = False
                self._show()
            say(self._ui.reviewStatusLabel, _("Not sent. {why}").format(why=error), WRONG)

        self._background.run(work, done, failed)

    def _outcome(self, kept: Optional[Kept], form: ReviewForm, case: str) -> None:
        self._busy = False
        if kept is not None and kept.state is State.SENT:
            self._form = ReviewForm(form.series)
            self._show()
            self._flash = _("Sent: {case}").format(case=case)
            say(self._ui.reviewStatusLabel, self._flash)
            self._ask_anew()
            self._go_on(kept.study_id)
        elif kept is not None and kept.state is State.CONFLICT:
            self._take_up(kept)
            self._show()
        elif kept is not None and kept.state is not State.UNSENT:
            self._show()
            say(self._ui.reviewStatusLabel, _("Refused. {why}").format(why=kept.message), WRONG)
        else:
            self._form = ReviewForm(form.series)
            self._show()
            unsent = _("Not sent: the server does not answer. Your review is kept and sent later by itself.")
            say(self._ui.reviewStatusLabel, unsent, WARNING)

    def _ask_anew(self) -> None:
        """What is said of the study now, after the doctor's own word."""
        client, study, form = self._client, self._study, self._form
        if client is None or study is None or form is None:
            return

        def came(now: Study) -> None:
            if self._form is form:
                self._renew(now)

        self._background.run(lambda task: client.study(study.case.id), came, lambda error: None)

    def _renew(self, now: Study) -> None:
        form = self._form
        series = next((one for one in now.series if form and one.id == form.series.id), None)
        if form and series:
            self._study = now
            form.rebase(series)
            self._renewed(now)
            self._show()

    # --- conflict --------------------------------------------------------------------------------------

    def _take_up(self, kept: Kept) -> None:
        """A review that needs the doctor again: his entries, and what is new."""
        form, client, study = self._form, self._client, self._study
        if form is None or client is None or study is None:
            return
        form.fill(kept.review)
        say(self._ui.reviewStatusLabel, "")
        current = kept.current or form.series
        before = form.series
        if before.based_on != kept.review.based_on:
            # The case was opened again since: what he had not seen is what came after his word.
            seen = tuple(said for said in current.reviews if said.at <= kept.given_at)
            before = replace(current, reviews=seen)
        self._show_news(before, current)

        def came(now: Study) -> None:
            if self._form is form:
                self._now = now
                series = next((one for one in now.series if one.id == form.series.id), current)
                self._show_news(before, series)

        self._background.run(
            lambda task: client.study(study.case.id),
            came,
            lambda error: say(self._ui.reviewStatusLabel, str(error), WRONG),
        )

    def _show_news(self, before: Series, current: Series) -> None:
        lines = [
            _("This case has changed since you opened it. Nothing was sent; your entries are kept."),
            *news(before, current, self._language),
        ]
        self._conflicted = True
        self._ui.conflictLabel.text = "\n".join(lines)
        self._ui.conflictFrame.visible = True
        self._ui.conflictFrame.styleSheet = (
            f"#conflictFrame {{{WARNING} border-radius: 4px;}} #conflictLabel {{color: #241c00;}}"
        )

    def _end_conflict(self) -> None:
        self._conflicted = False
        self._ui.conflictFrame.visible = False

    def _take_over(self) -> None:
        if self._now is not None:
            self._renew(self._now)
        self._now = None
        self._end_conflict()
        self._show()

    # --- what is shown ---------------------------------------------------------------------------------

    def _ready(self) -> bool:
        """Whether what the doctor does can be meant for what he sees."""
        return (
            self._form is not None
            and not self._busy
            and not self._conflicted
            and time.monotonic() >= self._settled_at
        )

    def _chosen(self) -> None:
        self._flash = ""
        self._show()
        if self._form:
            say(self._ui.reviewStatusLabel, self._form.hint)

    def _turn(self, finding: str) -> None:
        if self._form and not self._busy:
            self._form.turn(finding)
            self._chosen()

    def _open_reasons(self, open_: bool) -> None:
        if not open_ and self._form and self._form.choice and self._form.choice.reason:
            self._form.undo()
        self._reasons_open = open_
        self._chosen()
        if open_:
            self._ui.reasonComboBox.setFocus()

    def _choose_reason(self) -> None:
        number = self._ui.reasonComboBox.currentIndex
        if self._form and not self._busy and number > 0:
            self._form.exclude(EXCLUSIONS[number - 1])
            self._chosen()
            if EXCLUSIONS[number - 1] == "other" and not self._form.comment.strip():
                self.write()

    def _comment(self) -> None:
        if self._form and not self._showing:
            self._form.comment = self._ui.commentTextEdit.plainText
            self._chosen()

    def _show(self) -> None:
        ui, form = self._ui, self._form
        self._showing = True
        refusal = form.refusal if form else ""
        say(ui.refusalLabel, refusal, WARNING)
        ui.reviewWidget.enabled = form is not None and not self._busy and not refusal
        machine = form.machine if form else None
        ui.confirmButton.enabled = machine is not None
        ui.confirmButton.text = (
            _("Confirm: {what}").format(what=words.person_sign(machine)) if machine else _("Confirm")
        )
        choice = form.choice if form else None
        for urgency, button in self._colours.items():
            button.checked = choice is not None and choice.urgency == urgency
        for finding, button in self._signs.items():
            self._show_sign(button, finding, form.findings.get(finding) if form else None)
        reason = choice.reason if choice else None
        self._reasons_open = form is not None and (self._reasons_open or reason is not None)
        ui.reasonComboBox.currentIndex = EXCLUSIONS.index(reason) + 1 if reason else 0
        ui.reasonComboBox.visible = self._reasons_open
        ui.excludeButton.checked = self._reasons_open
        comment = form.comment if form else ""
        if ui.commentTextEdit.plainText != comment:
            ui.commentTextEdit.plainText = comment
        ui.sendButton.enabled = choice is not None and not self._busy and not refusal
        ui.sendButton.text = _("Send {what}").format(what=choice.shown) if choice else _("Send")
        self._showing = False

    def _show_sign(self, button: Any, finding: str, present: Optional[bool]) -> None:
        button.text = words.finding_said(finding, present)
        button.styleSheet = SIGN_LOOKS[present]

    def _hear(self, pending: list[Kept]) -> None:
        """What is unsent has changed."""
        self._pending = pending
        self._unsent(frozenset(kept.study_id for kept in pending))
        ui = self._ui
        waiting = [kept for kept in pending if kept.state is State.UNSENT]
        needing = self._needing()
        lines = []
        if waiting:
            cases = "; ".join(kept.case for kept in waiting)
            lines.append(_("Not sent yet ({count}): {cases}").format(count=len(waiting), cases=cases))
        lines += [_("Needs you: {case}. {why}").format(case=kept.case, why=_why(kept)) for kept in needing]
        ui.sendUnsentButton.visible = any(kept.state is not State.CONFLICT for kept in pending)
        ui.unsentLabel.text = "\n".join(lines)
        ui.openUnsentButton.visible = ui.discardUnsentButton.visible = bool(needing)
        ui.unsentFrame.styleSheet = (
            f"#unsentFrame {{{WARNING} border-radius: 4px;}} #unsentLabel {{color: #241c00;}}"
        )
        ui.unsentFrame.visible = bool(lines)

    def _needing(self) -> list[Kept]:
        return [kept for kept in self._pending if kept.state is not State.UNSENT]

    def _unkept(self, error: TriageError) -> None:
        say(self._ui.reviewStatusLabel, str(error), WRONG)

    def _on_click(self, button: Any, action: Callable[[Any], None], value: Any) -> None:
        button.clicked.connect(lambda: action(value))


def _why(kept: Kept) -> str:
    """Why a review needs the doctor; the server's own words where it refused it."""
    if kept.state is State.CONFLICT:
        return _("The case has changed since it was shown; look again.")
    return kept.message
