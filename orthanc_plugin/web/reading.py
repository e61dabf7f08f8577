"""Reading case by case: who is next, what was said of a series in the order in which it was said."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from headct import wording
from headct.language import Language, _, pgettext
from headct.terms.review import Action, ReviewFinding
from headct.terms.urgency import Urgency
from orthanc_plugin.answer import PatientNameView
from orthanc_plugin.cases.blinding import has_spoken
from orthanc_plugin.cases.review_views import ReviewView, UnverifiedView
from orthanc_plugin.cases.views import AssessmentView, SeriesView, WorklistRow
from orthanc_plugin.states import CaseState
from orthanc_plugin.web import words

FINDING_KEYS = {
    ReviewFinding.HAEMORRHAGE: "h",
    ReviewFinding.INTRAPARENCHYMAL: "p",
    ReviewFinding.INTRAVENTRICULAR: "v",
    ReviewFinding.SUBARACHNOID: "s",
    ReviewFinding.EPIDURAL: "e",
    ReviewFinding.SUBDURAL: "d",
    ReviewFinding.OLD_COLLECTION: "o",
    ReviewFinding.MIDLINE_SHIFT: "m",
    ReviewFinding.FRACTURE: "f",
}
"""The key that names a finding as there, then as not there."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing said of a series, by the machine or by a person."""

    at: datetime
    tone: str
    title: str
    who: str
    words: tuple[str, ...] = ()
    """What else was said, a line each."""
    by_person: bool = False
    differs: Urgency | None = None
    """Of a person's word: what the machine said instead."""
    agrees: bool = False
    superseded_at: datetime | None = None
    """Of a machine's result: when another took its place."""


def timeline(series: SeriesView, language: Language) -> list[Event]:
    """All that was said of a series, the oldest first."""
    machine = [*series.history, *([series.assessment] if series.assessment else [])]
    events = [_machine_event(a, language) for a in machine]
    events += [_person_event(r, language) for r in series.reviews]
    return sorted(events, key=lambda event: event.at)


def _machine_event(said: AssessmentView, language: Language) -> Event:
    meaning = wording.urgency_words(said.urgency, language, unsure=said.unsure)
    early = words.preliminary(said.cautions).say(language)
    doubts = (d.sentence.ja if language == "ja" else d.sentence.en for d in said.doubts)
    return Event(
        at=said.judged_at,
        tone=said.urgency.name.lower(),
        title=meaning[:1].upper() + meaning[1:],
        who=f"{said.bundle.name} {said.bundle.version}",
        words=(*((early,) if said.preliminary else ()), *doubts),
        superseded_at=said.withdrawn_at,
    )


def _person_event(said: ReviewView, language: Language) -> Event:
    first = words.name_parts(PatientNameView.of(said.reader), language)[0]
    compared = said.urgency is not None and said.machine is not None
    return Event(
        at=said.at,
        tone="excluded" if said.urgency is None else said.urgency.name.lower(),
        title=given_title(said, language),
        who=f"{first}, {said.organisation}",
        words=tuple(_details(said, language)),
        by_person=True,
        differs=said.machine if compared and said.machine is not said.urgency else None,
        agrees=compared and said.machine is said.urgency,
    )


def _details(said: ReviewView, language: Language) -> Iterator[str]:
    if said.urgency is not None:
        yield wording.urgency_words(said.urgency, language, by_person=True)
    if said.reason is not None:
        yield wording.exclusion_words(said.reason, language)
    if said.findings:
        named = (wording.review_finding_words(f, language, present=p) for f, p in said.findings.items())
        yield pgettext("between findings", "; ").say(language).join(named)
    if said.comment:
        yield _("“{text}”", text=said.comment).say(language)
    if said.blind:
        yield wording.blind_words(language)


def given_title(said: ReviewView, language: Language) -> str:
    """A person's word as short as it can be: ``RED``, ``Excluded``."""
    if said.action is Action.EXCLUDE or said.urgency is None:
        return _("Excluded").say(language)
    return wording.colour(said.urgency, language).upper()


def unverified_words(found: UnverifiedView, language: Language) -> str:
    """What a report says for which nobody vouches, and why nobody does."""
    who = words.name_parts(PatientNameView.of(found.reader), language)[0]
    colour = wording.colour(found.urgency, language).upper() if found.urgency is not None else ""
    when = words.moment(found.at)[:16] if found.at is not None else ""
    said = " ".join(part for part in (colour, who, when) if part)
    why = found.sentence.ja if language == "ja" else found.sentence.en
    return f"{said} ({why})" if said else why


def waits_for(row: WorklistRow, login: str, *, blind: bool) -> bool:
    """Whether a case waits for a reader; read blind, until they spoke of it, whatever others said."""
    if blind:
        return row.state is CaseState.ASSESSED and not has_spoken(row, login)
    return _is_unreviewed(row, login)


def _is_unreviewed(row: WorklistRow, login: str) -> bool:
    """Nothing to look at yet is passed over, and a dispute that only another reader can settle."""
    if row.reviewed or (row.state is CaseState.PENDING and row.urgency is None):
        return False
    return row.reopened or bool(row.unverified) or not row.disputed or not has_spoken(row, login)
