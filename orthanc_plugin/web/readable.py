"""Requests that no route can use are refused before any parser, table or report sees them."""

from collections.abc import Iterable

from flask import request

from headct.errors import ToldError
from headct.language import Phrase, _
from headct.nesting import nested_too_deeply

MOST_VALUES = 5_000
"""In a body, names included. The largest that a route takes, a thousand studies, has as many and a few."""
_DEEP = _("The body is nested too deeply.")
_MANY = _("The body has more in it than any request needs.")
_NO_TEXT = _("There is a character in it that is part of no text.")


class UnreadableError(ToldError):
    """Too deep, too many, or no text."""


def refuse_unreadable() -> None:
    """Whatever is asked.

    Raises:
        UnreadableError: an address with characters in it that are part of no text.
    """
    if not all(map(is_text, (request.path, *request.args, *request.args.values()))):
        raise UnreadableError(_NO_TEXT)


def refuse_unreadable_body() -> None:
    """Before any parser but JSON's own, and that after it was seen how deep it would go.

    Raises:
        UnreadableError: the body is nested too deeply, has too many parts, or such as are no text.
    """
    if nested_too_deeply(request.get_data(cache=True)):
        raise UnreadableError(_DEEP)
    if (problem := _problem(request.get_json(silent=True))) is not None:
        raise UnreadableError(problem)


def is_text(said: str) -> bool:
    """Whether it is text: no half of a character (a surrogate of UTF-16), nor the zero character.

    The one no encoding can write, the other no database and no DICOM value can hold.
    """
    try:
        said.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in said


def _problem(said: object) -> Phrase | None:
    waiting, seen = [said], 1
    while waiting:
        one = waiting.pop()
        if isinstance(one, str) and not is_text(one):
            return _NO_TEXT
        inner: Iterable[object] = one if isinstance(one, list) else ()
        if isinstance(one, dict):
            inner = [*one, *one.values()]
        parts = list(inner)
        if (seen := seen + len(parts)) > MOST_VALUES:
            return _MANY
        waiting += parts
    return None
