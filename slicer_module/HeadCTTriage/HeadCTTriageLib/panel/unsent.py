"""The bar of reviews that the server does not have yet, and the sending of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Optional

from ..errors import TriageError
from ..server.cases import Review, Study
from ..server.client import TriageClient
from ..server.outbox import Kept, Outbox, Outcome, State
from ..translation import _
from .background import Background, Task
from .login import WARNING, WRONG, say


class UnsentBar:
    """Keeps reviews of one login until the server has them, and shows those that it has not."""

    def __init__(
        self,
        ui: Any,
        background: Background,
        folder: Path,
        *,
        changed: Callable[[frozenset[str]], None],
        ask: Callable[[str], bool],
        open_study: Callable[[str], None],
    ) -> None:
        """Nothing is shown before a login.

        Args:
            ui: the panel's widgets.
            background: for the server and the disk.
            folder: for reviews that are not sent yet.
            changed: called with the studies that have reviews which the server does not have.
            ask: a question to the doctor, yes or no.
            open_study: called with the study whose review needs the doctor.
        """
        self._ui, self._background, self._folder = ui, background, folder
        self._changed, self._ask = changed, ask
        self._client: Optional[TriageClient] = None
        self._outbox: Optional[Outbox] = None
        self._pending: list[Kept] = []
        self._flushing: Optional[Task] = None
        ui.sendUnsentButton.clicked.connect(lambda: self.flush(again=True))
        ui.openUnsentButton.clicked.connect(lambda: open_study(self._needing()[0].study_id))
        ui.discardUnsentButton.clicked.connect(self.discard)

    def connect(self, client: TriageClient) -> None:
        """Reviews go to this server as this login from now on, those left unsent before it too."""
        self._client = client
        self._outbox = Outbox(self._folder, client.server.url, client.server.user)
        self.flush()

    def disconnect(self) -> None:
        """The login has ended: what it left unsent waits for it."""
        if self._flushing:
            self._flushing.cancel()
            self._flushing = None
        self._client = self._outbox = None
        self._hear([])

    def of(self, series_id: str) -> Optional[Kept]:
        """The first review of a series that the server does not have."""
        return next((kept for kept in self._pending if kept.series_id == series_id), None)

    def deliver(
        self,
        study: Study,
        series_id: str,
        review: Review,
        case: str,
        *,
        done: Callable[[Optional[Kept]], None],
        failed: Callable[[TriageError], None],
    ) -> None:
        """Keep a review and send it, in the place of what the server did not take of the series.

        Args:
            study: as it was shown to the reader.
            series_id: which of its series the review is of.
            review: based on that.
            case: words by which the reader recognises it.
            done: called with the review as it is kept then; ``None`` where nobody could send it just now.
            failed: called when it could not be kept.

        Raises:
            ValueError: nobody is logged in.
        """
        outbox, client = self._outbox, self._client
        if outbox is None or client is None:
            raise ValueError("nobody is logged in")
        replaced = [k for k in self._pending if k.series_id == series_id and k.state is not State.UNSENT]

        def work(task: Task) -> tuple[list[Outcome], list[Kept]]:
            # First on disk: whatever happens then, it is not lost.
            outbox.keep(study, series_id, review, case)
            for kept in replaced:
                outbox.drop(kept)
            return outbox.send_all(client), outbox.pending()

        def answered(answer: tuple[list[Outcome], list[Kept]]) -> None:
            outcomes, pending = answer
            mine = (o.kept for o in outcomes if o.kept.review.request_id == review.request_id)
            self._hear(pending)
            done(next(mine, None))

        self._background.run(work, answered, failed)

    def discard(self) -> None:
        """Forget the first review that needs the doctor, if they say so."""
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

    def _hear(self, pending: list[Kept]) -> None:
        """What is unsent has changed."""
        self._pending = pending
        self._changed(frozenset(kept.study_id for kept in pending))
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


def _why(kept: Kept) -> str:
    """Why a review needs the doctor; the server's own words where it refused it."""
    if kept.state is State.CONFLICT:
        return _("The case has changed since it was shown; look again.")
    return kept.message
