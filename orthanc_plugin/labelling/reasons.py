"""Why a label would teach, in weights and words; the formula stands in
:mod:`orthanc_plugin.labelling.ranking`."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import log2

from headct import wording
from headct.network.reference import Histogram, Reference
from headct.reasons import Language
from headct.terms.assessment import Assessment
from headct.terms.quantities import Quantity
from headct.terms.review import Standing
from headct.terms.urgency import Urgency
from orthanc_plugin.answer import Words
from orthanc_plugin.cases.worklist import SeriesRecord
from orthanc_plugin.drift.words import QUANTITIES
from orthanc_plugin.labelling.views import Lesson, LessonView

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
