"""The statistics of the gate against published values, brute force, and what has to hold always."""

from itertools import product
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from model_training.gate.endpoints import Area, Share
from model_training.gate.paired import (
    Settled,
    delong,
    least_width,
    score_statistic,
    settled,
    share_difference,
)
from model_training.gate.rules import Margin, Rules, WhenUnsure

Z = 1.959964
RULES = Rules.read()


def share(old, new, margin=0.1, when_unsure=WhenUnsure.BLOCK_IF_SEEN):
    return Share("made", Margin(margin, when_unsure, ""), RULES, 1, np.array(old, bool), np.array(new, bool))


def area(positives, negatives, margin=0.05, when_unsure=WhenUnsure.BLOCK_IF_SEEN):
    return Area("made", Margin(margin, when_unsure, ""), RULES, 1, np.array(positives), np.array(negatives))


def test_tango_gives_the_published_interval():
    """Airway hyper-responsiveness before and after transplantation: 7 and 1 discordant of 21 pairs.

    Fagerland, Lydersen and Laake, Stat Med 2014;33:2850-2875: -0.517 to -0.026.
    """
    found = share_difference(1, 7, 21, Z)
    assert (found.value, found.low, found.high) == pytest.approx((-6 / 21, -0.517, -0.026), abs=5e-4)


def test_without_any_difference_tango_is_known_in_closed_form():
    for n in (1, 8, 40, 1000):
        found = share_difference(0, 0, n, Z)
        assert (found.low, found.high) == pytest.approx((-(Z**2) / (n + Z**2), Z**2 / (n + Z**2)))
        assert least_width(n, Z) == pytest.approx(found.high)


def test_at_no_difference_the_score_is_mcnemars():
    assert score_statistic(3, 10, 50, 0.0) == pytest.approx(-7 / np.sqrt(13))


@pytest.mark.parametrize(("gained", "lost", "n", "d"), [(3, 9, 40, -0.1), (0, 4, 12, 0.2), (5, 0, 9, 0.3)])
def test_the_variance_is_that_of_the_likeliest_shares(gained, lost, n, d):
    """Tango's closed form against a search for the maximum of the likelihood under the difference."""

    def minus_log(p_lost):
        p_gained = p_lost + d
        terms = ((gained, p_gained), (lost, p_lost), (n - gained - lost, 1 - p_gained - p_lost))
        return -sum(k * np.log(p) for k, p in terms if k)

    low, high = max(0.0, -d), (1 - d) / 2
    best = optimize.minimize_scalar(minus_log, bounds=(low + 1e-12, high - 1e-12), method="bounded").x
    variance = n * (2 * best + d - d**2)
    expected = (gained - lost - n * d) / np.sqrt(variance)
    assert score_statistic(gained, lost, n, d) == pytest.approx(expected, rel=1e-3)


counts = st.integers(1, 60).flatmap(
    lambda n: st.tuples(st.just(n), st.integers(0, n)).flatmap(
        lambda nb: st.tuples(st.just(nb[0]), st.just(nb[1]), st.integers(0, nb[0] - nb[1]))
    )
)


@given(counts)
def test_interval_holds_the_difference_and_mirrors(found):
    n, gained, lost = found
    d, mirrored = share_difference(gained, lost, n, Z), share_difference(lost, gained, n, Z)
    assert -1 <= d.low <= d.value <= d.high <= 1
    assert (d.low, d.high) == pytest.approx((-mirrored.high, -mirrored.low), abs=1e-6)


def test_delong_by_brute_force():
    random = np.random.default_rng(0)
    positives, negatives = random.normal(1, 1, (2, 9)).round(1), random.normal(0, 1, (2, 7)).round(1)
    wins = (positives[:, :, None] > negatives[:, None]) + 0.5 * (positives[:, :, None] == negatives[:, None])
    areas, error = delong(positives, negatives)
    assert areas == pytest.approx(wins.mean(axis=(1, 2)))
    of_positives, of_negatives = np.cov(wins.mean(axis=2)), np.cov(wins.mean(axis=1))
    covariance = of_positives / 9 + of_negatives / 7
    assert error**2 == pytest.approx(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    many = delong(np.stack([positives, positives[::-1]]), np.stack([negatives, negatives[::-1]]))
    assert many[0][1] == pytest.approx(areas[::-1]) and many[1] == pytest.approx([error, error])


def test_delong_covers_a_true_difference_of_nothing():
    """Two equally good, correlated scores: the 95 % interval holds 0 in about 95 of 100 trials."""
    random = np.random.default_rng(1)
    noise = random.normal(0, 1, (1000, 2, 80)) + random.normal(0, 1, (1000, 1, 80))
    areas, error = delong(noise[..., :40] + 1.2, noise[..., 40:])
    held = np.abs(areas[:, 1] - areas[:, 0]) <= Z * error
    assert 0.93 <= held.mean() <= 0.97


@pytest.mark.parametrize("when_unsure", list(WhenUnsure))
@pytest.mark.parametrize("harm", [0.0, 0.15, 0.4])
def test_power_of_a_share_is_that_of_every_possible_outcome(when_unsure, harm):
    """All 3 to the 5 ways in which 5 patients can be gained, lost or judged alike."""
    n = 5
    endpoint = share([1, 1, 1, 1, 0], [1] * n, margin=0.15, when_unsure=when_unsure)
    gained = RULES.churn
    chances = {+1: gained, -1: gained + harm, 0: 1 - 2 * gained - harm}
    stopped = 0.0
    for way in product(chances, repeat=n):
        # Stop or pass of this way, by the interval that is shown.
        old, new = [w <= 0 for w in way], [w >= 0 for w in way]
        if share(old, new, margin=0.15, when_unsure=when_unsure).stops:
            stopped += prod(chances[w] for w in way)
    assert endpoint.power(harm) == pytest.approx(stopped, abs=1e-12)


def test_simulated_power_agrees_with_exact_power(monkeypatch):
    endpoint = share([1] * 100, [1] * 100)
    exact = [endpoint.power(harm) for harm in (0.0, 0.1, 0.2)]
    monkeypatch.setattr("model_training.gate.endpoints.EXACT_UP_TO", 50)
    simulated = [endpoint.power(harm) for harm in (0.0, 0.1, 0.2)]
    assert simulated == pytest.approx(exact, abs=0.02)
    assert simulated == [endpoint.power(harm) for harm in (0.0, 0.1, 0.2)]


def test_a_candidate_worse_by_the_margin_hardly_ever_shows_to_be_not_worse():
    """What the interval is for: 2.5 % of the time at most, apart from its approximation."""
    endpoint = share([1] * 120, [1] * 120, margin=0.1, when_unsure=WhenUnsure.BLOCK)
    assert endpoint.power(0.1) >= 0.96


@given(st.integers(2, 40), st.integers(0, 40), st.sampled_from(list(WhenUnsure)))
@settings(max_examples=40)
def test_power_grows_with_harm(n, right, when_unsure):
    endpoint = share([i < min(right, n) for i in range(n)], [True] * n, when_unsure=when_unsure)
    powers = [p for p in (endpoint.power(h / 20) for h in range(20)) if p is not None]
    assert all(0 <= p <= 1 + 1e-9 for p in powers)
    assert (np.diff(powers) >= -1e-9).all()
    smallest = endpoint.smallest_harm
    if smallest is not None:
        assert endpoint.power(smallest) >= 0.8
        assert endpoint.power(smallest - 0.01) < 0.8 or smallest <= 0.01


def test_harm_beyond_what_the_one_in_service_gets_right_has_no_power_stated():
    endpoint = share([0] * 20, [0] * 20)
    assert endpoint.power(0.3) is None
    assert endpoint.smallest_harm is None or endpoint.smallest_harm < 0.1


patients = st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=60)


@given(patients, st.sampled_from(list(WhenUnsure)), st.floats(0.02, 0.4))
@settings(max_examples=200)
def test_a_worse_candidate_never_passes_where_a_better_one_was_stopped(found, when_unsure, margin):
    old, new, spoilt = (np.array(column) for column in zip(*found, strict=True))
    better, worse = (share(old, n, margin, when_unsure) for n in (new, new & ~spoilt))
    assert worse.stops or not better.stops


@given(patients, st.sampled_from(list(WhenUnsure)), st.floats(0.02, 0.4))
@settings(max_examples=100)
def test_what_is_decided_for_a_power_is_what_is_decided_for_patients(found, when_unsure, margin):
    old, new, _ = zip(*found, strict=True)
    endpoint = share(old, new, margin, when_unsure)
    gained, lost = np.array([endpoint.gained]), np.array([endpoint.lost])
    assert endpoint._stopped(gained, lost)[0] == endpoint.stops


def test_power_of_an_area_rises_with_harm_and_patients():
    random = np.random.default_rng(2)
    few = area(random.normal(2, 1, (2, 10)), random.normal(0, 1, (2, 10)))
    many = area(random.normal(2, 1, (2, 200)), random.normal(0, 1, (2, 200)))
    assert few.power(0.0) < few.power(0.1) < few.power(0.3)
    assert many.power(0.0) < few.power(0.0) and many.power(0.1) > few.power(0.1)
    assert many.smallest_harm < few.smallest_harm
    assert many.power(0.1) == many.power(0.1)


def test_equal_scores_of_few_patients_prove_nothing():
    scores = np.arange(10.0)
    few = area([scores + 20, scores + 20], [scores, scores])
    assert few.difference.value == 0 and few.settled is Settled.CANNOT_TELL and not few.stops
    many = np.arange(200.0)
    assert area([many + 500] * 2, [many] * 2).settled is Settled.NOT_WORSE


def test_a_reversed_candidate_is_worse():
    scores = np.arange(20.0)
    found = area([scores + 30, -scores - 30], [scores, -scores])
    assert found.values == (1.0, 0.0) and found.settled is Settled.WORSE and found.stops


def test_nobody_settles_nothing():
    nobody = share([], [])
    assert nobody.values == (None, None) and nobody.settled is Settled.CANNOT_TELL and not nobody.stops
    assert nobody.power(0.1) is None and nobody.smallest_harm is None
    assert share([], [], when_unsure=WhenUnsure.BLOCK).stops
    empty = area(np.zeros((2, 1)), np.zeros((2, 0)))
    assert empty.values == (None, None) and empty.power(0.1) is None and not empty.stops


def test_the_margin_itself_counts_as_seen():
    """1 of 20 lost is a margin of 0.05, whatever floating point makes of it."""
    assert share([1] * 20, [1] * 19 + [0], margin=0.05).stops
    assert not share([1] * 21, [1] * 20 + [0], margin=0.05).stops


def test_settled_against_the_margin():
    margin = Margin(0.1, WhenUnsure.WARN, "")
    assert settled(share_difference(0, 0, 100, Z), margin) is Settled.NOT_WORSE
    assert settled(share_difference(0, 30, 100, Z), margin) is Settled.WORSE
    assert settled(share_difference(0, 1, 10, Z), margin) is Settled.CANNOT_TELL
    # Worse beyond doubt, and beyond doubt by less than the margin.
    assert settled(share_difference(0, 20, 1000, Z), margin) is Settled.NOT_WORSE
