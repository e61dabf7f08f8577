"""The section "Review": a review is made, sent, and made again where the case has changed meanwhile."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, Callable, Optional

from .. import words
from ..errors import TriageError
from ..server.cases import EXCLUSIONS, Series, Study, Urgency
from ..server.client import TriageClient
from ..server.outbox import Kept, State
from ..translation import _
from .background import Background
from .login import WARNING, WRONG, say
from .review import ReviewForm, news
from .review_entries import ReviewEntries
from .unsent import UnsentBar

LOOK_FIRST_SECONDS = 0.6
"""A key pressed twice must not speak of a case that has only just come up."""


class ReviewSection:
    """Makes reviews of the series that is shown."""

    def __init__(
        self,
        ui: Any,
        background: Background,
        language: str,
        unsent: UnsentBar,
        *,
        go_on: Callable[[str], None],
        renewed: Callable[[Study], None],
    ) -> None:
        """No series is shown yet.

        Args:
            ui: the panel's widgets.
            background: for all that waits.
            language: ``en`` or ``ja``.
            unsent: takes each review and sees to it that it is sent.
            go_on: called with the study of which a review was sent.
            renewed: called with what is said of the shown study now.
        """
        self._ui, self._background, self._language, self._unsent = ui, background, language, unsent
        self._go_on, self._renewed = go_on, renewed
        self._client: Optional[TriageClient] = None
        self._study: Optional[Study] = None
        self._form: Optional[ReviewForm] = None
        self._drafts: dict[str, ReviewForm] = {}
        self._now: Optional[Study] = None
        """Of a conflict: how things stand."""
        self._busy = False
        self._conflicted = False
        """The doctor has to say first what is to become of their entries."""
        self._settled_at = 0.0
        self._flash = ""
        """What was sent last, in sight until the doctor goes on."""
        self.entries = ReviewEntries(
            ui,
            relabel=self.relabel,
            turn=self._turn,
            open_reasons=self._open_reasons,
            exclude=self._exclude,
            comment=self._comment,
        )
        ui.confirmButton.clicked.connect(self.confirm)
        ui.sendButton.clicked.connect(self.send)
        ui.lookAgainButton.clicked.connect(self.look_again)
        ui.insistButton.clicked.connect(self.insist)
        self._show()

    # --- the login -------------------------------------------------------------------------------------

    def connect(self, client: TriageClient) -> None:
        """Reviews are given as this login from now on."""
        self._client = client

    def disconnect(self) -> None:
        """The login has ended, and with it what was entered and not sent."""
        self.clear()
        self._client = None
        self._drafts = {}

    @property
    def login(self) -> str:
        """As whom."""
        return self._client.server.user if self._client else ""

    # --- the series ------------------------------------------------------------------------------------

    def show(self, study: Study, series: Series) -> None:
        """The doctor may speak of this series from now on; what they had entered before is there again."""
        form = self._drafts.get(series.id) or ReviewForm(series)
        form.rebase(series)
        self._study, self._form, self._now = study, form, None
        self._settled_at = time.monotonic() + LOOK_FIRST_SECONDS
        self._ui.reviewCollapsibleButton.collapsed = False
        self._end_conflict()
        waiting = self._unsent.of(series.id)
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
        self.entries.reasons_open = False
        if form.confirm():
            self.send()
        else:
            self._chosen()

    def relabel(self, urgency: Urgency) -> None:
        """Choose a colour."""
        if self._form and not self._busy:
            self.entries.reasons_open = False
            self._form.relabel(urgency)
            self._chosen()

    def digit(self, number: int) -> None:
        """The colour of that number from 1 on; while reasons are asked for, the reason."""
        if self._form is None or self._busy or not self._ui.reviewWidget.enabled:
            return
        if self.entries.reasons_open:
            self._exclude(EXCLUSIONS[min(number, len(EXCLUSIONS)) - 1])
        elif number <= len(Urgency):
            self.relabel(list(Urgency)[number - 1])

    def ask_reason(self) -> None:
        """Show the reasons for which a series may be excluded, or hide them."""
        if self._ui.reviewWidget.enabled:
            self._open_reasons(not self.entries.reasons_open)

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

    # --- sending ---------------------------------------------------------------------------------------

    def _deliver(self, form: ReviewForm, study: Study) -> None:
        review, series_id = form.review(), form.series.id
        what = form.choice.shown if form.choice else ""
        name = words.person_name(study.case.patient_name, self._language)[0] or study.case.patient_id
        case = ", ".join(part for part in (what, name) if part)
        self._busy = True
        self._show()
        say(self._ui.reviewStatusLabel, _("Sending ..."))

        def done(kept: Optional[Kept]) -> None:
            self._drafts.pop(series_id, None)
            if self._form is form:
                self._outcome(kept, form, case)

        def failed(error: TriageError) -> None:
            if self._form is form:
                self._busy = False
                self._show()
            say(self._ui.reviewStatusLabel, _("Not sent. {why}").format(why=error), WRONG)

        self._unsent.deliver(study, series_id, review, case, done=done, failed=failed)

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
        """A review that needs the doctor again: their entries, and what is new."""
        form, client, study = self._form, self._client, self._study
        if form is None or client is None or study is None:
            return
        form.fill(kept.review)
        say(self._ui.reviewStatusLabel, "")
        current = kept.current or form.series
        before = form.series
        if before.based_on != kept.review.based_on:
            # The case was opened again since: what they had not seen is what came after their word.
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
        """Whether what the doctor does can be meant for what they see."""
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
        self.entries.reasons_open = open_
        self._chosen()
        if open_:
            self._ui.reasonComboBox.setFocus()

    def _exclude(self, reason: str) -> None:
        if self._form and not self._busy:
            self._form.exclude(reason)
            self._chosen()
            if reason == "other" and not self._form.comment.strip():
                self.write()

    def _comment(self, text: str) -> None:
        if self._form:
            self._form.comment = text
            self._chosen()

    def _show(self) -> None:
        self.entries.show(self._form, busy=self._busy)
