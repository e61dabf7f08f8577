"""Do results arrive where they are sent on to, and if not, what is said of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from headct.language import Phrase, _
from orthanc_plugin.answer import Words
from orthanc_plugin.forwarding.tables import Delivery, Receiver
from orthanc_plugin.forwarding.views import ReceiverView
from orthanc_plugin.states import REPORTS, DeliveryTrouble, DocumentKind
from orthanc_plugin.store.tables import Document

TOLD_AFTER = 2
"""Failures before it is said on the page: one alone is put right by the next attempt, half a minute later."""


@dataclass(frozen=True, slots=True)
class _Open:
    """Documents of one kind that a receiver does not have, all for the same reason."""

    kind: DocumentKind
    trouble: DeliveryTrouble | None
    given_up: bool
    attempts: int
    count: int

    @property
    def not_taken(self) -> bool:
        return self.trouble is DeliveryTrouble.NOT_TAKEN

    @property
    def matters(self) -> bool:
        """Whether a person is told.

        Not where a receiver takes no key objects or regions: the report says all in words, and it takes that.
        """
        return self.kind in REPORTS or not self.not_taken


def receivers(session: Session, names: Sequence[str]) -> tuple[ReceiverView, ...]:
    """Of each modality what it does not have."""
    return tuple(_receiver(session, name) for name in dict.fromkeys(names))


def deliveries(session: Session, names: Sequence[str]) -> dict[str, dict[str, int]]:
    """Documents by modality and state, for monitoring."""
    known = {row.name: row for row in session.scalars(select(Receiver).where(Receiver.name.in_(names)))}
    return {
        view.name: {
            "waiting": view.waiting - view.failing,
            "failing": view.failing,
            "given_up": view.given_up,
            "delivered": known[view.name].delivered if view.name in known else 0,
            "delivered_as_text": known[view.name].delivered_as_text if view.name in known else 0,
        }
        for view in receivers(session, names)
    }


def _receiver(session: Session, name: str) -> ReceiverView:
    found = session.get(Receiver, name)
    open_ = _open(session, name)
    not_taken: dict[DocumentKind, int] = {}
    for group in open_:
        if group.not_taken:
            not_taken[group.kind] = not_taken.get(group.kind, 0) + group.count
    problem = _problem(name, found, open_)
    return ReceiverView(
        name=name,
        waiting=_count(g for g in open_ if not g.given_up),
        failing=_count(g for g in open_ if not g.given_up and g.attempts),
        given_up=_count(g for g in open_ if g.given_up),
        answers=found is None or found.trouble is None,
        not_taken=not_taken,
        problem=Words.of(problem) if problem is not None else None,
    )


def _open(session: Session, name: str) -> list[_Open]:
    alike = (Document.kind, Delivery.trouble, Delivery.gave_up_at.is_not(None), Delivery.attempts)
    rows = session.execute(
        select(*alike, func.count())
        .select_from(Delivery)
        .join(Document)
        .where(Delivery.receiver == name, Delivery.delivered_at.is_(None), Document.withdrawn_at.is_(None))
        .group_by(*alike)
    ).all()
    return [_Open(*row) for row in rows]


def _problem(name: str, found: Receiver | None, open_: list[_Open]) -> Phrase | None:
    """The worst first: what concerns all, what is over, what goes on."""
    waiting = _count(g for g in open_ if not g.given_up)
    lost = _count(g for g in open_ if g.given_up and g.matters)
    refused = _count(g for g in open_ if not g.given_up and g.attempts >= TOLD_AFTER and g.matters)
    if found is not None and found.misses >= TOLD_AFTER and waiting:
        if found.trouble is DeliveryTrouble.UNKNOWN:
            return _(
                "Orthanc knows no DICOM modality {name}. Results that wait: {count}.",
                name=name,
                count=waiting,
            )
        return _(
            "{name} does not answer, or refuses the connection. Results that wait: {count}.",
            name=name,
            count=waiting,
        )
    if lost:
        return _("{name} refused results for a day; they are no longer sent: {count}.", name=name, count=lost)
    if refused:
        return _(
            "{name} refuses results; they are sent again, ever more rarely: {count}.",
            name=name,
            count=refused,
        )
    return None


def _count(groups: Iterable[_Open]) -> int:
    return sum(group.count for group in groups)
