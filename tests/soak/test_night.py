"""The plan of a bad night and its table; the night itself is ``make soak``."""

import pytest

from tests.soak.night.plan import (
    BACK,
    BODIES,
    BOMBS,
    FORWARD,
    FULL,
    KILLS,
    LOCKED,
    NESTED,
    Happened,
    new_lines,
    plan,
    table,
    twice,
)


@pytest.mark.parametrize("minutes", [1, 10, 60])
@pytest.mark.parametrize("seed", range(5))
def test_everything_happens_in_a_night(minutes: float, seed: int) -> None:
    found = plan(minutes, 20, seed)
    names = [one.what for one in found]
    assert sum(names.count(kill) for kill in KILLS) == 20
    assert set(names) == {*KILLS, LOCKED, FULL, BODIES, NESTED, BOMBS, FORWARD, BACK}
    assert [one.at for one in found] == sorted(one.at for one in found)
    assert 0 < found[0].at < found[-1].at < 60 * minutes
    assert found == plan(minutes, 20, seed) != plan(minutes, 20, seed + 1)


def test_the_clock_is_never_further_out_than_a_day_and_right_in_the_end() -> None:
    ahead = [0]
    for one in plan(240, 20, seed=1):
        ahead += [ahead[-1] + {FORWARD: 1, BACK: -1}[one.what]] if one.what in {FORWARD, BACK} else []
    assert {-1, 0, 1} == set(ahead)


def test_a_line_is_new_if_it_tells_of_another_moment() -> None:
    before = ["Set at 2026-03-01 10:00 UTC.", "no answer"]
    lines = ["Set at 2026-03-02 11:30:05+00:00.", "The disk is full.", "no answer", "The disk is full."]
    assert new_lines(before, before) == ()
    assert new_lines(before, lines) == ("Set at ...+00:00.", "The disk is full.")


def test_the_table_has_a_line_for_each_kind() -> None:
    text = table(
        [
            Happened("Orthanc", 2.0, ("no answer",)),
            Happened("Orthanc", 4.0, ("no answer", "it ended")),
            Happened(BODIES),
        ]
    )
    assert "| Orthanc | 2 | 3.0, 4.0 | no answer; it ended |" in text
    assert f"| {BODIES} | 1 |  |  |" in text


def test_what_is_there_twice() -> None:
    assert twice(["b", "a", "b", "c", "b"]) == ["b"]
