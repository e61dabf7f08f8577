"""The clock was set back and nobody saw it: what it showed before lies in the future."""

from datetime import UTC, datetime

import pytest
from clock_samples import DAY, YEAR, place, rows
from sqlalchemy.orm import Session
from store_samples import (
    after,
    arrive_and_judge,
    claimed,
    judgement,
    seen,
)

from headct.terms.review import Action, Person, Review
from headct.terms.urgency import Urgency
from orthanc_plugin.health import figures
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import outbox, queue, results, reviews
from orthanc_plugin.store.tables import Series

SATO = Person("sato", "Sato^Hanako", "St. Elsewhere")


def say(session: Session, series_id: str, urgency: Urgency, at: float) -> None:
    session.flush()
    session.expire_all()
    word = Review(by=SATO, at=after(at), action=Action.RELABEL, urgency=urgency)
    seen_now = reviews.based_on(session.get_one(Series, series_id))
    reviews.record(session, series_id, word, seen=seen_now, request_id=f"{at}", asked="", now=after(at))


class TestASetBackThatNobodySaw:
    """The rules of the store alone."""

    @pytest.mark.parametrize("by", [120.0, DAY, 10 * YEAR, 56 * YEAR])
    def test_what_came_before_is_due_and_above_yellow(
        self, session: Session, options: Settings, by: float
    ) -> None:
        queue.arrive(session, seen(), after(by), options)
        shown = rows(session, 0)[0]
        assert (place(shown), shown.waiting_known, shown.waiting_seconds) == ("unknown", False, 0)
        assert queue.claim(session, "w", after(0), options) is not None

    def test_within_the_longest_pause_a_deadline_is_kept(self, session: Session, options: Settings) -> None:
        queue.arrive(session, seen(), after(30), options)
        assert queue.claim(session, "w", after(0), options) is None
        assert queue.claim(session, "w", after(33), options) is not None

    def test_it_is_claimed_before_what_came_since(self, session: Session, options: Settings) -> None:
        queue.arrive(session, seen("s1", "st1"), after(DAY), options)
        queue.arrive(session, seen("s2", "st2"), after(0), options)
        assert [claimed(session, options, 5, f"w{n}").series_id for n in range(2)] == ["s1", "s2"]

    @pytest.mark.parametrize("urgency", list(Urgency))
    def test_what_was_judged_never_stands_below_yellow(
        self, session: Session, options: Settings, urgency: Urgency
    ) -> None:
        arrive_and_judge(session, options, DAY, urgency=urgency)
        queue.arrive(session, seen("y", "st-y"), after(0), options)
        judge = judgement(Urgency.YELLOW, series="y")
        results.record_assessed(session, claimed(session, options, 5), judge, after(6), options)
        shown = rows(session, 7)
        assert [row.id for row in shown] == ["st1", "st-y"]
        assert place(shown[0]) == ("alert" if urgency.alert else "yellow")
        say(session, "s1", urgency, 8)
        assert next(row for row in rows(session, 9) if row.id == "st1").reviewed

    def test_the_long_quiet_time_ends(self, session: Session, options: Settings) -> None:
        queue.arrive(session, seen(), after(DAY), options)
        first = claimed(session, options, 10)
        assert first.quiet_seconds == 0
        results.record_waiting(session, first, None, after(11), options, judged=False)
        assert queue.claim(session, "w", after(70), options) is None
        assert claimed(session, options, 71).quiet_seconds >= options.long_quiet_seconds

    def test_a_lease_does_not_last_till_tomorrow_and_is_no_failed_attempt(
        self, session: Session, options: Settings
    ) -> None:
        queue.arrive(session, seen(), after(DAY), options)
        held = claimed(session, options, DAY + 3)
        assert queue.renew(session, held, after(4), options)
        assert queue.claim(session, "w2", after(5), options) is None
        assert queue.renew(session, held, after(DAY), options)
        claimed(session, options, 6, "w2")
        assert session.get_one(Series, "s1").attempts == 1

    def test_what_orthanc_shows_is_not_a_day_late(self, session: Session, options: Settings) -> None:
        arrive_and_judge(session, options, DAY)
        wish = outbox.claim_publication(session, after(0))
        assert wish is not None
        outbox.published(session, *wish, after(DAY))
        assert outbox.want_checks(session, after(-300), after(1), 10) == 1

    def test_images_after_the_review_are_not_taken_for_seen(
        self, session: Session, options: Settings
    ) -> None:
        arrive_and_judge(session, options, DAY, urgency=Urgency.GREEN)
        say(session, "s1", Urgency.GREEN, DAY + 60)
        assert rows(session, DAY + 61)[0].reviewed
        # Back by a day: more images of the series, and another series, which shows blood.
        queue.arrive(session, seen(count=40), after(0), options)
        assert rows(session, 1)[0].reopened
        queue.arrive(session, seen("s2", "st1"), after(2), options)
        for at in (10.0, 20.0):
            claim = claimed(session, options, at)
            urgency = {"s1": Urgency.GREEN, "s2": Urgency.RED}[claim.series_id]
            made = judgement(urgency, f"{at}", series=claim.series_id)
            results.record_assessed(session, claim, made, after(at + 1), options)
        shown = rows(session, 30)[0]
        assert (shown.reopened, place(shown)) == (True, "alert")
        say(session, "s2", Urgency.RED, 40)
        say(session, "s1", Urgency.GREEN, 41)
        assert rows(session, 42)[0].reviewed

    def test_a_review_is_of_what_the_reader_saw(self, session: Session, options: Settings) -> None:
        arrive_and_judge(session, options, DAY, urgency=Urgency.RED)
        say(session, "s1", Urgency.GREEN, 5)
        assert rows(session, 6)[0].reviewed

    def test_the_corrected_patient_came_later(self, session: Session, options: Settings) -> None:
        queue.arrive(session, seen("s1", "st1"), after(DAY), options)
        uids = {"series_instance_uid": "1.2.s1", "study_instance_uid": "1.3.st1"}
        corrected = queue.arrive(session, seen("s2", "st2", **uids), after(0), options)
        assert corrected.last_arrival > session.get_one(Series, "s1").last_arrival

    def test_monitoring_hears_of_it(self, session: Session, options: Settings) -> None:
        queue.arrive(session, seen("s1", "st1"), after(DAY), options)
        queue.arrive(session, seen("s2", "st2"), after(-600), options)
        known = figures.metrics(session, options, after(0))
        assert (known.oldest_pending_seconds, known.from_the_future) == (600, 1)


def test_orthanc_did_not_store_anything_before_it_existed(session: Session, options: Settings) -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    queue.arrive(session, seen(first_stored=epoch), after(0), options)
    assert rows(session, 10)[0].waiting_seconds == 10
