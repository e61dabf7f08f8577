from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headct.errors import SettingsError
from model_training.datasets.selection import Selection, studies, study_day
from model_training.datasets.source import FoundSeries

FIRST = date(2020, 1, 1)


def found(study="1", series="1.1", when="", thickness=5.0, original=True, files=30) -> FoundSeries:
    return FoundSeries("P", study, series, "", when, "", thickness, original, ("f",) * files, (), "")


def written(days: int) -> str:
    return (FIRST + timedelta(days=days)).strftime("%Y%m%d") + "120000"


def kept_days(rule: Selection, days: list[int]) -> list[int]:
    kept: list[int] = []
    for day in sorted(days):
        if not rule.is_repeat(written(day), [written(k) for k in kept]):
            kept.append(day)
    return kept


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=20), st.integers(1, 400))
def test_the_first_stays_and_no_two_lie_within_the_interval(days, interval):
    kept = kept_days(Selection(interval), days)
    assert kept[0] == min(days)
    assert all(b - a >= interval for a, b in pairwise(kept))
    # Nothing is left out without cause.
    assert all(day in kept or any(0 <= day - k < interval for k in kept) for day in days)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=20))
def test_without_an_interval_one_study_a_patient_stays(days):
    assert kept_days(Selection(0), days) == [min(days)]


def test_without_dates_a_second_study_is_a_repeat():
    assert Selection(30).is_repeat("", [written(0)]) and Selection(30).is_repeat(written(900), [""])
    assert not Selection(30).is_repeat("", []) and not Selection(30).is_repeat(written(30), [written(0)])


@given(st.permutations([found("late", when=written(9)), found("undated"), found("early", when=written(0))]))
def test_studies_come_in_order_of_time_and_the_undated_last(series):
    assert [study[0].study for study in studies(series)] == ["early", "late", "undated"]


@given(st.permutations(range(5)))
def test_best_series_first(order):
    best_first = [
        found(series="a"),
        found(series="b", thickness=3.0),
        found(series="c", thickness=0.625, files=240),
        found(series="d", original=False),
        found(series=""),
    ]
    (study,) = studies([best_first[k] for k in order])
    assert study == best_first


@pytest.mark.parametrize(
    ("description", "said"),
    [
        ("CT HEAD POST-OP DAY 2", True),
        ("Head ct postoperative", True),
        ("S/P CRANIOTOMY", True),
        ("頭部単純CT 術後", True),
        ("CT HEAD POSTERIOR FOSSA", False),
        ("頭部単純CT", False),
        ("", False),
    ],
)
def test_operations_named_in_the_description(description, said):
    assert Selection.read().says_postoperative(description) == said


def test_rules_come_from_a_file(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('repeat_days = 90\npostoperative = ["REOP"]\n')
    assert Selection.read(path) == Selection(90, ("REOP",))
    for text, words in (
        ("repeat_day = 1", "repeat_day is not known"),
        ("repeat_days = -1", "0 or more"),
        ('postoperative = ["("]', "no regular expression"),
        ('postoperative = "POST"', "list"),
        ("repeat_days =", "cannot be read"),
    ):
        path.write_text(text)
        with pytest.raises(SettingsError, match=words):
            Selection.read(path)


def test_a_day_that_is_none():
    assert study_day("20240230") is None and study_day("Unknown") is None and study_day("") is None
    assert study_day("20240229101112.5") == date(2024, 2, 29)
