"""What Orthanc is to show: wished for, done, wished for again."""

import pytest
from sqlalchemy.orm import Session
from store_samples import after, arrive_and_judge, claimed, judgement, seen

from headct.terms.urgency import Urgency
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import outbox, queue, results, withdrawal
from orthanc_plugin.store.tables import Series
from orthanc_plugin.worker.publishing import OUR_LABELS


@pytest.mark.parametrize("removed_first", [False, True])
def test_sent_by_one_worker_while_another_removes_it_is_removed_in_the_end(
    session: Session, options: Settings, removed_first: bool
) -> None:
    arrive_and_judge(session, options)
    send = outbox.publication(session, "s1").send
    withdrawal.withdraw(session, "s1", after(10))
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


class TestPublishing:
    def test_a_wish_is_fulfilled_once(self, session: Session, options: Settings) -> None:
        arrive_and_judge(session, options)
        wish = outbox.claim_publication(session, after(5))
        assert wish is not None
        assert outbox.claim_publication(session, after(6)) is None
        outbox.published(session, *wish, after(7))
        assert outbox.claim_publication(session, after(1000)) is None

    def test_a_change_while_publishing_is_published_after_it(
        self, session: Session, options: Settings
    ) -> None:
        arrive_and_judge(session, options)
        wish = outbox.claim_publication(session, after(5))
        assert wish is not None
        queue.arrive(session, seen(count=34), after(6), options)
        outbox.published(session, *wish, after(7))
        assert outbox.claim_publication(session, after(7)) is not None

    def test_an_abandoned_one_is_taken_up(self, session: Session, options: Settings) -> None:
        arrive_and_judge(session, options)
        assert outbox.claim_publication(session, after(5)) is not None
        assert outbox.claim_publication(session, after(36)) is not None

    def test_failures_slow_down_and_never_give_up(self, session: Session, options: Settings) -> None:
        arrive_and_judge(session, options)
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
            results.record_assessed(session, claim, judgement(urgency, series=name), after(4), options)
        wanted = outbox.publication(session, "a")
        assert wanted.series_labels == ("triage-green",)
        assert wanted.study_labels == ("triage-red", "triage-extreme")

    def test_long_unchecked_series_are_compared_again(self, session: Session, options: Settings) -> None:
        arrive_and_judge(session, options)
        wish = outbox.claim_publication(session, after(5))
        assert wish is not None
        outbox.published(session, *wish, after(6))
        assert outbox.want_checks(session, after(5), after(100), 5) == 0
        assert outbox.want_checks(session, after(50), after(100), 5) == 1
        assert outbox.claim_publication(session, after(100)) is not None


@pytest.mark.parametrize(
    ("urgency", "unsure", "labels"),
    [
        (Urgency.GREEN, False, ("triage-green",)),
        (Urgency.GREEN, True, ("triage-green", "triage-unsure")),
        (Urgency.YELLOW, True, ("triage-yellow",)),
        (Urgency.RED, True, ("triage-red",)),
        (Urgency.BLACK, True, ("triage-red", "triage-extreme")),
    ],
)
def test_doubt_is_a_label_beside_green_alone_and_changes_no_colour(
    session: Session, options: Settings, urgency: Urgency, unsure: bool, labels: tuple[str, ...]
) -> None:
    queue.arrive(session, seen(), after(0), options)
    claim = claimed(session, options, at=3)
    results.record_assessed(session, claim, judgement(urgency, unsure=unsure), after(4), options)
    found = outbox.publication(session, "s1")
    assert found.series_labels == found.study_labels == labels
    assert set(labels) <= OUR_LABELS, "or the publisher would never remove it"
