"""A learned way from findings to urgency: proportional odds, fitted to specialists' labels.

The rubric decides by default; a bundle may bring one like this once enough specialists' labels exist.
The model is the cumulative logit of McCullagh (J R Stat Soc B 1980;42:109-142): the log odds of an urgency
at least as bad as k are ``coefficients @ features - threshold of k``. Every feature grows with severity and
no coefficient is negative, so more blood never gives a better colour.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from headct.terms.assessment import Finding, FindingKind, Location
from headct.terms.urgency import Urgency
from headct.triage.rubric import MIDLINE_NOISE_MM, Judgement

FEATURES = (
    "any_bleed",
    "fresh_log_ml",
    "peripheral_log_ml",
    "deep_log_ml",
    "old_log_ml",
    "thickness_mm",
    "deep_count",
    "ventricular",
    "midline_mm",
    "bleed_score",
)
"""What it reads: what the rubric reads, and the network's bleed score. ``log_ml`` is log10(1 + ml)."""

LEARNED = "learned_urgency"
"""Caution of an assessment whose colour is the learned one and not the rubric's; words in
:mod:`headct.wording`."""

_FLOOR = {
    Urgency.GREEN: Urgency.GREEN,
    Urgency.YELLOW: Urgency.YELLOW,
    Urgency.RED: Urgency.YELLOW,
    Urgency.BLACK: Urgency.RED,
}
"""How far it may go below the rubric: one step, and never to GREEN. What was flagged stays flagged,
and a bleed of a size that is BLACK stays an alert, whatever a few dozen labels seem to say."""


def features(findings: Sequence[Finding], bleed_score: float) -> NDArray[np.float64]:
    """Findings of one series as numbers in the order of :data:`FEATURES`; each rises with severity.

    Args:
        findings: from :mod:`headct.findings.measurement`.
        bleed_score: from :mod:`headct.findings.scoring`; logarithm of ml.
    """
    fresh = [f for f in findings if f.kind is FindingKind.HAEMORRHAGE]
    old = [f for f in findings if f.kind is FindingKind.OLD_COLLECTION]
    ventricular = [f for f in findings if f.kind is FindingKind.INTRAVENTRICULAR_BLOOD]
    deep = [f for f in fresh if f.location is Location.DEEP]
    peripheral = [f for f in fresh if f.location is Location.PERIPHERAL]
    # Where the offset cannot be measured it says nothing: it may raise an urgency, never lower one.
    offset = max((abs(f.offset_mm) for f in findings if f.offset_mm is not None), default=0.0)
    values = {
        "any_bleed": float(bool(fresh or old or ventricular)),
        "fresh_log_ml": _log_ml(fresh + ventricular),
        "peripheral_log_ml": _log_ml(peripheral),
        "deep_log_ml": _log_ml(deep),
        "old_log_ml": _log_ml(old),
        "thickness_mm": max((f.thickness_mm or 0.0 for f in fresh), default=0.0),
        "deep_count": float(len(deep)),
        "ventricular": float(bool(ventricular)),
        "midline_mm": max(offset - MIDLINE_NOISE_MM, 0.0),
        "bleed_score": bleed_score,
    }
    return np.array([values[name] for name in FEATURES])


@dataclass(frozen=True, slots=True)
class LearnedUrgency:
    """A fitted one."""

    coefficients: tuple[float, ...]
    """One for each of :data:`FEATURES`, none negative; change of the log odds by one unit."""
    thresholds: tuple[float, ...]
    """Rising, for YELLOW, RED and, where there were labels enough, BLACK; one without never says BLACK."""
    probability_threshold: float
    """An urgency is given from this probability of *at least as bad* on; above 0, at most 0.5."""
    patients: int
    """Labelled by a specialist, fitted to."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """Agreement with the specialists, cross-validated."""

    def __post_init__(self) -> None:
        """Refuse what would let more blood mean less urgency.

        Raises:
            ValueError: a value that cannot be.
        """
        numbers = (*self.coefficients, *self.thresholds, self.probability_threshold)
        if not all(isinstance(x, int | float) and isfinite(x) for x in numbers):
            raise ValueError("its values are finite numbers")
        if len(self.coefficients) != len(FEATURES) or min(self.coefficients) < 0:
            raise ValueError("it has one coefficient for each feature, none negative")
        rising = all(a <= b for a, b in zip(self.thresholds, self.thresholds[1:], strict=False))
        if len(self.thresholds) not in (2, 3) or not rising:
            raise ValueError("it has two or three thresholds, rising")
        if not 0 < self.probability_threshold <= 0.5:
            raise ValueError("its threshold is above 0 and at most 0.5")
        if isinstance(self.patients, bool) or not isinstance(self.patients, int) or self.patients < 1:
            raise ValueError("it was fitted to patients")

    def at_least(self, values: ArrayLike) -> NDArray[np.float64]:
        """Probability of each urgency or a worse one: shape (..., 4), falling from 1.

        Args:
            values: features of one or several patients, shape (..., len(FEATURES)).
        """
        severity = np.asarray(values, float) @ np.array(self.coefficients)
        probability = special.expit(severity[..., None] - np.array(self.thresholds))
        never = np.zeros((*severity.shape, 3 - len(self.thresholds)))
        return np.concatenate([np.ones((*severity.shape, 1)), probability, never], axis=-1)

    def probabilities(self, values: ArrayLike) -> NDArray[np.float64]:
        """Probability of each urgency, shape (..., 4); they sum to 1."""
        return -np.diff(self.at_least(values), axis=-1, append=0.0)

    def alert(self, values: ArrayLike) -> float:
        """Probability of RED or BLACK of one patient."""
        return float(self.at_least(values)[Urgency.RED])

    def judge(self, values: ArrayLike, by_rubric: Judgement) -> Urgency:
        """The urgency of one patient, within what the rubric leaves open.

        It may raise any colour but GREEN: where nothing was flagged there is nothing to show for a
        worse one. It may lower RED to YELLOW and BLACK to RED, nothing further; and BLACK stays where
        it never learnt what that is.
        """
        never_black = len(self.thresholds) < Urgency.BLACK
        if by_rubric.urgency is Urgency.GREEN or (never_black and by_rubric.urgency is Urgency.BLACK):
            return by_rubric.urgency
        learned = Urgency(int(np.flatnonzero(self.at_least(values) >= self.probability_threshold)[-1]))
        return max(learned, _FLOOR[by_rubric.urgency])

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; :meth:`from_json` reads them back."""
        return {
            "coefficients": dict(zip(FEATURES, self.coefficients, strict=True)),
            "thresholds": dict(zip(("YELLOW", "RED", "BLACK"), self.thresholds, strict=False)),
            "cut": self.probability_threshold,
            "patients": self.patients,
            "figures": dict(self.figures),
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Inverse of :meth:`to_json`.

        Raises:
            KeyError, TypeError, ValueError: a value is missing, of the wrong kind or cannot be.
        """
        if unknown := set(body["coefficients"]) - set(FEATURES):
            raise ValueError(f"{min(unknown)} is no feature of this program")
        colours = ("YELLOW", "RED", "BLACK")[: len(body["thresholds"])]
        return cls(
            coefficients=tuple(body["coefficients"][name] for name in FEATURES),
            thresholds=tuple(body["thresholds"][name] for name in colours),
            probability_threshold=body["cut"],
            patients=body["patients"],
            figures=dict(body["figures"]),
        )


def _log_ml(findings: Sequence[Finding]) -> float:
    return float(np.log10(1.0 + sum(f.volume_ml or 0.0 for f in findings)))
