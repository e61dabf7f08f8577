"""Words and figures on the page, in the reader's language."""

import re
from collections.abc import Iterable
from datetime import datetime

from flask import request

from headct.language import LANGUAGES, Language, Phrase, _, pgettext
from headct.terms.assessment import FIRST_LOOK
from orthanc_plugin.access.roles import Role
from orthanc_plugin.answer import PatientNameView
from orthanc_plugin.cases.views import CautionView
from orthanc_plugin.models.views import FigureKind, ModelState
from orthanc_plugin.states import DocumentKind, ModelEvent, SeriesState, Window

COOKIE = "headct_language"
_INCOMPLETE = _("Preliminary: series incomplete")
_EARLY = _("Preliminary: other networks still look")

PLACES = (
    ("page.worklist", _("Worklist")),
    ("page.media_import", _("Import images")),
    ("page.models", _("Models")),
    ("page.labelling", _("Labelling queue")),
    ("page.drift", _("Drift monitoring")),
)
"""Where the bar leads."""
ROLES = {
    Role.VIEWER: _("looks only"),
    Role.SERVICE: _("a program; brings images"),
    Role.READER: _("reader"),
    Role.ADMINISTRATOR: _("administrator"),
}
COUNTS = {
    "alert": _("alerts"),
    "unknown": _("without a result"),
    "yellow": _("yellow"),
    "pending": _("pending"),
    "green": _("nothing flagged"),
}
"""Of a kind of study that waits."""
TONES = {
    "to_read": _("To be read"),
    "not_analysed": _("Not analysed"),
    "failed": _("Failed"),
    "withdrawn": _("Withdrawn"),
    "pending": _("Pending"),
}
HINTS = {
    "to_read": _("the machine's answer is hidden"),
    "not_analysed": _("no machine result: read as usual"),
    "failed": _("no machine result: read as usual"),
}
"""What follows from a tone."""
PROGRESS = {
    SeriesState.ARRIVING: _("receiving images, {count} so far"),
    SeriesState.WAITING: _("waiting for more images, {count} so far"),
    SeriesState.JUDGING: _("being judged, {count} images"),
}
"""The furthest last."""
WINDOWS = {
    Window.BRAIN: _("Brain"),
    Window.SUBDURAL: _("Subdural"),
    Window.STROKE: _("Stroke"),
    Window.BONE: _("Bone"),
}
DOCUMENTS = {
    DocumentKind.STRUCTURED_REPORT: _("Structured report"),
    DocumentKind.KEY_OBJECTS: _("Key object selection"),
    DocumentKind.SEGMENTATION: _("Region drawn (segmentation)"),
    DocumentKind.REVIEW: _("Review"),
}
MODEL_STATES = {
    ModelState.ACTIVE: _("Active: judges"),
    ModelState.SHADOW: _("Shadow: compared, publishes nothing"),
    ModelState.AVAILABLE: _("Available"),
    ModelState.REFUSED: pgettext("of a model", "Refused"),
    ModelState.GONE: _("Gone"),
}
MODEL_EVENTS = {
    ModelEvent.SHIPPED: _("Active as the newest that ships"),
    ModelEvent.ACTIVATED: _("Activated"),
    ModelEvent.ROLLED_BACK: _("Rolled back to"),
    ModelEvent.GAVE_WAY: _("Active instead of one that could not be loaded"),
    ModelEvent.SHADOW_BEGAN: _("Shadow began"),
    ModelEvent.SHADOW_ENDED: _("Shadow ended"),
}
FIGURES = {
    FigureKind.HAEMORRHAGE_AUC: _("Bleed: area under the curve {value:.2f} ({low:.2f}–{high:.2f})"),
    FigureKind.SENSITIVITY: _("Bleed: sensitivity {value:.2f} ({low:.2f}–{high:.2f})"),
    FigureKind.SPECIFICITY: _("Bleed: specificity {value:.2f} ({low:.2f}–{high:.2f})"),
    FigureKind.ALERT_AUC: _("Alert: area under the curve {value:.2f} ({low:.2f}–{high:.2f})"),
}
_AGES = {"Y": _("{count} y"), "M": _("{count} mo"), "W": _("{count} wk"), "D": _("{count} d")}


def cookie(name: str) -> str | None:
    """A choice that the browser remembers; the last one, for those of the last release come before it."""
    return next(reversed(request.cookies.getlist(name)), None)


def requested_language() -> Language:
    """From the address, else the cookie, else what the browser asks for, else English."""
    for wish in (request.args.get("lang"), cookie(COOKIE)):
        if wish in LANGUAGES:
            return wish
    asked = (tag.partition("-")[0].lower() for tag, quality in request.accept_languages if quality > 0)
    return next((tag for tag in asked if tag in LANGUAGES), "en")


_SPANS = (_("{count} s"), _("{count} min"), _("{hours} h {minutes:02d} min"), _("{count} d"))


def duration(seconds: float) -> Phrase:
    """A time span as one reads it at a glance: ``45 s``, ``12 min``, ``2 h 05 min``, ``3 d``."""
    whole = max(0, int(seconds))
    in_seconds, in_minutes, in_hours, in_days = _SPANS
    if whole < 60:
        return in_seconds.filled(count=whole)
    if whole < 3600:
        return in_minutes.filled(count=whole // 60)
    if whole < 48 * 3600:
        return in_hours.filled(hours=whole // 3600, minutes=whole % 3600 // 60)
    return in_days.filled(count=whole // 86400)


class _Slot(str):
    """Stays in a phrase by its name, for a script to fill."""

    def __format__(self, how: str) -> str:
        return "{" + self + "}"


def spans(language: Language) -> list[str]:
    """The same for a script, which has the figures."""
    slots = {name: _Slot(name) for name in ("count", "hours", "minutes")}
    return [phrase.filled(**slots).say(language) for phrase in _SPANS]


def clock(time: datetime) -> str:
    """Time of day on the server's own clock, with its zone."""
    return f"{time.astimezone():%H:%M:%S} {_zone(time)}"


def moment(time: datetime) -> str:
    """Date and time on the server's own clock, with its zone."""
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S} {_zone(time)}"


def for_scripts(time: datetime) -> str:
    """To the second, on the server's own clock, as scripts take it apart."""
    return time.astimezone().isoformat(timespec="seconds")


def minute(time: datetime) -> str:
    """The same to the minute."""
    return f"{time.astimezone():%Y-%m-%d %H:%M} {_zone(time)}"


def _zone(time: datetime) -> str:
    """``UTC+09:00``: letters such as CST mean several zones."""
    return f"UTC{time.astimezone().isoformat()[-6:]}"


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
    return _AGES[match[2]].filled(count=int(match[1])).say(language) if match else value


def preliminary(cautions: Iterable[CautionView]) -> Phrase:
    """Why a result may still change, said shortly; its caution need not be shown then."""
    return _EARLY if any(c.code == FIRST_LOOK for c in cautions) else _INCOMPLETE


def name_parts(name: PatientNameView, language: Language) -> tuple[str, str]:
    """The name to show first and the one beside it; either may be empty."""
    alphabetic, ideographic, phonetic = (
        " ".join(part for part in group.split("^") if part)
        for group in (name.alphabetic, name.ideographic, name.phonetic)
    )
    order = [ideographic, phonetic, alphabetic] if language == "ja" else [alphabetic, ideographic, phonetic]
    known = [group for group in order if group]
    return (known[0] if known else "", " / ".join(known[1:]))
