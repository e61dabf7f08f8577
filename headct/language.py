"""Words in the reader's language, from one catalogue for the domain and the server.

English stands in the sources and the templates; ``headct/locale`` holds the other languages (gettext).
``make words`` brings the catalogue up to date with the sources and compiles it.
"""

import gettext as gnu
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final, Literal

Language = Literal["en", "ja"]
LANGUAGES: Final[dict[Language, str]] = {"en": "English", "ja": "日本語"}
"""Each with its own name for itself."""
Figure = Callable[[Language], str]
"""What a phrase holds that is itself said in the reader's language."""
DOMAIN: Final = "headct"
LOCALE: Final = Path(__file__).parent / "locale"

_CONTEXT_ENDS = "\x04"
"""Between the context of a message and the message, in a catalogue of gettext."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that are said once the reader's language is known; made by :func:`_` and :func:`pgettext`."""

    message: str
    """English, with figures by name as in :meth:`str.format`; the key in the catalogue."""
    figures: Mapping[str, object]
    """Phrases, and functions of the language, among them are said in the same language."""
    context: str = ""
    """Tells messages apart that are the same in English alone."""

    def say(self, language: Language = "en") -> str:
        """The words in a language."""
        catalogue = _catalogue(language)
        words = (
            catalogue.pgettext(self.context, self.message)
            if self.context
            else catalogue.gettext(self.message)
        )
        return words.format(**{name: _said(figure, language) for name, figure in self.figures.items()})

    def filled(self, **figures: object) -> "Phrase":
        """The same with more figures."""
        return replace(self, figures={**self.figures, **figures})

    def __str__(self) -> str:
        return self.say()


def _said(figure: object, language: Language) -> object:
    if isinstance(figure, Phrase):
        return figure.say(language)
    return figure(language) if callable(figure) else figure


def _(message: str, /, **figures: object) -> Phrase:
    """Words for the catalogue; named as the tools of gettext expect."""
    return Phrase(message, figures)


def pgettext(context: str, message: str, /, **figures: object) -> Phrase:
    """The same with a context, where English has one word for what other languages keep apart."""
    return Phrase(message, figures, context)


def read_back(text: str, context: str = "detail") -> Phrase:
    """The phrase that a record in English was made of.

    Stores and files keep such sentences in English. What the catalogue does not know, as an older release may
    have written it, is shown as it is.
    """
    for message, pattern in _patterns(context):
        if found := pattern.fullmatch(text):
            return Phrase(message, found.groupdict(), context)
    return Phrase("{text}", {"text": text})


class _Catalogue(gnu.GNUTranslations):
    def messages(self, context: str) -> Iterator[str]:
        """All messages of a context."""
        for key in self._catalog:  # type: ignore[attr-defined]
            if isinstance(key, str) and key.startswith(f"{context}{_CONTEXT_ENDS}"):
                yield key.partition(_CONTEXT_ENDS)[2]


@cache
def _catalogue(language: Language) -> gnu.NullTranslations:
    if language == "en":
        return gnu.NullTranslations()
    return gnu.translation(DOMAIN, LOCALE, [language], class_=_Catalogue)


@cache
def _patterns(context: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Every message of a context with what its English text looks like; what says most first."""
    catalogue = gnu.translation(
        DOMAIN, LOCALE, [lang for lang in LANGUAGES if lang != "en"], class_=_Catalogue
    )
    found = []
    for message in catalogue.messages(context):
        parts = re.split(r"\{(\w+)\}", message)
        literal = sum(map(len, parts[::2]))
        pattern = "".join(f"(?P<{p}>.+)" if n % 2 else re.escape(p) for n, p in enumerate(parts))
        found.append((literal, message, re.compile(pattern, re.DOTALL)))
    return tuple((message, pattern) for _, message, pattern in sorted(found, key=lambda f: -f[0]))
