"""What is wrong with options and requests, in words; never with the value that was given."""

from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from headct.language import Phrase, _, pgettext

_PORTS = {"http": 80, "https": 443}
MOST_TOLD = 10
"""Of all that is wrong; who puts that right is told of the rest."""
_NUMBER = _("must be a number")
_KIND = _("is of the wrong kind")
_PROBLEMS = {
    "missing": _("is missing"),
    "extra_forbidden": _("is not known"),
    "string_type": _("must be text"),
    "string_too_short": _("has fewer than {min_length} characters"),
    "string_too_long": _("has more than {max_length} characters"),
    "string_pattern_mismatch": _("is not written as it should be"),
    "too_short": _("has fewer than {min_length} entries"),
    "too_long": _("has more than {max_length} entries"),
    "bool_type": _("must be true or false"),
    "bool_parsing": _("must be true or false"),
    "int_type": _NUMBER,
    "int_parsing": _NUMBER,
    "int_from_float": _("must be a whole number"),
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "greater_than_equal": _("must be {ge} or more"),
    "less_than_equal": _("must be {le} or less"),
    "enum": _("must be one of {expected}"),
    "literal_error": _("must be one of {expected}"),
    "json_invalid": _("is not JSON"),
    "value_error": Phrase("{error}", {}),
}
"""By pydantic's types of errors; any other is said to be of the wrong kind."""


def problems(error: ValidationError, whole: str) -> Phrase:
    """What is wrong, named by its place; ``whole`` names what has no place of its own."""
    first, *rest = (_problem(found, whole) for found in error.errors()[:MOST_TOLD])
    for other in rest:
        first = pgettext("between problems", "{one}; {other}", one=first, other=other)
    return first


def _problem(found: Any, whole: str) -> Phrase:
    place = ".".join(map(str, found["loc"])) or whole
    figures = {key: _expected(figure) for key, figure in found.get("ctx", {}).items()}
    what = _PROBLEMS.get(found["type"], _KIND).filled(**figures)
    return pgettext("place and problem", "{place}: {problem}", place=place, problem=what)


def _expected(figure: Any) -> object:
    """Alternatives as pydantic lists them, without its English ``or``; own errors as their phrase."""
    if isinstance(figure, ValueError):
        return figure.args[0] if figure.args else ""
    return figure.replace(" or ", ", ") if isinstance(figure, str) else figure


def web_address(text: str) -> str:
    """An address as requests come to it: in lower case, without the standard port, with a slash at its end.

    Raises:
        ValueError: it is no address of a server.
    """
    try:
        parts = urlsplit(text.strip())
        host, port, standard = parts.hostname, parts.port, _PORTS.get(parts.scheme)
    except ValueError:
        host = None
    if not host or standard is None or "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(_("has something that is not the address of a server"))
    netloc = f"[{host}]" if ":" in host else host
    if port not in {None, standard}:
        netloc = f"{netloc}:{port}"
    return f"{parts.scheme}://{netloc}{parts.path.rstrip('/')}/"
