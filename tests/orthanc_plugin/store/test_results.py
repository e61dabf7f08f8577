"""What counts of a series: of late slices, of revisions, of a part of it."""

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from store_samples import NOT_COVERED, after, arrive_and_judge, claimed, judgement, seen, state

from headct.reasons import Reason, ReasonCode
from headct.terms.urgency import Urgency
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import SeriesState
from orthanc_plugin.store import outbox, queue, results
from orthanc_plugin.store.queue import Claim
from orthanc_plugin.store.tables import Assessment, Document, Series


def test_a_late_slice_withdraws_the_colour_at_once(session: Session, options: Settings) -> None:
    arrive_and_judge(session, options, urgency=Urgency.GREEN, images="some")
    assert outbox.publication(session, "s1").series_labels == ("triage-green",)
    queue.arrive(session, seen(count=34), after(10), options)
    wanted = outbox.publication(session, "s1")
    assert (wanted.series_labels, wanted.study_labels) == ((), ())
    assert session.get_one(Series, "s1").publish_wanted > session.get_one(Series, "s1").publish_done


def test_a_revision_names_its_predecessor_and_both_stay(session: Session, options: Settings) -> None:
    arrive_and_judge(session, options, images="some")
    first = session.scalars(select(Document.sop_instance_uid)).all()
    arrive_and_judge(session, options, 10, Urgency.YELLOW, images="all")
    rows = session.scalars(select(Assessment).order_by(Assessment.id)).all()
    assert [r.withdrawn_at is None for r in rows] == [False, True]
    second = [u for u in session.scalars(select(Document.sop_instance_uid)) if u not in first]
    assert results.last_structured_report(session, "s1", min(second)) == min(first)
    assert len(outbox.publication(session, "s1").send) == 4


def test_the_same_images_again_give_the_same_result_and_documents(
    session: Session, options: Settings
) -> None:
    arrive_and_judge(session, options)
    arrive_and_judge(session, options, 100)
    assert len(session.scalars(select(Assessment)).all()) == 1
    assert len(session.scalars(select(Document)).all()) == 2
    assert session.get_one(Series, "s1").current is not None


def test_after_a_slice_is_deleted_the_earlier_result_counts_again(
    session: Session, options: Settings
) -> None:
    arrive_and_judge(session, options, 0, Urgency.GREEN, images="33")
    arrive_and_judge(session, options, 10, Urgency.RED, images="34")
    arrive_and_judge(session, options, 20, Urgency.GREEN, images="33")
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
        assert results.record_waiting(session, claim, None, after(3), options, judged=True)
        assert state(session) is SeriesState.WAITING
        assert queue.claim(session, "w", after(59.9), options) is None
        assert claimed(session, options, 60).quiet_seconds == 60

    def test_new_images_end_the_wait(self, session: Session, options: Settings) -> None:
        queue.arrive(session, seen(count=12), after(0), options)
        results.record_waiting(session, claimed(session, options, 2), None, after(3), options, judged=True)
        queue.arrive(session, seen(count=33), after(20), options)
        assert claimed(session, options, 22).instance_count == 33

    def alert(self, session: Session, options: Settings) -> None:
        queue.arrive(session, seen(count=12), after(0), options)
        part = judgement(Urgency.RED, "part", preliminary=True)
        results.record_assessed(session, claimed(session, options, 2), part, after(3), options)

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
        results.record_waiting(session, claimed(session, options, 22), None, after(23), options, judged=True)
        assert outbox.publication(session, "s1").series_labels == ()

    def test_it_stays_when_the_part_cannot_be_judged(self, session: Session, options: Settings) -> None:
        self.alert(session, options)
        queue.arrive(session, seen(count=20), after(20), options)
        results.record_waiting(session, claimed(session, options, 22), None, after(23), options, judged=False)
        assert "triage-red" in outbox.publication(session, "s1").series_labels

    def test_it_stays_when_the_rest_never_comes(self, session: Session, options: Settings) -> None:
        self.alert(session, options)
        results.record_not_analysed(session, claimed(session, options, 60), NOT_COVERED, None, after(61))
        assert state(session) is SeriesState.NOT_ANALYSED
        assert "triage-red" in outbox.publication(session, "s1").series_labels

    def test_it_goes_when_the_series_turns_out_not_to_be_judged(
        self, session: Session, options: Settings
    ) -> None:
        self.alert(session, options)
        contrast = Reason(ReasonCode.CONTRAST)
        results.record_not_analysed(session, claimed(session, options, 60), contrast, None, after(61))
        assert outbox.publication(session, "s1").series_labels == ()

    def test_the_whole_replaces_it(self, session: Session, options: Settings) -> None:
        self.alert(session, options)
        arrive_and_judge(session, options, 20, Urgency.YELLOW)
        assert outbox.publication(session, "s1").series_labels == ("triage-yellow",)
        assert len(outbox.publication(session, "s1").send) == 2


class TestEarlyAlert:
    """The first of several networks gives an alert of a whole series while the others look."""

    def early(self, session: Session, options: Settings, at: float = 3) -> Claim:
        claim = claimed(session, options, at)
        assert results.record_early(session, claim, judgement(preliminary=True), after(at + 1))
        return claim

    def test_it_is_told_at_once_without_a_report_and_the_series_stays_in_hand(
        self, session: Session, options: Settings
    ) -> None:
        queue.arrive(session, seen(), after(0), options)
        claim = self.early(session, options)
        wanted = outbox.publication(session, "s1")
        assert wanted.series_labels == ("triage-red", "triage-preliminary")
        assert wanted.send == ()
        assert state(session) is SeriesState.JUDGING
        assert queue.claim(session, "other", after(5), options) is None
        assert results.record_assessed(session, claim, judgement(), after(5), options)
        wanted = outbox.publication(session, "s1")
        assert wanted.series_labels == ("triage-red",)
        assert len(wanted.send) == 2, "one report, and its key objects"

    def test_said_again_by_a_worker_that_took_over_it_is_one_row(
        self, session: Session, options: Settings
    ) -> None:
        queue.arrive(session, seen(), after(0), options)
        self.early(session, options)
        queue.expire_leases(session, after(10_000), options)
        again = claimed(session, options, at=20_000)
        assert not results.record_early(session, again, judgement(preliminary=True), after(20_001))
        assert len(session.get_one(Series, "s1").assessments) == 1

    def test_where_an_alert_is_known_there_is_nothing_to_tell(
        self, session: Session, options: Settings
    ) -> None:
        queue.arrive(session, seen(count=20), after(0), options)
        part = judgement(images="part", preliminary=True)
        assert results.record_assessed(session, claimed(session, options, 3), part, after(4), options)
        queue.arrive(session, seen(count=33), after(20), options)
        claim = claimed(session, options, at=30)
        assert not results.record_early(session, claim, judgement(preliminary=True), after(31))
        assert outbox.publication(session, "s1").series_labels == ("triage-red", "triage-preliminary")

    def test_of_a_lost_claim_nothing_is_told(self, session: Session, options: Settings) -> None:
        queue.arrive(session, seen(), after(0), options)
        claim = claimed(session, options, at=3)
        queue.arrive(session, seen(count=34), after(4), options)
        assert not results.record_early(session, claim, judgement(preliminary=True), after(5))
        assert outbox.publication(session, "s1").series_labels == ()


def test_the_database_itself_refuses_two_current_results(session: Session, options: Settings) -> None:
    arrive_and_judge(session, options)
    current = session.get_one(Series, "s1").current
    assert current is not None
    values = {c.name: getattr(current, c.name) for c in Assessment.__table__.columns if c.name != "id"}
    with pytest.raises(IntegrityError), session.begin_nested():
        session.add(Assessment(**values))
