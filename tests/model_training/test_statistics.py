import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_training.evaluation.statistics import auc, auc_interval, cut_at_specificity, logistic, share

scores = st.lists(st.floats(-3, 3), min_size=1, max_size=20)


def test_auc_of_known_rankings():
    assert auc([0, 0, 1, 1], [1, 2, 3, 4]) == 1
    assert auc([1, 1, 0, 0], [1, 2, 3, 4]) == 0
    assert auc([0, 1], [1, 1]) == 0.5


@given(positives=scores, negatives=scores)
def test_auc_is_the_share_of_pairs_in_order(positives, negatives):
    pairs = [(p > n) + (p == n) / 2 for p in positives for n in negatives]
    truth = [1] * len(positives) + [0] * len(negatives)
    assert auc(truth, positives + negatives) == pytest.approx(np.mean(pairs))


def test_interval_holds_the_estimate_and_narrows_with_patients():
    random = np.random.default_rng(0)
    widths = []
    for n in (30, 300):
        truth = np.arange(n) % 2
        interval = auc_interval(truth, truth + random.normal(0, 1, n))
        assert interval["low"] < interval["auc"] < interval["high"]
        widths.append(interval["high"] - interval["low"])
    assert widths[1] < widths[0] / 2


def test_share_gives_the_published_interval():
    """26 of 27: Clopper and Pearson give 0.810 to 0.999."""
    found = share([True] * 26 + [False])
    assert (found.count, found.of) == (26, 27)
    assert (found.low, found.high) == pytest.approx((0.810, 0.999), abs=1e-3)
    assert share([]).share is None
    assert share([True] * 5).high == 1 and share([False] * 5).low == 0


@given(positives=scores, negatives=scores, wanted=st.floats(0.05, 1))
def test_cut_leaves_the_wanted_share_of_negatives(positives, negatives, wanted):
    truth = np.array([1] * len(positives) + [0] * len(negatives), bool)
    score = np.array(positives + negatives)
    cut = cut_at_specificity(truth, score, wanted)
    assert np.mean(score[~truth] < cut) >= wanted or np.isclose(score[~truth], cut).any()


def test_logistic_recovers_its_own_parameters():
    random = np.random.default_rng(0)
    score = random.normal(0, 2, 20_000)
    truth = random.random(20_000) < 1 / (1 + np.exp(-(1.5 * score - 0.7)))
    found = logistic(truth, score)
    assert (found.slope, found.intercept) == pytest.approx((1.5, -0.7), abs=0.1)


def test_logistic_stays_finite_when_classes_are_apart():
    assert 0.5 < logistic([0, 0, 0, 1, 1, 1], [-3, -2, -1, 1, 2, 3])(3.0) < 1
