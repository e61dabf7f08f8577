"""The panel as one: its sections, what each tells the others, and the keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import qt

from ..server.cases import Case, Series, Study
from ..server.client import TriageClient
from ..translation import _
from .background import Background
from .case_view import CaseSection
from .login import Login
from .review_section import ReviewSection
from .unsent import UnsentBar
from .worklist import WorklistSection

NEXT_BY_ITSELF = "HeadCTTriage/NextByItself"


class Panel:
    """All of the panel that is not Slicer's own way of making modules."""

    def __init__(
        self,
        ui: Any,
        logic: Any,
        parameters: Callable[[], Any],
        *,
        settings: Any,
        language: str,
        ask: Callable[[str], bool],
        window: Any,
    ) -> None:
        """Made once, when the module is opened the first time.

        Args:
            ui: the widgets of the ``.ui`` file.
            logic: the module's.
            parameters: gives the present scene's parameter node.
            settings: the application's ``QSettings``; reviews not sent yet are kept beside its file.
            language: ``en`` or ``ja``.
            ask: a question to the doctor, yes or no.
            window: the application's, in all of which the keys work while the module is entered.
        """
        self._ui, self._logic, self._parameters, self._settings = ui, logic, parameters, settings
        self.background = Background()
        self.worklist = WorklistSection(ui, self.background, language, self.open, self._list_came)
        self.case = CaseSection(
            ui,
            self.background,
            logic,
            language,
            parameters=parameters,
            shown=self._series_shown,
            closed=self._series_closed,
        )
        self.unsent = UnsentBar(
            ui,
            self.background,
            Path(settings.fileName()).parent / "HeadCTTriage",
            changed=self.worklist.set_unsent,
            ask=ask,
            open_study=self._open_study,
        )
        self.review = ReviewSection(
            ui, self.background, language, self.unsent, go_on=self._sent, renewed=self.case.renew
        )
        self.login = Login(
            ui,
            self.background,
            settings=settings,
            language=language,
            connected=self._connected,
            disconnected=self._disconnected,
        )
        ui.nextCheckBox.checked = str(settings.value(NEXT_BY_ITSELF, True)).lower() in ("true", "1")
        ui.nextCheckBox.toggled.connect(lambda: settings.setValue(NEXT_BY_ITSELF, ui.nextCheckBox.checked))
        ui.nextButton.clicked.connect(self.next)
        self._shortcuts = [self._shortcut(keys, action, window) for keys, action in self._keys()]
        self.exit()

    def enter(self) -> None:
        """The module is in sight: its keys work."""
        for shortcut in self._shortcuts:
            shortcut.enabled = True

    def exit(self) -> None:
        """Another module is: keys are its own. The worklist is kept up to date all the same."""
        for shortcut in self._shortcuts:
            shortcut.enabled = False

    def stop(self) -> None:
        """Nothing happens any more; what waits for the network is left to itself."""
        self.background.stop()
        self.worklist.end()
        self.login.stop()
        for shortcut in self._shortcuts:
            # False in Slicer where the window is gone already, and the shortcut with it.
            if shortcut:
                shortcut.enabled = False
                shortcut.deleteLater()
        self._shortcuts = []

    def scene_closed(self) -> None:
        """The scene was emptied, the open case with it."""
        self.case.close()

    def parameters_changed(self) -> None:
        """Show what the parameter node says."""
        parameters = self._parameters()
        self.worklist.set_unread_only(parameters.unreviewedOnly)
        self._logic.showSegmentation(parameters.showSegmentation)

    def open(self, case: Case) -> None:
        """Open a case."""
        self.case.open(case)

    def next(self) -> None:
        """Open the next case that waits for this reader."""
        now = self.case.case
        following = self.worklist.following(now.id if now else "", self.review.login)
        if following:
            self.open(following)
            self.worklist.table.select(following.id)
        else:
            self.review.say(_("No other case waits for you."))

    def _connected(self, client: TriageClient) -> None:
        self.case.connect(client)
        self.review.connect(client)
        self.unsent.connect(client)
        self.worklist.start(client)
        self._ui.nextButton.enabled = True

    def _disconnected(self) -> None:
        self.worklist.stop()
        self.case.disconnect()
        self.review.disconnect()
        self.unsent.disconnect()
        self._ui.nextButton.enabled = False

    def _list_came(self) -> None:
        self.unsent.flush_if_any()

    def _series_shown(self, study: Study, series: Series) -> None:
        self.review.show(study, series)

    def _series_closed(self) -> None:
        self.review.clear()

    def _sent(self, study_id: str) -> None:
        self.worklist.note_spoken(study_id)
        if self._ui.nextCheckBox.checked:
            self.next()

    def _open_study(self, study_id: str) -> None:
        case = self.worklist.case(study_id)
        if case:
            self.open(case)
        else:
            self.review.say(_("The study is not on the server's lists any more."))

    def _keys(self) -> list[tuple[str, Callable[[], None]]]:
        """The keys, and the buttons whose tool tips tell them."""
        ui, review = self._ui, self.review
        told = [
            (
                ui.confirmButton,
                "Alt+A",
                _("Agree with the machine, also on blood, and send; black is chosen only"),
            ),
            (ui.excludeButton, "Alt+X", _("Not to be learnt from, for a reason; Alt+1 to Alt+5 choose it")),
            (ui.commentTextEdit, "Alt+C", _("Write a comment")),
            (ui.sendButton, "Alt+Return", _("Send what is chosen")),
            (ui.nextButton, "Alt+N", _("The next case, without a review")),
            (ui.keySlicesLabel, "Alt+K", _("The next key slice")),
            (ui.windowLabel, "Alt+W", _("The next window")),
            *(
                (button, f"Alt+{number}", button.toolTip)
                for number, button in enumerate(
                    (ui.greenButton, ui.yellowButton, ui.redButton, ui.blackButton), start=1
                )
            ),
        ]
        for widget, keys, words in told:
            widget.toolTip = _("{what} ({keys})").format(what=words, keys=keys)

        def digit(number: int) -> Callable[[], None]:
            return lambda: review.digit(number)

        return [
            ("Alt+A", review.confirm),
            ("Alt+X", review.ask_reason),
            ("Alt+C", review.write),
            ("Alt+Return", review.send),
            ("Alt+Enter", review.send),
            ("Alt+N", self.next),
            ("Alt+K", self.case.next_key_slice),
            ("Alt+W", self.case.next_window),
            *((f"Alt+{number}", digit(number)) for number in range(1, 6)),
        ]

    def _shortcut(self, keys: str, action: Callable[[], None], window: Any) -> Any:
        shortcut = qt.QShortcut(qt.QKeySequence(keys), window)
        # A key held down is one word, not many.
        shortcut.autoRepeat = False
        shortcut.activated.connect(action)
        return shortcut
