"""``reproduction.json``: answers for pictures not seen before, counted as the project did and by patient.

::

    {"network": {"name", "parameters"}, "manifest_sha256", "rubric", "settings": {...},
     "patients": n, "pictures": n, "colours": {"GREEN": patients, ...},
     "colours_by": {"provisional": patients, ...},
     "by_image" and "by_patient": {TASK: {
        "scores": {patient: mean probability of their eight images},
        "patients", "positive": counts,
        "picture_accuracy": FIGURE   # the likelier class is the patient's own
        "accuracy", "sensitivity", "specificity": FIGURE of patients, mean probability at least 0.5
        "auc": FIGURE of patients,
        "accuracy_of_the_commoner_class": share of patients,
        "seen_in_training": share of held-out pictures whose patient has others in training}},
     "curves": {"by_image" and "by_patient": {TASK: {
        "classes": [names], "epoch", "training_loss", "training_accuracy", "validation_loss",
        "validation_accuracy": lists of equal length,
        "pictures": {"train", "validation", "test"}, "seen_in_training": of validation and test pictures,
        "test_picture_accuracy": FIGURE, "accuracy_of_the_commoner_class": share of test pictures,
        "test_table": {true class: {found class: pictures}}}}}}

A FIGURE is ``{"value", "low", "high"}`` with a 95 % interval over patients, also where pictures are counted:
eight pictures of one patient are not eight witnesses.
"""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headct.network.preprocessing import BASELINE_SLICES
from model_training.datasets.manifest import TEST, TRAIN, VALIDATION, Entry, Manifest
from model_training.evaluation import statistics
from model_training.reproduction.answers import Answers
from model_training.reproduction.dealing import Dealing, Task, folds, parts, seen_before
from model_training.reproduction.pictures import of_each_picture
from model_training.reproduction.settings import Settings

_KERAS_NAMES = {
    "training_loss": "loss",
    "training_accuracy": "accuracy",
    "validation_loss": "val_loss",
    "validation_accuracy": "val_accuracy",
}


def out_of_fold(
    dealing: Dealing, task: Task, patients: Sequence[Entry], probabilities: NDArray[np.float64]
) -> dict[str, Any]:
    """Figures of a cross-validated two-class task.

    Args:
        dealing: how pictures were dealt to folds.
        task: what was told apart.
        patients: those whose pictures these are.
        probabilities: of the second class, shape (pictures,), each from the network that had not seen it.
    """
    true = np.array([task.of(p) for p in patients], bool)
    of_patient = probabilities.reshape(-1, BASELINE_SLICES)
    score = of_patient.mean(axis=1)
    called = score >= 0.5
    right = ((of_patient >= 0.5) == true[:, None]).mean(axis=1)
    drawn = statistics.resampled(true)
    fold = folds(dealing, patients)
    seen = [
        seen_before(patients, np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in np.unique(fold)
    ]
    return {
        "scores": {p.patient: float(s) for p, s in zip(patients, score, strict=True)},
        "patients": len(patients),
        "positive": int(true.sum()),
        "picture_accuracy": statistics.interval(statistics.mean(right), drawn),
        "accuracy": statistics.share(called == true),
        "sensitivity": statistics.share(called[true]),
        "specificity": statistics.share(~called[~true]),
        "auc": statistics.interval(statistics.auc(true, score), drawn),
        "accuracy_of_the_commoner_class": float(max(true.mean(), 1 - true.mean())),
        "seen_in_training": float(np.mean([s for s in seen if s is not None])),
    }


def curves(
    dealing: Dealing,
    task: Task,
    patients: Sequence[Entry],
    log: Path,
    answers: Answers,
) -> dict[str, Any]:
    """The curves of the frozen split, and the test pictures judged once at their end."""
    held = answers.pictures
    with log.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    part = parts(dealing, patients)
    true = of_each_picture(np.array([task.of(p) for p in patients]))
    test = part[held] == TEST
    found = answers.probabilities[test].argmax(axis=1)
    asked = true[held][test]
    return {
        "classes": list(task.classes),
        "epoch": [int(row["epoch"]) + 1 for row in rows],
        **{name: [float(row[keras]) for row in rows] for name, keras in _KERAS_NAMES.items()},
        "pictures": {name: int((part == name).sum()) for name in (TRAIN, VALIDATION, TEST)},
        "seen_in_training": seen_before(patients, np.flatnonzero(part == TRAIN), held),
        "test_picture_accuracy": _by_patient(held[test] // BASELINE_SLICES, found == asked),
        "accuracy_of_the_commoner_class": float(np.bincount(asked).max() / len(asked)),
        "test_table": {
            a: {b: int(((asked == i) & (found == j)).sum()) for j, b in enumerate(task.classes)}
            for i, a in enumerate(task.classes)
        },
    }


def description(manifest: Manifest, settings: Settings, parameters: int) -> dict[str, Any]:
    """What was trained, on whom, with which labels."""
    patients = manifest.in_folds
    return {
        "network": {"name": "alexnet", "parameters": parameters},
        "manifest_sha256": manifest.sha256,
        "rubric": manifest.rubric,
        "settings": asdict(settings),
        "patients": len(patients),
        "pictures": len(patients) * BASELINE_SLICES,
        "colours": dict(Counter(p.urgency for p in patients)),
        "colours_by": dict(Counter(p.urgency_by for p in patients)),
    }


def _by_patient(patient: NDArray[np.intp], right: NDArray[np.bool_]) -> statistics.Figure:
    """Share of pictures judged right, its interval over the patients they belong to."""
    own = np.unique(patient, return_inverse=True)[1]
    hits, count = np.bincount(own, right), np.bincount(own)
    return statistics.interval(lambda w: (w @ hits) / (w @ count), statistics.resampled(np.zeros(len(count))))
