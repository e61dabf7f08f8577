"""A model in shadow beside the ones that judged: by case, against the readers, each pair for itself."""

import pytest
from model_samples import activate, begin_shadow, judge, publish, repeat, review
from sqlalchemy.orm import Session
from store_samples import after

from headct.network.bundle import Bundle
from headct.terms.urgency import Urgency
from orthanc_plugin.drift.alarm import wilson
from orthanc_plugin.models import comparison, listing
from orthanc_plugin.models.views import ComparisonView
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import model_history, withdrawal

GREEN, YELLOW, RED, BLACK = Urgency


def only(session: Session) -> ComparisonView:
    (found,) = comparison.comparisons(session)
    return found


class TestComparison:
    def test_by_case_and_against_the_readers(
        self, session: Session, settings: Settings, pair: tuple[Bundle, Bundle]
    ) -> None:
        # active, shadow, readers
        said = [
            (RED, RED, RED),
            (RED, GREEN, RED),
            (GREEN, BLACK, RED),
            (GREEN, GREEN, GREEN),
            (GREEN, RED, YELLOW),
            (YELLOW, GREEN, None),
        ]
        for number, (active, other, reader) in enumerate(said):
            series = judge(session, settings, number, active, pair[0], at=100 + 20 * number)
            repeat(session, other, pair[1], at=110 + 20 * number)
            if reader is not None:
                review(session, series, reader, at=500 + number)
                publish(session, after(600))
        judge(session, settings, 9, RED, pair[0], at=400)
        repeat(session, None, pair[1], at=410)
        found = only(session)
        assert (found.shadow, found.active) == ("threshold-2.0", "threshold-1.0")
        assert (found.cases, found.failed, found.only_active, found.only_shadow) == (6, 1, 1, 2)
        assert (found.agreement.count, found.agreement.of) == (3, 6)
        shares = {
            name: (getattr(found, name).count, getattr(found, name).of)
            for name in (
                "active_sensitivity",
                "shadow_sensitivity",
                "active_specificity",
                "shadow_specificity",
            )
        }
        assert shares == {
            "active_sensitivity": (2, 3),
            "shadow_sensitivity": (2, 3),
            "active_specificity": (2, 2),
            "shadow_specificity": (1, 2),
        }
        assert [(d.active, d.shadow, d.label) for d in found.differing] == [
            (GREEN, RED, YELLOW),
            (GREEN, BLACK, RED),
            (RED, GREEN, RED),
        ]
        assert found.active_seconds == found.shadow_seconds == 0.5
        assert comparison.counts(session) == {"agree": 3, "differ": 3, "failed": 1}

    def test_a_case_is_a_study_with_the_worst_of_its_series(
        self, session: Session, settings: Settings, pair: tuple[Bundle, Bundle]
    ) -> None:
        for number, (active, other) in enumerate([(RED, GREEN), (GREEN, BLACK)]):
            judge(session, settings, number, active, pair[0], study=7, at=100 + 20 * number)
            repeat(session, other, pair[1], at=110 + 20 * number)
        found = only(session)
        assert (found.cases, found.agreement.count, found.differing) == (1, 1, ())

    def test_a_series_judged_again_counts_once_and_a_deleted_one_not(
        self, session: Session, settings: Settings, pair: tuple[Bundle, Bundle]
    ) -> None:
        series = judge(session, settings, 1, RED, pair[0])
        repeat(session, GREEN, pair[1])
        judge(session, settings, 2, GREEN, pair[0], at=200)
        repeat(session, GREEN, pair[1])
        assert (only(session).cases, only(session).only_active) == (2, 1)
        withdrawal.withdraw(session, series, after(300))
        assert (only(session).cases, only(session).only_active) == (1, 0)

    def test_each_pair_stands_for_itself(
        self, session: Session, settings: Settings, bundles: tuple[Bundle, Bundle, Bundle]
    ) -> None:
        first, second, third = bundles
        activate(session, first)
        begin_shadow(session, second)
        judge(session, settings, 1, RED, first)
        repeat(session, RED, second)
        begin_shadow(session, third, at=150)
        judge(session, settings, 2, RED, first, at=200)
        repeat(session, RED, third)
        activate(session, second, at=250)
        judge(session, settings, 3, RED, second, at=300)
        repeat(session, GREEN, third)
        found = [(c.shadow[-3:], c.active[-3:], c.cases) for c in comparison.comparisons(session)]
        assert found == [("3.0", "2.0", 1), ("3.0", "1.0", 1), ("2.0", "1.0", 1)]

    def test_without_any_there_is_nothing(self, session: Session, pair: tuple[Bundle, Bundle]) -> None:
        assert comparison.comparisons(session) == ()
        assert comparison.counts(session) == {"agree": 0, "differ": 0, "failed": 0}
        model_history.end_shadow(session, actor="abe", reason="", seen=None, now=after(1))
        assert comparison.counts(session) == {}
        assert listing.in_shadow(session) is None


@pytest.mark.parametrize("hits", [(), (True, True, False)])
def test_shares_come_with_their_interval(hits: tuple[bool, ...]) -> None:
    found = comparison._share(hits)
    assert (found.count, found.of) == (sum(hits), len(hits))
    assert (found.low, found.high) == wilson(sum(hits), len(hits))
