"""What each budget of false alarms costs: a threshold a budget, side by side.

One of them ships (``specificity`` of the training's settings); which is decided by this table, and the card
says so. Rates are nested: the threshold applied to a fold was chosen without it.
"""

from collections.abc import Sequence
from math import ceil, log
from typing import Any

import numpy as np

from model_training.datasets.manifest import Manifest
from model_training.evaluation.cohort import Cohort, Flags
from model_training.evaluation.decisions import bleed_score, network_name
from model_training.evaluation.judging import Judges
from model_training.evaluation.operating_points import nested_decisions
from model_training.evaluation.statistics import (
    LEVELS,
    Array,
    Figure,
    interval,
    mean,
    resampled,
    share,
    share_of,
    threshold_at_specificity,
)

BUDGET = 0.95
"""At most 5 false alarms per 100 bleed-free patients. 16 studies of commercial systems, pooled: sensitivity
0.899 at specificity 0.951 (Alhasan et al., Brain & Spine 2025;5:105866)."""


def false_alarms(
    cohort: Cohort, scores: Array, specificity: float, external: Array | None = None
) -> dict[str, Any]:
    """A row for the threshold that ships and one for the budget.

    Args:
        cohort: all patients.
        scores: bleed scores out of fold, shape (seeds, patients).
        specificity: what the threshold that ships was chosen for.
        external: scores of bleeding patients of other sources, shape (networks, patients).
    """
    truth = cohort.bleeding
    wanted = sorted({specificity, BUDGET})
    said = {s: nested_decisions(truth, cohort.fold, scores, s) for s in wanted}
    free = int((~truth).sum())
    return {
        "bleed_free": free,
        "most_if_none_seen_per_100": 100 * share_of(0, free)["high"],
        "needed_to_show": ceil(log(LEVELS[0]) / log(BUDGET)),
        "rows": [
            {
                "specificity": s,
                "ships": s == specificity,
                "threshold": threshold_at_specificity(truth, scores, s),
                **_rates(cohort, said[s]),
                "sensitivity_against_shipped": _change(truth, said[s], said[specificity]),
                "external_sensitivity": None
                if external is None
                else share(external >= threshold_at_specificity(truth, scores, s)),
            }
            for s in wanted
        ],
    }


def external_scores(judges: Judges, manifest: Manifest, seeds: Sequence[int]) -> Array | None:
    """Scores of bleeding patients of other sources by the networks of the folds, (networks, patients)."""
    patients = [p for p in manifest.external if p.bleeding]
    if not patients:
        return None
    names = [network_name(seed, fold) for seed in seeds for fold in manifest.folds]
    return np.array([[bleed_score(one) for one in judges.judge(name, patients)] for name in names])


def _rates(cohort: Cohort, said: Flags) -> dict[str, Any]:
    truth = cohort.bleeding
    alarms = share(said[:, ~truth])
    return {
        "sensitivity": share(said[:, truth]),
        "sensitivity_5_ml_and_more": share(said[:, truth & cohort.large]),
        "sensitivity_under_5_ml": share(said[:, truth & cohort.small]),
        "specificity_reached": share(~said[:, ~truth]),
        "false_alarms_per_100": {
            end: None if alarms[end] is None else 100 * alarms[end] for end in ("value", "low", "high")
        },
        "budget": _kept(alarms),
    }


def _kept(alarms: Figure) -> str:
    """Whether at most 5 of 100 is shown: by the interval, never by the value alone."""
    most = 1 - BUDGET
    if alarms["high"] <= most:
        return "kept"
    return "not kept" if alarms["low"] > most else "not shown"


def _change(truth: Flags, said: Flags, shipped: Flags) -> Figure:
    """Of the same bleeding patients, with its interval over them."""
    difference = said.astype(float) - shipped
    return interval(mean(difference, truth), resampled(truth))
