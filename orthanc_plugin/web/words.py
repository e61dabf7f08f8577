"""Words and figures on the page, in the reader's language."""

import re
import tomllib
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Final, cast

from flask import request

from headct.reasons import Language
from orthanc_plugin.answer import PatientNameView

LANGUAGES: Final[dict[Language, str]] = {"en": "English", "ja": "日本語"}
COOKIE = "headct_language"

_UNITS: dict[Language, dict[str, str]] = {
    "en": {"s": " s", "min": " min", "h": " h", "d": " d", "Y": " y", "M": " mo", "W": " wk", "D": " d"},
    "ja": {"s": "秒", "min": "分", "h": "時間", "d": "日", "Y": "歳", "M": "か月", "W": "週", "D": "日"},
}


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """The page's own words by key and language."""
    return tomllib.loads((resources.files(__package__) / "words.toml").read_text("utf-8"))


def requested_language() -> Language:
    """From the address, else the cookie, else what the browser asks for, else English."""
    for wish in (request.args.get("lang"), request.cookies.get(COOKIE)):
        if wish in LANGUAGES:
            return wish
    return cast(Language, request.accept_languages.best_match(list(LANGUAGES), "en"))


def say(key: str, language: Language, **figures: object) -> str:
    """Words for a key."""
    return catalogue()[key][language].format(**figures)


def duration(seconds: float, language: Language) -> str:
    """A time span as one reads it at a glance: ``45 s``, ``12 min``, ``2 h 05 min``, ``3 d``."""
    unit = _UNITS[language]
    whole = int(seconds)
    if whole < 60:
        return f"{whole}{unit['s']}"
    if whole < 3600:
        return f"{whole // 60}{unit['min']}"
    if whole < 48 * 3600:
        return f"{whole // 3600}{unit['h']} {whole % 3600 // 60:02d}{unit['min']}"
    return f"{whole // 86400}{unit['d']}"


def clock(time: datetime) -> str:
    """Time of day on the server's own clock."""
    return f"{time.astimezone():%H:%M:%S}"


def moment(time: datetime) -> str:
    """Date and time on the server's own clock."""
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S}"


def date_as_written(value: str) -> str:
    """A DICOM date with separators for the eye; anything else exactly as it is."""
    return f"{value[:4]}-{value[4:6]}-{value[6:]}" if re.fullmatch(r"\d{8}", value) else value


def time_as_written(value: str) -> str:
    """A DICOM time to the second; anything else exactly as it is."""
    match = re.fullmatch(r"(\d\d)(\d\d)(\d\d)(\.\d+)?", value)
    return ":".join(match.groups()[:3]) if match else value


def age_as_written(value: str, language: Language) -> str:
    """A DICOM age: ``007Y`` as ``7 y``; anything else exactly as it is."""
    match = re.fullmatch(r"(\d{3})([DWMY])", value)
    return f"{int(match[1])}{_UNITS[language][match[2]]}" if match else value


def name_parts(name: PatientNameView, language: Language) -> tuple[str, str]:
    """The name to show first and the one beside it; either may be empty."""
    alphabetic, ideographic, phonetic = (
        " ".join(part for part in group.split("^") if part)
        for group in (name.alphabetic, name.ideographic, name.phonetic)
    )
    order = [ideographic, phonetic, alphabetic] if language == "ja" else [alphabetic, ideographic, phonetic]
    known = [group for group in order if group]
    return (known[0] if known else "", " / ".join(known[1:]))
