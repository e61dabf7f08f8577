"""Statistics of drift monitoring against scipy; how often its alarm rule cries wolf, and when it does not."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from orthanc_plugin.drift import alarm
from orthanc_plugin.drift.alarm import FEWEST, LARGE_SHIFT, LEVEL, LONGEST, rises, shifts, stability, wilson

COUNT = st.integers(0, 60)
WIDE = (8, 15, 9, 11, 10, 4)
"""Scores of the patients that a network was trained on, by class."""
NARROW = (0, 1, 1, 43, 12, 0)


@given(COUNT, COUNT, COUNT, COUNT)
def test_fisher_is_scipys(a: int, b: int, c: int, d: int) -> None:
    expected = stats.fisher_exact([[a, b], [c, d]], alternative="greater").pvalue
    assert alarm.fisher(a, a + b, c, c + d) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@given(st.integers(1, 5000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_wilson_is_scipys(share: tuple[int, int]) -> None:
    interval = stats.binomtest(*share).proportion_ci(method="wilson")
    assert wilson(*share) == pytest.approx((interval.low, interval.high), abs=1e-9)


def test_of_nothing_anything_may_be_so() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("freedom", range(1, 12))
def test_the_chi_squared_point_is_at_most_three_percent_off(freedom: int) -> None:
    exact = stats.chi2.isf(LEVEL, freedom)
    assert exact <= alarm._chi_squared(freedom) * 1.001 <= exact * 1.035


def test_the_index_by_hand() -> None:
    # With a half added to each of four counts: 10.5 and 30.5 of 41, 20.5 and 20.5 of 41.
    index, by_chance = stability((10, 30), (20, 20))
    p, q = 10.5 / 41, 0.5
    assert index == pytest.approx((p - q) * np.log(p / q) + (q - p) * np.log((1 - p) / q))
    assert by_chance == pytest.approx(stats.chi2.isf(LEVEL, 1) * (1 / 40 + 1 / 40), rel=0.035)


@given(st.lists(st.integers(0, 300), min_size=2, max_size=8).filter(any), st.integers(1, 9))
def test_the_same_shares_do_not_differ(counts: list[int], times: int) -> None:
    index, by_chance = stability([n * times for n in counts], counts)
    assert index == pytest.approx(0, abs=0.12)  # the halves added weigh more in the smaller sample
    assert index <= max(LARGE_SHIFT, by_chance)


@given(st.lists(st.tuples(COUNT, COUNT), min_size=2, max_size=8))
def test_the_index_is_symmetric_and_never_negative(classes: list[tuple[int, int]]) -> None:
    now, before = zip(*classes, strict=True)
    if any(now) and any(before):
        assert stability(now, before)[0] == pytest.approx(stability(before, now)[0], abs=1e-9)
        assert stability(now, before)[0] >= 0


# --- which weeks are looked at ------------------------------------------------------------------------


def test_nothing_is_said_of_few_cases() -> None:
    assert shifts([(FEWEST - 1, 0)], (30, 30)) == [None]
    assert shifts([(FEWEST, 0)], (30, 30)) != [None]
    assert rises([(0, 500), (FEWEST - 1, FEWEST - 1)])[1] is None
    assert rises([(0, FEWEST - 1), (FEWEST, FEWEST)]) == [None, None]


def test_weeks_with_few_cases_are_taken_together() -> None:
    weeks = [(10, 0)] * 5
    found = shifts(weeks, (30, 30))
    assert found[:2] == [None, None]
    assert [(s.weeks, s.cases) for s in found[2:] if s] == [(3, 30)] * 3
    sparse = shifts([(3, 0)] * 20, (30, 30))
    assert sparse == [None] * 20
    assert LONGEST * 3 < FEWEST


def test_a_week_without_cases_says_nothing() -> None:
    assert shifts([(40, 0), (0, 0), (40, 0)], (30, 30))[1] is None


def test_no_reference_no_shift() -> None:
    assert shifts([(40, 0)], (0, 0)) == [None]


def test_a_rate_is_compared_with_the_weeks_before_it_alone() -> None:
    weeks = [(20, 40)] * 3 + [(2, 40)] * alarm.MEMORY + [(4, 40)]
    last = rises(weeks)[-1]
    assert last is not None
    assert (last.count, last.of) == (4, 40)
    assert (last.count_before, last.of_before) == (2 * alarm.MEMORY, 40 * alarm.MEMORY)
    assert not last.alarm


# --- what the rule finds and what it makes up --------------------------------------------------------------


def test_a_scanner_that_now_sends_thin_slices_is_noticed_within_its_first_week() -> None:
    same, thin = (0, 0, 0, 40, 0, 0), (25, 0, 0, 15, 0, 0)
    found = shifts([same, same, thin], (0, 0, 0, 57, 0, 0))
    assert [s is not None and s.alarm for s in found] == [False, False, True]


def test_a_program_that_now_fails_is_noticed_within_its_first_week() -> None:
    found = rises([(0, 40)] * 6 + [(5, 40)])
    assert [r is not None and r.alarm for r in found] == [False] * 6 + [True]
    single = rises([(0, 40)] * 6 + [(1, 40)])[-1]
    assert single is not None and not single.alarm


YEARS, WEEKS = 40, 52


def false_alarms(cases: int, seed: int) -> float:
    """Mean number of alarms in a year in which nothing changes, over seven figures and three rates."""
    random = np.random.default_rng(seed)
    alarms = 0
    for _ in range(YEARS):
        for truth in (WIDE, WIDE, WIDE, NARROW, NARROW, NARROW, (1,) * 6):
            shares = (np.array(truth) + 0.2) / (sum(truth) + 1.2)
            weeks: Sequence[Sequence[int]] = random.multinomial(cases, shares, WEEKS).tolist()
            reference = random.multinomial(57, shares).tolist()
            alarms += sum(s is not None and s.alarm for s in shifts(weeks, reference))
        for rate in (0.15, 0.3, 0.005):
            counts = [(int(n), cases) for n in random.binomial(cases, rate, WEEKS)]
            alarms += sum(r is not None and r.alarm for r in rises(counts))
    return alarms / YEARS


@pytest.mark.parametrize(("cases", "seed"), [(8, 1), (40, 2), (150, 3)])
def test_a_year_in_which_nothing_changes_has_half_a_false_alarm_at_most(cases: int, seed: int) -> None:
    """What the page and the handbook say: fewer than one in two years, at any size of hospital."""
    found = false_alarms(cases, seed)
    print(f"{cases} cases a week: {found:.2f} false alarms a year")
    assert found < 0.5
