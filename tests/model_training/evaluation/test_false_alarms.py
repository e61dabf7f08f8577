"""Two thresholds beside each other, and what few patients can show of either."""

import numpy as np
import pytest

from headct.terms.urgency import Urgency
from model_training.datasets.manifest import Entry
from model_training.evaluation.cohort import Cohort
from model_training.evaluation.false_alarms import BUDGET, false_alarms
from model_training.evaluation.operating_points import nested_decisions

FOLDS, SEEDS = 4, 3


def made(clear: int, bleeding: int = 24, apart: float = 2.0) -> tuple[Cohort, np.ndarray]:
    random = np.random.default_rng(3)
    bleeds = np.arange(clear + bleeding) < bleeding
    scores = bleeds * apart + random.normal(0, 1, (SEEDS, bleeds.size))
    patients = tuple(
        Entry(f"P{n}", "made", bool(b), bleed_ml=8.0 if b else 0.0, fold=n % FOLDS)
        for n, b in enumerate(bleeds)
    )
    return Cohort(patients, tuple(Urgency.RED if b else Urgency.GREEN for b in bleeds)), scores


def test_the_budget_costs_sensitivity_and_spares_alarms():
    cohort, scores = made(36)
    table = false_alarms(cohort, scores, 0.85)
    ships, budget = table["rows"]
    assert (ships["ships"], budget["ships"]) == (True, False)
    assert budget["threshold"] > ships["threshold"]
    assert budget["false_alarms_per_100"]["value"] < ships["false_alarms_per_100"]["value"]
    lost = budget["sensitivity"]["value"] - ships["sensitivity"]["value"]
    assert budget["sensitivity_against_shipped"]["value"] == pytest.approx(lost)
    assert ships["sensitivity_against_shipped"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    said = nested_decisions(cohort.bleeding, cohort.fold, scores, BUDGET)
    assert budget["specificity_reached"]["value"] == pytest.approx((~said[:, ~cohort.bleeding]).mean())
    assert ships["external_sensitivity"] is None


def test_few_patients_cannot_show_that_the_budget_is_kept():
    cohort, scores = made(37, apart=20.0)
    table = false_alarms(cohort, scores, 0.85)
    assert table["most_if_none_seen_per_100"] == pytest.approx(9.5, abs=0.1)
    assert table["needed_to_show"] == 72
    assert {row["budget"] for row in table["rows"]} <= {"not shown", "not kept"}


def test_one_row_where_what_ships_is_the_budget():
    cohort, scores = made(36)
    external = np.full((2, 5), 9.0)
    (row,) = false_alarms(cohort, scores, BUDGET, external)["rows"]
    assert row["ships"]
    assert row["external_sensitivity"]["count"] == 5
