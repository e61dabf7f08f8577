"""How well the blood is outlined, and how far its volume is off, in patients who bleed."""

from typing import Any

import numpy as np

from model_training.evaluation.cohort import Cohort, Flags
from model_training.evaluation.statistics import Array, interval, mean, median, resampled


def volumes(cohort: Cohort, true_ml: Array, found_ml: Array, dice: Array) -> dict[str, Any]:
    """Dice and volume error, both at nested thresholds.

    Dice is of all that the network marks, flagged or not; the volume is what the product would state, so 0 of
    a patient it misses. Millilitres are given only of patients whose pixel spacing can be trusted.

    Args:
        cohort: all patients.
        true_ml: volume of the true mask, shape (patients,).
        found_ml: stated volume, shape (seeds, patients).
        dice: shape (seeds, patients), NaN without blood or without a mask.
    """
    marked = np.array(~np.isnan(dice).any(axis=0))
    trusted = marked & np.array([p.bleed_ml is not None for p in cohort.patients], bool)
    return {
        "patients": int(marked.sum()),
        "mean_dice": _mean(dice, marked),
        "dice_5_ml_and_more": _mean(dice, marked & cohort.large),
        "error_ml": _errors(true_ml[trusted], found_ml[:, trusted]),
        "points": [
            {
                "patient": cohort.patients[i].patient,
                "true_ml": float(true_ml[i]),
                "found_ml": found_ml[:, i].tolist(),
            }
            for i in np.flatnonzero(trusted)
        ],
    }


def _mean(dice: Array, among: Flags) -> dict[str, Any]:
    return interval(mean(dice[:, among]), resampled(np.ones(int(among.sum()))))


def _errors(true_ml: Array, found_ml: Array) -> dict[str, Any]:
    """Median error; bias and limits of agreement (Bland and Altman, Lancet 1986), mean over seeds."""
    if true_ml.size < 2:
        return {"median": {"value": None, "low": None, "high": None}, "bias": None, "low": None, "high": None}
    error = found_ml - true_ml
    weights = resampled(np.ones(true_ml.size))
    bias, spread = float(error.mean()), float(error.std(axis=1, ddof=1).mean())
    return {
        "median": interval(median(error), weights),
        "median_absolute": interval(median(np.abs(error)), weights),
        "bias": bias,
        "low": bias - 1.96 * spread,
        "high": bias + 1.96 * spread,
    }
