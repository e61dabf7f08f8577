"""What can go wrong between the panel and the server. The text of each is a sentence for a doctor."""

from __future__ import annotations


class TriageError(Exception):
    """Something that the doctor is told."""


class UnreachableError(TriageError):
    """The server is away, slow, or not to be trusted; what was to be sent stays unsent."""

    def __init__(self, message: str, kind: str) -> None:
        """``kind``: one of the constants below, for code that tells them apart."""
        super().__init__(message)
        self.kind = kind

    ADDRESS = "address"
    """What was typed is no address of a server."""
    NAME = "name"
    """No computer of that name is known."""
    NO_ANSWER = "no_answer"
    """Nobody answers at that address: refused, no way there, or silence when connecting."""
    SLOW = "slow"
    """Connected, and no answer, or no end of it, in time."""
    BROKEN = "broken"
    """The connection broke before the answer was whole, or what came was no HTTP."""
    CERTIFICATE = "certificate"
    """The server's certificate is not to be trusted: unknown issuer, expired, of another computer."""
    CA_FILE = "ca_file"
    """The file of trusted certificates cannot be used."""
    NOT_TLS = "not_tls"
    """https:// was asked for and the server does not encrypt."""
    FAILED = "failed"
    """The server answered that it cannot answer now (status 500 and above)."""
    CLOSED = "closed"
    """This login was ended here."""


class RefusedError(TriageError):
    """The server understood and said no."""

    def __init__(self, message: str, code: str) -> None:
        """``code``: of the server's JSON, such as ``refused``; ``login`` for a wrong user or password."""
        super().__init__(message)
        self.code = code
        self.message = message

    LOGIN = "login"
    GONE = "not_found"


class UnreadableError(TriageError):
    """An answer or an image that cannot be understood."""


class StorageError(TriageError):
    """This computer's disk does not keep what it should."""


class CancelledError(TriageError):
    """The doctor did not want it any more."""
