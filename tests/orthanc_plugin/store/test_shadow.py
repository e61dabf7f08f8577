"""A model in shadow: when it may judge, and what is kept of it."""

from model_samples import activate, begin_shadow, judge, publish, repeat
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from store_samples import after, seen

from headct.network.bundle import Bundle
from headct.reasons import Reason, ReasonCode
from headct.terms.assessment import Outcome, State
from headct.terms.urgency import Urgency
from orthanc_plugin.models import comparison
from orthanc_plugin.models.views import ComparisonView
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import model_history, outbox, queue, shadow
from orthanc_plugin.store.tables import Document, Series, ShadowAssessment

GREEN, YELLOW, RED, BLACK = Urgency


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
