import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, cohen_kappa_score, roc_auc_score

from model_training.evaluation import statistics
from model_training.evaluation.statistics import (
    at_prevalence,
    auc,
    average_precision,
    interval,
    logistic,
    mean,
    median,
    recalibration,
    resampled,
    share,
    share_of,
    threshold_at_specificity,
    weighted_kappa,
)

scores = st.lists(st.floats(-3, 3), min_size=1, max_size=20)
patients = st.lists(
    st.tuples(st.booleans(), st.integers(0, 5), st.integers(0, 3)), min_size=4, max_size=25
).filter(lambda rows: 0 < sum(row[0] for row in rows) < len(rows))


def once(statistic, n, weights=None):
    return float(statistic(np.ones((1, n)) if weights is None else np.atleast_2d(weights))[0])


@settings(max_examples=40, deadline=None)
@given(rows=patients)
def test_statistics_agree_with_scikit_learn_ties_and_weights_included(rows):
    truth, score, weight = (np.array(column) for column in zip(*rows, strict=True))
    weight = weight + 1.0
    assert once(auc(truth, score), len(rows), weight) == pytest.approx(
        roc_auc_score(truth, score, sample_weight=weight)
    )
    assert once(average_precision(truth, score), len(rows), weight) == pytest.approx(
        average_precision_score(truth, score, sample_weight=weight)
    )
    found = weight.astype(int) % 4
    if len({*score % 4, *found}) > 1:
        assert once(weighted_kappa(score % 4, found, 4), len(rows), weight) == pytest.approx(
            cohen_kappa_score(score % 4, found, labels=range(4), weights="quadratic", sample_weight=weight)
        )


@settings(max_examples=40, deadline=None)
@given(rows=patients)
def test_weights_count_as_patients_do(rows):
    """What a bootstrap draws twice counts as two patients."""
    truth, score, weight = (np.array(column) for column in zip(*rows, strict=True))
    weight = weight + 1
    twice = np.repeat(np.arange(len(rows)), weight)
    for made in (
        lambda i: auc(truth[i], score[i]),
        lambda i: average_precision(truth[i], score[i]),
        lambda i: median(score[i]),
        lambda i: mean(score[i]),
    ):
        everybody = np.arange(len(rows))
        assert once(made(everybody), len(rows), weight) == pytest.approx(once(made(twice), len(twice)))
    assert once(median(score), len(rows)) == np.median(score)


@settings(max_examples=20, deadline=None)
@given(rows=patients)
def test_intervals_hold_their_value(rows):
    truth, score, other = (np.array(column) for column in zip(*rows, strict=True))
    weights = resampled(truth)
    slope, intercept = recalibration(truth, (score + 0.5) / 7)
    for statistic in (
        auc(truth, [score, other]),
        average_precision(truth, [score, other]),
        mean([score, other]),
        median([score, other]),
        slope,
        intercept,
    ):
        figure = interval(statistic, weights)
        assert figure["low"] <= figure["value"] <= figure["high"]


def test_seeds_are_averaged_and_share_their_draws():
    random = np.random.default_rng(0)
    truth = np.arange(40) % 3 == 0
    of_seeds = truth + random.normal(0, 1, (3, 40))
    weights = resampled(truth)
    each = np.array([auc(truth, one)(weights) for one in of_seeds])
    assert auc(truth, of_seeds)(weights) == pytest.approx(each.mean(axis=0))
    # The same network thrice is no more certain than once.
    assert interval(auc(truth, of_seeds[:1].repeat(3, axis=0)), weights) == interval(
        auc(truth, of_seeds[0]), weights
    )


def test_difference_is_paired():
    truth = np.arange(40) % 2 == 0
    score = truth + np.random.default_rng(1).normal(0, 1, 40)
    a, b = auc(truth, score), auc(truth, score * 2 + 1)
    assert interval(lambda drawn: a(drawn) - b(drawn), resampled(truth)) == {"value": 0, "low": 0, "high": 0}


def test_interval_covers_what_is_true():
    """Of 200 made-up studies about 95 % have the true area (0.760 for normal scores one apart) inside."""
    random = np.random.default_rng(0)
    truth = np.arange(60) % 2 == 0
    weights = resampled(truth)[:500]
    covered = 0
    for _ in range(200):
        figure = interval(auc(truth, truth + random.normal(0, 1, 60)), weights)
        covered += figure["low"] <= 0.760 <= figure["high"]
    assert 180 <= covered <= 198


def test_draws_keep_the_number_of_each_class():
    truth = np.array([True] * 3 + [False] * 7)
    weights = resampled(truth)
    assert weights.shape == (statistics.BOOTSTRAPS, 10)
    assert (weights[:, truth].sum(axis=1) == 3).all() and (weights[:, ~truth].sum(axis=1) == 7).all()
    assert weights.std(axis=1).min() >= 0 and len(np.unique(weights, axis=0)) > 1000


def test_classes_wholly_apart_or_alone():
    truth = np.array([True, True, False])
    assert interval(auc(truth, [3, 2, 1]), resampled(truth)) == {"value": 1, "low": 1, "high": 1}
    assert interval(auc([True, True], [1, 2]), np.ones((5, 2)))["value"] is None
    assert interval(median([], []), np.ones((5, 0)))["value"] is None


def test_share_gives_the_published_interval():
    """26 of 27: Clopper and Pearson give 0.810 to 0.999."""
    found = share([True] * 26 + [False])
    assert (found["count"], found["of"]) == (26, 27)
    assert (found["low"], found["high"]) == pytest.approx((0.810, 0.999), abs=1e-3)
    assert share([])["value"] is None
    assert share([True] * 5)["high"] == 1 and share([False] * 5)["low"] == 0


@given(st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=1, max_size=4))
def test_share_over_seeds_lies_between_whole_counts(hits):
    found = share(hits)
    assert found["count"] == pytest.approx(np.sum(hits) / len(hits)) and found["of"] == 6
    assert found["low"] <= found["value"] <= found["high"]
    below, above = share_of(np.floor(found["count"]), 6), share_of(np.ceil(found["count"]), 6)
    assert below["low"] - 1e-9 <= found["low"] <= above["low"] + 1e-9
    assert below["high"] - 1e-9 <= found["high"] <= above["high"] + 1e-9


def test_predictive_values_by_hand():
    """Sensitivity 0.9, specificity 0.8 at 10 %: 9 of 27 alarms are true, 72 of 73 cleared are free."""
    found = at_prevalence(share_of(18, 20), share_of(32, 40), 0.1)
    assert found["ppv"]["value"] == pytest.approx(1 / 3)
    assert found["npv"]["value"] == pytest.approx(72 / 73)
    assert found["false_alarms_per_100"]["value"] == pytest.approx(18)
    for name in ("ppv", "npv", "false_alarms_per_100"):
        assert found[name]["low"] < found[name]["value"] < found[name]["high"]


def test_nothing_missed_so_far_promises_nothing():
    found = at_prevalence(share_of(20, 20), share_of(40, 40), 0.2)
    assert found["npv"]["value"] == 1 and found["npv"]["low"] < 0.99
    assert found["ppv"]["value"] == 1 and found["ppv"]["low"] < 0.95
    assert found["false_alarms_per_100"]["high"] > 3
    assert at_prevalence(share_of(0, 0), share_of(1, 2), 0.2)["ppv"]["value"] is None


@given(positives=scores, negatives=scores, wanted=st.floats(0.05, 1))
def test_cut_leaves_the_wanted_share_of_negatives(positives, negatives, wanted):
    truth = np.array([1] * len(positives) + [0] * len(negatives), bool)
    score = np.array(positives + negatives)
    cut = threshold_at_specificity(truth, score, wanted)
    assert np.mean(score[~truth] < cut) >= wanted or np.isclose(score[~truth], cut).any()


def test_logistic_recovers_its_own_parameters():
    random = np.random.default_rng(0)
    score = random.normal(0, 2, 20_000)
    truth = random.random(20_000) < 1 / (1 + np.exp(-(1.5 * score - 0.7)))
    found = logistic(truth, score)
    assert (found.slope, found.intercept) == pytest.approx((1.5, -0.7), abs=0.1)


def test_logistic_of_the_same_seed_thrice_is_that_of_one():
    """Seeds are no further patients: Platt's targets go by patients."""
    truth, score = np.array([0, 0, 0, 1, 1]), np.array([-2.0, 0.5, -1, 1, 2])
    one, thrice = logistic(truth, score), logistic(truth, np.tile(score, (3, 1)))
    assert (one.slope, one.intercept) == pytest.approx((thrice.slope, thrice.intercept), rel=1e-3)


def test_logistic_stays_finite_when_classes_are_apart():
    assert 0.5 < logistic([0, 0, 0, 1, 1, 1], [-3, -2, -1, 1, 2, 3])(3.0) < 1


def test_recalibration_agrees_with_a_logistic_regression():
    random = np.random.default_rng(0)
    logit = random.normal(0, 2, 400)
    truth = random.random(400) < 1 / (1 + np.exp(-(0.5 * logit + 0.8)))
    slope, intercept = recalibration(truth, 1 / (1 + np.exp(-logit)))
    reference = LogisticRegression(C=1e6).fit(logit[:, None], truth)
    assert once(slope, 400) == pytest.approx(reference.coef_[0, 0], abs=1e-3)
    # With the slope held at 1 the predicted share of positives is the observed one.
    a = once(intercept, 400)
    assert (1 / (1 + np.exp(-(logit + a)))).mean() == pytest.approx(truth.mean(), abs=1e-4)


def test_recalibration_of_honest_probabilities_is_perfect():
    random = np.random.default_rng(0)
    p = random.random(20_000)
    slope, intercept = recalibration(random.random(20_000) < p, p)
    assert once(slope, 20_000) == pytest.approx(1, abs=0.05)
    assert once(intercept, 20_000) == pytest.approx(0, abs=0.05)
