"""Two bundles on the same patients: differences with intervals, and what they settle."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

from model_training.gate.rules import Margin, WhenUnsure

_Bools = NDArray[np.bool_]
_Floats = NDArray[np.float64]


class Settled(StrEnum):
    """What the patients can tell of one endpoint."""

    NOT_WORSE = "not worse"
    WORSE = "worse"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class Difference:
    """Candidate minus in service, with its two-sided interval."""

    value: float
    low: float
    high: float


def score_statistic(gained: ArrayLike, lost: ArrayLike, patients: int, difference: float) -> _Floats:
    """Standard normal score for a true difference of paired shares (Tango, Stat Med 1998;17:891-908).

    At a difference of 0 it is McNemar's, without continuity correction.

    Args:
        gained: patients only the candidate judges rightly.
        lost: patients only the bundle in service judges rightly.
        patients: all of them, at least one.
        difference: candidate minus in service, between -1 and 1.
    """
    g, l, d = np.asarray(gained, float), np.asarray(lost, float), difference  # noqa: E741
    b = (2 * patients - g + l) * d - g - l
    root = np.sqrt(np.maximum(b**2 + 8 * patients * l * d * (1 - d), 0.0))
    variance = patients * ((root - b) / (2 * patients) + d * (1 - d))
    distance = g - l - patients * d
    # No variance is left where nobody differs and no difference is assumed.
    spread = np.sqrt(np.maximum(variance, 1e-18))
    return np.asarray(np.where(np.abs(distance) < 1e-9, 0.0, distance / spread), np.float64)


def share_difference(gained: int, lost: int, patients: int, z: float) -> Difference:
    """Difference of paired shares with Tango's score interval; -1 to 1 of nobody."""
    if patients == 0:
        return Difference(0.0, -1.0, 1.0)
    value, edge = (gained - lost) / patients, 1 - 1e-9

    def bound(target: float) -> float:
        def distance(d: float) -> float:
            return float(np.clip(score_statistic(gained, lost, patients, d), -1e6, 1e6)) - target

        if distance(-edge) <= 0:
            return -1.0
        if distance(edge) >= 0:
            return 1.0
        return float(optimize.brentq(distance, -edge, edge))

    return Difference(value, bound(z), bound(-z))


def delong(positives: _Floats, negatives: _Floats) -> tuple[_Floats, _Floats]:
    """Areas under two correlated curves, and the standard error of their difference.

    DeLong, Biometrics 1988;44:837-845, by midranks (Sun and Xu, IEEE Signal Process Lett 2014;21:1389-1393).

    Args:
        positives: scores of the two bundles, shape (..., 2, positives), at least two of them.
        negatives: the same for negatives.

    Returns:
        Areas of shape (..., 2), standard errors of shape (...).
    """
    m, n = positives.shape[-1], negatives.shape[-1]
    ranks = stats.rankdata(np.concatenate([positives, negatives], axis=-1), axis=-1)
    above = (ranks[..., :m] - stats.rankdata(positives, axis=-1)) / n
    below = 1.0 - (ranks[..., m:] - stats.rankdata(negatives, axis=-1)) / m
    variance = sum(
        np.var(np.diff(placement, axis=-2)[..., 0, :], axis=-1, ddof=1) / placement.shape[-1]
        for placement in (above, below)
    )
    return above.mean(axis=-1), np.sqrt(variance)


def least_width(patients: ArrayLike, z: float) -> _Floats:
    """Half the interval that is left where no patient differs: Tango's for paired shares.

    DeLong's variance is zero where nobody changes places, as if a few patients could prove equality.
    """
    return np.asarray(z**2 / (np.asarray(patients, float) + z**2), np.float64)


def settled(difference: Difference, margin: Margin) -> Settled:
    """What an interval can tell against a margin."""
    if difference.low > -margin.margin:
        return Settled.NOT_WORSE
    return Settled.WORSE if difference.high < 0 else Settled.CANNOT_TELL


def stopped(not_worse: ArrayLike, worse: ArrayLike, seen: ArrayLike, margin: Margin) -> _Bools:
    """Whether a candidate is stopped, for each of several outcomes.

    Args:
        not_worse: the interval lies above minus the margin.
        worse: the interval lies below 0.
        seen: the difference as seen.
        margin: with the rule for outcomes that are neither.
    """
    unsure = {
        WhenUnsure.WARN: np.zeros(np.shape(seen), bool),
        # A hair's breadth: 1 of 20 patients is a margin of 0.05, whatever floating point makes of it.
        WhenUnsure.BLOCK_IF_SEEN: np.asarray(seen) <= -margin.margin + 1e-9,
        WhenUnsure.BLOCK: np.ones(np.shape(seen), bool),
    }[margin.when_unsure]
    return np.asarray(~np.asarray(not_worse, bool) & (np.asarray(worse, bool) | unsure), bool)
