"""Series arrive, are claimed, fail and are tried again, are asked for again: who may go where."""

import pytest
from sqlalchemy.orm import Session
from store_samples import NOT_COVERED, after, arrive_and_judge, claimed, judgement, seen, state

from headct.reasons import Reason, ReasonCode
from headct.terms.urgency import Urgency
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import SeriesState
from orthanc_plugin.store import outbox, positions, queue, results, transitions
from orthanc_plugin.store.tables import Series

BROKEN = Reason(ReasonCode.INTERNAL_ERROR, "ValueError")


def test_a_series_is_left_alone_until_quiet(session: Session, options: Settings) -> None:
    queue.arrive(session, seen(count=10), after(0), options)
    queue.arrive(session, seen(count=20), after(0.4), options)
    assert queue.claim(session, "w", after(0.8), options) is None
    claim = claimed(session, options, 0.9)
    assert (claim.generation, claim.instance_count, claim.quiet_seconds) == (2, 20, 0.5)


def test_images_that_come_slowly_are_looked_at_early_only_once(session: Session, options: Settings) -> None:
    queue.arrive(session, seen(count=10), after(0), options)
    claim = claimed(session, options, 0.5)
    for number in range(1, 4):
        queue.arrive(session, seen(count=10 + number), after(number), options)
        assert queue.claim(session, "w", after(number + 0.9), options) is None
    assert not results.record_assessed(session, claim, judgement(Urgency.GREEN), after(3.1), options)
    assert queue.claim(session, "w", after(4.9), options) is None
    results.record_assessed(
        session, claimed(session, options, 5), judgement(Urgency.GREEN), after(6), options
    )
    queue.arrive(session, seen(count=33), after(7), options)
    claimed(session, options, 7.5)


@pytest.mark.parametrize("quiet", [0.5, 0.7, 2.0, 10.0])
def test_the_head_start_is_never_the_whole_quiet_time(
    session: Session, options: Settings, quiet: float
) -> None:
    options = options.model_copy(update={"quiet_seconds": quiet})
    queue.arrive(session, seen(), after(0), options)
    first = max(0.5, quiet - queue.HEAD_START_SECONDS)
    assert queue.claim(session, "w", after(first - 0.01), options) is None
    claimed(session, options, first)


def test_one_series_is_claimed_by_one_worker(session: Session, options: Settings) -> None:
    queue.arrive(session, seen(), after(0), options)
    claimed(session, options, 3, "a")
    assert queue.claim(session, "b", after(3), options) is None


def test_ct_first_then_the_longest_waiting_then_reruns(session: Session, options: Settings) -> None:
    arrive_and_judge(session, options, 0)
    queue.rerun(session, "s1", "doctor", after(5))
    queue.arrive(session, seen("mr", modality="MR"), after(6), options)
    queue.arrive(session, seen("ct2"), after(7), options)
    queue.arrive(session, seen("ct1"), after(6.5), options)
    order = [claimed(session, options, 20, f"w{n}").series_id for n in range(4)]
    assert order == ["ct1", "ct2", "mr", "s1"]


def test_an_image_that_comes_while_judging_discards_the_result(session: Session, options: Settings) -> None:
    queue.arrive(session, seen(count=20), after(0), options)
    claim = claimed(session, options, 3)
    queue.arrive(session, seen(count=33), after(3.5), options)
    assert not results.record_assessed(session, claim, judgement(Urgency.GREEN), after(4), options)
    assert not results.record_not_analysed(session, claim, NOT_COVERED, None, after(4))
    assert state(session) is SeriesState.ARRIVING
    assert session.get_one(Series, "s1").current is None


class TestFailures:
    def test_three_failures_end_it_with_a_reason(self, session: Session, options: Settings) -> None:
        queue.arrive(session, seen(), after(0), options)
        for at in (10, 100, 200):
            assert state(session) is SeriesState.ARRIVING
            queue.record_failure(session, claimed(session, options, at), BROKEN, after(at + 1), options)
        assert state(session) is SeriesState.FAILED
        assert session.get_one(Series, "s1").reason == BROKEN
        assert queue.claim(session, "w", after(1000), options) is None

    def test_attempts_pause(self, session: Session, options: Settings) -> None:
        queue.arrive(session, seen(), after(0), options)
        queue.record_failure(session, claimed(session, options, 2), BROKEN, after(3), options)
        assert queue.claim(session, "w", after(7.9), options) is None
        claimed(session, options, 8)

    def test_a_silent_worker_loses_its_series(self, session: Session, options: Settings) -> None:
        queue.arrive(session, seen(), after(0), options)
        lost = claimed(session, options, 2, "silent")
        assert queue.claim(session, "b", after(60), options) is None
        assert queue.claim(session, "b", after(63), options) is None  # taken up, and pausing
        again = claimed(session, options, 70, "b")
        assert again.series_id == lost.series_id
        assert not results.record_assessed(session, lost, judgement(), after(71), options)
        assert results.record_assessed(session, again, judgement(), after(72), options)

    def test_a_renewed_lease_holds(self, session: Session, options: Settings) -> None:
        queue.arrive(session, seen(), after(0), options)
        claim = claimed(session, options, 2)
        for at in range(30, 300, 30):
            assert queue.renew(session, claim, after(at), options)
            assert queue.claim(session, "b", after(at + 1), options) is None

    def test_a_dead_worker_counts_as_an_attempt(self, session: Session, options: Settings) -> None:
        queue.arrive(session, seen(), after(0), options)
        for at in (10, 100, 200):
            claimed(session, options, at, "w")
            assert queue.worker_lost(session, "w", after(at + 1), options) == 1
        assert state(session) is SeriesState.FAILED

    def test_a_killed_orthanc_does_not(self, session: Session, options: Settings) -> None:
        queue.arrive(session, seen(), after(0), options)
        for at in range(10, 110, 10):
            queue.sign_of_life(session, "host/1", after(at))
            claimed(session, options, at, "host/1")
            queue.host_lost(session, "host", after(at + 1))
        assert state(session) is SeriesState.ARRIVING
        assert session.get_one(Series, "s1").attempts == 0

    def test_given_back_it_can_be_had_at_once(self, session: Session, options: Settings) -> None:
        queue.arrive(session, seen(), after(0), options)
        queue.release(session, claimed(session, options, 2), after(3))
        claimed(session, options, 3)

    def test_failed_can_be_run_again_by_hand(self, session: Session, options: Settings) -> None:
        queue.arrive(session, seen(), after(0), options)
        for at in (10, 100, 200):
            queue.record_failure(session, claimed(session, options, at), BROKEN, after(at + 1), options)
        assert queue.rerun(session, "s1", "doctor", after(300))
        assert not queue.rerun(session, "s1", "doctor", after(300))
        claimed(session, options, 300)


def test_a_rerun_keeps_the_colour_until_the_new_one(session: Session, options: Settings) -> None:
    arrive_and_judge(session, options)
    queue.rerun(session, "s1", "doctor", after(10))
    assert outbox.publication(session, "s1").series_labels == ("triage-red",)
    queue.arrive(session, seen(count=34), after(11), options)
    assert outbox.publication(session, "s1").series_labels == ()


def test_a_rerun_that_finds_a_part_only_withdraws_the_colour(session: Session, options: Settings) -> None:
    arrive_and_judge(session, options, urgency=Urgency.GREEN)
    queue.rerun(session, "s1", "doctor", after(10))
    results.record_waiting(session, claimed(session, options, 10), None, after(11), options, judged=False)
    assert outbox.publication(session, "s1").series_labels == ()


def test_impossible_moves_are_refused(session: Session, options: Settings) -> None:
    assert set(transitions.TRANSITIONS) == set(SeriesState)
    for where, to in (
        (SeriesState.ASSESSED, SeriesState.JUDGING),
        (SeriesState.WITHDRAWN, SeriesState.FAILED),
    ):
        assert to not in transitions.TRANSITIONS[where]
    series = queue.arrive(session, seen(), after(0), options)
    with pytest.raises(transitions.TransitionError):
        transitions.move(series, SeriesState.ASSESSED, after(1))


def test_a_log_position_is_kept(session: Session) -> None:
    assert positions.position(session, "changes") == 0
    positions.set_position(session, "changes", 7)
    positions.set_position(session, "changes", 9)
    assert positions.position(session, "changes") == 9
