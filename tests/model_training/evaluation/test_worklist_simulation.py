import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from worklist_samples import sort_key

from headct.errors import SettingsError, UnusableInputError
from headct.terms.urgency import Urgency
from model_training.evaluation.worklist_simulation import (
    PUBLISHED,
    SCENARIOS,
    Case,
    confusion,
    draw_operating_point,
    draw_shift,
    first_come,
    read_scenarios,
    simulate_worklist,
    triage,
    waits,
)
from orthanc_plugin.cases import worklist
from orthanc_plugin.cases.study import SeriesRecord, StudyRecord
from orthanc_plugin.states import CaseState, SeriesState

GREEN, YELLOW, RED = Urgency.GREEN, Urgency.YELLOW, Urgency.RED
PERFECT = {true: np.array([float(true is said) for said in PUBLISHED]) for true in PUBLISHED}
SILENT = {true: np.array([1.0, 0.0, 0.0]) for true in PUBLISHED}
TABLE = {
    "GREEN": {"GREEN": 35.3, "YELLOW": 6.0, "RED": 1.7, "BLACK": 0.0},
    "YELLOW": {"GREEN": 1.0, "YELLOW": 6.0, "RED": 2.0, "BLACK": 0.0},
    "RED": {"GREEN": 1.0, "YELLOW": 2.0, "RED": 8.0, "BLACK": 0.0},
    "BLACK": {"GREEN": 0.0, "YELLOW": 0.0, "RED": 0.5, "BLACK": 0.5},
}
NIGHT = read_scenarios()[0]


def room(**changes):
    """One reader without calls, at an instant published colour: what formulas speak of."""
    plain = {
        "readers": 1,
        "arrivals_per_hour": (3.6,) * 6000,
        "called_away_per_hour": 0.0,
        "judging_seconds": 0.0,
        "not_analysed": 0.0,
        "distribution": "exponential",
        "share": {"GREEN": 0.5, "YELLOW": 0.3, "RED": 0.2, "BLACK": 0.0},
        "reading_minutes": dict.fromkeys(("GREEN", "YELLOW", "RED", "BLACK"), 10.0),
    }
    return replace(NIGHT, **(plain | changes))


def of(cases, waited, truth):
    return waited[[case.truth is truth for case in cases]]


def near(sample, expected, batches=20):
    """Within four standard errors by batch means, and these are small enough to tell."""
    means = np.array([b.mean() for b in np.array_split(sample, batches)])
    error = means.std(ddof=1) / math.sqrt(batches)
    assert error < 0.08 * expected
    assert sample.mean() == pytest.approx(expected, abs=4 * error)


def test_one_reader_first_come_waits_as_long_as_the_formula_says():
    cases = draw_shift(room(), SILENT, np.random.default_rng(0))
    rho = 0.6
    near(waits(cases, 1, first_come), 10.0 * rho / (1 - rho))


def test_two_readers_wait_as_long_as_erlang_says():
    cases = draw_shift(room(readers=2, arrivals_per_hour=(9.0,) * 2000), SILENT, np.random.default_rng(1))
    offered = 9.0 / 6.0
    queueing = offered**2 / 2 / (1 - offered / 2)
    delayed = queueing / (1 + offered + queueing)
    near(waits(cases, 2, first_come), delayed * 10.0 / (2 - offered))


def test_a_perfect_machine_waits_as_long_as_cobham_says():
    """Cobham, Operations Research 1954;2:70: R / ((1 - load before) (1 - load up to and with the class))."""
    cases = draw_shift(room(), PERFECT, np.random.default_rng(2))
    waited = waits(cases, 1, triage)
    load = {RED: 0.6 * 0.2, YELLOW: 0.6 * 0.3, GREEN: 0.6 * 0.5}
    residual, before = 0.6 * 10.0, 0.0
    for colour, own in load.items():
        near(of(cases, waited, colour), residual / ((1 - before) * (1 - before - own)))
        before += own


def test_cobham_with_reading_times_by_colour():
    minutes = {"GREEN": 8.0, "YELLOW": 10.0, "RED": 20.0, "BLACK": 20.0}
    scenario = room(reading_minutes=minutes, arrivals_per_hour=(3.0,) * 6000)
    cases = draw_shift(scenario, PERFECT, np.random.default_rng(3))
    waited = waits(cases, 1, triage)
    rate = {c: 3.0 / 60.0 * scenario.share[c.name] for c in PUBLISHED}
    residual = sum(rate[c] * minutes[c.name] ** 2 for c in PUBLISHED)  # half the second moment, 2 m^2 / 2
    before = 0.0
    for colour in (RED, YELLOW, GREEN):
        own = rate[colour] * minutes[colour.name]
        near(of(cases, waited, colour), residual / ((1 - before) * (1 - before - own)))
        before += own


def test_conservation_the_order_moves_waiting_about_and_saves_none():
    """Kleinrock's conservation law; exact here, as equal readings end at the same times in any order."""
    for readers in (1, 3):
        scenario = room(distribution="fixed", arrivals_per_hour=(5.0 * readers,) * 200, readers=readers)
        cases = draw_shift(scenario, PERFECT, np.random.default_rng(4))
        before, after = waits(cases, readers, first_come), waits(cases, readers, triage)
        assert after.sum() == pytest.approx(before.sum(), rel=1e-9)
        assert of(cases, after, RED).mean() < of(cases, before, RED).mean() / 2
        assert of(cases, after, GREEN).mean() > of(cases, before, GREEN).mean()


def test_conservation_of_load_with_random_reading_times():
    cases = draw_shift(room(), PERFECT, np.random.default_rng(5))
    before, after = waits(cases, 1, first_come), waits(cases, 1, triage)
    assert after.mean() == pytest.approx(before.mean(), rel=0.03)


def test_a_machine_that_flags_nothing_changes_nothing():
    cases = draw_shift(room(arrivals_per_hour=(5.0,) * 100), SILENT, np.random.default_rng(6))
    assert np.array_equal(waits(cases, 1, first_come), waits(cases, 1, triage))


def test_a_machine_that_guesses_helps_no_colour():
    guessing = dict.fromkeys(PUBLISHED, np.array([0.5, 0.3, 0.2]))
    cases = draw_shift(room(), guessing, np.random.default_rng(7))
    waited = waits(cases, 1, triage)
    near(of(cases, waited, RED), waited.mean())


def test_a_missed_alert_waits_longer_than_without_the_machine():
    blind = PERFECT | {RED: SILENT[RED]}
    cases = draw_shift(room(arrivals_per_hour=(4.8,) * 1000), blind, np.random.default_rng(8))
    before, after = waits(cases, 1, first_come), waits(cases, 1, triage)
    assert of(cases, after, RED).mean() > of(cases, before, RED).mean() * 1.2


def test_a_reading_begun_is_finished_and_the_worst_goes_next():
    cases = [Case(0, 10, GREEN, GREEN), Case(1, 10, GREEN, GREEN), Case(2, 10, RED, RED), Case(3, 10, YELLOW)]
    assert waits(cases, 1, first_come).tolist() == [0, 9, 18, 27]
    assert waits(cases, 1, triage).tolist() == [0, 39 - 10, 8, 17]


def test_a_call_goes_first_in_both_orders():
    cases = [Case(0, 10, GREEN, GREEN), Case(1, 10, RED, RED), Case(2, 30, None)]
    for order in (first_come, triage):
        assert waits(cases, 1, order).tolist() == [0, 39, 8]


def test_a_colour_not_yet_published_does_not_help():
    alert = Case(1, 5, RED, RED, published_at=20)
    others = [Case(0, 10, GREEN, GREEN), Case(0.5, 5, YELLOW, YELLOW), Case(9.5, 5, RED, RED)]
    late = sorted([*others, alert], key=lambda c: c.arrival)
    # Pending for over a minute it still goes before YELLOW, but after the alert that is known.
    assert dict(zip(late, waits(late, 1, triage), strict=True))[alert] == 14
    pending = [Case(0, 10, GREEN, GREEN), Case(9, 5, YELLOW, YELLOW), Case(9.5, 5, RED, RED, published_at=12)]
    assert waits(pending, 1, triage).tolist() == [0, 1, 5.5]


NOW = datetime(2024, 1, 1, tzinfo=UTC)


def row_of(case, minutes):
    """The same case as a row of the real worklist, `minutes` on."""
    waiting = minutes - case.arrival
    if minutes < case.published_at:
        state, urgency = CaseState.PENDING, None
    elif case.published is None:
        state, urgency = CaseState.NOT_ANALYSED, None
    else:
        state, urgency = CaseState.ASSESSED, case.published
    study = StudyRecord(
        "1",
        "1.2",
        NOW - timedelta(minutes=waiting),
        (SeriesRecord("1", "1.2.1", SeriesState.WAITING),),
    )
    return worklist.row(study, NOW).model_copy(update={"state": state, "urgency": urgency, "series": ()})


def test_order_is_the_worklists_own():
    random = np.random.default_rng(9)
    colours = [GREEN, YELLOW, RED, Urgency.BLACK, None]
    cases = [
        Case(arrival, 1, GREEN, colours[random.integers(5)], arrival + random.choice([0.2, 0.5, 4.0]))
        for arrival in np.linspace(0, 10, 300)
    ]
    ours = sorted(cases, key=lambda case: triage(case, 10.0))
    theirs = sorted(cases, key=lambda case: sort_key(row_of(case, 10.0)))
    assert ours == theirs


def test_rows_of_the_operating_point_merge_black_and_scatter_by_their_counts():
    counts = confusion(TABLE)
    assert counts[RED].tolist() == [1.0, 2.0, 9.0]
    random = np.random.default_rng(10)
    draws = np.array([draw_operating_point(counts, random)[RED] for _ in range(4000)])
    alpha = counts[RED] + 0.5
    assert draws.sum(axis=1) == pytest.approx(1.0)
    assert draws.mean(axis=0) == pytest.approx(alpha / alpha.sum(), abs=0.01)
    many = {true: row * 100 for true, row in counts.items()}
    certain = np.array([draw_operating_point(many, random)[RED] for _ in range(500)])
    assert certain.std(axis=0).max() < draws.std(axis=0).max() / 5


def test_shift_has_the_cases_its_settings_say():
    scenario = room(arrivals_per_hour=(0.0, 3000.0), not_analysed=0.25, judging_seconds=30.0)
    cases = draw_shift(replace(scenario, called_away_per_hour=500.0), PERFECT, np.random.default_rng(11))
    patients = [c for c in cases if c.truth is not None]
    assert len(patients) == pytest.approx(3000, abs=250)
    assert len(cases) - len(patients) == pytest.approx(1000, abs=150)
    assert min(c.arrival for c in patients) >= 60.0
    assert np.mean([c.published is None for c in patients]) == pytest.approx(0.25, abs=0.04)
    assert all(c.published in (c.truth, None) for c in patients)
    assert all(c.published_at == pytest.approx(c.arrival + 0.5) for c in patients)
    lognormal = replace(scenario, distribution="lognormal", variation=0.5)
    minutes = [c.minutes for c in draw_shift(lognormal, PERFECT, np.random.default_rng(12))]
    assert np.mean(minutes) == pytest.approx(10.0, rel=0.05)
    assert np.std(minutes) == pytest.approx(5.0, rel=0.1)


def small():
    return [replace(s, months=8, shifts=4) for s in read_scenarios()]


def test_result_is_reproducible_and_says_who_gains_and_who_loses():
    figures = {"colours": {"table": TABLE}}
    result = simulate_worklist(figures, small())
    assert result == simulate_worklist(figures, small())
    assert result != simulate_worklist(figures, small(), seed=1)
    assert result["operating_point"]["ALERT"] == {"GREEN": 1.0, "YELLOW": 2.0, "ALERT": 9.0}
    busy = result["scenarios"][1]
    groups = busy["groups"]
    assert busy["load"] == pytest.approx(0.84, abs=0.01)
    assert groups["alert"]["difference"]["mean"]["value"] < 0 < groups["green"]["difference"]["mean"]["value"]
    assert groups["alert_called_green"]["difference"]["mean"]["value"] > 0
    for group in groups.values():
        for kind in ("first_come", "triage", "difference"):
            for figure in group[kind].values():
                assert figure["value"] is None or figure["low"] <= figure["value"] <= figure["high"]
        added = group["triage"]["mean"]["value"] - group["first_come"]["mean"]["value"]
        assert group["difference"]["mean"]["value"] == pytest.approx(added)


def test_a_group_without_a_patient_has_no_figure():
    nobody = replace(small()[0], share={"GREEN": 1.0, "YELLOW": 0.0, "RED": 0.0, "BLACK": 0.0})
    groups = simulate_worklist({"colours": {"table": TABLE}}, [nobody])["scenarios"][0]["groups"]
    assert groups["alert"]["patients_a_month"]["value"] == 0
    assert groups["alert"]["triage"]["mean"] == {"value": None, "low": None, "high": None}


def test_figures_without_colours_are_refused():
    with pytest.raises(UnusableInputError, match="table of colours"):
        simulate_worklist({"colours": None}, small())


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("readers = 1", "reader = 1", "unknown or missing"),
        ("GREEN = 0.90", "GREEN = 0.95", "together be 1"),
        ("GREEN = 0.90", "PINK = 0.90", "name each colour"),
        ('"lognormal"', '"gamma"', "unknown distribution"),
        ("readers = 1", "readers = 0", "at least one"),
        ("judging_seconds = 10.0", "judging_seconds = -1.0", "negative"),
        ("not_analysed = 0.03", "not_analysed = 3", "a share"),
        ("readers = 1", 'readers = "one"', "wrong type"),
        ("[[scenario]]", "[[room]]", "no \\[\\[scenario\\]\\]"),
        ("[[scenario]]", "[[scenario", "cannot be read"),
    ],
)
def test_a_scenario_that_makes_no_sense_is_refused(tmp_path, old, new, says):
    night = SCENARIOS.read_text(encoding="utf-8").split("[[scenario]]")[1]
    path = tmp_path / "mine.toml"
    path.write_text(("[[scenario]]" + night).replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SettingsError, match=says):
        read_scenarios(path)


def test_every_shipped_setting_names_its_source():
    for scenario in read_scenarios():
        told = {"arrivals_per_hour", "readers", "share", "reading_minutes", "not_analysed", "judging_seconds"}
        assert told <= set(scenario.sources)
