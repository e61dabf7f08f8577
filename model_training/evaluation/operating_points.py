"""Thresholds and calibrations, chosen on some patients and applied to others.

What is nested: for each seed and fold, the voxel threshold, the haemorrhage threshold and both calibrations
are chosen on the out-of-fold scores which that seed's networks gave to the patients of the *other* folds.
Nothing of a held-out patient, neither label nor score, has a part in the threshold that is applied to it.

What is not: those other folds' networks were themselves trained on patients of the held-out fold (each of
them leaves out its own fold alone), and the design of network, training and score was settled while looking
at these patients. Training a network for every pair of folds would close the first gap; only patients kept
back close the second.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headct.network.contents import Calibration, Thresholds
from model_training.evaluation.cohort import Cohort, Flags
from model_training.evaluation.statistics import logistic, threshold_at_specificity

VOXEL_THRESHOLDS: tuple[float, ...] = tuple(np.round(np.arange(0.1, 0.95, 0.05), 2).tolist())
DICE_PLATEAU = 0.02
"""Mean Dice hardly changes over a wide range of thresholds; the highest within this of the best marks least
blood that is not there, and volumes decide the colour."""


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """All that is chosen after training."""

    thresholds: Thresholds
    haemorrhage: Calibration
    alert: Calibration


@dataclass(frozen=True, slots=True)
class Scores:
    """What the networks of each seed say of patients they were not trained on."""

    score: NDArray[np.float64]
    """Bleed score (:mod:`headct.findings.scoring`), shape (seeds, patients); needs no threshold."""
    dice: NDArray[np.float64]
    """Dice at each of ``VOXEL_THRESHOLDS``, shape (seeds, patients, thresholds); NaN without blood or
    without a mask."""


def choose(
    cohort: Cohort, scores: Scores, chosen: Flags, seeds: Sequence[int], specificity: float
) -> OperatingPoint:
    """The operating point by some patients and seeds, taken together.

    Args:
        cohort: all patients.
        scores: of all patients and seeds.
        chosen: patients to choose by, shape (patients,).
        seeds: indices of the seeds to choose by.
        specificity: least share of bleed-free patients, of those chosen by, that the haemorrhage threshold
            leaves alone.
    """
    part, score = cohort.only(chosen), scores.score[list(seeds)][:, chosen]
    dice = np.nanmean(scores.dice[list(seeds)][:, chosen], axis=(0, 1))
    voxel = VOXEL_THRESHOLDS[int(np.flatnonzero(dice >= dice.max() - DICE_PLATEAU)[-1])]
    return OperatingPoint(
        Thresholds(voxel, threshold_at_specificity(part.bleeding, score, specificity)),
        haemorrhage=logistic(part.bleeding, score),
        alert=logistic(part.alert[part.known], score[:, part.known]),
    )


def shipped(cohort: Cohort, scores: Scores, specificity: float) -> OperatingPoint:
    """What the bundle gets: chosen on all out-of-fold scores of all seeds."""
    return choose(cohort, scores, np.ones(len(cohort.patients), bool), range(len(scores.score)), specificity)


def nested(cohort: Cohort, scores: Scores, specificity: float) -> list[list[OperatingPoint]]:
    """For each seed and patient the point chosen without the patient's fold."""
    points = []
    for seed in range(len(scores.score)):
        of_fold = {
            fold: choose(cohort, scores, cohort.fold != fold, [seed], specificity)
            for fold in set(cohort.fold.tolist())
        }
        points.append([of_fold[fold] for fold in cohort.fold.tolist()])
    return points


def nested_decisions(
    truth: Flags, fold: NDArray[np.int_], scores: NDArray[np.float64], specificity: float
) -> Flags:
    """For any score: who reaches the threshold that the other folds chose; of the shape of ``scores``."""
    said = np.zeros(scores.shape, bool)
    for seed, score in enumerate(scores):
        for held_out in set(fold.tolist()):
            others, own = fold != held_out, fold == held_out
            said[seed, own] = score[own] >= threshold_at_specificity(
                truth[others], score[others], specificity
            )
    return said
