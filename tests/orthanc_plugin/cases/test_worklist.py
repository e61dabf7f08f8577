"""The order of work, and what a row says of its study."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given, strategies
from store_samples import after
from worklist_samples import (
    ARRIVING,
    FAILED,
    HALF,
    LOCALIZER,
    NOW,
    assessed,
    in_order,
    place,
    said,
    study,
    without,
)

from headct.reasons import ReasonCode
from headct.terms.urgency import Urgency
from orthanc_plugin.cases import worklist
from orthanc_plugin.cases.study import SeriesRecord, StudyRecord
from orthanc_plugin.states import CaseState, SeriesState


def names(*studies: StudyRecord) -> list[str]:
    return [row.id for row in in_order(studies, NOW)]


def test_the_order_of_work() -> None:
    fresh = after(3590)
    assert names(
        study("green", assessed(Urgency.GREEN)),
        study("pending", ARRIVING, arrived=fresh),
        study("yellow", assessed(Urgency.YELLOW)),
        study("overdue", ARRIVING, arrived=after(3)),
        study("not analysed", HALF, arrived=after(2)),
        study("failed", FAILED, arrived=after(1)),
        study("black", assessed(Urgency.BLACK), arrived=after(5)),
        study("red", assessed(Urgency.RED), arrived=after(4)),
        study("alert in a part", assessed(Urgency.RED, preliminary=True), arrived=after(6)),
    ) == [
        "red",
        "black",
        "alert in a part",
        "failed",
        "not analysed",
        "overdue",
        "yellow",
        "pending",
        "green",
    ]


def test_what_is_unknown_of_a_study_lifts_it_above_green() -> None:
    order = names(
        study("green", assessed(Urgency.GREEN)),
        study("green and failed", assessed(Urgency.GREEN), FAILED, arrived=after(10)),
        study("green and arriving", assessed(Urgency.GREEN), ARRIVING, arrived=after(20)),
        study("green and localizer", assessed(Urgency.GREEN), LOCALIZER, arrived=after(5)),
    )
    assert order == ["green and failed", "green and arriving", "green", "green and localizer"]


def test_pending_turns_overdue_after_a_minute() -> None:
    one, yellow = study("pending", ARRIVING), study("yellow", assessed(Urgency.YELLOW))
    early = [r.id for r in in_order([one, yellow], after(60))]
    late = [r.id for r in in_order([one, yellow], after(60.1))]
    assert (early, late) == (["yellow", "pending"], ["pending", "yellow"])


def test_a_study_shows_its_worst_series_and_the_disagreement() -> None:
    row = worklist.row(study("s", assessed(Urgency.GREEN, "a"), LOCALIZER, assessed(Urgency.RED, "b")), NOW)
    assert (row.state, row.urgency, row.discordant, row.reason) == (
        CaseState.ASSESSED,
        Urgency.RED,
        True,
        None,
    )
    assert [s.id for s in row.series] == ["b", "a", "l"]
    assert row.preview is not None
    assert (row.preview.series_id, row.preview.slice) == ("b", 3)
    assert row.result_age_seconds == 3590


def test_agreeing_series_are_not_discordant() -> None:
    row = worklist.row(study("s", assessed(Urgency.RED, "a"), assessed(Urgency.RED, "b")), NOW)
    assert not row.discordant


def test_not_analysed_says_the_most_telling_reason() -> None:
    row = worklist.row(study("s", LOCALIZER, HALF), NOW)
    assert row.state is CaseState.NOT_ANALYSED
    assert row.reason is not None
    assert row.reason.code is ReasonCode.HEAD_NOT_COVERED


def test_a_failure_is_not_hidden_by_other_reasons() -> None:
    row = worklist.row(study("s", LOCALIZER, FAILED), NOW)
    assert row.state is CaseState.FAILED
    assert row.reason is not None
    assert row.reason.code is ReasonCode.INTERNAL_ERROR


def test_while_a_series_is_pending_the_study_is() -> None:
    row = worklist.row(study("s", LOCALIZER, ARRIVING), NOW)
    assert (row.state, row.reason) == (CaseState.PENDING, None)


def test_withdrawn_series_are_not_shown() -> None:
    gone = replace(assessed(Urgency.RED), state=SeriesState.WITHDRAWN)
    assert names(study("s", gone)) == []
    row = worklist.row(study("s", gone, LOCALIZER), NOW)
    assert (row.state, row.urgency) == (CaseState.NOT_ANALYSED, None)


def test_every_reason_has_its_rank() -> None:
    assert set(worklist.TELLING) == set(ReasonCode)


def test_a_clock_set_back_gives_no_negative_times() -> None:
    row = worklist.row(study("s", assessed(Urgency.RED)), after(-100))
    assert (row.waiting_seconds, row.result_age_seconds) == (0, 0)


SERIES = strategies.lists(
    strategies.one_of(
        strategies.sampled_from(list(Urgency)).map(assessed),
        strategies.sampled_from([Urgency.RED, Urgency.BLACK]).map(lambda u: assessed(u, preliminary=True)),
        strategies.sampled_from([ARRIVING, FAILED, LOCALIZER, HALF]),
    ),
    min_size=1,
    max_size=4,
)


@given(strategies.lists(strategies.tuples(SERIES, strategies.integers(0, 3600)), max_size=12))
def test_in_any_mixture(cases: list[tuple[list[SeriesRecord], int]]) -> None:
    """No case is lost, alerts first, certain GREEN last, within a group the longest waiting first."""
    studies = [study(f"{n}", *series, arrived=after(at)) for n, (series, at) in enumerate(cases)]
    rows = in_order(studies, NOW)
    assert {r.id for r in rows} == {s.id for s in studies}
    alerts = [r.urgency is not None and r.urgency.alert for r in rows]
    assert alerts == sorted(alerts, reverse=True)
    greens = [
        r.urgency is Urgency.GREEN
        and all(s.state in {SeriesState.ASSESSED, SeriesState.NOT_ANALYSED} for s in r.series)
        for r in rows
    ]
    assert greens == sorted(greens)
    for one, other in pairwise(rows):
        if place(one) == place(other):
            assert one.waiting_seconds >= other.waiting_seconds


def test_a_read_case_waits_for_nobody() -> None:
    row = worklist.row(study("s", said(assessed(Urgency.RED), Urgency.GREEN)), NOW)
    assert row.reviewed and not row.reopened
    assert (row.urgency, row.machine_urgency, row.waiting_seconds) == (Urgency.GREEN, Urgency.RED, 100)
    assert names(
        study("read", said(assessed(Urgency.RED), Urgency.RED)),
        study("read, green", said(assessed(Urgency.RED), Urgency.GREEN)),
        study("green", assessed(Urgency.GREEN)),
    ) == ["green", "read", "read, green"]


def test_what_came_after_the_reading_and_may_be_worse_opens_the_case_again() -> None:
    read = said(assessed(Urgency.GREEN, "read"), Urgency.GREEN)
    worse = replace(assessed(Urgency.RED, "late"), unseen=True)
    row = worklist.row(study("s", read, worse), NOW)
    assert (row.reviewed, row.reopened, row.urgency, row.waiting_seconds) == (False, True, Urgency.RED, 3600)
    for late in (
        replace(without(SeriesState.JUDGING, name="late"), unseen=True),
        replace(FAILED, unseen=True),
    ):
        assert worklist.row(study("s", read, late), NOW).reopened
    for late in (
        replace(assessed(Urgency.GREEN, "late"), unseen=True),
        replace(LOCALIZER, unseen=True),
        assessed(Urgency.RED, "seen, not spoken of"),
    ):
        row = worklist.row(study("s", read, late), NOW)
        assert (row.reviewed, row.reopened, row.urgency) == (True, False, Urgency.GREEN)


def test_late_slices_raise_the_case_and_leave_the_persons_colour() -> None:
    more = said(assessed(Urgency.RED), Urgency.GREEN, unseen=True)
    row = worklist.row(study("s", more), NOW)
    assert (row.urgency, row.machine_urgency, row.reopened) == (Urgency.GREEN, Urgency.RED, True)
    assert names(study("yellow", assessed(Urgency.YELLOW)), study("more", more)) == ["more", "yellow"]


def test_an_excluded_series_is_read_when_nothing_else_is_left() -> None:
    excluded = said(assessed(Urgency.RED), None)
    row = worklist.row(study("s", excluded), NOW)
    assert (row.reviewed, row.urgency) == (True, Urgency.RED)
    assert not worklist.row(study("s", excluded, assessed(Urgency.GREEN, "other")), NOW).reviewed
    assert not worklist.row(study("s", said(LOCALIZER, None), ARRIVING), NOW).reviewed
    assert worklist.row(study("s", said(LOCALIZER, None)), NOW).reviewed
