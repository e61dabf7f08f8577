"""What goes to which modality: once, ever more rarely where it is refused, in the end no more."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import settings as rules
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from store_samples import MEMORY, after, arrive_and_judge, open_store, settings

from orthanc_plugin.forwarding import deliveries, standing
from orthanc_plugin.forwarding.deliveries import ATTEMPTS, LEASE, LONGEST_PAUSE, LONGEST_SILENCE
from orthanc_plugin.forwarding.tables import Delivery, Receiver
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import DeliveryTrouble, DocumentKind
from orthanc_plugin.store import outbox, withdrawal
from orthanc_plugin.store.tables import AuditEntry, Document

PACS, RIS = "PACS", "RIS"
SILENT, UNKNOWN, NOT_TAKEN, REFUSED = (
    DeliveryTrouble.SILENT,
    DeliveryTrouble.UNKNOWN,
    DeliveryTrouble.NOT_TAKEN,
    DeliveryTrouble.REFUSED,
)


def sent(session: Session, options: Settings, at: float = 5) -> list[str]:
    """A judged series whose two documents Orthanc has."""
    arrive_and_judge(session, options)
    uids = list(outbox.publication(session, "s1").send)
    for uid in uids:
        outbox.document_sent(session, uid, f"orthanc-{uid}", after(at), forward=True)
    return uids


def attempts(
    session: Session, now: datetime, trouble: DeliveryTrouble | None, receivers: tuple[str, ...] = (PACS,)
) -> list[tuple[str, str]]:
    """All that is due now, each with the same answer."""
    found = []
    while (due := deliveries.claim(session, receivers, now)) is not None:
        found.append((due.sop_instance_uid, due.receiver))
        if trouble is None:
            deliveries.delivered(session, due, now)
        else:
            deliveries.failed(session, due, trouble, now)
    return found


def next_look(session: Session) -> datetime | None:
    """When the next of them is due."""
    return session.scalar(select(func.min(Delivery.not_before)))


def test_each_goes_to_each_once(session: Session, options: Settings) -> None:
    uids = sent(session, options)
    went = attempts(session, after(6), None, (PACS, RIS))
    assert sorted(went) == sorted((uid, name) for uid in uids for name in (PACS, RIS))
    outbox.document_sent(session, uids[0], "again", after(7), forward=True)  # deleted in Orthanc by others
    assert attempts(session, after(10**6), None, (PACS, RIS)) == []
    assert attempts(session, after(10**6), None, ("LATER",)) == []  # named since: from now on only


def test_nothing_goes_where_nobody_wants_it(session: Session, options: Settings) -> None:
    arrive_and_judge(session, options)
    for uid in outbox.publication(session, "s1").send:
        outbox.document_sent(session, uid, "x", after(5))
    assert attempts(session, after(6), None) == []


def test_what_is_in_hand_is_taken_up_when_its_worker_was_killed(session: Session, options: Settings) -> None:
    sent(session, options)
    first, second = (deliveries.claim(session, (PACS,), after(6)) for _ in range(2))
    assert first and second and first != second
    assert deliveries.claim(session, (PACS,), after(7)) is None
    assert deliveries.claim(session, (PACS,), after(6) + LEASE) is not None


@pytest.mark.parametrize("trouble", [NOT_TAKEN, REFUSED])
def test_a_refusal_is_tried_ever_more_rarely_and_ends(
    session: Session, options: Settings, trouble: DeliveryTrouble
) -> None:
    (uid, _) = sent(session, options)
    at: datetime | None = after(6)
    times: list[datetime] = []
    while at is not None:
        went = attempts(session, at, trouble)
        times += [at] * ((uid, PACS) in went)
        at = next_look(session)
    pauses = [b - a for a, b in pairwise(times)]
    assert len(times) == ATTEMPTS
    assert pauses == sorted(pauses)
    assert pauses[0] <= timedelta(minutes=1)
    assert pauses[-1] == LONGEST_PAUSE
    assert timedelta(days=1) < times[-1] - times[0] < timedelta(days=2)
    assert session.get_one(Delivery, (uid, PACS)).gave_up_at == times[-1]
    (view,) = standing.receivers(session, (PACS,))
    assert (view.waiting, view.given_up) == (0, 2)
    assert view.problem is not None


def test_a_person_may_have_it_all_sent_again(session: Session, options: Settings) -> None:
    uids = sent(session, options)
    at = after(6)
    for _ in range(ATTEMPTS):
        attempts(session, at, REFUSED)
        at += LONGEST_PAUSE
    assert attempts(session, at, None) == []
    assert not deliveries.again(session, "nobody", "sato", at)
    assert deliveries.again(session, PACS, "sato", at)
    assert {uid for uid, _ in attempts(session, at, None)} == set(uids)
    entry = session.scalars(select(AuditEntry).where(AuditEntry.event == "sent_again")).one()
    assert entry.actor == "sato"


@pytest.mark.parametrize("trouble", [SILENT, UNKNOWN])
def test_a_silent_one_is_asked_with_one_document_for_ever_and_gets_all_when_it_answers(
    session: Session, options: Settings, trouble: DeliveryTrouble
) -> None:
    uids = sent(session, options)
    at, times = after(6), [after(6)]
    attempts(session, at, trouble)
    for _ in range(12):
        at = session.get_one(Receiver, PACS).not_before
        assert attempts(session, at - timedelta(seconds=1), trouble) == []
        assert len(attempts(session, at, trouble)) == 1
        times.append(at)
    pauses = [b - a for a, b in pairwise(times)]
    assert max(pauses) == pauses[-1] == LONGEST_SILENCE
    assert pauses == sorted(pauses)
    assert {uid for uid, _ in attempts(session, at + LONGEST_SILENCE, None)} == set(uids)
    (view,) = standing.receivers(session, (PACS,))
    assert (view.waiting, view.answers, view.problem) == (0, True, None)


def test_one_that_is_down_does_not_keep_the_other_waiting(session: Session, options: Settings) -> None:
    uids = sent(session, options)
    for second in range(6, 40):
        due = deliveries.claim(session, (PACS, RIS), after(second))
        if due is not None and due.receiver == PACS:
            deliveries.failed(session, due, SILENT, after(second))
        elif due is not None:
            deliveries.delivered(session, due, after(second))
    arrived = session.scalars(
        select(Delivery.sop_instance_uid).where(Delivery.delivered_at.is_not(None), Delivery.receiver == RIS)
    )
    assert set(arrived) == set(uids)


def test_one_that_breaks_off_over_one_document_gets_the_others(session: Session, options: Settings) -> None:
    poison, other = sent(session, options)
    went = []
    for minute in range(60):
        while (due := deliveries.claim(session, (PACS,), after(60 * minute + 6))) is not None:
            went.append(due.sop_instance_uid)
            if due.sop_instance_uid == poison:
                deliveries.failed(session, due, REFUSED, after(60 * minute + 6))
            else:
                deliveries.delivered(session, due, after(60 * minute + 6))
    assert went.count(other) == 1
    assert 3 < went.count(poison) < 10


def test_what_was_withdrawn_meanwhile_is_not_sent(session: Session, options: Settings) -> None:
    sent(session, options)
    attempts(session, after(6), REFUSED)
    withdrawal.withdraw(session, "s1", after(7))
    assert attempts(session, after(10**6), None) == []
    (view,) = standing.receivers(session, (PACS,))
    assert view.waiting == 0


@dataclass
class Archive:
    """Answers as told, and counts what it has."""

    moods: list[DeliveryTrouble | None]
    has: dict[str, int] = field(default_factory=dict)

    def take(self, uid: str) -> DeliveryTrouble | None:
        mood = self.moods.pop() if self.moods else None
        if mood is None:
            self.has[uid] = self.has.get(uid, 0) + 1
        return mood


@rules(max_examples=7, deadline=None)
@given(
    moods=st.lists(st.sampled_from([None, SILENT, UNKNOWN, NOT_TAKEN, REFUSED]), max_size=10),
    jumps=st.lists(st.sampled_from([10.0, 60.0, 3600.0, 86400.0, -3600.0, -86400.0 * 400]), max_size=10),
)
def test_whatever_happens_each_arrives_exactly_once(
    moods: list[DeliveryTrouble | None], jumps: list[float]
) -> None:
    """Also where the clock is set, both ways, at any moment; by then it answers again."""
    with TemporaryDirectory(dir=MEMORY) as folder:
        database, options, archive = open_store(Path(folder)), settings(Path(folder)), Archive(moods)
        with database.writing() as session:
            uids, at, steps = sent(session, options), 6.0, list(jumps)
            for _ in range(40):
                due = deliveries.claim(session, (PACS,), after(at))
                if due is not None:
                    trouble = archive.take(due.sop_instance_uid)
                    if trouble is None:
                        deliveries.delivered(session, due, after(at))
                    else:
                        deliveries.failed(session, due, trouble, after(at))
                at += steps.pop() if steps else LONGEST_PAUSE.total_seconds()
        database.close()
    assert archive.has == dict.fromkeys(uids, 1)


class TestStanding:
    def test_it_is_told_from_the_second_failure_on(self, session: Session, options: Settings) -> None:
        sent(session, options)
        told = []
        for minute in range(3):
            attempts(session, after(6 + 60 * minute), REFUSED)
            (view,) = standing.receivers(session, (PACS,))
            told.append((view.failing, view.problem is not None))
        assert told == [(2, False), (2, True), (2, True)]

    @pytest.mark.parametrize("kind", [DocumentKind.KEY_OBJECTS, DocumentKind.SEGMENTATION])
    def test_kinds_not_taken_beside_the_report_are_in_the_status_and_on_no_page(
        self, session: Session, options: Settings, kind: DocumentKind
    ) -> None:
        (_, other) = sent(session, options)
        session.get_one(Document, other).kind = kind
        at = after(6)
        for _ in range(ATTEMPTS):
            while (due := deliveries.claim(session, (PACS,), at)) is not None:
                if due.kind is kind:
                    deliveries.failed(session, due, NOT_TAKEN, at)
                else:
                    deliveries.delivered(session, due, at, as_text=True)
            at += LONGEST_PAUSE
        (view,) = standing.receivers(session, (PACS,))
        assert (view.given_up, view.not_taken, view.problem) == (1, {kind: 1}, None)
        assert standing.deliveries(session, (PACS,)) == {
            PACS: {"waiting": 0, "failing": 0, "given_up": 1, "delivered": 0, "delivered_as_text": 1}
        }

    def test_a_report_that_is_not_taken_is_told(self, session: Session, options: Settings) -> None:
        sent(session, options)
        for minute in range(2):
            attempts(session, after(6 + 60 * minute), NOT_TAKEN)
        (view,) = standing.receivers(session, (PACS,))
        assert view.problem is not None
        assert "ever more rarely: 1" in view.problem.en  # the report; not the key objects

    def test_each_trouble_has_its_words(self, session: Session, options: Settings) -> None:
        sent(session, options)
        said = set()
        for number, trouble in enumerate((SILENT, UNKNOWN, REFUSED)):
            for minute in range(2):
                attempts(session, after(10_000 * (number + 1) + 1000 * minute), trouble)
            (view,) = standing.receivers(session, (PACS,))
            assert view.problem is not None and view.problem.en != view.problem.ja
            said.add(view.problem.en)
        assert len(said) == 3

    def test_one_that_nothing_went_to_yet_is_well(self, session: Session) -> None:
        (view,) = standing.receivers(session, (PACS,))
        assert (view.name, view.waiting, view.answers, view.problem) == (PACS, 0, True, None)
