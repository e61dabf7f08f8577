"""What can be guessed without looking at the brain: a network is worth what it adds to that."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from model_training.datasets.manifest import Entry
from model_training.datasets.sample import Sample, sample_path
from model_training.evaluation.cohort import Cohort, Flags
from model_training.evaluation.skull import scalp_asymmetry
from model_training.evaluation.statistics import Array, auc, interval, resampled

PENALTY = 1.0
"""Inverse weight of the L2 penalty; fixed beforehand."""
HEADER = ("age", "male", "slices", "pixel size")
FRACTURE = ("fracture",)
"""As a human reader marked it: no machine gets that far without looking."""
SCALP = ("scalp asymmetry", "largest scalp asymmetry of a slice")
BASELINES: dict[str, tuple[str, ...]] = {
    "no_brain": HEADER,
    "no_brain_with_fracture": HEADER + FRACTURE,
    "no_brain_with_scalp": HEADER + SCALP,
    "no_brain_with_fracture_and_scalp": HEADER + FRACTURE + SCALP,
}

NoBrainScores = Mapping[str, Mapping[str, Array]]
"""Out-of-fold log odds by baseline and task (``haemorrhage``, ``alert``), shape (patients,)."""


def no_brain_scores(data: Path, cohort: Cohort) -> NoBrainScores:
    """Judge every patient by logistic regressions fitted on the other folds."""
    known = {name: _values(name, data, cohort.patients) for name in HEADER + FRACTURE + SCALP}
    everybody = np.ones(len(cohort.patients), bool)
    tasks = {"haemorrhage": (cohort.bleeding, everybody), "alert": (cohort.alert, cohort.known)}
    return {
        baseline: {
            task: _out_of_fold(np.column_stack([known[name] for name in names]), truth, fit_on, cohort.fold)
            for task, (truth, fit_on) in tasks.items()
        }
        for baseline, names in BASELINES.items()
    }


def baselines(cohort: Cohort, scores: Array, without_brain: NoBrainScores) -> dict[str, Any]:
    """Areas under the curve of the baselines, and what the network has more, drawn on the same patients.

    Args:
        cohort: all patients.
        scores: of the network, shape (seeds, patients).
        without_brain: of the baselines.
    """
    everybody = np.ones(len(cohort.patients), bool)
    tasks = {"haemorrhage": (cohort.bleeding, everybody), "alert": (cohort.alert, cohort.known)}
    return {
        name: {
            "features": list(BASELINES[name]),
            **{
                task: _compared(truth[among], scores[:, among], without_brain[name][task][among])
                for task, (truth, among) in tasks.items()
            },
        }
        for name in BASELINES
    }


def _compared(truth: Flags, scores: Array, baseline: Array) -> dict[str, Any]:
    weights = resampled(truth)
    network, other = auc(truth, scores), auc(truth, baseline)
    return {
        "auc": interval(other, weights),
        "main_minus_baseline": interval(lambda drawn: network(drawn) - other(drawn), weights),
    }


def _out_of_fold(features: Array, truth: Flags, fit_on: Flags, fold: NDArray[np.int_]) -> Array:
    scores = np.zeros(truth.size)
    for held_out in set(fold.tolist()):
        others, own = fit_on & (fold != held_out), fold == held_out
        if truth[others].all() or not truth[others].any():
            continue  # one kind alone tells nothing: everybody scores alike
        model = make_pipeline(
            SimpleImputer(keep_empty_features=True), StandardScaler(), LogisticRegression(C=PENALTY)
        )
        scores[own] = model.fit(features[others], truth[others]).decision_function(features[own])
    return scores


def _values(name: str, data: Path, patients: Sequence[Entry]) -> Array:
    """One feature of each patient, NaN where it is not known."""
    if name in SCALP:
        return np.array(
            [scalp_asymmetry(Sample.read(sample_path(data, p)).volume)[SCALP.index(name)] for p in patients]
        )
    return np.array([_value(name, p) for p in patients], float)


def _value(name: str, patient: Entry) -> float | None:
    match name:
        case "age":
            return patient.age_years
        case "male":
            return None if patient.sex is None else float(patient.sex == "M")
        case "slices":
            return float(patient.slices)
        case "pixel size":
            return patient.pixel_mm
        case _:
            return patient.labels.get(name)
