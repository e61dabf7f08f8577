"""What the operating system and SQLite say of files, in the reader's language."""

from headct.errors import HeadCTError
from headct.language import Phrase, _, read_back

_KNOWN = (
    _("No such file or directory"),
    _("Not a directory"),
    _("Permission denied"),
    _("Read-only file system"),
    _("No space left on device"),
    _("Disk quota exceeded"),
    _("Input/output error"),
    _("Too many open files"),
    _("Cannot allocate memory"),
    _("the database file is damaged"),
    _("database disk image is malformed"),
    _("file is not a database"),
    _("unable to open database file"),
    _("attempt to write a readonly database"),
    _("database is locked"),
    _("database or disk is full"),
    _("disk I/O error"),
)


def words_of_system(said: str) -> Phrase:
    """The same as a phrase; what is not known is shown as the system says it."""
    return _known(said) or Phrase("{text}", {"text": said})


def words_of(error: BaseException) -> Phrase:
    """What is wrong, for the person who can put it right; built from what cannot name a patient."""
    from sqlalchemy.exc import SQLAlchemyError  # `headct up` starts without it

    what = cause_of(error)
    if isinstance(error, HeadCTError):
        return what
    if isinstance(error, OSError):
        return _("{what}: {where}", what=what, where=error.filename) if error.filename else what
    if isinstance(error, SQLAlchemyError):
        return _("The store's database cannot be used: {what}.", what=what)
    return _("Unexpected {kind}.", kind=what)


def cause_of(error: BaseException) -> Phrase:
    """The same in a few words, to stand in a sentence."""
    from sqlalchemy.exc import OperationalError, SQLAlchemyError

    if isinstance(error, HeadCTError):
        return error.sentence  # our own errors name settings, files, models and routes
    if isinstance(error, OSError):
        return words_of_system(error.strerror or type(error).__name__)
    said = str(getattr(error, "orig", None) or "") if isinstance(error, SQLAlchemyError) else ""
    if (known := _known(said)) is not None:
        return known
    # What is not about the database but about a row may quote it.
    lines = said.splitlines() if isinstance(error, OperationalError) else []
    return Phrase("{text}", {"text": lines[0] if lines else type(error).__name__})


def words_again(said: str) -> Phrase:
    """The phrase that another process said in English: of the system, or of ours."""
    return _known(said) or read_back(said)


def _known(said: str) -> Phrase | None:
    return next((phrase for phrase in _KNOWN if phrase.message == said), None)
