"""A study as a row of the worklist: words and a tone for every cell, and how the list is searched."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from .. import words
from ..server.cases import Case, Finding, Unverified
from ..translation import _

TONES = {
    "black": ("#000000", "#ffffff"),
    "red": ("#c8192a", "#ffffff"),
    "yellow": ("#f5c518", "#241c00"),
    "green": ("#17683a", "#ffffff"),
    "not_analysed": ("#5b3fa8", "#ffffff"),
    "failed": ("#5b3fa8", "#ffffff"),
    "pending": ("#44525d", "#ffffff"),
}
"""Ground and ink, as on the web page."""

URGENCY, PATIENT, WAITING, STATE, FINDINGS, PATIENT_ID, AGE, STUDY = range(8)
"""Columns."""

MIDLINE_NOISE_MM = 4.0
"""A midline offset below it is noise of the measure (as the server words it), and no news in a row."""
SHOWN_FINDINGS = 3
_PENDING = ("judging", "waiting", "arriving")
"""The furthest first."""


def headings() -> list[str]:
    """Of the columns."""
    return [
        _("Urgency"),
        _("Patient"),
        _("Waiting"),
        _("State"),
        _("Findings"),
        _("ID"),
        _("Age, sex"),
        _("Study"),
    ]


@dataclass(frozen=True)
class Row:
    """What the table shows of a study."""

    id: str
    tone: str
    """A key of :data:`TONES`."""
    cells: tuple[str, ...]
    """A text a column; the time of waiting is filled in where it is shown, since it grows."""
    tooltip: str
    searched: str
    """All that is known of the study, in lower case."""
    first_arrival: str
    """ISO 8601 in UTC, so that texts sort as times do."""
    read: bool


def row(case: Case, language: str, unsent: bool) -> Row:
    """A study in words.

    Args:
        case: the study.
        language: ``en`` or ``ja``, of names and of the server's words.
        unsent: whether a review of it was given here that the server does not have yet.
    """
    tone, sign = signed(case, language)
    name, others = words.person_name(case.patient_name, language)
    findings = ", ".join(f.sentence.of(language) for f in telling(case.findings))
    doubts = case.doubts if case.unsure else ()
    cautions = ", ".join(c.sentence.of(language) for c in (*doubts, *case.cautions))
    state = _state(case, language, unsent)
    age = " ".join(part for part in (words.age(case.age), case.sex) if part)
    study = " ".join(part for part in (words.date(case.study_date), case.study_description) if part)
    cells = (
        sign,
        name or _("(no name)"),
        "",
        state,
        "; ".join(part for part in (findings, cautions) if part),
        case.patient_id,
        age,
        study,
    )
    lines = [sign, " / ".join(part for part in (name, others) if part), state, findings, cautions]
    searched = "\n".join([*cells, others, case.accession_number, case.birth_date]).lower()
    return Row(
        id=case.id,
        tone=tone,
        cells=cells,
        tooltip="<br>".join(escape(line) for line in lines if line),
        searched=searched,
        first_arrival=case.first_arrival.isoformat(),
        read=case.reviewed,
    )


def wanted(row: Row, text: str, unread_only: bool) -> bool:
    """Whether a filter lets a row through: it has all the words, in any order."""
    return not (unread_only and row.read) and all(word in row.searched for word in text.lower().split())


def signed(case: Case, language: str) -> tuple[str, str]:
    """The tone and the first words of a study; a state counts only where there is no urgency."""
    if case.urgency is not None:
        by_person = case.by_person
        if by_person is None:
            by_person = any(review.urgency == case.urgency for review in case.reviews)
        sign = words.person_sign(case.urgency) if by_person else words.machine_sign(case.urgency, case.unsure)
        return case.urgency.value.lower(), sign
    if case.state == "pending":
        return "pending", _("Pending: {progress}").format(progress=_progress(case))
    if case.state == "assessed":
        return "pending", _("Excluded")
    why = case.reason.sentence.of(language) if case.reason else ""
    if case.state == "failed":
        return "failed", _("Failed: {why}").format(why=why)
    return "not_analysed", _("Not analysed: {why}").format(why=why)


def ages(case: Case) -> bool:
    """Whether its waiting goes on: until it is read."""
    return case.reopened or bool(case.unverified) or not (case.reviewed or case.disputed)


def telling(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The few findings for a row, in their order: of each kind the first, then what there is room for."""
    news = [f for f in findings if f.kind != "midline_offset" or abs(f.offset_mm or 0.0) >= MIDLINE_NOISE_MM]
    kinds = [f.kind for f in news]
    order = sorted(range(len(news)), key=lambda at: (kinds.index(kinds[at]) != at, at))
    return tuple(news[at] for at in sorted(order[:SHOWN_FINDINGS]))


def waits_for(case: Case, login: str) -> bool:
    """Whether a reader is to look at it next.

    Nothing to look at yet is passed over, and a dispute that only another reader can settle.
    """
    if case.reviewed or (case.state == "pending" and case.urgency is None):
        return False
    again = case.reopened or bool(case.unverified)
    return again or not case.disputed or all(review.login != login for review in case.reviews)


def _progress(case: Case) -> str:
    furthest = min(
        (s for s in case.series if s.state in _PENDING), key=lambda s: _PENDING.index(s.state), default=None
    )
    return words.series_state(furthest) if furthest else ""


def _state(case: Case, language: str, unsent: bool) -> str:
    pending = any(s.state in _PENDING for s in case.series)
    said = [
        _("{what}, {who}").format(what=words.given(r), who=words.reader_name(r.reader, language))
        for r in case.reviews
    ]
    parts = [
        _("NOT SENT YET") if unsent else "",
        _("Readers differ") if case.disputed else "",
        _("Open again: images came after the review") if case.reopened else "",
        *(_unverified(found, language) for found in case.unverified),
        *said,
        _("Preliminary: series incomplete") if case.preliminary else "",
        _("Series disagree") if case.discordant else "",
        _("More series still to be judged") if pending and case.urgency and not case.preliminary else "",
    ]
    return ", ".join(part for part in parts if part) or (_("Not reviewed") if case.state != "pending" else "")


def _unverified(found: Unverified, language: str) -> str:
    colour = f"{words.colour(found.urgency)}, " if found.urgency else ""
    return f"{_('Review found, not verified: read again')} ({colour}{found.sentence.of(language)})"
