"""The section "Server": which server, as whom, and whether it is well."""

from __future__ import annotations

from typing import Any, Callable, Optional

from ..errors import TriageError
from ..server.client import Check, Server, TriageClient
from ..translation import _
from .background import Background, Task

SETTINGS = {
    "HeadCTTriage/Address": "addressLineEdit",
    "HeadCTTriage/User": "userLineEdit",
    "HeadCTTriage/CaFile": "caPathLineEdit",
}
"""What is remembered, and the field of each. Never the password."""

WELL, WARNING, WRONG = (
    "",
    "background-color: #f5c518; color: #241c00;",
    "background-color: #c8192a; color: #ffffff;",
)
"""How a line of words looks, besides what it says."""


def say(label: Any, text: str, look: str = WELL) -> None:
    """Show a line, or hide it if there is nothing to say."""
    label.text = text
    label.styleSheet = f"{look} padding: 3px;" if look else ""
    label.visible = bool(text)


class Login:
    """Connects and disconnects; one login at a time."""

    def __init__(
        self,
        ui: Any,
        background: Background,
        *,
        settings: Any,
        language: str,
        connected: Callable[[TriageClient], None],
        disconnected: Callable[[], None],
    ) -> None:
        """Nobody is logged in yet; what is remembered stands in the fields.

        Args:
            ui: the panel's widgets.
            background: for asking the server.
            settings: a ``QSettings``.
            language: ``en`` or ``ja``.
            connected: called with each new login once the server has accepted it.
            disconnected: called when a login has ended.
        """
        self._ui, self._background, self._settings, self._language = ui, background, settings, language
        self._connected, self._disconnected = connected, disconnected
        self.client: Optional[TriageClient] = None
        self._asking: Optional[Task] = None
        self._tried: Optional[TriageClient] = None
        for key, field in SETTINGS.items():
            self._field(field, str(settings.value(key, "") or ""))
        ui.testButton.clicked.connect(self.test)
        ui.connectButton.clicked.connect(self.press)
        for field in (ui.addressLineEdit, ui.userLineEdit, ui.passwordLineEdit):
            field.returnPressed.connect(self.press)
        self._show()

    def test(self) -> None:
        """Say whether server and login are usable, and change nothing."""
        self._ask(self._tested)

    def press(self) -> None:
        """Connect; if connected, disconnect; while asking, do not ask any more."""
        if self._asking:
            self._stop_asking()
            say(self._ui.connectionLabel, "")
        elif self.client:
            self.disconnect()
        else:
            self._ask(self._accepted)

    def disconnect(self) -> None:
        """End the login. The password is forgotten."""
        self._stop_asking()
        client, self.client = self.client, None
        if client:
            client.close()
            self._ui.passwordLineEdit.text = ""
            self._disconnected()
        self._ui.serverCollapsibleButton.collapsed = False
        self._show()

    def stop(self) -> None:
        """End whatever is under way and the login, without another word: the widgets may be gone already."""
        for client in (self._tried, self.client):
            if client:
                client.close()

    def _ask(self, answered: Callable[[TriageClient, Check], None]) -> None:
        self._stop_asking()
        client = TriageClient(
            Server(
                self._ui.addressLineEdit.text,
                self._ui.userLineEdit.text,
                self._ui.passwordLineEdit.text,
                self._ui.caPathLineEdit.currentPath,
            ),
            self._language,
        )
        say(self._ui.connectionLabel, _("Asking the server ..."))
        self._tried = client
        self._asking = self._background.run(
            lambda task: client.check(), lambda check: answered(client, check), self._failed
        )
        self._show()

    def _stop_asking(self) -> None:
        if self._asking:
            self._asking.cancel()
            self._asking = None
        if self._tried:
            self._tried.close()
            self._tried = None
        self._show()

    def _tested(self, client: TriageClient, check: Check) -> None:
        self._stop_asking()
        self._say_warnings(
            check, _("The server answers: triage {version}.").format(version=check.status.version)
        )

    def _accepted(self, client: TriageClient, check: Check) -> None:
        self._asking = self._tried = None
        self.client = client
        for key, field in SETTINGS.items():
            self._settings.setValue(key, self._field(field))
        self._say_warnings(check, "")
        self._ui.serverCollapsibleButton.collapsed = True
        self._show()
        self._connected(client)

    def _failed(self, error: TriageError) -> None:
        self._stop_asking()
        say(self._ui.connectionLabel, str(error), WRONG)

    def _say_warnings(self, check: Check, otherwise: str) -> None:
        say(
            self._ui.connectionLabel,
            "\n".join([*([otherwise] if otherwise else []), *check.warnings]),
            WARNING if check.warnings else WELL,
        )

    def _field(self, name: str, value: Optional[str] = None) -> str:
        widget = getattr(self._ui, name)
        shown = "currentPath" if name == "caPathLineEdit" else "text"
        if value is not None:
            setattr(widget, shown, value)
        return str(getattr(widget, shown))

    def _show(self) -> None:
        ui, idle = self._ui, not self._asking
        for widget in (ui.addressLineEdit, ui.userLineEdit, ui.passwordLineEdit, ui.caPathLineEdit):
            widget.enabled = idle and not self.client
        ui.testButton.enabled = idle
        if self._asking:
            ui.connectButton.text = _("Cancel")
        else:
            ui.connectButton.text = _("Disconnect") if self.client else _("Connect")
        title = _("Server")
        if self.client:
            title = _("Server: {user} at {address}").format(
                user=self.client.server.user, address=self.client.server.url
            )
        ui.serverCollapsibleButton.text = title
