"""Several networks of one bundle, out of fold: what their mean is worth, and what their doubt is.

For each patient the members are the networks of all seeds that never saw them. Thresholds and calibrations
are chosen on the mean of their outputs, nested as those of single networks. The margin is chosen on all
patients: no colour follows from it. Answers are the product's own (:mod:`headct.findings.looks`).
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headct.findings.looks import Answer, answer
from headct.findings.scoring import score
from headct.network.classifier import mean_of
from headct.network.contents import BundleContents, Thresholds, TrainingData
from headct.terms.assessment import Unsure
from headct.terms.urgency import Urgency
from headct.triage.rubric import default_rubric
from model_training.datasets.manifest import Entry
from model_training.datasets.sample import Sample
from model_training.evaluation import figures
from model_training.evaluation.cohort import Cohort, Flags
from model_training.evaluation.decisions import dice, network_name
from model_training.evaluation.judging import FINAL, Change, Judged, Judges
from model_training.evaluation.operating_points import (
    VOXEL_THRESHOLDS,
    OperatingPoint,
    Scores,
    nested,
    shipped,
)
from model_training.evaluation.statistics import auc, interval, resampled, share

MEMBERS = "members.json"
NEAR = 1.0
"""Patients whose score lies so near to the threshold tell how far a disturbance moves it: a tenth to ten
times the blood. Further away nothing turns an answer, and where nothing is seen the logarithm moves far."""
MOVED_SHARE = 0.5
"""Of those patients whose score moves by no more than the margin, mirrored."""
MIRRORED = Change("mirrored", lambda _, sample: np.ascontiguousarray(sample.volume.hu[:, :, ::-1]))
"""A head as good as the first, which a network that went by the blood alone would score the same."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A patient with what each member says of them."""

    index: int
    patient: Entry
    sample: Sample
    looks: tuple[NDArray[np.float32], ...]


def members(
    judges: Judges, cohort: Cohort, external: Sequence[Entry], seeds: Sequence[int], specificity: float
) -> dict[str, Any] | None:
    """What ``members.json`` holds; ``None`` with one seed.

    Args:
        judges: the networks.
        cohort: patients of the cross-validation.
        external: patients of other sources.
        seeds: whose networks are the members, the first one's first.
        specificity: as :func:`model_training.evaluation.operating_points.choose` takes it.
    """
    if len(seeds) < 2:
        return None
    scores = _scores(judges, cohort, seeds)
    points, ship = nested(cohort, scores, specificity)[0], shipped(cohort, scores, specificity)
    margin = _margin(judges, cohort, seeds, scores.score[0], ship.thresholds.haemorrhage)
    ship = replace(ship, thresholds=replace(ship.thresholds, margin=margin))
    found: dict[int, Answer] = {}
    for seen in _each(judges, cohort.patients, seeds):
        point = points[seen.index]
        found[seen.index] = _answer(seen, replace(point, thresholds=replace(point.thresholds, margin=margin)))
    answers = [found[i] for i in range(len(cohort.patients))]
    return {
        "seeds": list(seeds),
        "cuts": asdict(ship.thresholds),
        "calibration": {"haemorrhage": asdict(ship.haemorrhage), "alert": asdict(ship.alert)},
        "margin": {"near": NEAR, "share": MOVED_SHARE, "disturbance": MIRRORED.name},
        **_figures(cohort, scores, answers),
        "external": _external(judges, external, seeds, ship),
        "scores": dict(zip((p.patient for p in cohort.patients), scores.score[0].tolist(), strict=True)),
    }


def read(run: Path) -> dict[str, Any] | None:
    """What was written of a run; ``None`` where it has one seed, or was evaluated before this was."""
    path = run / MEMBERS
    if not path.exists():
        return None
    body: dict[str, Any] | None = json.loads(path.read_text(encoding="utf-8"))
    return body


def write(run: Path, body: dict[str, Any] | None) -> None:
    """Beside ``evaluation.json``; with one seed nothing, of an earlier evaluation neither."""
    if body is None:
        (run / MEMBERS).unlink(missing_ok=True)
    else:
        (run / MEMBERS).write_text(json.dumps(body, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _each(
    judges: Judges, patients: Sequence[Entry], seeds: Sequence[int], change: Change | None = None
) -> Iterator[_Seen]:
    """Every patient with what the networks say that never saw them, fold by fold."""
    for fold in sorted({p.fold for p in patients if p.fold is not None}):
        held_out = [i for i, p in enumerate(patients) if p.fold == fold]
        said = [
            judges.judge(network_name(seed, fold), [patients[i] for i in held_out], change) for seed in seeds
        ]
        for i, looks in zip(held_out, zip(*said, strict=True), strict=True):
            yield _Seen(i, patients[i], looks[0].sample, tuple(look.probabilities for look in looks))


def _scores(judges: Judges, cohort: Cohort, seeds: Sequence[int]) -> Scores:
    """Of the mean, in the place of one seed's."""
    size = len(cohort.patients)
    found, overlap = np.zeros((1, size)), np.full((1, size, len(VOXEL_THRESHOLDS)), np.nan)
    for seen in _each(judges, cohort.patients, seeds):
        together = Judged(seen.patient, seen.sample, mean_of(seen.looks))
        found[0, seen.index] = _score(seen)
        if seen.patient.masked and seen.sample.mask.any():
            overlap[0, seen.index] = [dice(together, threshold) for threshold in VOXEL_THRESHOLDS]
    return Scores(found, overlap)


def _score(seen: _Seen) -> float:
    return score(seen.sample.volume, mean_of(seen.looks), Thresholds(0.5, 0.0)).score


def _margin(
    judges: Judges, cohort: Cohort, seeds: Sequence[int], plain: NDArray[np.float64], threshold: float
) -> float:
    """How far a small disturbance moves a score near the threshold."""
    mirrored = np.zeros(len(plain))
    for seen in _each(judges, cohort.patients, seeds, MIRRORED):
        mirrored[seen.index] = _score(seen)
    moved = np.abs(mirrored - plain)
    near = np.abs(plain - threshold) <= NEAR
    return float(np.quantile(moved[near] if near.any() else moved, MOVED_SHARE))


def _answer(seen: _Seen, point: OperatingPoint) -> Answer:
    rubric = default_rubric()
    contents = BundleContents(
        name="out of fold",
        version="0",
        thresholds=point.thresholds,
        haemorrhage=point.haemorrhage,
        alert=point.alert,
        rubric_version=rubric.version,
        data=TrainingData("0" * 64, len(seen.looks), ()),
        licence="none: it is never written",
        networks=tuple(str(number) for number in range(len(seen.looks))),
    )
    return answer(seen.sample.volume, seen.looks, contents, rubric)


def _figures(cohort: Cohort, scores: Scores, answers: Sequence[Answer]) -> dict[str, Any]:
    colours = np.array([one.conclusion.urgency for one in answers], int)
    sure = np.array([not one.doubts for one in answers], bool)
    agreed = np.array([Unsure.DIVIDED not in one.doubts for one in answers], bool)
    flagged = np.array([bool(one.conclusion.bleeding.mask.any()) for one in answers], bool)
    green, alert, known = colours == Urgency.GREEN, colours >= Urgency.RED, cohort.known
    bleeding = cohort.bleeding
    wrong_alert = alert != cohort.alert
    return {
        "auc": interval(auc(bleeding, scores.score), resampled(bleeding)),
        "haemorrhage": figures.rates(cohort, bleeding, flagged[None]),
        "alert": figures.rates(cohort.only(known), cohort.alert[known], alert[None, known]),
        "agree": share(agreed),
        "sure": share(sure),
        "sure_of_green": share(sure[green]),
        "wrong_about_bleeding": _apart(flagged != bleeding, agreed, sure),
        "wrong_about_alert": _apart(wrong_alert[known], agreed[known], sure[known]),
        "bleeding_among_green": _apart(bleeding[green], agreed[green], sure[green]),
        "true_among_alerts": _apart(cohort.alert[known & alert], agreed[known & alert], sure[known & alert]),
    }


def _apart(hits: Flags, agreed: Flags, sure: Flags) -> dict[str, Any]:
    """A share where the members agree and where not, where the answer is sure and where not."""
    return {
        "agreed": share(hits[agreed]),
        "divided": share(hits[~agreed]),
        "sure": share(hits[sure]),
        "unsure": share(hits[~sure]),
    }


def _external(
    judges: Judges, patients: Sequence[Entry], seeds: Sequence[int], ship: OperatingPoint
) -> dict[str, Any] | None:
    """What the final networks of all seeds say of other sources, who had no part in anything."""
    finals = [f"seed-{seed}/{FINAL}" for seed in seeds]
    bleeding = [p for p in patients if p.bleeding]
    if not bleeding or not all(judges.has(name) for name in finals):
        return None
    found = []
    said = [judges.judge(name, bleeding) for name in finals]
    for i, looks in enumerate(zip(*said, strict=True)):
        seen = _Seen(i, bleeding[i], looks[0].sample, tuple(look.probabilities for look in looks))
        found.append(_answer(seen, ship))
    return {
        "source": ", ".join(sorted({p.source for p in bleeding})),
        "sensitivity": share([bool(one.conclusion.bleeding.mask.any()) for one in found]),
        "sure": share([not one.doubts for one in found]),
    }
