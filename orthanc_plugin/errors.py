"""The ways to say no to who asks, in their language."""

from headct.errors import ToldError


class NotFoundError(ToldError):
    """No study, series or slice of that name."""


class RefusedError(ToldError):
    """The request is understood and not allowed."""


class ConflictError(ToldError):
    """As things stand now it cannot be done."""


class UnavailableError(ToldError):
    """Triage cannot answer now, for instance because its store cannot be read; the sentence says why."""
