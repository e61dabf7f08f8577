"""Was contrast medium given, by what the headers say of it."""

import re

from pydicom.dataset import Dataset

from headct.images.headers import text

_NO_CONTRAST = re.compile(
    r"^(?:|NO|NONE|N|NO[ _-]?CONTRAST|NON[ _-]?CONTRAST|WITHOUT.*|W/?O.*|UNENHANCED|PLAIN|NATIVE?|NIL|NULL"
    r"|N/?A|UNKNOWN|NOT .*|OHNE.*|SANS.*|SIN .*|0+(?:\.0+)?(?: ?ML)?|FALSE|-+|なし|無し?|単純)$"
)
_CONTRAST_SERIES = re.compile(
    r"\b(?:CTA|CTV|ANGIO\w*|PERFUSION|CTP|CE|C\+|WITH CONTRAST|POST[ -]?CONTRAST)(?:\b|(?<=\+))"
    r"|(?<!非)造影"
)
_NATIVE_SERIES = re.compile(r"\b(?:NON?|W/?O|WITHOUT|PRE|PLAIN|NATIVE?)\b|単純|非造影")


def said_by(header: Dataset) -> bool:
    """Whether the header says that contrast medium was given."""
    agent = " ".join(text(header, "ContrastBolusAgent").upper().split())
    described = text(header, "SeriesDescription").upper()
    said = _CONTRAST_SERIES.search(described) and not _NATIVE_SERIES.search(described)
    return bool(said) or not _NO_CONTRAST.match(agent)
