"""Figures of one question to the network: does this patient bleed, does this patient need an alert."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from headct.terms.urgency import Urgency
from model_training.evaluation.cohort import Cohort, Flags
from model_training.evaluation.statistics import (
    Array,
    Figure,
    at_prevalence,
    auc,
    average_precision,
    interval,
    mean,
    recalibration,
    resampled,
    share,
    share_of,
    weighted_kappa,
)

PREVALENCES = (0.05, 0.10, 0.20)
"""Shares of positive scans: what this data has (two in five) no hospital has."""
RELIABILITY_BINS = 5


def task(
    cohort: Cohort,
    truth: Flags,
    scores: Array,
    *,
    probabilities: Array,
    nested: Flags,
    shipped: Flags,
    seeds: Sequence[int],
) -> dict[str, Any]:
    """Figures of one question.

    Args:
        cohort: patients whose truth is known.
        truth: shape (patients,).
        scores: shape (seeds, patients), as all the following.
        probabilities: calibrated without the patient's fold.
        nested: who is flagged at thresholds chosen without the patient's fold.
        shipped: who is flagged at the thresholds that ship, which these patients had a part in.
        seeds: their numbers.
    """
    weights = resampled(truth)
    sure = ~cohort.doubtful
    rates_nested = rates(cohort, truth, nested)
    slope, intercept = recalibration(truth, probabilities)
    return {
        "positives": int(truth.sum()),
        "negatives": int((~truth).sum()),
        "auc": interval(auc(truth, scores), weights),
        "auc_per_seed": [area(truth, one) for one in scores],
        "average_precision": interval(average_precision(truth, scores), weights),
        "auc_without_doubtful": {
            **interval(auc(truth[sure], scores[:, sure]), resampled(truth[sure])),
            "left_out": int((~sure).sum()),
        },
        "auc_5_ml_and_more": _auc_among(~truth | cohort.large, truth, scores),
        "auc_under_5_ml": _auc_among(~truth | cohort.small, truth, scores),
        "roc": [_roc(truth, one, seed) for seed, one in zip(seeds, scores, strict=True)],
        "precision_recall": [_recall(truth, one, seed) for seed, one in zip(seeds, scores, strict=True)],
        "at_nested_cuts": rates_nested,
        "at_shipped_cuts_in_sample": rates(cohort, truth, shipped),
        "at_prevalence": [
            at_prevalence(rates_nested["sensitivity"], rates_nested["specificity"], p) for p in PREVALENCES
        ],
        "reliability": {
            "brier": interval(mean((probabilities - truth) ** 2), weights),
            "slope": interval(slope, weights),
            "intercept": interval(intercept, weights),
            "bins": _bins(truth, probabilities),
        },
    }


def rates(cohort: Cohort, truth: Flags, said: Flags) -> dict[str, Any]:
    """Shares of patients judged rightly, whole and by subgroup; ``said`` has shape (seeds, patients)."""
    both = sensitivity_and_specificity
    return {
        **both(truth, said),
        "sensitivity_5_ml_and_more": share(said[:, truth & cohort.large]),
        "sensitivity_under_5_ml": share(said[:, truth & cohort.small]),
        "under_18": both(truth, said, cohort.under_18),
        "doubtful": both(truth, said, cohort.doubtful),
        "without_doubtful": both(truth, said, ~cohort.doubtful),
    }


def sensitivity_and_specificity(truth: Flags, said: Flags, among: Flags | None = None) -> dict[str, Figure]:
    """Both shares, of all patients or of some."""
    part = np.ones(truth.size, bool) if among is None else among
    return {"sensitivity": share(said[:, truth & part]), "specificity": share(~said[:, ~truth & part])}


def area(truth: Flags, scores: Array) -> float | None:
    """Area under one seed's curve; ``None`` with one kind of patient alone."""
    value = float(auc(truth, scores)(np.ones((1, truth.size)))[0])
    return None if np.isnan(value) else value


def _auc_among(part: Flags, truth: Flags, scores: Array) -> Figure:
    return interval(auc(truth[part], scores[:, part]), resampled(truth[part]))


def colours(true: Sequence[Urgency], found: NDArray[np.int_]) -> dict[str, Any]:
    """Agreement of the network's colours with the true ones; ``found`` has shape (seeds, patients).

    The truth is mostly the rubric over the true mask, so this is agreement between two masks under one
    rubric, never accuracy.
    """
    truth = np.array(true, int)
    same = found == truth
    table = {
        a.name: {b.name: float(((truth == a) & (found == b)).sum(axis=1).mean()) for b in Urgency}
        for a in Urgency
    }
    kappa = weighted_kappa(truth, found, len(Urgency))
    return {
        "table": table,
        "agreement": share(same),
        "weighted_kappa": interval(kappa, resampled(truth > Urgency.GREEN)),
    }


def _roc(truth: Flags, scores: Array, seed: int) -> dict[str, Any]:
    if truth.all() or not truth.any():
        return {"seed": seed, "fpr": [], "tpr": []}
    fpr, tpr, _ = roc_curve(truth, scores)
    return {"seed": seed, "fpr": fpr.tolist(), "tpr": tpr.tolist()}


def _recall(truth: Flags, scores: Array, seed: int) -> dict[str, Any]:
    if not truth.any():
        return {"seed": seed, "precision": [], "recall": []}
    precision, recall, _ = precision_recall_curve(truth, scores)
    return {"seed": seed, "precision": precision.tolist(), "recall": recall.tolist()}


def _bins(truth: Flags, probabilities: Array) -> list[dict[str, Any]]:
    """Patients in bins of about equal size by probability, seeds taken together and counted as one."""
    order = np.argsort(probabilities, axis=None, kind="stable")
    seeds = len(probabilities)
    true = np.broadcast_to(truth, probabilities.shape).ravel()[order]
    bins = zip(
        np.array_split(probabilities.ravel()[order], RELIABILITY_BINS),
        np.array_split(true, RELIABILITY_BINS),
        strict=True,
    )
    return [
        {"predicted": float(p.mean()), "observed": share_of(t.sum() / seeds, t.size / seeds)}
        for p, t in bins
        if t.size
    ]
