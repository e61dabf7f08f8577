"""Every head with and without each mimic, judged as the product judges; shares of heads flagged, paired."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from scipy import stats

from headct.findings.conclusion import conclude
from headct.network.classifier import Classifier
from headct.network.preprocessing import HeadVolume
from headct.triage.rubric import default_rubric
from model_training.evaluation.statistics import share
from model_training.gate.paired import share_difference
from model_training.mimics.classes import MIMICS, Mimic
from model_training.mimics.heads import GENERATED, REAL, BenchHead
from model_training.mimics.space import Space

LEVEL_Z = float(stats.norm.ppf(0.975))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of one head."""

    flagged: bool
    """A bleed is among the findings."""
    alert: bool
    """RED or BLACK."""
    score: float


@dataclass(frozen=True, slots=True)
class Pair:
    """One head with one mimic, and without."""

    head: str
    kind: str
    mimic: str
    without: Verdict
    with_it: Verdict


Judge = Callable[[BenchHead, HeadVolume], Verdict]
Seen = Callable[[BenchHead, Mimic, HeadVolume], None]
"""Told of each head drawn, for pictures."""


def judged_by(classifier: Classifier) -> Judge:
    """A bundle at its own thresholds, whoever the head is of."""
    rubric = default_rubric()

    def judge(_: BenchHead, volume: HeadVolume) -> Verdict:
        found = conclude(volume, classifier.predict(volume), classifier.bundle.contents, rubric)
        return Verdict(bool(found.bleeding.mask.any()), found.urgency.alert, found.bleeding.score)

    return judge


def pairs(
    head: BenchHead, judge: Judge, mimics: Sequence[Mimic] = MIMICS, seed: int = 0, seen: Seen | None = None
) -> list[Pair]:
    """Judge a head as it is and with each mimic that fits its age.

    None of a head whose vault cannot be made out: landmarks could not be laid into it.
    """
    space = Space.of(head.volume)
    if space is None:
        return []
    without, found = judge(head, head.volume), []
    for mimic in mimics:
        if head.age_years is not None and head.age_years < mimic.from_years:
            continue
        volume = replace(head.volume, hu=mimic.drawn(head.volume, space, head.name, seed))
        found.append(Pair(head.name, head.kind, mimic.name, without, judge(head, volume)))
        if seen:
            seen(head, mimic, volume)
    return found


def figures(found: Sequence[Pair], mimics: Sequence[Mimic] = MIMICS) -> list[dict[str, Any]]:
    """A row a class: for real and for generated heads how many are flagged with the mimic and without.

    Real heads are patients, generated ones are drawings: never one figure.
    """
    return [
        {
            "mimic": mimic.name,
            "words": mimic.words,
            **{
                kind: _of([p for p in found if p.mimic == mimic.name and p.kind == kind])
                for kind in (REAL, GENERATED)
            },
        }
        for mimic in mimics
    ]


def _of(found: Sequence[Pair]) -> dict[str, Any]:
    """Shares of heads, exact intervals; the difference with Tango's."""
    flagged = [p.with_it.flagged for p in found]
    before = [p.without.flagged for p in found]
    gained = sum(a and not b for a, b in zip(flagged, before, strict=True))
    lost = sum(b and not a for a, b in zip(flagged, before, strict=True))
    difference = share_difference(gained, lost, len(found), LEVEL_Z)
    return {
        "flagged": share(flagged),
        "alert": share([p.with_it.alert for p in found]),
        "flagged_without": share(before),
        "alert_without": share([p.without.alert for p in found]),
        "newly_flagged": share([a for a, b in zip(flagged, before, strict=True) if not b]),
        "difference": {
            "value": difference.value if found else None,
            "low": difference.low,
            "high": difference.high,
        },
    }
