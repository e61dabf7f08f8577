"""The table that decides the order of patients, against the rule as the design has it."""

from itertools import product

import pytest
from hypothesis import given, strategies
from store_samples import after
from worklist_samples import ARRIVING, FAILED, HALF, LOCALIZER, NOW, assessed, in_order, said, study

from headct.terms.urgency import Urgency
from orthanc_plugin.cases.study import SeriesRecord
from orthanc_plugin.cases.views import WorklistRow
from orthanc_plugin.states import CaseState, SeriesState
from orthanc_plugin.store.standing import order
from orthanc_plugin.store.standing.order import PLACES, Facts

EVERY = [
    Facts(waits, worst, just_came, incomplete, wrong_clock, unsure)
    for waits, worst, just_came, incomplete, wrong_clock, unsure in product(
        (True, False), (None, *Urgency), (True, False), (True, False), (True, False), (True, False)
    )
    if not (just_came and wrong_clock)
]


def by_the_rule(case: Facts) -> str:
    """RED, BLACK; failed, not analysed, pending for over a minute; YELLOW; GREEN, unsure; pending; GREEN.

    Then what was read. Of no other colour doubt changes the place. What came on a wrong clock never stands
    below YELLOW until it is read.
    """
    if not case.waits:
        tone = "" if case.worst in {None, Urgency.GREEN} else f", {case.worst.name.lower()}"  # type: ignore[union-attr]
        return f"read{tone}"
    match case.worst:
        case Urgency.RED | Urgency.BLACK:
            return "alert"
        case Urgency.YELLOW:
            return "yellow"
        case Urgency.GREEN:
            if case.wrong_clock:
                return "yellow"
            return "green, unsure" if case.unsure else "pending" if case.incomplete else "green"
    return "pending" if case.just_came else "unknown"


@pytest.mark.parametrize("case", EVERY, ids=repr)
def test_every_case_stands_where_the_rule_has_it(case: Facts) -> None:
    assert PLACES[order.place_of(case)].name == by_the_rule(case)


def test_every_line_is_needed_and_says_why() -> None:
    assert {order.place_of(case) for case in EVERY} == set(range(len(PLACES)))
    assert len({line.name for line in PLACES}) == len(PLACES)
    assert all(line.why for line in PLACES)


GIVEN = strategies.none() | strategies.sampled_from(Urgency)
SERIES = strategies.sampled_from([*(assessed(u) for u in Urgency), ARRIVING, FAILED, LOCALIZER, HALF])
READ = strategies.builds(said, SERIES, GIVEN, strategies.integers(0, 3600), unseen=strategies.booleans())
STUDIES = strategies.lists(
    strategies.tuples(strategies.lists(SERIES | READ, min_size=1, max_size=3), strategies.integers(0, 3600)),
    max_size=12,
)


def rank(row: WorklistRow) -> int:
    """The rule once more, of the row as shown."""
    worst = max((u for u in (row.urgency, (row.reopened and row.machine_urgency) or None) if u), default=None)
    worst = Urgency.GREEN if worst is None and row.urgency is not None else worst
    if row.reviewed:
        return 10 - (row.urgency or 0)
    if worst is None:
        return 3 if row.state is CaseState.PENDING and row.waiting_seconds <= 60 else 1
    if worst.alert:
        return 0
    open_to = {SeriesState.FAILED, SeriesState.ARRIVING, SeriesState.WAITING, SeriesState.JUDGING}
    return 2 if worst is Urgency.YELLOW else 3 if any(s.state in open_to for s in row.series) else 4


@given(STUDIES)
def test_read_or_not_in_any_mixture(cases: list[tuple[list[SeriesRecord], int]]) -> None:
    studies = [study(f"{n}", *series, arrived=after(at)) for n, (series, at) in enumerate(cases)]
    rows = in_order(studies, NOW)
    assert {row.id for row in rows} == {one.id for one in studies}
    keys = [(rank(row), row.first_arrival) for row in rows]
    assert keys == sorted(keys)
