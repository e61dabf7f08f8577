"""Orthanc's answer object. Standard library alone: it also says that the virtual environment is missing."""

from typing import Protocol


class Output(Protocol):
    """Orthanc's answer object."""

    def AnswerBuffer(self, body: bytes, mime: str) -> None:  # noqa: N802
        """Status 200 with a body."""

    def SendHttpStatus(self, status: int, body: str, *size: int) -> None:  # noqa: N802
        """Another status; the body must be text. Its size follows up to version 4.1 of the Python plugin."""

    def SendMethodNotAllowed(self, allowed: str) -> None:  # noqa: N802
        """Status 405, which no other method sends; without a body."""

    def Redirect(self, address: str) -> None:  # noqa: N802
        """Status 301, of Orthanc 1.12.7 307; no other method sends either."""

    def SetHttpHeader(self, name: str, value: str) -> None:  # noqa: N802
        """Add a header."""


def send_status(output: Output, status: int, body: str) -> None:
    """Answer with another status than 200, whichever arguments this Python plugin wants for it."""
    try:
        output.SendHttpStatus(status, body)
    except TypeError:
        output.SendHttpStatus(status, body, len(body.encode()))
