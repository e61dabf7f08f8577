"""State changes one by one: who may go where, what counts, what is published."""

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from store_samples import after, judgement, seen

from headct.reasons import Reason, ReasonCode
from headct.terms.urgency import Urgency
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import SeriesState
from orthanc_plugin.store import outbox, queue
from orthanc_plugin.store.queue import Claim
from orthanc_plugin.store.tables import Assessment, AuditEntry, Document, Series, Study

NOT_COVERED = Reason(ReasonCode.HEAD_NOT_COVERED)
BROKEN = Reason(ReasonCode.INTERNAL_ERROR, "ValueError")


def claimed(session: Session, options: Settings, at: float, owner: str = "w") -> Claim:
    claim = queue.claim(session, owner, after(at), options)
    assert claim is not None
    return claim


def state(session: Session, series: str = "s1") -> SeriesState:
    return session.get_one(Series, series).state


def assessed(
    session: Session, options: Settings, at: float = 0.0, urgency: Urgency = Urgency.RED, images: str = "all"
) -> None:
    queue.arrive(session, seen(), after(at), options)
    claim = claimed(session, options, at + 3)
    assert queue.record_assessed(session, claim, judgement(urgency, images), after(at + 4), options)


def test_a_series_is_left_alone_until_quiet(session: Session, options: Settings) -> None:
    queue.arrive(session, seen(count=10), after(0), options)
    queue.arrive(session, seen(count=20), after(1.5), options)
    assert queue.claim(session, "w", after(3.4), options) is None
    claim = claimed(session, options, 3.5)
    assert (claim.generation, claim.instance_count, claim.quiet_seconds) == (2, 20, 2.0)


def test_one_series_is_claimed_by_one_worker(session: Session, options: Settings) -> None:
    queue.arrive(session, seen(), after(0), options)
    claimed(session, options, 3, "a")
    assert queue.claim(session, "b", after(3), options) is None


def test_ct_first_then_the_longest_waiting_then_reruns(session: Session, options: Settings) -> None:
    assessed(session, options, 0)
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
    assert not queue.record_assessed(session, claim, judgement(Urgency.GREEN), after(4), options)
    assert not queue.record_not_analysed(session, claim, NOT_COVERED, None, after(4))
    assert state(session) is SeriesState.ARRIVING
    assert session.get_one(Series, "s1").current is None


def test_a_late_slice_withdraws_the_colour_at_once(session: Session, options: Settings) -> None:
    assessed(session, options, urgency=Urgency.GREEN, images="some")
    assert outbox.publication(session, "s1").series_labels == ("triage-green",)
    queue.arrive(session, seen(count=34), after(10), options)
    wanted = outbox.publication(session, "s1")
    assert (wanted.series_labels, wanted.study_labels) == ((), ())
    assert session.get_one(Series, "s1").publish_wanted > session.get_one(Series, "s1").publish_done


def test_a_revision_names_its_predecessor_and_both_stay(session: Session, options: Settings) -> None:
    assessed(session, options, images="some")
    first = session.scalars(select(Document.sop_instance_uid)).all()
    assessed(session, options, 10, Urgency.YELLOW, images="all")
    rows = session.scalars(select(Assessment).order_by(Assessment.id)).all()
    assert [r.withdrawn_at is None for r in rows] == [False, True]
    second = [u for u in session.scalars(select(Document.sop_instance_uid)) if u not in first]
    assert queue.last_structured_report(session, "s1", min(second)) == min(first)
    assert len(outbox.publication(session, "s1").send) == 4


def test_the_same_images_again_give_the_same_result_and_documents(
    session: Session, options: Settings
) -> None:
    assessed(session, options)
    assessed(session, options, 100)
    assert len(session.scalars(select(Assessment)).all()) == 1
    assert len(session.scalars(select(Document)).all()) == 2
    assert session.get_one(Series, "s1").current is not None


def test_after_a_slice_is_deleted_the_earlier_result_counts_again(
    session: Session, options: Settings
) -> None:
    assessed(session, options, 0, Urgency.GREEN, images="33")
    assessed(session, options, 10, Urgency.RED, images="34")
    assessed(session, options, 20, Urgency.GREEN, images="33")
    current = session.get_one(Series, "s1").current
    assert current is not None
    assert current.urgency is Urgency.GREEN
    withdrawn = [d.assessment_id for d in session.get_one(Series, "s1").documents if d.withdrawn_at]
    assert set(withdrawn) == {current.id + 1}


class TestPartOfASeries:
    """An alert may be said early; nothing else may."""

    def test_it_waits_the_long_quiet_time(self, session: Session, options: Settings) -> None:
        queue.arrive(session, seen(count=12), after(0), options)
        claim = claimed(session, options, 2)
        assert queue.record_waiting(session, claim, None, after(3), options, judged=True)
        assert state(session) is SeriesState.WAITING
        assert queue.claim(session, "w", after(59.9), options) is None
        assert claimed(session, options, 60).quiet_seconds == 60

    def test_new_images_end_the_wait(self, session: Session, options: Settings) -> None:
        queue.arrive(session, seen(count=12), after(0), options)
        queue.record_waiting(session, claimed(session, options, 2), None, after(3), options, judged=True)
        queue.arrive(session, seen(count=33), after(20), options)
        assert claimed(session, options, 22).instance_count == 33

    def alert(self, session: Session, options: Settings) -> None:
        queue.arrive(session, seen(count=12), after(0), options)
        part = judgement(Urgency.RED, "part", preliminary=True)
        queue.record_assessed(session, claimed(session, options, 2), part, after(3), options)

    def test_a_preliminary_alert_shows_without_a_report(self, session: Session, options: Settings) -> None:
        self.alert(session, options)
        assert state(session) is SeriesState.WAITING
        wanted = outbox.publication(session, "s1")
        assert wanted.series_labels == ("triage-red", "triage-preliminary")
        assert wanted.send == ()

    def test_it_stays_while_more_images_come(self, session: Session, options: Settings) -> None:
        self.alert(session, options)
        queue.arrive(session, seen(count=20), after(20), options)
        assert "triage-red" in outbox.publication(session, "s1").series_labels

    def test_it_goes_when_more_images_show_no_alert(self, session: Session, options: Settings) -> None:
        self.alert(session, options)
        queue.arrive(session, seen(count=20), after(20), options)
        queue.record_waiting(session, claimed(session, options, 22), None, after(23), options, judged=True)
        assert outbox.publication(session, "s1").series_labels == ()

    def test_it_stays_when_the_part_cannot_be_judged(self, session: Session, options: Settings) -> None:
        self.alert(session, options)
        queue.arrive(session, seen(count=20), after(20), options)
        queue.record_waiting(session, claimed(session, options, 22), None, after(23), options, judged=False)
        assert "triage-red" in outbox.publication(session, "s1").series_labels

    def test_it_stays_when_the_rest_never_comes(self, session: Session, options: Settings) -> None:
        self.alert(session, options)
        queue.record_not_analysed(session, claimed(session, options, 60), NOT_COVERED, None, after(61))
        assert state(session) is SeriesState.NOT_ANALYSED
        assert "triage-red" in outbox.publication(session, "s1").series_labels

    def test_it_goes_when_the_series_turns_out_not_to_be_judged(
        self, session: Session, options: Settings
    ) -> None:
        self.alert(session, options)
        contrast = Reason(ReasonCode.CONTRAST)
        queue.record_not_analysed(session, claimed(session, options, 60), contrast, None, after(61))
        assert outbox.publication(session, "s1").series_labels == ()

    def test_the_whole_replaces_it(self, session: Session, options: Settings) -> None:
        self.alert(session, options)
        assessed(session, options, 20, Urgency.YELLOW)
        assert outbox.publication(session, "s1").series_labels == ("triage-yellow",)
        assert len(outbox.publication(session, "s1").send) == 2


class TestFailures:
    def test_three_failures_end_it_with_a_reason(self, session: Session, options: Settings) -> None:
        queue.arrive(session, seen(), after(0), options)
        for at in (10, 100, 200):
            assert state(session) is SeriesState.ARRIVING
            queue.record_failure(session, claimed(session, options, at), BROKEN, after(at + 1), options)
        assert state(session) is SeriesState.FAILED
        assert queue.reason_of(session.get_one(Series, "s1")) == BROKEN
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
        assert not queue.record_assessed(session, lost, judgement(), after(71), options)
        assert queue.record_assessed(session, again, judgement(), after(72), options)

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
    assessed(session, options)
    queue.rerun(session, "s1", "doctor", after(10))
    assert outbox.publication(session, "s1").series_labels == ("triage-red",)
    queue.arrive(session, seen(count=34), after(11), options)
    assert outbox.publication(session, "s1").series_labels == ()


def test_a_rerun_that_finds_a_part_only_withdraws_the_colour(session: Session, options: Settings) -> None:
    assessed(session, options, urgency=Urgency.GREEN)
    queue.rerun(session, "s1", "doctor", after(10))
    queue.record_waiting(session, claimed(session, options, 10), None, after(11), options, judged=False)
    assert outbox.publication(session, "s1").series_labels == ()


def drawn(
    session: Session, options: Settings, at: float, images: str = "all", bundle: str = "b", *, on: bool = True
) -> tuple[set[str], set[str]]:
    """Judged in the annotation profile or not, and published: kinds that Orthanc gets, and kinds it loses."""
    if session.get(Series, "s1") is None:
        queue.arrive(session, seen(), after(at), options)
    else:
        queue.rerun(session, "s1", "doctor", after(at))
    said = judgement(images=images, bundle=bundle * 64, drawn=on)
    assert queue.record_assessed(session, claimed(session, options, at + 3), said, after(at + 4), options)
    return published(session, at + 5)


def published(session: Session, at: float) -> tuple[set[str], set[str]]:
    wanted = outbox.publication(session, "s1")
    for uid in wanted.send:
        outbox.document_sent(session, uid, f"o-{uid}", after(at))
    for uid, orthanc_id in wanted.remove:
        outbox.document_removed(session, uid, orthanc_id, after(at))
    kinds = {d.sop_instance_uid: d.kind.value for d in session.scalars(select(Document))}
    return {kinds[uid] for uid in wanted.send}, {kinds[uid] for uid, _ in wanted.remove}


RESULTS = {"structured_report", "key_objects"}
REGION = {"segmentation"}


def test_a_region_gives_way_to_that_of_a_newer_model_reports_stay(
    session: Session, options: Settings
) -> None:
    assert drawn(session, options, 0) == (RESULTS | REGION, set())
    assert drawn(session, options, 10) == (set(), set())
    assert drawn(session, options, 20, bundle="c") == (RESULTS | REGION, REGION)
    assert drawn(session, options, 30, bundle="d", on=False) == (RESULTS, REGION)
    # Rolled back: what the first one said counts again, and what the others said of it does not.
    assert drawn(session, options, 40) == (REGION, RESULTS)


def test_a_region_is_gone_once_the_result_does_not_count(session: Session, options: Settings) -> None:
    drawn(session, options, 0, images="33")
    queue.arrive(session, seen(count=34), after(10), options)
    assert published(session, 11) == (set(), REGION)


def test_judged_again_with_the_profile_off_the_region_goes_and_comes_back_with_it(
    session: Session, options: Settings
) -> None:
    drawn(session, options, 0)
    assert drawn(session, options, 10, on=False) == (set(), REGION)
    assert drawn(session, options, 20) == (REGION, set())


def test_a_deleted_series_takes_its_documents_along(session: Session, options: Settings) -> None:
    drawn(session, options, 0)
    assert queue.withdraw(session, "s1", after(10))
    assert not queue.withdraw(session, "s1", after(11))
    wanted = outbox.publication(session, "s1")
    assert (len(wanted.remove), wanted.send, wanted.keep) == (3, (), ())
    assert wanted.study_labels == ()


def test_sent_again_after_deletion_it_is_judged_and_published_again(
    session: Session, options: Settings
) -> None:
    assessed(session, options)
    for uid in outbox.publication(session, "s1").send:
        outbox.document_sent(session, uid, f"orthanc-{uid}", after(5))
    queue.withdraw(session, "s1", after(10))
    for uid, orthanc_id in outbox.publication(session, "s1").remove:
        outbox.document_removed(session, uid, orthanc_id, after(11))
    assessed(session, options, 20)
    wanted = outbox.publication(session, "s1")
    assert (len(wanted.send), wanted.remove, wanted.series_labels) == (2, (), ("triage-red",))
    for uid in wanted.send:
        outbox.document_sent(session, uid, f"orthanc-{uid}", after(25))
    queue.withdraw(session, "s1", after(30))
    assert len(outbox.publication(session, "s1").remove) == 2


@pytest.mark.parametrize("removed_first", [False, True])
def test_sent_by_one_worker_while_another_removes_it_is_removed_in_the_end(
    session: Session, options: Settings, removed_first: bool
) -> None:
    assessed(session, options)
    send = outbox.publication(session, "s1").send
    queue.withdraw(session, "s1", after(10))
    wish = outbox.claim_publication(session, after(11))
    assert wish is not None
    remove = outbox.publication(session, "s1").remove
    for late in (not removed_first, removed_first):
        for uid, (_, orthanc_id) in zip(send, remove, strict=True):
            if late:
                outbox.document_sent(session, uid, f"orthanc-{uid}", after(12))
            else:
                outbox.document_removed(session, uid, orthanc_id, after(12))
    outbox.published(session, *wish, after(13))
    assert outbox.claim_publication(session, after(14)) is not None
    assert dict(outbox.publication(session, "s1").remove) == {uid: f"orthanc-{uid}" for uid in send}


class TestCorrectedPatient:
    """The same study and series under another PatientID is another Orthanc series, and one case."""

    def corrected(self, session: Session, options: Settings, pixels: str = "all") -> None:
        assessed(session, options)
        same = seen("s2", "st2", series_instance_uid="1.2.s1", study_instance_uid="1.3.st1")
        queue.arrive(session, same, after(1000), options)
        claim = claimed(session, options, 1003)
        said = judgement(Urgency.RED, "corrected", series="s2", pixels=pixels)
        queue.record_assessed(session, claim, said, after(1004), options)

    def test_it_has_been_waiting_since_it_first_came(self, session: Session, options: Settings) -> None:
        self.corrected(session, options)
        assert session.get_one(Study, "st2").first_arrival == after(0)

    def test_the_first_one_is_withdrawn(self, session: Session, options: Settings) -> None:
        self.corrected(session, options)
        first = session.get_one(Series, "s1")
        assert (first.state, first.superseded_by) == (SeriesState.WITHDRAWN, "s2")
        assert outbox.publication(session, "s1").series_labels == ()
        assert outbox.publication(session, "s2").series_labels == ("triage-red",)
        assert len(outbox.publication(session, "s2").send) == 2
        events = session.scalars(select(AuditEntry.event).where(AuditEntry.series_id == "s2")).all()
        assert "patient_corrected" in events

    def test_other_pixels_are_another_case(self, session: Session, options: Settings) -> None:
        self.corrected(session, options, pixels="other")
        assert state(session, "s1") is SeriesState.ASSESSED
        assert state(session, "s2") is SeriesState.ASSESSED

    def test_the_first_one_stays_until_the_second_is_judged(
        self, session: Session, options: Settings
    ) -> None:
        assessed(session, options)
        same = seen("s2", "st2", count=5, series_instance_uid="1.2.s1", study_instance_uid="1.3.st1")
        queue.arrive(session, same, after(1000), options)
        queue.record_not_analysed(session, claimed(session, options, 1060), NOT_COVERED, None, after(1061))
        assert state(session, "s1") is SeriesState.ASSESSED

    def test_when_the_second_is_deleted_the_first_may_come_back(
        self, session: Session, options: Settings
    ) -> None:
        self.corrected(session, options)
        queue.withdraw(session, "s2", after(2000))
        assert session.get_one(Series, "s1").superseded_by is None
        assessed(session, options, 2001)
        assert outbox.publication(session, "s1").series_labels == ("triage-red",)


class TestPublishing:
    def test_a_wish_is_fulfilled_once(self, session: Session, options: Settings) -> None:
        assessed(session, options)
        wish = outbox.claim_publication(session, after(5))
        assert wish is not None
        assert outbox.claim_publication(session, after(6)) is None
        outbox.published(session, *wish, after(7))
        assert outbox.claim_publication(session, after(1000)) is None

    def test_a_change_while_publishing_is_published_after_it(
        self, session: Session, options: Settings
    ) -> None:
        assessed(session, options)
        wish = outbox.claim_publication(session, after(5))
        assert wish is not None
        queue.arrive(session, seen(count=34), after(6), options)
        outbox.published(session, *wish, after(7))
        assert outbox.claim_publication(session, after(7)) is not None

    def test_an_abandoned_one_is_taken_up(self, session: Session, options: Settings) -> None:
        assessed(session, options)
        assert outbox.claim_publication(session, after(5)) is not None
        assert outbox.claim_publication(session, after(36)) is not None

    def test_failures_slow_down_and_never_give_up(self, session: Session, options: Settings) -> None:
        assessed(session, options)
        at, pauses = 10.0, []
        for _ in range(12):
            assert outbox.claim_publication(session, after(at)) is not None
            outbox.publication_failed(session, "s1", after(at))
            until = session.get_one(Series, "s1").publish_not_before
            pauses.append((until - after(at)).total_seconds())
            at = (until - after(0)).total_seconds()
        assert pauses[:3] == [2, 4, 8]
        assert pauses[-1] == 300

    def test_the_study_shows_its_worst_series(self, session: Session, options: Settings) -> None:
        for name, urgency in (("a", Urgency.GREEN), ("b", Urgency.BLACK), ("c", Urgency.YELLOW)):
            queue.arrive(session, seen(name), after(0), options)
            claim = claimed(session, options, 3)
            queue.record_assessed(session, claim, judgement(urgency, series=name), after(4), options)
        wanted = outbox.publication(session, "a")
        assert wanted.series_labels == ("triage-green",)
        assert wanted.study_labels == ("triage-red", "triage-extreme")

    def test_long_unchecked_series_are_compared_again(self, session: Session, options: Settings) -> None:
        assessed(session, options)
        wish = outbox.claim_publication(session, after(5))
        assert wish is not None
        outbox.published(session, *wish, after(6))
        assert outbox.want_checks(session, after(5), after(100), 5) == 0
        assert outbox.want_checks(session, after(50), after(100), 5) == 1
        assert outbox.claim_publication(session, after(100)) is not None


def test_impossible_moves_are_refused(session: Session, options: Settings) -> None:
    assert set(queue.TRANSITIONS) == set(SeriesState)
    for where, to in (
        (SeriesState.ASSESSED, SeriesState.JUDGING),
        (SeriesState.WITHDRAWN, SeriesState.FAILED),
    ):
        assert to not in queue.TRANSITIONS[where]
    series = queue.arrive(session, seen(), after(0), options)
    with pytest.raises(queue.TransitionError):
        queue._move(series, SeriesState.ASSESSED, after(1))


def test_the_database_itself_refuses_two_current_results(session: Session, options: Settings) -> None:
    assessed(session, options)
    current = session.get_one(Series, "s1").current
    assert current is not None
    values = {c.name: getattr(current, c.name) for c in Assessment.__table__.columns if c.name != "id"}
    session.add(Assessment(**values))
    with pytest.raises(IntegrityError):
        session.flush()
    session.rollback()


def test_a_log_position_is_kept(session: Session) -> None:
    assert queue.position(session, "changes") == 0
    queue.set_position(session, "changes", 7)
    queue.set_position(session, "changes", 9)
    assert queue.position(session, "changes") == 9
