"""The ways to say no to who asks: of each the message is for them."""

from headct.errors import HeadCTError


class NotFoundError(HeadCTError):
    """No study, series or slice of that name."""


class RefusedError(HeadCTError):
    """The request is understood and not allowed; the message is shown to who asked."""


class ConflictError(HeadCTError):
    """As things stand now it cannot be done; the message is shown to who asked."""


class UnavailableError(HeadCTError):
    """Triage cannot answer now, for instance because its store cannot be read; the message says why."""
