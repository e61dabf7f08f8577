"""Figures by patient with 95 % intervals, averaged over seeds.

A figure is ``{"value", "low", "high"}``; a share of patients also has ``"count"`` and ``"of"``. A *statistic*
is a function of weights, shape (k, patients): how often each patient counts. Weights of one give the value,
bootstrap weights the interval, so a difference of two statistics is paired by itself.

All draws are reckoned at once. Scikit-learn's figures, which the tests compare with, take one set of weights
a call: 2000 draws of an area are 10 s there and 0.02 s here. Scipy's exact interval of a share takes whole
counts alone, and a mean over seeds is none.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

from headct.network.contents import Calibration

BOOTSTRAPS = 2000
LEVELS = (0.025, 0.975)

Figure = dict[str, Any]
Array = NDArray[np.float64]
Statistic = Callable[[Array], Array]


def resampled(strata: ArrayLike, seed: int = 0) -> Array:
    """Bootstrap over patients within each stratum (bleeding and bleed-free ones keep their numbers).

    One set of weights serves every seed and figure of a task: networks of all seeds judge the same
    patients, and patients are what the interval is about.

    Returns:
        How often each patient was drawn, shape (BOOTSTRAPS, patients).
    """
    stratum = np.asarray(strata)
    random = np.random.default_rng(seed)
    weights = np.zeros((BOOTSTRAPS, stratum.size))
    for kind in np.unique(stratum):
        members = np.flatnonzero(stratum == kind)
        weights[:, members] = random.multinomial(
            members.size, np.full(members.size, 1 / members.size), BOOTSTRAPS
        )
    return weights


def interval(statistic: Statistic, weights: Array) -> Figure:
    """Percentile bootstrap (Efron, Annals of Statistics 1979).

    It can say nothing beyond what was seen: where classes are wholly apart it has no width.
    """
    value = float(statistic(np.ones((1, weights.shape[1])))[0])
    if np.isnan(value):
        return {"value": None, "low": None, "high": None}
    low, high = np.nanquantile(statistic(weights), LEVELS)
    return {"value": value, "low": min(float(low), value), "high": max(float(high), value)}


def share(hits: ArrayLike) -> Figure:
    """Share of patients with its interval (Clopper and Pearson, Biometrika 1934).

    Args:
        hits: true or false, shape (patients,) or (seeds, patients); the count is the mean over seeds. Seeds
            add no patients, so the interval is that of one count; beta quantiles take fractions.
    """
    hit = np.atleast_2d(np.asarray(hits, bool))
    return share_of(float(hit.sum(axis=1).mean()), hit.shape[1])


def share_of(count: float, of: float) -> Figure:
    """The same from counts, which may be means over seeds; the value of nobody is ``None``."""
    if of == 0:
        return {"value": None, "low": 0.0, "high": 1.0, "count": 0.0, "of": 0}
    low = float(stats.beta.ppf(LEVELS[0], count, of - count + 1)) if count > 0 else 0.0
    high = float(stats.beta.ppf(LEVELS[1], count + 1, of - count)) if count < of else 1.0
    return {"value": count / of, "low": low, "high": high, "count": count, "of": of}


def auc(truth: ArrayLike, scores: ArrayLike) -> Statistic:
    """Area under the receiver operating characteristic, mean over seeds; ties count half.

    Args:
        truth: shape (patients,), both kinds present.
        scores: shape (patients,) or (seeds, patients).
    """
    true, score = np.asarray(truth, bool), np.atleast_2d(np.asarray(scores, float))
    positive, negative = score[:, true, None], score[:, None, ~true]
    ordered = ((positive > negative) + 0.5 * (positive == negative)).mean(axis=0)

    def statistic(weights: Array) -> Array:
        pairs = ((weights[:, true] @ ordered) * weights[:, ~true]).sum(axis=1)
        return _ratio(pairs, weights[:, true].sum(axis=1) * weights[:, ~true].sum(axis=1))

    return statistic


def average_precision(truth: ArrayLike, scores: ArrayLike) -> Statistic:
    """Precision at each step of recall, weighted by the step; tied scores are one step."""
    true, score = np.asarray(truth, bool), np.atleast_2d(np.asarray(scores, float))

    def of_seed(one: Array, weights: Array) -> Array:
        order = np.argsort(-one, kind="stable")
        step = np.flatnonzero(np.r_[True, np.diff(one[order]) != 0])
        hits = np.add.reduceat((weights * true)[:, order], step, axis=1)
        called = np.cumsum(np.add.reduceat(weights[:, order], step, axis=1), axis=1)
        return _ratio((hits * _ratio(np.cumsum(hits, axis=1), called, 0.0)).sum(axis=1), hits.sum(axis=1))

    return lambda weights: _mean([of_seed(one, weights) for one in score])


def mean(values: ArrayLike, among: ArrayLike | None = None) -> Statistic:
    """Mean over seeds and patients of values, shape (patients,) or (seeds, patients)."""
    value = np.atleast_2d(np.asarray(values, float)).mean(axis=0)
    chosen = np.ones(value.size, bool) if among is None else np.asarray(among, bool)
    return lambda weights: _ratio(weights[:, chosen] @ value[chosen], weights[:, chosen].sum(axis=1))


def median(values: ArrayLike, among: ArrayLike | None = None) -> Statistic:
    """Median over patients, mean over seeds; of an even number the middle of the two in the middle."""
    value = np.atleast_2d(np.asarray(values, float))
    chosen = np.ones(value.shape[1], bool) if among is None else np.asarray(among, bool)

    def of_seed(one: Array, weights: Array) -> Array:
        order = np.argsort(one)
        until = np.cumsum(weights[:, order], axis=1)
        half = until[:, -1:] / 2
        lower, upper = ((until >= half).argmax(axis=1), (until > half).argmax(axis=1))
        middle: Array = (one[order][lower] + one[order][upper]) / 2
        return np.where(until[:, -1] > 0, middle, np.nan)

    def statistic(weights: Array) -> Array:
        if not chosen.any():
            return np.full(len(weights), np.nan)
        return _mean([of_seed(one[chosen], weights[:, chosen]) for one in value])

    return statistic


def weighted_kappa(true: ArrayLike, found: ArrayLike, classes: int) -> Statistic:
    """Quadratic weighted kappa of ordered classes (Cohen, Psychological Bulletin 1968), mean over seeds.

    Args:
        true: class of each patient, 0 to ``classes - 1``, shape (patients,).
        found: the same, shape (patients,) or (seeds, patients).
        classes: how many there are.
    """
    a, said = np.asarray(true), np.atleast_2d(np.asarray(found))
    apart = (np.arange(classes)[:, None] - np.arange(classes)) ** 2
    one_hot = np.eye(classes)

    def of_seed(b: NDArray[np.int_], weights: Array) -> Array:
        observed = weights @ (a - b) ** 2
        by_chance = ((weights @ one_hot[a] @ apart) * (weights @ one_hot[b])).sum(axis=1)
        kappa: Array = 1.0 - _ratio(observed * weights.sum(axis=1), by_chance)
        return kappa

    return lambda weights: _mean([of_seed(b, weights) for b in said])


def recalibration(truth: ArrayLike, probabilities: ArrayLike) -> tuple[Statistic, Statistic]:
    """Slope and intercept of calibration, mean over seeds; 1 and 0 are perfect.

    The slope is that of a logistic regression of the truth on the logit of the probability; the intercept
    belongs to a slope fixed at 1 (Van Calster et al., BMC Medicine 2019, 17:230). A Gaussian prior of
    standard deviation 10 around the perfect values keeps draws finite whose classes are apart.
    """
    true = np.asarray(truth, float)
    logits = special.logit(np.clip(np.atleast_2d(np.asarray(probabilities, float)), 1e-6, 1 - 1e-6))

    def slope(weights: Array) -> Array:
        return _mean([_newton(true, z, weights, both=True)[:, 1] for z in logits])

    def intercept(weights: Array) -> Array:
        return _mean([_newton(true, z, weights, both=False)[:, 0] for z in logits])

    return slope, intercept


def at_prevalence(sensitivity: Figure, specificity: Figure, prevalence: float) -> dict[str, Any]:
    """Predictive values and false alarms per 100 scans where this share of patients is positive.

    Intervals come from draws of both shares out of their Jeffreys posteriors (Brown, Cai and DasGupta,
    Statistical Science 2001): a bootstrap of a share that is 1 has no width, and would promise that nothing
    is ever missed.
    """
    random = np.random.default_rng(0)
    names = ("ppv", "npv", "false_alarms_per_100")
    if sensitivity["value"] is None or specificity["value"] is None:
        nothing = {"value": None, "low": None, "high": None}
        return {"prevalence": prevalence, **{name: dict(nothing) for name in names}}
    draws = [
        random.beta(f["count"] + 0.5, f["of"] - f["count"] + 0.5, BOOTSTRAPS)
        for f in (sensitivity, specificity)
    ]
    values = _predictive(np.array([sensitivity["value"]]), np.array([specificity["value"]]), prevalence)
    figures: dict[str, Any] = {"prevalence": prevalence}
    for name, value, drawn in zip(names, values, _predictive(draws[0], draws[1], prevalence), strict=True):
        known = float(value[0])
        low, high = np.quantile(drawn, LEVELS)
        figures[name] = {
            "value": None if np.isnan(known) else known,
            "low": float(np.fmin(low, known)),
            "high": float(np.fmax(high, known)),
        }
    return figures


def threshold_at_specificity(truth: ArrayLike, scores: ArrayLike, specificity: float) -> float:
    """The threshold that leaves at least this share of true negatives below it, midway to the next score.

    Args:
        truth: shape (patients,).
        scores: shape (patients,) or (seeds, patients).
        specificity: least share of true negatives left below.
    """
    score = np.atleast_2d(np.asarray(scores, float))
    true = np.broadcast_to(np.asarray(truth, bool), score.shape)
    last_below = np.quantile(score[~true], specificity, method="inverted_cdf")
    above = score[score > last_below]
    return float((last_below + above.min()) / 2) if len(above) else float(last_below) + 1e-3


def logistic(truth: ArrayLike, scores: ArrayLike) -> Calibration:
    """Two-parameter logistic by maximum likelihood, with Platt's smoothed targets (Platt 1999).

    Args:
        truth: shape (patients,).
        scores: shape (patients,) or (seeds, patients); each patient has the weight of one either way.
    """
    true, score = np.asarray(truth, bool), np.atleast_2d(np.asarray(scores, float))
    positives, negatives = true.sum(), (~true).sum()
    target: Array = np.where(true, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(x: Array) -> float:
        z = x[0] * score + x[1]
        return float(np.sum(np.logaddexp(0.0, z) - target * z)) / len(score)

    slope, intercept = optimize.minimize(loss, np.zeros(2), method="BFGS").x
    return Calibration(float(slope), float(intercept))


def _mean(of_seeds: list[Array]) -> Array:
    result: Array = np.mean(of_seeds, axis=0)
    return result


def _ratio(above: Array, below: Array, otherwise: float = np.nan) -> Array:
    ratio: Array = np.divide(above, below, out=np.full(np.shape(below), otherwise), where=below > 0)
    return ratio


def _newton(true: Array, z: Array, weights: Array, *, both: bool) -> Array:
    """Intercept and slope for each row of weights, shape (k, 2); the slope stays 1 unless ``both``."""
    x: Array = np.tile([0.0, 1.0], (len(weights), 1))
    precision = 0.01
    for _ in range(30):
        p = special.expit(np.clip(x[:, :1] + x[:, 1:] * z, -30, 30))
        misfit, spread = weights * (true - p), weights * p * (1 - p)
        gradient = np.stack([misfit.sum(axis=1), misfit @ z], axis=1) - precision * (x - [0.0, 1.0])
        a, b, c = spread.sum(axis=1) + precision, spread @ z, spread @ z**2 + precision
        if both:
            step = np.stack(
                [c * gradient[:, 0] - b * gradient[:, 1], a * gradient[:, 1] - b * gradient[:, 0]], axis=1
            )
            step /= (a * c - b * b)[:, None]
        else:
            step = np.stack([gradient[:, 0] / a, np.zeros(len(x))], axis=1)
        x = x + np.clip(step, -1.0, 1.0)
    return x


def _predictive(sensitivity: Array, specificity: Array, prevalence: float) -> tuple[Array, Array, Array]:
    hits, misses = sensitivity * prevalence, (1 - sensitivity) * prevalence
    alarms, cleared = (1 - specificity) * (1 - prevalence), specificity * (1 - prevalence)
    return _ratio(hits, hits + alarms), _ratio(cleared, cleared + misses), 100 * alarms
