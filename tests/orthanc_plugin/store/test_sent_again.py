"""Images that come again: the same ones change nothing, others have the series judged anew."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from store_samples import NOT_COVERED, after, claimed, judgement, seen

from headct.terms.review import Action, Person, Review
from headct.terms.urgency import Urgency
from orthanc_plugin.cases import records, worklist
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import SeriesState
from orthanc_plugin.store import outbox, queue, results, reviews, sent_again, withdrawal
from orthanc_plugin.store.tables import AuditEntry, Series

SATO = Person("sato", "Sato^Hanako", "St. Elsewhere")


def judge(
    session: Session,
    options: Settings,
    at: float,
    urgency: Urgency = Urgency.RED,
    pixels: str = "all",
    files: str = "1",
) -> None:
    said = judgement(urgency, pixels)
    claim = claimed(session, options, at)
    results.record_assessed(session, claim, said, after(at + 1), options, files_digest=files)


def read(session: Session, options: Settings) -> Series:
    """Arrived at 0, judged RED at 4, read GREEN at 10."""
    queue.arrive(session, seen(), after(0), options)
    judge(session, options, 3)
    series = session.get_one(Series, "s1")
    said = Review(SATO, after(10), Action.RELABEL, Urgency.GREEN)
    based_on = reviews.based_on(series)
    reviews.record(session, "s1", said, seen=based_on, request_id="r", asked="", now=after(10))
    return series


def compare(session: Session, options: Settings, at: float, files: str | None) -> bool:
    due = sent_again.claim_comparison(session, after(at), options)
    if due is not None:
        sent_again.compared(session, due, files, after(at))
    return due is not None


def row(session: Session) -> worklist.WorklistRow:
    session.flush()
    session.expire_all()
    (study,) = records.studies(session)
    return worklist.row(study, after(1000))


class TestTheSameFiles:
    def test_they_change_nothing(self, session: Session, options: Settings) -> None:
        series = read(session, options)
        before = row(session)
        wished, generation = series.publish_wanted, series.generation
        for minute in range(1, 6):  # a scanner that sends the study every minute
            for image in range(3):
                queue.arrive(session, seen(), after(60 * minute + image), options)
            assert row(session) == before, "nor while they come"
            assert not compare(session, options, 60 * minute + 3, "1"), "not while they come"
            assert compare(session, options, 60 * minute + 5, "1")
            assert not compare(session, options, 60 * minute + 50, "1"), "once"
        assert row(session) == before
        assert (series.publish_wanted, series.generation) == (wished, generation)

    def test_what_was_refused_stays_so(self, session: Session, options: Settings) -> None:
        queue.arrive(session, seen(), after(0), options)
        claim = claimed(session, options, 60)
        results.record_not_analysed(session, claim, NOT_COVERED, None, after(61), files_digest="1")
        queue.arrive(session, seen(), after(100), options)
        assert compare(session, options, 103, "1")
        assert session.get_one(Series, "s1").state is SeriesState.NOT_ANALYSED

    def test_an_incomplete_series_is_given_up_all_the_same(self, session: Session, options: Settings) -> None:
        queue.arrive(session, seen(count=9), after(0), options)
        for at in range(3, 62, 20):
            claim = claimed(session, options, at)
            assert claim.quiet_seconds == at
            results.record_waiting(session, claim, None, after(at + 1), options, judged=True)
            queue.arrive(session, seen(count=9), after(at + 2), options)

    def test_while_it_is_judged_the_judgement_counts(self, session: Session, options: Settings) -> None:
        queue.arrive(session, seen(), after(0), options)
        claim = claimed(session, options, 3)
        queue.arrive(session, seen(), after(4), options)
        assert results.record_assessed(
            session, claim, judgement(Urgency.RED), after(7), options, files_digest="1"
        )
        assert compare(session, options, 8, "1")
        assert session.get_one(Series, "s1").state is SeriesState.ASSESSED


class TestOtherFiles:
    def test_a_case_that_may_be_worse_opens_again(self, session: Session, options: Settings) -> None:
        read(session, options)
        queue.arrive(session, seen(), after(100), options)
        assert compare(session, options, 103, "2")
        assert session.get_one(Series, "s1").state is SeriesState.ARRIVING
        assert outbox.publication(session, "s1").series_labels == ("triage-green",), "a person's word stays"
        judge(session, options, 104, Urgency.BLACK, "corrected", "2")
        shown = row(session)
        assert (shown.urgency, shown.machine_urgency) == (Urgency.GREEN, Urgency.BLACK)
        assert shown.reopened and not shown.reviewed
        events = session.scalars(select(AuditEntry.event).where(AuditEntry.series_id == "s1")).all()
        assert "images_replaced" in events

    def test_other_headers_round_the_same_pixels_do_not_open_it(
        self, session: Session, options: Settings
    ) -> None:
        read(session, options)
        queue.arrive(session, seen(), after(100), options)
        assert compare(session, options, 103, "2")
        judge(session, options, 104, files="2")
        assert row(session).reviewed and not row(session).reopened

    def test_what_came_during_the_comparison_is_compared_after_it(
        self, session: Session, options: Settings
    ) -> None:
        series = read(session, options)
        queue.arrive(session, seen(), after(100), options)
        due = sent_again.claim_comparison(session, after(103), options)
        assert due is not None
        assert sent_again.claim_comparison(session, after(104), options) is None, "one worker compares"
        queue.arrive(session, seen(), after(105), options)
        sent_again.compared(session, due, "1", after(106))
        assert series.sent_again_at is not None
        assert compare(session, options, 108, "2")
        assert series.state is SeriesState.ARRIVING

    @pytest.mark.parametrize("files", ["2", None])
    def test_a_comparison_that_was_lost_is_taken_up(
        self, session: Session, options: Settings, files: str | None
    ) -> None:
        series = read(session, options)
        queue.arrive(session, seen(), after(100), options)
        assert sent_again.claim_comparison(session, after(103), options) is not None
        assert compare(session, options, 103 + sent_again.COMPARE_SECONDS, files)
        assert series.state is SeriesState.ARRIVING

    def test_a_deleted_series_that_is_sent_again_stays_read(
        self, session: Session, options: Settings
    ) -> None:
        read(session, options)
        withdrawal.withdraw(session, "s1", after(50))
        for count in (10, 33):
            queue.arrive(session, seen(count=count), after(100 + count), options)
        judge(session, options, 140)
        assert row(session).reviewed and not row(session).reopened
