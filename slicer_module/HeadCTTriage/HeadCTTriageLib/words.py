"""What is said of a case in words, in the language Slicer is set to; the web page says the same.

The words never say that a head is free of disease: the machine's GREEN means that nothing was flagged.
"""

from __future__ import annotations

import re
from datetime import datetime

from .server.cases import GivenReview, PersonName, Series, SeriesSummary, Urgency
from .translation import _


def notice() -> str:
    """The physician decides. Always in sight."""
    return _("For reference only. The program supports; the physician makes the final judgement.")


def may_miss() -> str:
    """A limit that every reader should know."""
    return _("Small bleeding can be missed.")


def colour(urgency: Urgency) -> str:
    """Name of a colour; never the only sign."""
    return {
        Urgency.GREEN: _("GREEN"),
        Urgency.YELLOW: _("YELLOW"),
        Urgency.RED: _("RED"),
        Urgency.BLACK: _("BLACK"),
    }[urgency]


def machine_meaning(urgency: Urgency) -> str:
    """What an urgency means when a machine says it: no more than an image can know."""
    return {
        Urgency.GREEN: _("nothing flagged"),
        Urgency.YELLOW: _("specialist needed, not urgent"),
        Urgency.RED: _("urgent, specialist now"),
        Urgency.BLACK: _("suspected extreme severity, specialist now"),
    }[urgency]


def person_meaning(urgency: Urgency) -> str:
    """What an urgency means when a person says it."""
    return {
        Urgency.GREEN: _("no specialist treatment needed"),
        Urgency.YELLOW: _("specialist treatment needed, not urgent"),
        Urgency.RED: _("urgent, specialist treatment at once"),
        Urgency.BLACK: _("so severe that treatment is not expected to change the outcome"),
    }[urgency]


def machine_sign(urgency: Urgency, unsure: bool = False) -> str:
    """A machine's urgency in a line; *unsure* makes a GREEN another answer, and no other colour.

    No colour's name where it says more than a machine can know: *green* reads as all clear, and on the triage
    tag *black* is beyond help.
    """
    meaning = machine_meaning(urgency)
    if unsure and urgency is Urgency.GREEN:
        meaning = _("nothing flagged, unsure")
    if urgency in {Urgency.GREEN, Urgency.BLACK}:
        return meaning[:1].upper() + meaning[1:]
    return _("{colour}: {meaning}").format(colour=colour(urgency), meaning=meaning)


def person_sign(urgency: Urgency) -> str:
    """A person's urgency in a line."""
    return _("{colour}: {meaning}").format(colour=colour(urgency), meaning=person_meaning(urgency))


def series_state(series: SeriesSummary) -> str:
    """Where one series stands, without its urgency."""
    known = {
        "arriving": _("receiving images, {count} so far").format(count=series.images),
        "waiting": _("waiting for more images, {count} so far").format(count=series.images),
        "judging": _("being judged, {count} images").format(count=series.images),
        "assessed": _("assessed"),
        "not_analysed": _("not analysed"),
        "failed": _("failed"),
        "withdrawn": _("withdrawn"),
    }
    return known.get(series.state, series.state)


def series_title(series: SeriesSummary) -> str:
    """A series as one chooses it from a list."""
    name = " ".join(part for part in (series.number, series.description or series.modality) if part)
    said = machine_sign(series.urgency, series.unsure) if series.urgency else series_state(series)
    return _("{name} ({images} images): {said}").format(name=name, images=series.images, said=said)


def finding(kind: str) -> str:
    """What a reader may find."""
    known = {
        "haemorrhage": _("bleed within the skull"),
        "intraparenchymal": _("intraparenchymal bleed"),
        "intraventricular": _("blood in the ventricles"),
        "subarachnoid": _("subarachnoid bleed"),
        "epidural": _("epidural bleed"),
        "subdural": _("subdural bleed"),
        "old_collection": _("old collection of low density"),
        "midline_shift": _("midline shift"),
        "fracture": _("skull fracture"),
    }
    return known.get(kind, kind.replace("_", " "))


def finding_said(kind: str, present: bool | None) -> str:
    """What a reader may find, and whether it is there; ``None``: nothing was said of it."""
    words = finding(kind)
    if present is None:
        return words
    return (_("{finding}: present") if present else _("{finding}: absent")).format(finding=words)


def exclusion(reason: str) -> str:
    """Why a series is not to be learnt from."""
    known = {
        "post_operative": _("after an operation"),
        "repeat": _("repeat examination of the same patient"),
        "poor_quality": _("poor image quality"),
        "wrong_series": _("wrong series"),
        "other": _("another reason, said in the comment"),
    }
    return known.get(reason, reason.replace("_", " "))


def given(review: GivenReview) -> str:
    """A person's word as short as it can be: ``RED``, ``Excluded``."""
    return colour(review.urgency) if review.urgency else _("Excluded")


def given_in_full(review: GivenReview) -> list[str]:
    """What else a person said, a line each."""
    lines = []
    if review.urgency:
        lines.append(person_meaning(review.urgency))
    if review.reason:
        lines.append(exclusion(review.reason))
    lines += [finding_said(kind, present) for kind, present in review.findings.items()]
    if review.comment:
        lines.append(_("“{text}”").format(text=review.comment))
    if review.blind:
        lines.append(_("given before the machine's answer was shown"))
    return lines


def standing(series: Series) -> str:
    """How the readers of a series stand."""
    verdict = series.verdict
    what = colour(verdict.urgency) if verdict.urgency else _("Excluded")
    if verdict.standing == "unreviewed":
        return _("Not reviewed yet.")
    if verdict.standing == "disputed":
        return _(
            "Two readers differ: a third is to settle it. Until then {what} counts, the worse of the two."
        ).format(what=what)
    if verdict.standing == "settled":
        return _("Settled by three readers or more: {what}.").format(what=what)
    return _("Reviewed: {what}.").format(what=what)


def reader_name(written: str, language: str) -> str:
    """Who reviewed, of a DICOM person name with up to three groups."""
    groups = [*written.split("=", 2), "", ""]
    return person_name(PersonName(*groups[:3]), language)[0]


def person_name(name: PersonName, language: str) -> tuple[str, str]:
    """The name to show first and those beside it; either may be empty."""
    alphabetic, ideographic, phonetic = (
        " ".join(part for part in group.split("^") if part)
        for group in (name.alphabetic, name.ideographic, name.phonetic)
    )
    order = [ideographic, phonetic, alphabetic] if language == "ja" else [alphabetic, ideographic, phonetic]
    known = [group for group in order if group]
    return (known[0] if known else "", " / ".join(known[1:]))


def duration(seconds: float) -> str:
    """A time span as one reads it at a glance: ``45 s``, ``12 min``, ``2 h 05 min``, ``3 d``."""
    whole = max(int(seconds), 0)
    if whole < 60:
        return _("{seconds} s").format(seconds=whole)
    if whole < 3600:
        return _("{minutes} min").format(minutes=whole // 60)
    if whole < 48 * 3600:
        return _("{hours} h {minutes} min").format(hours=whole // 3600, minutes=f"{whole % 3600 // 60:02d}")
    return _("{days} d").format(days=whole // 86400)


def date(written: str) -> str:
    """A DICOM date with separators for the eye; anything else exactly as it is."""
    return f"{written[:4]}-{written[4:6]}-{written[6:]}" if re.fullmatch(r"\d{8}", written) else written


def age(written: str) -> str:
    """A DICOM age: ``007Y`` as ``7 y``; anything else exactly as it is."""
    match = re.fullmatch(r"(\d{3})([DWMY])", written)
    if not match:
        return written
    unit = {"Y": _("{age} y"), "M": _("{age} mo"), "W": _("{age} wk"), "D": _("{age} d")}[match[2]]
    return unit.format(age=int(match[1]))


def moment(time: datetime) -> str:
    """Date and time on this computer's clock."""
    return f"{time.astimezone():%Y-%m-%d %H:%M}"
