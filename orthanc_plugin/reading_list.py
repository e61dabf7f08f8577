"""Which case's label would teach most: a list of its own, of which the clinical worklist knows nothing.

A case is worth ``disagreement + uncertainty + unlikeness``, each from 0 to 1:

- *disagreement*: those who spoke of it differ: persons, the model and a person or the model in shadow, or
  the model about two series. 1 where it is about an alert, 0.5 within alerts or within the others. Two
  readers who differ: 1, as nothing may be learnt until a third has spoken.
- *uncertainty*: entropy in bits of the probability of haemorrhage or of an alert, whichever is nearer to
  even, from :data:`UNDECIDED` on (uncertainty sampling, Lewis and Gale, SIGIR 1994).
- *unlikeness*: 1 - 20 t for the rarest of its figures, t being the share of the patients trained on who lie
  as far out or further; counted where t is at most :data:`RARE`, outside their central 95 %.

What is worth nothing is not on the list. A case leaves it when a reader agrees with the model, when two
readers agree, when a third has settled it and when it is excluded. Alerts of the queue that nobody has read
are not on it: they are read at once, in the order of the worklist, and need no other reason.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import log2

from sqlalchemy import select
from sqlalchemy.orm import Session

from headct import wording
from headct.assessment import Assessment
from headct.quantities import Quantity
from headct.reasons import Language
from headct.reference import Histogram, Reference
from headct.review import Standing
from headct.urgency import Urgency
from orthanc_plugin import models, tables
from orthanc_plugin.reading_list_views import Lesson, LessonView, ReadingListRow, ReadingListView
from orthanc_plugin.tables import ShadowAssessment
from orthanc_plugin.views import PatientNameView, SeriesState, Words
from orthanc_plugin.watch_words import QUANTITIES
from orthanc_plugin.worklist import SeriesRecord, StudyRecord

UNDECIDED = 0.8
"""Bits. Ours: a probability between 0.24 and 0.76."""
RARE = 0.025
"""Share of the patients trained on beyond either end of their central 95 %."""
SHOWN = 100
"""Cases; the others move up as these are read."""
_ALERT_DIFFERS, _COLOUR_DIFFERS = 1.0, 0.5


@dataclass(frozen=True, slots=True)
class _Case:
    study: StudyRecord
    series: SeriesRecord
    """The one whose label is wanted."""
    lessons: tuple[LessonView, ...]

    @property
    def worth(self) -> float:
        return sum(
            max((lesson.weight for lesson in self.lessons if lesson.kind is kind), default=0.0)
            for kind in Lesson
        )


def reading_list(
    studies: Iterable[StudyRecord],
    in_shadow: Mapping[str, Urgency],
    trained_on: Mapping[str, Reference],
    now: datetime,
) -> ReadingListView:
    """The cases worth reading, the most instructive first; of equal ones the earliest.

    Args:
        studies: all, earlier ones too.
        in_shadow: as :func:`shadows` gives it.
        trained_on: as :func:`references` gives it.
        now: the server's time.
    """
    found: list[_Case] = []
    waiting = 0
    for study in studies:
        if not study.earlier and _is_unread_alert(study):
            waiting += 1
        elif (case := _case(study, in_shadow, trained_on)) is not None:
            found.append(case)
    found.sort(key=lambda case: (-case.worth, case.study.first_arrival, case.study.id))
    return ReadingListView(
        generated_at=now, rows=tuple(map(_row, found[:SHOWN])), total=len(found), left_to_worklist=waiting
    )


def shadows(session: Session) -> dict[str, Urgency]:
    """What the model in shadow now says, by series, of what the one in service says now."""
    began = models.shadow(session)
    if began is None:
        return {}
    rows = session.execute(
        select(ShadowAssessment.series_id, ShadowAssessment.urgency)
        .join(tables.Assessment, ShadowAssessment.assessment_id == tables.Assessment.id)
        .where(
            ShadowAssessment.bundle == began.digest,
            ShadowAssessment.urgency.is_not(None),
            tables.Assessment.withdrawn_at.is_(None),
        )
    )
    return {series_id: urgency for series_id, urgency in rows if urgency is not None}


def references(session: Session) -> dict[str, Reference]:
    """What each model was trained on, by its digest, where that is known."""
    rows = session.execute(select(tables.Bundle.digest, tables.Bundle.reference))
    return {digest: Reference.from_json(body) for digest, body in rows if body is not None}


def _is_unread_alert(study: StudyRecord) -> bool:
    unread = all(s.reviewed_at is None for s in study.series)
    return any(s.urgency is not None and s.urgency.alert and (unread or s.unseen) for s in study.series)


def _case(
    study: StudyRecord, in_shadow: Mapping[str, Urgency], trained_on: Mapping[str, Reference]
) -> _Case | None:
    """A study with what its label would teach; ``None`` when that is nothing, or it was read."""
    judged = [
        s for s in study.series if s.assessment and not s.preliminary and s.state is not SeriesState.WITHDRAWN
    ]
    open_to = [s for s in judged if _differs_from_readers(s)]
    if not open_to and any(s.reviewed_at is not None for s in study.series):
        return None
    cases = [_Case(study, s, tuple(_lessons(s, judged, in_shadow, trained_on))) for s in open_to or judged]
    best = max(cases, key=lambda case: case.worth, default=None)  # of equal ones the first
    return best if best is not None and best.lessons else None


def _differs_from_readers(series: SeriesRecord) -> bool:
    """Whether a person's word on it is still open: disputed, or one reader against the model."""
    said = series.verdict
    if said.standing is Standing.DISPUTED:
        return True
    alone = said.standing is Standing.REVIEWED and len(series.reviews) == 1
    return alone and said.urgency is not None and said.urgency is not series.urgency


def _lessons(
    series: SeriesRecord,
    judged: Sequence[SeriesRecord],
    in_shadow: Mapping[str, Urgency],
    trained_on: Mapping[str, Reference],
) -> Iterator[LessonView]:
    assert series.assessment is not None
    yield from _disagreements(series, series.assessment.urgency, judged, in_shadow.get(series.id))
    yield from _uncertainty(series.assessment)
    reference = trained_on.get(series.assessment.bundle.digest)
    if reference is not None:
        yield from _unlikeness(series.assessment, reference)


def _disagreements(
    series: SeriesRecord, machine: Urgency, judged: Sequence[SeriesRecord], shadow: Urgency | None
) -> Iterator[LessonView]:
    said = series.verdict
    if said.standing is Standing.DISPUTED:
        words = _both(lambda language: _listed([r.urgency for r in series.reviews], language))
        yield LessonView(
            kind=Lesson.DISAGREEMENT,
            weight=_ALERT_DIFFERS,
            sentence=Words(
                en=f"Two readers differ: {words.en}. A third is to settle it.",
                ja=f"読影者2名の判断が不一致（{words.ja}）。3人目の判断が必要です。",
            ),
        )
    elif said.urgency is not None and said.urgency is not machine:
        a, b = _both(lambda language: _by_person(said.urgency, language)), _machine(machine)
        yield LessonView(
            kind=Lesson.DISAGREEMENT,
            weight=_difference(said.urgency, machine),
            sentence=Words(
                en=f"A reader says {a.en}, the model {b.en}. A second reader would confirm one of them.",
                ja=f"読影者は{a.ja}、モデルは{b.ja}。2人目の読影者による確認が有用です。",
            ),
        )
    if shadow is not None and shadow is not machine:
        a, b = _machine(shadow), _machine(machine)
        yield LessonView(
            kind=Lesson.DISAGREEMENT,
            weight=_difference(shadow, machine),
            sentence=Words(
                en=f"The model in shadow says {a.en}, the one in service {b.en}.",
                ja=f"シャドーのモデルは{a.ja}、稼働中のモデルは{b.ja}。",
            ),
        )
    urgencies = {s.urgency for s in judged if s.urgency is not None}
    if len(urgencies) > 1:
        words = _both(lambda language: _listed_machine(urgencies, language))
        yield LessonView(
            kind=Lesson.DISAGREEMENT,
            weight=_difference(min(urgencies), max(urgencies)),
            sentence=Words(
                en=f"The model says of the study's series: {words.en}.",
                ja=f"シリーズ間で判定が不一致：{words.ja}。",
            ),
        )


def _uncertainty(said: Assessment) -> Iterator[LessonView]:
    nearest = min((said.haemorrhage_probability, said.alert_probability), key=lambda p: abs(p - 0.5))
    bits = entropy(nearest)
    if bits >= UNDECIDED:
        of_bleed = nearest == said.haemorrhage_probability
        name = Words(en="haemorrhage", ja="出血") if of_bleed else Words(en="an alert", ja="緊急")
        yield LessonView(
            kind=Lesson.UNCERTAINTY,
            weight=bits,
            sentence=Words(
                en=f"The model is undecided: probability of {name.en} {nearest:.2f}.",
                ja=f"モデルの判断が不確か：{name.ja}の確率 {nearest:.2f}。",
            ),
        )


def _unlikeness(said: Assessment, reference: Reference) -> Iterator[LessonView]:
    values = {**said.inputs, Quantity.HAEMORRHAGE_PROBABILITY: said.haemorrhage_probability}
    for quantity, histogram in reference.histograms.items():
        if (value := values.get(quantity)) is None:
            continue
        beyond, high = further_out(histogram, value)
        share = beyond / histogram.total
        if share <= RARE:
            name = QUANTITIES[quantity]
            yield LessonView(
                kind=Lesson.UNLIKENESS,
                weight=1 - 20 * share,
                sentence=Words(
                    en=f"Unlike those trained on: {name.en} {value:.3g};"
                    f" {beyond} of {histogram.total} were as {'high' if high else 'low'}.",
                    ja=f"学習データにまれ：{name.ja} {value:.3g}"
                    f"（これ{'以上' if high else '以下'}は{histogram.total}例中{beyond}例）。",
                ),
            )


def entropy(probability: float) -> float:
    """Of yes and no, in bits: 1 where they are even, 0 where one is certain."""
    return -sum(p * log2(p) for p in (probability, 1 - probability) if p > 0)


def further_out(histogram: Histogram, value: float) -> tuple[int, bool]:
    """How many of the reference lie in a value's class or beyond it, on the side where they are fewer.

    Returns:
        Their number, and whether that side is the high one.
    """
    at = histogram.class_of(value)
    low, high = sum(histogram.counts[: at + 1]), sum(histogram.counts[at:])
    return min(low, high), high <= low


def _difference(a: Urgency, b: Urgency) -> float:
    return _ALERT_DIFFERS if a.alert is not b.alert else _COLOUR_DIFFERS


def _row(case: _Case) -> ReadingListRow:
    study = case.study
    return ReadingListRow(
        study_id=study.id,
        series_id=case.series.id,
        patient_name=PatientNameView.of(study.patient_name),
        patient_id=study.patient_id,
        study_date=study.study_date,
        study_description=study.description,
        series_description=case.series.description,
        worth=round(case.worth, 3),
        lessons=tuple(sorted(case.lessons, key=lambda lesson: -lesson.weight)),
        readers=tuple(sorted({review.login for s in study.series for review in s.reviews})),
    )


def _both(say: Callable[[Language], str]) -> Words:
    return Words(en=say("en"), ja=say("ja"))


def _machine(urgency: Urgency) -> Words:
    return _both(lambda language: _by_machine(urgency, language))


def _by_machine(urgency: Urgency, language: Language) -> str:
    """As on the worklist: no colour's name where it says more than a machine can know."""
    if urgency in {Urgency.GREEN, Urgency.BLACK}:
        meaning = wording.urgency_words(urgency, language)
        return f"“{meaning}”" if language == "en" else f"「{meaning}」"
    return wording.colour(urgency, language).upper()


def _by_person(urgency: Urgency | None, language: Language) -> str:
    if urgency is None:
        return "“exclude”" if language == "en" else "「除外」"
    return wording.colour(urgency, language).upper()


def _listed(urgencies: Iterable[Urgency | None], language: Language) -> str:
    return " / ".join(_by_person(urgency, language) for urgency in urgencies)


def _listed_machine(urgencies: Iterable[Urgency], language: Language) -> str:
    return " / ".join(_by_machine(urgency, language) for urgency in sorted(urgencies, reverse=True))
