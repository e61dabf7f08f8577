"""What the operating system and SQLite say of files, in the reader's language."""

from headct.language import Phrase, _

_KNOWN = (
    _("No such file or directory"),
    _("Not a directory"),
    _("Permission denied"),
    _("Read-only file system"),
    _("No space left on device"),
    _("Input/output error"),
    _("the database file is damaged"),
    _("database disk image is malformed"),
    _("file is not a database"),
    _("unable to open database file"),
    _("attempt to write a readonly database"),
    _("database is locked"),
    _("disk I/O error"),
)


def words_of_system(said: str) -> Phrase:
    """The same as a phrase; what is not known is shown as the system says it."""
    return next((phrase for phrase in _KNOWN if phrase.message == said), Phrase("{text}", {"text": said}))
