"""A model in shadow: when it may judge, what is kept of it, and how it compares."""

import shutil
from pathlib import Path

import pytest
from model_samples import activate, begin_shadow, judge, options, own_model, publish, repeat, review
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from store_samples import after, seen

from headct.network.bundle import Bundle, load_bundle
from headct.reasons import Reason, ReasonCode
from headct.terms.assessment import Outcome, State
from headct.terms.urgency import Urgency
from orthanc_plugin.drift.alarm import wilson
from orthanc_plugin.models import comparison, listing
from orthanc_plugin.models.views import ComparisonView
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import model_history, outbox, queue, shadow, withdrawal
from orthanc_plugin.store.tables import Document, Series, ShadowAssessment

GREEN, YELLOW, RED, BLACK = Urgency


@pytest.fixture(scope="module")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models."""
    folder = tmp_path_factory.mktemp("models")
    for version in ("1.0", "2.0", "3.0"):
        own_model(options(folder), version)
    return folder


@pytest.fixture
def settings(tmp_path: Path, models_folder: Path) -> Settings:
    shutil.copytree(models_folder, tmp_path, dirs_exist_ok=True)
    return options(tmp_path)


@pytest.fixture
def bundles(settings: Settings) -> tuple[Bundle, Bundle, Bundle]:
    first, second, third = (
        load_bundle(settings.models_folder / f"threshold-{version}") for version in ("1.0", "2.0", "3.0")
    )
    return first, second, third


@pytest.fixture
def pair(session: Session, bundles: tuple[Bundle, Bundle, Bundle]) -> tuple[Bundle, Bundle]:
    """The first one is active, the second in shadow."""
    activate(session, bundles[0])
    begin_shadow(session, bundles[1])
    return bundles[:2]


def only(session: Session) -> ComparisonView:
    (found,) = comparison.comparisons(session)
    return found


class TestWhenItMayJudge:
    def test_once_the_result_is_published(
        self, session: Session, settings: Settings, pair: tuple[Bundle, Bundle]
    ) -> None:
        series = judge(session, settings, 1, RED, pair[0])
        outbox.want(session.get_one(Series, series), after(106))
        assert not shadow.is_due(session) and shadow.claim(session, "w", after(106)) is None
        publish(session, after(107))
        assert shadow.is_due(session)
        assert repeat(session, RED, pair[1]).series_id == series
        assert not shadow.is_due(session)

    def test_after_everything_that_is_pending(
        self, session: Session, settings: Settings, pair: tuple[Bundle, Bundle]
    ) -> None:
        judge(session, settings, 1, RED, pair[0])
        queue.arrive(session, seen("other", "other"), after(110), settings)
        assert not shadow.is_due(session)
        assert queue.claim(session, "w", after(120), settings) is not None
        assert not shadow.is_due(session) and shadow.claim(session, "w2", after(120)) is None

    def test_what_was_judged_since_it_began(
        self, session: Session, settings: Settings, bundles: tuple[Bundle, Bundle, Bundle]
    ) -> None:
        activate(session, bundles[0])
        judge(session, settings, 1, RED, bundles[0], at=10)
        begin_shadow(session, bundles[1], at=50)
        assert not shadow.is_due(session)
        judge(session, settings, 2, RED, bundles[0], at=100)
        assert shadow.is_due(session)

    def test_never_what_it_judged_itself(
        self, session: Session, settings: Settings, pair: tuple[Bundle, Bundle]
    ) -> None:
        judge(session, settings, 1, RED, pair[1])
        assert not shadow.is_due(session)

    def test_not_without_a_shadow(
        self, session: Session, settings: Settings, bundles: tuple[Bundle, Bundle, Bundle]
    ) -> None:
        activate(session, bundles[0])
        judge(session, settings, 1, RED, bundles[0])
        assert not shadow.is_due(session) and shadow.claim(session, "w", after(110)) is None

    def test_by_one_worker_alone(
        self, session: Session, settings: Settings, pair: tuple[Bundle, Bundle]
    ) -> None:
        judge(session, settings, 1, RED, pair[0])
        assert shadow.claim(session, "w1", after(110)) is not None
        assert shadow.claim(session, "w2", after(110)) is None


class TestWhatIsKept:
    def test_nothing_of_it_is_published(
        self, session: Session, settings: Settings, pair: tuple[Bundle, Bundle]
    ) -> None:
        series = judge(session, settings, 1, GREEN, pair[0])
        before = session.scalar(select(func.count()).select_from(Document))
        repeat(session, BLACK, pair[1])
        row = session.get_one(Series, series)
        assert row.publish_wanted == row.publish_done
        assert row.current is not None and row.current.urgency is GREEN and len(row.assessments) == 1
        assert outbox.publication(session, series).series_labels == ("triage-green",)
        assert session.scalar(select(func.count()).select_from(Document)) == before

    def test_not_of_images_that_changed_meanwhile(
        self, session: Session, settings: Settings, pair: tuple[Bundle, Bundle]
    ) -> None:
        series = judge(session, settings, 1, GREEN, pair[0])
        due = shadow.claim(session, "w", after(110))
        assert due is not None
        queue.arrive(
            session, seen(series, session.get_one(Series, series).study_id, 40), after(111), settings
        )
        failed = Reason(ReasonCode.INTERNAL_ERROR)
        shadow.record(session, due, Outcome("1.2", State.FAILED, None, failed), after(112))
        assert session.scalar(select(func.count()).select_from(ShadowAssessment)) == 0

    def test_given_back_it_is_due_again(
        self, session: Session, settings: Settings, pair: tuple[Bundle, Bundle]
    ) -> None:
        judge(session, settings, 1, GREEN, pair[0])
        due = shadow.claim(session, "w", after(110))
        assert due is not None
        shadow.give_back(session, due)
        shadow.give_back(session, due)
        assert shadow.is_due(session)

    def test_a_worker_that_ends_with_its_orthanc_gives_it_back(
        self, session: Session, settings: Settings, pair: tuple[Bundle, Bundle]
    ) -> None:
        judge(session, settings, 1, GREEN, pair[0])
        queue.sign_of_life(session, "h/1", after(100))
        assert shadow.claim(session, "h/1", after(110)) is not None
        queue.host_lost(session, "h", after(111))
        assert shadow.is_due(session)

    def test_what_kills_its_process_is_not_tried_again(
        self, session: Session, settings: Settings, pair: tuple[Bundle, Bundle]
    ) -> None:
        judge(session, settings, 1, GREEN, pair[0])
        queue.sign_of_life(session, "h/1", after(100))
        assert shadow.claim(session, "h/1", after(110)) is not None
        queue.worker_lost(session, "h/1", after(111), settings)
        assert not shadow.is_due(session)
        assert (only(session).cases, only(session).failed) == (0, 1)
        assert model_history.shadow(session) is not None

    def test_one_that_keeps_killing_ends(
        self, session: Session, settings: Settings, pair: tuple[Bundle, Bundle]
    ) -> None:
        for number in range(shadow.LOSSES):
            assert model_history.shadow(session) is not None
            judge(session, settings, number, GREEN, pair[0], at=100 + 20 * number)
            queue.sign_of_life(session, "h/1", after(100))
            assert shadow.claim(session, "h/1", after(110)) is not None
            queue.worker_lost(session, "h/1", after(111), settings)
        assert model_history.shadow(session) is None
        assert model_history.active(session) == pair[0].digest
        assert "lost" in model_history.history(session)[-1].reason


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
