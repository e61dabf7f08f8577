"""Why a label would teach, in weights and words.

The formula stands in :mod:`orthanc_plugin.labelling_queue.ranking`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import log2

from headct import wording
from headct.language import Figure, Phrase, _
from headct.network.reference import Histogram, Reference
from headct.terms.assessment import Assessment
from headct.terms.quantities import Quantity
from headct.terms.review import Standing
from headct.terms.urgency import Urgency
from orthanc_plugin.answer import Words
from orthanc_plugin.cases.study import SeriesRecord
from orthanc_plugin.drift.words import QUANTITIES
from orthanc_plugin.labelling_queue.views import Lesson, LessonView

UNDECIDED = 0.8
"""Bits. Ours: a probability between 0.24 and 0.76."""
RARE = 0.025
"""Share of the patients trained on beyond either end of their central 95 %."""
_ALERT_DIFFERS, _COLOUR_DIFFERS = 1.0, 0.5


def lessons(
    series: SeriesRecord,
    judged: Sequence[SeriesRecord],
    in_shadow: Mapping[str, Urgency],
    trained_on: Mapping[str, Reference],
) -> Iterator[LessonView]:
    """Why the label of one series would teach.

    Args:
        series: with an assessment.
        judged: all series of its study that have one.
        in_shadow: by series, what the model in shadow says.
        trained_on: by digest of a model.
    """
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
        yield _lesson(
            Lesson.DISAGREEMENT,
            _ALERT_DIFFERS,
            _(
                "Two readers differ: {views}. A third is to settle it.",
                views=_listed(map(_by_person, (r.urgency for r in series.reviews))),
            ),
        )
    elif said.urgency is not None and said.urgency is not machine:
        yield _lesson(
            Lesson.DISAGREEMENT,
            _difference(said.urgency, machine),
            _(
                "A reader says {reader}, the model {model}. A second reader would confirm one of them.",
                reader=_by_person(said.urgency),
                model=_by_machine(machine),
            ),
        )
    if shadow is not None and shadow is not machine:
        yield _lesson(
            Lesson.DISAGREEMENT,
            _difference(shadow, machine),
            _(
                "The model in shadow says {shadow}, the one in service {active}.",
                shadow=_by_machine(shadow),
                active=_by_machine(machine),
            ),
        )
    urgencies = {s.urgency for s in judged if s.urgency is not None}
    if len(urgencies) > 1:
        views = _listed(map(_by_machine, sorted(urgencies, reverse=True)))
        yield _lesson(
            Lesson.DISAGREEMENT,
            _difference(min(urgencies), max(urgencies)),
            _("The model says of the study's series: {views}.", views=views),
        )


def _uncertainty(said: Assessment) -> Iterator[LessonView]:
    nearest = min((said.haemorrhage_probability, said.alert_probability), key=lambda p: abs(p - 0.5))
    bits = entropy(nearest)
    if bits >= UNDECIDED:
        of_bleed = nearest == said.haemorrhage_probability
        yield _lesson(
            Lesson.UNCERTAINTY,
            bits,
            _(
                "The model is undecided: probability of {what} {probability:.2f}.",
                what=_("haemorrhage") if of_bleed else _("an alert"),
                probability=nearest,
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
            rare = (
                _("Unlike those trained on: {name} {value:.3g}; {beyond} of {total} were as high.")
                if high
                else _("Unlike those trained on: {name} {value:.3g}; {beyond} of {total} were as low.")
            )
            figures = {
                "name": QUANTITIES[quantity],
                "value": value,
                "beyond": beyond,
                "total": histogram.total,
            }
            yield _lesson(Lesson.UNLIKENESS, 1 - 20 * share, rare.filled(**figures))


def _lesson(kind: Lesson, weight: float, sentence: Phrase) -> LessonView:
    return LessonView(kind=kind, weight=weight, sentence=Words.of(sentence))


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


def _by_machine(urgency: Urgency) -> Figure:
    """As on the worklist: no colour's name where it says more than a machine can know."""
    if urgency in {Urgency.GREEN, Urgency.BLACK}:
        return _("“{text}”", text=lambda language: wording.urgency_words(urgency, language)).say
    return lambda language: wording.colour(urgency, language).upper()


def _by_person(urgency: Urgency | None) -> Figure:
    if urgency is None:
        return _("“{text}”", text=_("exclude")).say
    return lambda language: wording.colour(urgency, language).upper()


def _listed(views: Iterable[Figure]) -> Figure:
    known = tuple(views)
    return lambda language: " / ".join(view(language) for view in known)
