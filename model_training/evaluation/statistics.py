"""Figures by patient, with intervals."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

from headct.bundle import Calibration

BOOTSTRAPS = 2000


@dataclass(frozen=True, slots=True)
class Share:
    """A share of patients with its 95 % interval (Clopper and Pearson, Biometrika 1934)."""

    count: int
    of: int
    share: float | None
    low: float
    high: float

    def json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def share(hits: ArrayLike) -> Share:
    """Share of true values; ``None`` of nobody."""
    hit = np.asarray(hits, bool)
    count, of = int(hit.sum()), hit.size
    if of == 0:
        return Share(0, 0, None, 0.0, 1.0)
    low = float(stats.beta.ppf(0.025, count, of - count + 1)) if count else 0.0
    high = float(stats.beta.ppf(0.975, count + 1, of - count)) if count < of else 1.0
    return Share(count, of, count / of, low, high)


def auc(truth: ArrayLike, scores: ArrayLike) -> float:
    """Area under the receiver operating characteristic; ties count half."""
    true, score = np.asarray(truth, bool), np.asarray(scores, float)
    ranks = stats.rankdata(score)
    positives, negatives = int(true.sum()), int((~true).sum())
    return float((ranks[true].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def auc_interval(truth: ArrayLike, scores: ArrayLike, seed: int = 0) -> dict[str, float]:
    """Area under the curve with its 95 % interval: bootstrap over patients, within each class."""
    true, score = np.asarray(truth, bool), np.asarray(scores, float)
    random = np.random.default_rng(seed)
    positives, negatives = score[true], score[~true]
    labels = np.r_[np.ones(len(positives), bool), np.zeros(len(negatives), bool)]
    draws = [
        auc(labels, np.r_[random.choice(positives, len(positives)), random.choice(negatives, len(negatives))])
        for _ in range(BOOTSTRAPS)
    ]
    low, high = np.percentile(draws, [2.5, 97.5])
    return {"auc": auc(true, score), "low": float(low), "high": float(high)}


def cut_at_specificity(truth: ArrayLike, scores: ArrayLike, specificity: float) -> float:
    """The cut that leaves at least this share of true negatives below it, midway to the next score."""
    true, score = np.asarray(truth, bool), np.asarray(scores, float)
    negatives = np.sort(score[~true])
    last_below = negatives[int(np.ceil(specificity * len(negatives))) - 1]
    above = score[score > last_below]
    return float((last_below + above.min()) / 2) if len(above) else float(last_below) + 1e-3


def logistic(truth: ArrayLike, scores: ArrayLike) -> Calibration:
    """Two-parameter logistic by maximum likelihood, with Platt's smoothed targets (Platt 1999)."""
    true, score = np.asarray(truth, bool), np.asarray(scores, float)
    positives, negatives = true.sum(), (~true).sum()
    target: NDArray[np.float64] = np.where(true, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(x: NDArray[np.float64]) -> float:
        z = x[0] * score + x[1]
        return float(np.sum(np.logaddexp(0.0, z) - target * z))

    slope, intercept = optimize.minimize(loss, np.zeros(2), method="BFGS").x
    return Calibration(float(slope), float(intercept))
