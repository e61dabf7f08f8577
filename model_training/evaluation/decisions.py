"""From a network's output to what the product would say: score, flag, colour, volume."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headct.findings.conclusion import find
from headct.findings.measurement import measure
from headct.findings.scoring import score
from headct.network.contents import Thresholds
from headct.network.preprocessing import HeadVolume
from headct.terms.urgency import Urgency
from headct.triage.rubric import default_rubric
from model_training.datasets.manifest import Entry
from model_training.evaluation.cohort import Cohort
from model_training.evaluation.judging import Change, Judged, Judges
from model_training.evaluation.operating_points import VOXEL_THRESHOLDS, Scores


@dataclass(frozen=True, slots=True)
class Decisions:
    """What the product would say at given thresholds; each of shape (seeds, patients)."""

    flagged: NDArray[np.bool_]
    """Whether a bleed is among the findings."""
    colour: NDArray[np.int_]
    """:class:`headct.terms.urgency.Urgency`, by the rubric over the network's mask."""
    ml: NDArray[np.float64]
    """Volume of what was flagged."""


def network_name(seed: int, fold: int) -> str:
    """Of the network that never saw a fold's patients."""
    return f"seed-{seed}/fold-{fold}"


def out_of_fold(
    judges: Judges, patients: Sequence[Entry], seeds: Sequence[int]
) -> tuple[Cohort, Scores, NDArray[np.float64]]:
    """Judge every patient by the networks that never saw them.

    Returns:
        The patients with their true colours, the scores of each seed, and the true volumes in ml, shape
        (patients,).
    """
    size = (len(seeds), len(patients))
    scores, overlap = np.zeros(size), np.full((*size, len(VOXEL_THRESHOLDS)), np.nan)
    true_ml = np.zeros(len(patients))
    colours: list[Urgency | None] = [p.colour for p in patients]
    for s, i, judged in each(judges, patients, seeds):
        scores[s, i] = bleed_score(judged)
        if s == 0 and colours[i] is None and judged.patient.masked:
            colours[i] = _colour_of_mask(judged)
        if judged.patient.masked and judged.sample.mask.any():
            true_ml[i] = measured_ml(judged.sample.volume, judged.sample.mask)
            overlap[s, i] = [dice(judged, threshold) for threshold in VOXEL_THRESHOLDS]
    return Cohort(tuple(patients), tuple(colours)), Scores(scores, overlap), true_ml


def decide(
    judges: Judges,
    patients: Sequence[Entry],
    seeds: Sequence[int],
    thresholds: Sequence[Sequence[Thresholds]],
) -> Decisions:
    """What the product would say of every patient.

    Args:
        judges: the networks.
        patients: of the cross-validation.
        seeds: their numbers.
        thresholds: for each seed and patient.
    """
    size = (len(seeds), len(patients))
    flagged, colour, ml = np.zeros(size, bool), np.zeros(size, int), np.zeros(size)
    rubric = default_rubric()
    for s, i, judged in each(judges, patients, seeds):
        bleeding, findings = find(judged.sample.volume, judged.probabilities, thresholds[s][i], rubric)
        flagged[s, i] = bleeding.mask.any()
        colour[s, i] = rubric.judge(findings).urgency
        ml[s, i] = measured_ml(judged.sample.volume, bleeding.mask)
    return Decisions(flagged, colour, ml)


def each(
    judges: Judges, patients: Sequence[Entry], seeds: Sequence[int], change: Change | None = None
) -> Iterator[tuple[int, int, Judged]]:
    """Every seed's verdict on every patient by the network that never saw the patient.

    Yields:
        Index of the seed, index of the patient, and the patient judged.
    """
    for s, seed in enumerate(seeds):
        for fold in sorted({p.fold for p in patients if p.fold is not None}):
            held_out = [i for i, p in enumerate(patients) if p.fold == fold]
            judged = judges.judge(network_name(seed, fold), [patients[i] for i in held_out], change)
            for i, one in zip(held_out, judged, strict=True):
                yield s, i, one


def bleed_score(judged: Judged) -> float:
    """The patient's score, which needs no threshold."""
    return score(judged.sample.volume, judged.probabilities, Thresholds(0.5, 0.0)).score


def measured_ml(volume: HeadVolume, mask: NDArray[np.bool_]) -> float:
    """Millilitres of a mask; denser voxels than blood lie in bone and are not counted."""
    trusted = mask & (volume.hu <= default_rubric().limits.blood_max_hu)
    return float(trusted.sum(axis=(1, 2)) @ volume.voxel_ml)


def _colour_of_mask(judged: Judged) -> Urgency:
    rubric = default_rubric()
    return rubric.judge(measure(judged.sample.volume, judged.sample.mask, rubric.limits)).urgency


def dice(judged: Judged, threshold: float) -> float:
    """Overlap of marked and true blood, 0 to 1; what lies in bone is not counted."""
    trusted = judged.sample.volume.hu <= default_rubric().limits.blood_max_hu
    true, found = judged.sample.mask & trusted, (judged.probabilities >= threshold) & trusted
    total = int(true.sum()) + int(found.sum())
    return 2.0 * int((true & found).sum()) / total if total else 1.0
