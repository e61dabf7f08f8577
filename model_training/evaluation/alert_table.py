"""The research project's question, alert or no alert, for every way of answering it, of the same patients."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from headct.terms.urgency import Urgency
from model_training.evaluation.cohort import Cohort, Flags
from model_training.evaluation.decisions import Decisions
from model_training.evaluation.figures import sensitivity_and_specificity
from model_training.evaluation.no_brain import NoBrainScores
from model_training.evaluation.operating_points import nested_decisions
from model_training.evaluation.statistics import Array, auc, interval, resampled, share

_ALEXNET = {"by_image": "AlexNet, split by image", "by_patient": "AlexNet, split by patient"}


def alert_table(
    cohort: Cohort,
    scores: Array,
    at_nested: Decisions,
    *,
    without_brain: NoBrainScores,
    reproduction: Mapping[str, Any] | None,
    specificity: float,
) -> list[dict[str, Any]]:
    """One row a way, at a threshold of the other folds that leaves the same share without alert.

    AlexNet split by image has seen other images of each patient it is asked about: its row shows what that
    does, not what the network can do. The main network has two rows: by its score at such a threshold, as the
    others, and by the colour the product would show, which has no threshold of its own.

    Args:
        cohort: all patients.
        scores: of the main network, shape (seeds, patients).
        at_nested: what the product would say.
        without_brain: alert scores of the no-brain baselines by name; see
            :func:`model_training.evaluation.no_brain.no_brain_scores`.
        reproduction: ``reproduction.json`` of the same patients, or ``None`` where AlexNet was not trained.
        specificity: the share.
    """
    known = cohort.known
    truth, fold = cohort.alert[known], cohort.fold[known]
    if truth.all() or not truth.any():
        return []
    ways = {**_alexnet(cohort, reproduction), "main network, by score": scores}
    ways |= {name: tasks["alert"][None] for name, tasks in without_brain.items()}
    rows = [
        {
            "name": name,
            "auc": interval(auc(truth, way[:, known]), resampled(truth)),
            **_rates(truth, nested_decisions(truth, fold, way[:, known], specificity)),
        }
        for name, way in ways.items()
    ]
    colour = {"name": "main network, by colour", "auc": None}
    after = 1 + [row["name"] for row in rows].index("main network, by score")
    rows.insert(after, {**colour, **_rates(truth, at_nested.colour[:, known] >= Urgency.RED)})
    return rows


def _alexnet(cohort: Cohort, reproduction: Mapping[str, Any] | None) -> dict[str, Array]:
    found = {}
    for dealing, name in _ALEXNET.items():
        if task := (reproduction or {}).get(dealing, {}).get("alert"):
            found[name] = np.array([[task["scores"][p.patient] for p in cohort.patients]])
    return found


def _rates(truth: Flags, said: Flags) -> dict[str, Any]:
    return {"accuracy": share(said == truth), **sensitivity_and_specificity(truth, said)}
