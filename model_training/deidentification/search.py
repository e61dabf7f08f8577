"""Looks for the input's identifiers in texts and bytes, in every spelling and character set.

What counts as found, so that a short or common value does not stop every export:

- Eight characters or more, or two outside ASCII: anywhere, in capitals or not, also as part of a longer word.
- Four to seven, one outside ASCII, and numbers: as a word of its own, not beside letters or digits.
- Two or three: as a word, in an image's free words alone (not in maker, model, kernel, nor in coded terms).
- One: never. Nor one of the words :data:`COMMON` by itself ("unknown", "hospital", the colours of urgency).
- In decimal numbers (positions, spacings) and the parts of a UID: six digits or more, as the whole number.
- In bytes of any meaning (a whole image, arrays): eight bytes or more, six outside ASCII, in every character
  set that the input uses, those of Japan, UTF-8 and UTF-16. Fewer occur there by chance.

Names, numbers, dates and UIDs are looked for everywhere, other texts in images' words alone and from four
characters on: tables have words.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date

import numpy as np

from model_training.deidentification.identifiers import Identifiers, Kind, folded

COMMON = frozenset({
    "anon", "anonymised", "anonymized", "anonymous", "black", "blood", "brain", "brown", "default",
    "doctor", "false", "female", "fold", "generated", "green", "head", "hospital", "image",
    "images", "index", "label", "labels", "long", "male", "model", "n/a", "name", "none", "null",
    "other", "patient", "phantom", "red", "removed", "series", "slice", "source", "split", "study",
    "test", "train", "training", "true", "unknown", "urgency", "valid", "validation", "version",
    "volume", "white", "yellow", "young",
})  # fmt: skip
"""Words that stand where a name or number should be, or that manifests and tables use."""
_LONG, _WORD, _SHORT, _DIGITS = 8, 4, 2, 6
"""Characters from which on a value is looked for anywhere, as a word, in texts alone, and in numbers."""
_BYTES, _BYTES_OUTSIDE_ASCII = 8, 6
_CODECS = frozenset({"utf-8", "shift_jis", "euc_jp", "iso2022_jp", "utf-16-le", "utf-16-be"})
_BACK_TO_ASCII = b"\x1b(B"
"""Ends a name in ISO-2022-JP, unless it goes on."""
_ERAS = {
    **dict.fromkeys(("明治", "m"), 1868),
    **dict.fromkeys(("大正", "t"), 1912),
    **dict.fromkeys(("昭和", "s"), 1926),
    **dict.fromkeys(("平成", "h"), 1989),
    **dict.fromkeys(("令和", "r"), 2019),
}
"""Names and letters of the Japanese eras, and the first year of each."""
_SPELLINGS = tuple(
    re.compile(f"(?=(?<![0-9])(?<![0-9]\\.){pattern})")  # looking ahead, one may begin within another
    for pattern in (
        r"(?<![a-z])(?P<y>[0-9]{4})(?P<m>[0-9]{2})(?P<d>[0-9]{2})(?:[0-9]{2,6}(?:\.[0-9]+)?)?(?![0-9a-z])",
        r"(?P<y>[0-9]{4}) ?[-/.年] ?(?P<m>[0-9]{1,2}) ?[-/.月] ?(?P<d>[0-9]{1,2})(?![0-9])",
        r"(?P<d>[0-9]{1,2}) ?[-/.] ?(?P<m>[0-9]{1,2}) ?[-/.] ?(?P<y>[0-9]{4})(?![0-9])",
        r"(?P<m>[0-9]{1,2}) ?[-/.] ?(?P<d>[0-9]{1,2}) ?[-/.] ?(?P<y>[0-9]{4})(?![0-9])",
        r"(?P<era>明治|大正|昭和|平成|令和|(?<![a-z])[mtshr]) ?(?P<y>[0-9]{1,2}|元) ?[-/.年] ?"
        r"(?P<m>[0-9]{1,2}) ?[-/.月] ?(?P<d>[0-9]{1,2})(?![0-9])",
    )
)
"""Dates as people and programs write them: year first, day first, month first, in Japanese eras."""


class Search:
    """One set of identifiers, made ready once and used on many files."""

    def __init__(self, identifiers: Identifiers, own_words: Iterable[str] = ()) -> None:
        """Take what to look for, and words of the data's own tables that are no names there."""
        values: dict[str, Kind] = {folded(text): kind for kind, text in identifiers.values}
        values = {text: kind for text, kind in values.items() if text not in COMMON}
        self._named = {text: kind for text, kind in values.items() if kind is not Kind.TEXT}
        self._texts = {text: kind for text, kind in values.items() if kind is Kind.TEXT}
        own = {folded(word) for word in own_words}
        self._beside = {text: kind for text, kind in self._named.items() if text not in own}
        self._dates, self._uids = identifiers.dates, identifiers.uids
        self._digits = {day.isoformat().replace("-", ""): Kind.DATE for day in self._dates}
        self._digits |= {
            text: kind for text, kind in values.items() if text.isdecimal() and len(text) >= _DIGITS
        }
        self._bytes = _Needles(_encoded(identifiers))

    def text(self, text: str) -> Kind | None:
        """What is found in an image's free words."""
        text = folded(text)
        return self._date(text) or _first(self._named, text, _SHORT) or _first(self._texts, text, _WORD)

    def technique(self, text: str) -> Kind | None:
        """What is found in an image's words about technique, and in its coded terms."""
        text = folded(text)
        return self._date(text) or _first(self._named, text, _WORD) or _first(self._texts, text, _WORD)

    def number(self, text: str) -> Kind | None:
        """What a decimal number is."""
        whole, _, fraction = text.strip().lstrip("+-").partition(".")
        return None if fraction.strip("0") else self._digits.get(whole) or self._digits.get(whole.lstrip("0"))

    def uid(self, uid: str) -> Kind | None:
        """Whether a UID is one of the input's, or a part of it a number of the input's."""
        if uid in self._uids:
            return Kind.UID
        return next((kind for part in uid.split(".") if (kind := self.number(part))), None)

    def beside(self, text: str) -> Kind | None:
        """What is found in a file that is no image, or in a file's name."""
        if "\\u" in text:  # as JSON writes what is not ASCII
            text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)
        if self._uids.intersection(re.findall(r"[0-9]+(?:\.[0-9]+)+", text)):
            return Kind.UID
        text = folded(text)
        return self._date(text) or _first(self._beside, text, _WORD)

    def data(self, data: bytes) -> Kind | None:
        """What is found in bytes of any meaning."""
        return self._bytes.first_in(data.upper())

    def _date(self, text: str) -> Kind | None:
        return Kind.DATE if any(day in self._dates for day in dates_in(text)) else None


class _Needles:
    """Thousands of values looked for in one pass over an image; one pass for each would take minutes."""

    def __init__(self, values: Mapping[bytes, Kind]) -> None:
        self._by_start: dict[bytes, list[tuple[bytes, Kind]]] = defaultdict(list)
        self._first, self._second = np.zeros(1 << 16, bool), np.zeros(1 << 16, bool)
        for value, kind in values.items():
            self._by_start[value[:4]].append((value, kind))
            first, second = np.frombuffer(value[:4], "<u2")
            self._first[first] = self._second[second] = True

    def first_in(self, data: bytes) -> Kind | None:
        """The kind of the first value that is in the data."""
        single = np.frombuffer(data, np.uint8)
        pairs = single[:-1] | single[1:].astype(np.uint16) << 8
        for at in np.flatnonzero(self._first[pairs[:-2]] & self._second[pairs[2:]]).tolist():
            for value, kind in self._by_start.get(data[at : at + 4], ()):
                if data.startswith(value, at):
                    return kind
        return None


def dates_in(text: str) -> Iterator[date]:
    """All dates that a folded text may mean."""
    for spelling in _SPELLINGS:
        for found in spelling.finditer(text):
            said = found.groupdict()
            year = int(said["y"]) if said["y"] != "元" else 1
            year += _ERAS[said["era"]] - 1 if said.get("era") else 0
            try:
                yield date(year, int(said["m"]), int(said["d"]))
            except ValueError:
                continue


def _first(values: Mapping[str, Kind], text: str, shortest: int) -> Kind | None:
    """The kind of the first value that counts as found in a folded text."""
    return next(
        (kind for value, kind in values.items() if value in text and _counts(value, text, shortest)), None
    )


def _counts(value: str, text: str, shortest: int) -> bool:
    """Whether a value that is in a text is there by more than chance."""
    if not value.isascii():
        return len(value) > 1 or bool(re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text))
    if value.isdecimal():
        word = rf"(?<![0-9a-z])(?<![0-9]\.){value}(?![0-9a-z])(?!\.[0-9])"
        return len(value) >= shortest and bool(re.search(word, text))
    if len(value) >= _LONG:
        return True
    return len(value) >= shortest and bool(re.search(rf"(?<![0-9a-z]){re.escape(value)}(?![0-9a-z])", text))


def _encoded(identifiers: Identifiers) -> dict[bytes, Kind]:
    """Names, numbers, dates and UIDs as bytes, in capitals as far as they are ASCII."""
    found = {value.upper(): Kind.NAME for value in identifiers.raw if len(value) >= _BYTES_OUTSIDE_ASCII}
    named = [(kind, text) for kind, text in identifiers.values if kind is not Kind.TEXT]
    dates = [
        (Kind.DATE, day.isoformat().replace("-", between))
        for day in identifiers.dates
        for between in ("", "-", "/", ".")
    ]
    uids = [(Kind.UID, uid) for uid in identifiers.uids]
    for kind, text in [*named, *dates, *uids]:
        if folded(text) in COMMON or (text.isascii() and len(text) < _BYTES):
            continue
        for codec in _CODECS | identifiers.encodings:
            try:
                data = text.upper().encode(codec).removesuffix(_BACK_TO_ASCII)
            except (UnicodeEncodeError, LookupError):
                continue
            if len(data) >= _BYTES_OUTSIDE_ASCII:
                found[data.strip(b"\0").upper()] = (
                    kind  # without the outer zeros UTF-16 fits either way round
                )
    return found
