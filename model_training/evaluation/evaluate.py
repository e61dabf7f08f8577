"""What a run's networks are worth, out of fold and by patient: ``evaluation.json``.

Points are means over seeds, intervals are over patients (:mod:`model_training.evaluation.statistics`). What
is nested and what is not stands in :mod:`model_training.evaluation.operating_points`.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headct.errors import UnusableInputError
from headct.network.contents import Thresholds
from headct.terms.urgency import Urgency
from headct.triage.rubric import default_rubric
from model_training.datasets.manifest import Entry, Manifest
from model_training.evaluation import figures, members
from model_training.evaluation.alert_table import alert_table
from model_training.evaluation.cheating import cheating
from model_training.evaluation.cohort import Cohort
from model_training.evaluation.data_description import describe_data
from model_training.evaluation.decisions import Decisions, bleed_score, decide, network_name, out_of_fold
from model_training.evaluation.false_alarms import external_scores, false_alarms
from model_training.evaluation.judging import FINAL, Judges
from model_training.evaluation.no_brain import baselines, no_brain_scores
from model_training.evaluation.operating_points import (
    VOXEL_THRESHOLDS,
    OperatingPoint,
    Scores,
    nested,
    shipped,
)
from model_training.evaluation.statistics import Array, share
from model_training.evaluation.volumes import volumes
from model_training.evaluation.worklist_simulation import simulate_worklist
from model_training.learning.config import TrainingConfig

EVALUATION = "evaluation.json"
REPRODUCTION = "reproduction.json"


def evaluate(data: Path, run: Path, config: TrainingConfig, *, allow_partial: bool = False) -> dict[str, Any]:
    """Judge every patient by networks that never saw them and write ``evaluation.json``.

    Args:
        data: folder that ``headct-train dataset`` wrote.
        run: folder of the run.
        config: settings the run was trained with.
        allow_partial: go by the seeds whose folds are all trained, and without the network that ships.

    Raises:
        UnusableInputError: networks are missing, too few patients of either kind, or AlexNet was reproduced
            on other patients.
    """
    manifest, judges = Manifest.read(data), Judges(data, run, config)
    patients = manifest.in_folds
    check_patients(patients)
    reproduction = _reproduction(run, patients)
    seeds = _seeds(judges, config, manifest.folds, allow_partial)
    cohort, scores, true_ml = out_of_fold(judges, patients, seeds)
    ship, points = shipped(cohort, scores, config.specificity), nested(cohort, scores, config.specificity)
    at_nested = decide(judges, patients, seeds, [[p.thresholds for p in row] for row in points])
    at_shipped = decide(judges, patients, seeds, [[ship.thresholds] * len(patients)] * len(seeds))
    known, without_brain = cohort.known, no_brain_scores(data, cohort)
    result = {
        **_about(manifest, cohort, config, seeds, ship),
        **_tasks(cohort, scores, points=points, at_nested=at_nested, at_shipped=at_shipped, seeds=seeds),
        "colours": figures.colours([c for c in cohort.colours if c is not None], at_nested.colour[:, known]),
        "volumes": volumes(cohort, true_ml, at_nested.ml, _at_own_threshold(points, scores)),
        "external": _external(judges, manifest, seeds, ship.thresholds),
        "false_alarms": false_alarms(
            cohort, scores.score, config.specificity, external_scores(judges, manifest, seeds)
        ),
        "baselines": baselines(cohort, scores.score, without_brain),
        "alert_table": alert_table(
            cohort,
            scores.score,
            at_nested,
            without_brain=without_brain,
            reproduction=reproduction,
            specificity=config.specificity,
        ),
        "cheating": cheating(judges, cohort, scores.score, points, seeds),
        "scores": _scores(cohort, scores, at_nested),
    }
    result["worklist"] = simulate_worklist(result)
    members.write(run, members.members(judges, cohort, manifest.external, seeds, config.specificity))
    text = json.dumps(result, indent=1, allow_nan=False) + "\n"
    unfinished = run / f".unfinished-{EVALUATION}"
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(run / EVALUATION)
    written: dict[str, Any] = json.loads(text)
    return written


def _about(
    manifest: Manifest,
    cohort: Cohort,
    config: TrainingConfig,
    seeds: Sequence[int],
    ship: OperatingPoint,
) -> dict[str, Any]:
    """What was evaluated, and what was chosen by it."""
    return {
        "manifest_sha256": manifest.sha256,
        "rubric": default_rubric().version,
        "config": asdict(config),
        "seeds": list(seeds),
        "folds": len(manifest.folds),
        "patients": len(cohort.patients),
        "bleeding": int(cohort.bleeding.sum()),
        "sources": sorted({p.source for p in cohort.patients}),
        "data": describe_data(manifest),
        "cuts": asdict(ship.thresholds),
        "calibration": {"haemorrhage": asdict(ship.haemorrhage), "alert": asdict(ship.alert)},
    }


def _tasks(
    cohort: Cohort,
    scores: Scores,
    *,
    points: Sequence[Sequence[OperatingPoint]],
    at_nested: Decisions,
    at_shipped: Decisions,
    seeds: Sequence[int],
) -> dict[str, Any]:
    """Figures of both questions; that for an alert is put where the colour is known."""
    known = cohort.known
    return {
        "haemorrhage": figures.task(
            cohort,
            cohort.bleeding,
            scores.score,
            probabilities=_calibrated(points, scores, "haemorrhage"),
            nested=at_nested.flagged,
            shipped=at_shipped.flagged,
            seeds=seeds,
        ),
        "alert": figures.task(
            cohort.only(known),
            cohort.alert[known],
            scores.score[:, known],
            probabilities=_calibrated(points, scores, "alert")[:, known],
            nested=at_nested.colour[:, known] >= Urgency.RED,
            shipped=at_shipped.colour[:, known] >= Urgency.RED,
            seeds=seeds,
        ),
    }


def check_patients(patients: Sequence[Entry]) -> None:
    """In any fold left out, the others hold both kinds, so that thresholds can be chosen.

    Raises:
        UnusableInputError: they do not.
    """
    for fold in sorted({p.fold for p in patients if p.fold is not None}):
        others = [p for p in patients if p.fold != fold]
        if not any(p.bleeding and p.masked for p in others) or all(p.bleeding for p in others):
            raise UnusableInputError(
                f"too few patients: without fold {fold} there are no bleeding ones with masks, or no others"
            )
    if not patients:
        raise UnusableInputError("the manifest holds no patient of the cross-validation")


def _seeds(
    judges: Judges, config: TrainingConfig, folds: Sequence[int], allow_partial: bool
) -> tuple[int, ...]:
    """Seeds to evaluate: all, or as far as they are trained."""
    wanted = {seed: [network_name(seed, fold) for fold in folds] for seed in config.seeds}
    final = f"seed-{config.seeds[0]}/{FINAL}"
    missing = [name for names in ([final], *wanted.values()) for name in names if not judges.has(name)]
    whole = tuple(seed for seed, names in wanted.items() if all(judges.has(name) for name in names))
    if missing and not (allow_partial and whole):
        raise UnusableInputError(
            f"{judges.run} lacks {len(missing)} trained networks ({missing[0]} first): run headct-train train"
        )
    return whole


def _calibrated(points: Sequence[Sequence[OperatingPoint]], scores: Scores, task: str) -> Array:
    """Probabilities by calibrations chosen without the patient's fold, shape (seeds, patients)."""
    return np.array(
        [
            [getattr(point, task)(float(score)) for point, score in zip(row, of_seed, strict=True)]
            for row, of_seed in zip(points, scores.score, strict=True)
        ]
    )


def _at_own_threshold(points: Sequence[Sequence[OperatingPoint]], scores: Scores) -> Array:
    """Dice of each patient, (seeds, patients), at the voxel threshold chosen without the patient's fold."""
    threshold = np.array(
        [[VOXEL_THRESHOLDS.index(point.thresholds.voxel) for point in row] for row in points]
    )
    return np.take_along_axis(scores.dice, threshold[:, :, None], axis=2)[:, :, 0]


def _external(
    judges: Judges, manifest: Manifest, seeds: Sequence[int], thresholds: Thresholds
) -> dict[str, Any] | None:
    """Sensitivity in bleeding patients of other sources, at the threshold that ships.

    They had no part in choosing it.
    """
    patients = [p for p in manifest.external if p.bleeding]
    if not patients:
        return None
    of_folds = {
        (seed, fold): _scores_of(judges, network_name(seed, fold), patients)
        for seed in seeds
        for fold in manifest.folds
    }
    every = np.array(list(of_folds.values()))
    result: dict[str, Any] = {
        "source": ", ".join(sorted({p.source for p in patients})),
        "patients": len(patients),
        "sensitivity": None,
        "sensitivity_of_fold_networks": [
            {"seed": seed, "fold": fold, **share(scores >= thresholds.haemorrhage)}
            for (seed, fold), scores in of_folds.items()
        ],
        "mean_sensitivity_of_fold_networks": share(every >= thresholds.haemorrhage),
        "final_minus_fold_score_median": None,
    }
    if judges.has(final := f"seed-{judges.config.seeds[0]}/{FINAL}"):
        scores = _scores_of(judges, final, patients)
        result["sensitivity"] = share(scores >= thresholds.haemorrhage)
        # Nobody here was trained on, so a difference is the networks', not the patients'.
        result["final_minus_fold_score_median"] = float(np.median(scores - every.mean(axis=0)))
    return result


def _scores_of(judges: Judges, network: str, patients: Sequence[Entry]) -> NDArray[np.float64]:
    return np.array([bleed_score(judged) for judged in judges.judge(network, patients)])


def _reproduction(run: Path, patients: Sequence[Entry]) -> dict[str, Any] | None:
    """What ``headct-train reproduce`` wrote, if it did."""
    path = run / REPRODUCTION
    if not path.exists():
        return None
    reproduction: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for dealing in ("by_image", "by_patient"):
        task = reproduction.get(dealing, {}).get("alert")
        if task and (missing := {p.patient for p in patients} - set(task["scores"])):
            raise UnusableInputError(
                f"{path} holds no score of {min(missing)}: run headct-train reproduce on this data"
            )
    return reproduction


def _scores(cohort: Cohort, scores: Scores, at_nested: Decisions) -> dict[str, Any]:
    return {
        patient.patient: {
            "bleeding": patient.bleeding,
            "bleed_ml": patient.bleed_ml,
            "scores": scores.score[:, i].tolist(),
            "flagged": at_nested.flagged[:, i].tolist(),
            "rubric_colour": colour.name if colour is not None else None,
            "colours": [Urgency(c).name for c in at_nested.colour[:, i]],
            "under_18": patient.under_18,
            "doubtful": patient.doubtful,
            "fold": patient.fold,
        }
        for i, (patient, colour) in enumerate(zip(cohort.patients, cohort.colours, strict=True))
    }
