"""The words by which a study is found: number, name and accession number, however they are typed."""

import unicodedata

from sqlalchemy import ColumnElement

from headct.terms.demographics import Demographics
from orthanc_plugin.store.tables import Standing

_HIRAGANA = {ord("ァ") + n: ord("ぁ") + n for n in range(ord("ヶ") - ord("ァ") + 1)}
_LATIN_MARKS = range(0x300, 0x370)


def found_by(whose: Demographics) -> str:
    """What is searched; names as written, and without what stands between their parts."""
    names = [name.replace("^", " ") for name in whose.patient_name.split("=")]
    words = (whose.patient_id, whose.accession_number, *names, *(name.replace(" ", "") for name in names))
    return " ".join(plain(word) for word in words if word.strip())


def matches(asked: str) -> list[ColumnElement[bool]]:
    """Every word of what is asked for is somewhere in it."""
    return [Standing.words.contains(word, autoescape=True) for word in plain(asked.replace("^", " ")).split()]


def plain(text: str) -> str:
    """Without what a keyboard has no say in: case, width, kana, accents."""
    parts = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    bare = "".join(letter for letter in parts if ord(letter) not in _LATIN_MARKS)
    return unicodedata.normalize("NFC", bare).translate(_HIRAGANA)
