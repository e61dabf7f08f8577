"""What nobody has read yet, and what was deleted before anybody had."""

import pytest
from sqlalchemy.orm import Session
from store_samples import after, arrive_and_judge, claimed, judgement, seen

from headct.reasons import Reason, ReasonCode
from headct.terms.urgency import Urgency
from orthanc_plugin.recycling import unread
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import queue, results, withdrawal
from orthanc_plugin.store.standing import keeping
from orthanc_plugin.store.tables.cases import Series, Study


def judged(session: Session, options: Settings, name: str, urgency: Urgency, at: float) -> None:
    queue.arrive(session, seen(name, f"st-{name}"), after(at), options)
    claim = claimed(session, options, at + 3)
    assert results.record_assessed(session, claim, judgement(urgency, series=name), after(at + 4), options)


def alerts(session: Session) -> list[str]:
    keeping.of(session).settle()
    return [alert.study_id for alert in unread.unread_alerts(session)]


def endangered(session: Session) -> int:
    keeping.of(session).settle()
    return unread.endangered(session)


def lost(session: Session) -> list[str]:
    return [series.id for series in unread.lost(session)]


def test_the_worst_come_first_and_of_these_the_longest_waiting(session: Session, options: Settings) -> None:
    for at, (name, urgency) in enumerate(
        [
            ("late", Urgency.RED),
            ("green", Urgency.GREEN),
            ("early", Urgency.RED),
            ("yellow", Urgency.YELLOW),
            ("black", Urgency.BLACK),
        ]
    ):
        judged(session, options, name, urgency, 100 - 10 * at if name == "early" else 100 + 10 * at)
    assert alerts(session) == ["st-black", "st-early", "st-late"]
    session.get_one(Study, "st-black").earlier = True
    assert alerts(session) == ["st-early", "st-late"]
    withdrawal.withdraw(session, "early", after(900))
    assert alerts(session) == ["st-late"]


@pytest.mark.parametrize("urgency", [Urgency.RED, Urgency.BLACK])
def test_an_alert_deleted_unread_is_told_until_it_is_back(
    session: Session, options: Settings, urgency: Urgency
) -> None:
    arrive_and_judge(session, options, urgency=urgency)
    assert lost(session) == []
    withdrawal.withdraw(session, "s1", after(10))
    assert lost(session) == ["s1"]
    queue.arrive(session, seen(), after(20), options)
    assert lost(session) == []


def test_or_until_a_person_notes_it(session: Session, options: Settings) -> None:
    arrive_and_judge(session, options)
    assert not unread.note_loss(session, "st1", "sato", after(9))
    withdrawal.withdraw(session, "s1", after(10))
    assert unread.note_loss(session, "st1", "sato", after(11))
    assert lost(session) == []


def test_so_is_what_was_not_judged_yet_or_failed(session: Session, options: Settings) -> None:
    queue.arrive(session, seen("pending"), after(0), options)
    withdrawal.withdraw(session, "pending", after(1))
    for attempt in range(options.max_attempts):
        queue.arrive(session, seen("failing"), after(10), options) if not attempt else None
        claim = claimed(session, options, 100 * attempt + 20)
        queue.record_failure(
            session, claim, Reason(ReasonCode.UNREADABLE), after(100 * attempt + 21), options
        )
    withdrawal.withdraw(session, "failing", after(1000))
    assert set(lost(session)) == {"pending", "failing"}


@pytest.mark.parametrize("urgency", [Urgency.GREEN, Urgency.YELLOW])
def test_what_is_no_alert_goes_in_silence(session: Session, options: Settings, urgency: Urgency) -> None:
    arrive_and_judge(session, options, urgency=urgency)
    withdrawal.withdraw(session, "s1", after(10))
    assert lost(session) == []


def test_so_does_what_came_under_a_corrected_patient(session: Session, options: Settings) -> None:
    judged(session, options, "first", Urgency.RED, 0)
    withdrawal.withdraw(session, "first", after(10), superseded_by="second")
    assert lost(session) == []
    # Deleted first, then here again under the right patient.
    same = {"series_instance_uid": "1.2.same", "study_instance_uid": "1.3.same"}
    for name, at in (("before", 100), ("after", 200)):
        queue.arrive(session, seen(name, f"st-{name}", **same), after(at), options)
        claim = claimed(session, options, at + 3)
        said = judgement(Urgency.RED, series=name, pixels="same")
        if name == "after":
            assert lost(session) == ["before"]
        assert results.record_assessed(session, claim, said, after(at + 4), options)
        if name == "before":
            withdrawal.withdraw(session, "before", after(150))
    assert lost(session) == []
    assert session.get_one(Series, "before").lost_unread is False


def test_what_nobody_knows_yet_among_the_oldest_is_endangered(session: Session, options: Settings) -> None:
    for number in range(20):
        queue.arrive(session, seen(f"s{number}", f"st-{number}"), after(number), options)
    assert endangered(session) == 2, "a tenth of them"
    withdrawal.withdraw(session, "s0", after(40))
    claim = claimed(session, options, 50)
    assert claim.series_id == "s1"
    assert results.record_assessed(session, claim, judgement(Urgency.GREEN, series="s1"), after(51), options)
    assert endangered(session) == 0, "of nineteen the oldest alone, which is judged"
    withdrawal.withdraw(session, "s1", after(60))
    assert endangered(session) == 1
    for number in range(2, 20):
        withdrawal.withdraw(session, f"s{number}", after(70))
    assert endangered(session) == 0
