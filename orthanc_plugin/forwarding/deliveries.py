"""Which document is to go to which DICOM modality, when it is tried again, and when no more.

Two clocks. A modality that does not answer is asked with one document at a time, ever more rarely and for
ever: what waits for it waits together, and goes as soon as it answers. A modality that answers and refuses a
document is asked again ever more rarely, and after a day no more: asking for ever would help nobody. Both are
said on the page; a person may have all of it sent again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from orthanc_plugin.forwarding.tables import Delivery, Receiver
from orthanc_plugin.states import DeliveryTrouble, DocumentKind
from orthanc_plugin.store import times
from orthanc_plugin.store.tables import AuditEntry, Document, Series

FIRST_PAUSE = timedelta(seconds=30)
"""After the first failure; each pause is twice the one before."""
LONGEST_SILENCE = timedelta(minutes=10)
"""Between two looks whether a modality answers: results are to go soon after it does."""
LONGEST_PAUSE = timedelta(hours=6)
"""Between two attempts with a document that was refused."""
ATTEMPTS = 14
"""Refusals after which a document is given up: 26 hours after the first, a day with a night in it."""
LEASE = timedelta(minutes=4)
"""A delivery not finished by then is taken up by anyone. Longer than :data:`DELIVERY_SECONDS` of
:mod:`orthanc_plugin.worker.orthanc_client` twice."""


@dataclass(frozen=True, slots=True)
class Due:
    """A document to be sent to a modality now."""

    sop_instance_uid: str
    kind: DocumentKind
    receiver: str


def claim(session: Session, receivers: Sequence[str], now: datetime) -> Due | None:
    """The next delivery, what was never refused first; taken up by nobody else until the lease ends."""
    _plan(session, receivers, now)
    found = session.scalar(
        select(Delivery)
        .join(Receiver, Receiver.name == Delivery.receiver)
        .join(Document, Document.sop_instance_uid == Delivery.sop_instance_uid)
        .where(
            Delivery.receiver.in_(receivers),
            Delivery.delivered_at.is_(None),
            times.due(Delivery.not_before, now, LONGEST_PAUSE.total_seconds()),
            times.due(Receiver.not_before, now, LONGEST_SILENCE.total_seconds()),
            Document.withdrawn_at.is_(None),
        )
        .order_by(Delivery.attempts, Delivery.not_before)
        .limit(1)
        .with_for_update(skip_locked=True, of=Delivery)
    )
    if found is None:
        return None
    found.not_before = now + LEASE
    return Due(found.sop_instance_uid, found.document.kind, found.receiver)


def delivered(session: Session, due: Due, now: datetime, *, as_text: bool = False) -> None:
    """The modality has it."""
    delivery = session.get_one(Delivery, (due.sop_instance_uid, due.receiver))
    receiver = session.get_one(Receiver, due.receiver, with_for_update=True)
    if delivery.delivered_at is None and as_text:
        receiver.delivered_as_text += 1
    elif delivery.delivered_at is None:
        receiver.delivered += 1
    delivery.delivered_at, delivery.as_text = now, as_text
    delivery.not_before = delivery.trouble = delivery.gave_up_at = None
    _answered(receiver, now)


def failed(session: Session, due: Due, trouble: DeliveryTrouble, now: datetime) -> None:
    """The modality does not have it: try again later, or no more."""
    delivery = session.get_one(Delivery, (due.sop_instance_uid, due.receiver))
    receiver = session.get_one(Receiver, due.receiver)
    delivery.trouble = trouble
    if trouble.of_receiver:
        delivery.not_before = now
        receiver.misses, receiver.trouble = receiver.misses + 1, trouble
        receiver.not_before = now + _pause(receiver.misses, LONGEST_SILENCE)
        return
    _answered(receiver, now)
    delivery.attempts += 1
    delivery.not_before = now + _pause(delivery.attempts, LONGEST_PAUSE)
    if delivery.attempts >= ATTEMPTS:
        delivery.not_before, delivery.gave_up_at = None, now


def again(session: Session, receiver: str, login: str, now: datetime) -> bool:
    """A person wants all sent again that a modality does not have; false where nothing ever went there."""
    found = session.get(Receiver, receiver)
    if found is None:
        return False
    _answered(found, now)
    waiting = select(Delivery).where(Delivery.receiver == receiver, Delivery.delivered_at.is_(None))
    for delivery in session.scalars(waiting):
        delivery.attempts, delivery.not_before, delivery.gave_up_at = 0, now, None
    session.add(AuditEntry(at=now, event="sent_again", actor=login, detail={"receiver": receiver}))
    return True


def _plan(session: Session, receivers: Sequence[str], now: datetime) -> None:
    """New documents go to each of the modalities, unless they arrived there already.

    Those of copies wait until these stand for their source: an archive wants no second report of it.
    """
    new = session.scalars(
        select(Document)
        .join(Series, Series.id == Document.series_id)
        .where(Document.to_forward, Series.aside.is_(False))
        .with_for_update(skip_locked=True, of=Document)
    ).all()
    for name in dict.fromkeys(receivers if new else ()):
        if session.get(Receiver, name) is None:
            session.add(Receiver(name=name, misses=0, not_before=now))
            session.flush()
        for document in new:
            if session.get(Delivery, (document.sop_instance_uid, name)) is None:
                session.add(
                    Delivery(sop_instance_uid=document.sop_instance_uid, receiver=name, not_before=now)
                )
    for document in new:
        document.to_forward = False
    session.flush()


def _answered(receiver: Receiver, now: datetime) -> None:
    receiver.misses, receiver.trouble, receiver.not_before = 0, None, now


def _pause(failures: int, longest: timedelta) -> timedelta:
    return min(longest, FIRST_PAUSE * float(2 ** min(failures - 1, 20)))
