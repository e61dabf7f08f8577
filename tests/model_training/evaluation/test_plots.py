"""Curves and bands of a report's plots."""

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve, roc_curve

from model_training.evaluation import plots


def test_band_holds_the_curve_and_narrows_with_patients():
    random = np.random.default_rng(0)
    widths = []
    for patients in (40, 400):
        truth = np.arange(patients) % 2 == 0
        scores = truth + random.normal(0, 1, (2, patients))
        for curve in (plots.roc_on_grid, plots.precision_on_grid):
            low, high = plots.band(truth, scores, curve)
            mean = np.mean([curve(truth, s, np.ones((1, patients)))[0] for s in scores], axis=0)
            inside = (low - 1e-9 <= mean) & (mean <= high + 1e-9)
            assert inside.mean() > 0.95
        widths.append(float(np.mean(high - low)))
    assert widths[1] < widths[0] / 2


def test_curves_on_the_grid_are_the_definition():
    truth = np.array([True, False, True, False])
    scores = np.array([4.0, 3.0, 2.0, 1.0])
    roc = plots.roc_on_grid(truth, scores, np.ones((1, 4)))[0]
    assert roc[[0, 49, 50, 100]].tolist() == [0.5, 0.5, 1.0, 1.0]
    precision = plots.precision_on_grid(truth, scores, np.ones((1, 4)))[0]
    assert precision[[1, 50, 51, 100]] == pytest.approx([1.0, 1.0, 2 / 3, 2 / 3])


def test_curves_on_the_grid_take_weights_and_ties_as_sklearn_does():
    random = np.random.default_rng(1)
    truth, scores = np.arange(60) % 3 == 0, random.integers(0, 12, 60) / 3
    weights = random.integers(0, 4, (5, 60)).astype(float)
    for one, roc, precision in zip(
        weights,
        plots.roc_on_grid(truth, scores, weights),
        plots.precision_on_grid(truth, scores, weights),
        strict=True,
    ):
        fpr, tpr, _ = roc_curve(truth, scores, sample_weight=one)
        assert roc == pytest.approx([tpr[fpr <= x + 1e-9].max() for x in plots.GRID])
        p, r, _ = precision_recall_curve(truth, scores, sample_weight=one)
        highest_cut = [p[np.flatnonzero(r >= x - 1e-9)[-1]] for x in plots.GRID[1:]]
        assert precision[1:] == pytest.approx(highest_cut)
