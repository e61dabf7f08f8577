"""The chain: each entry has a number, and a seal of what it says and of the seal before it.

Whoever adds an entry only adds it. One process at a time gives those that have no place yet the next ones, so
that adding costs nothing more. The seals are made with the keys that lie outside of the store: who can write
the store and has no key can add an entry, but take none away, change none and move none without its showing.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, select, text
from sqlalchemy.orm import Session

from headct.reports.seals import KeyRing
from orthanc_plugin.store.tables import AuditEntry, Position

BEGAN = "audit_began"
"""The first entry. It says how many were here before the chain was: of these it vouches only from then on."""
STARTED = "started"
RELEASED = "audit_released"
"""What was older than has to be kept was let go: it says up to where, and the last seal of that."""
FAULT = "audit_fault"
"""Something was found to be missing or altered."""
MARKS = text("event IN ('started', 'audit_released', 'audit_fault')")
"""As the index of these few has it."""
FORGED = "audit_forged"
"""Another one added an entry that says what the chain alone may say of itself."""
_OWN = frozenset({BEGAN, STARTED, RELEASED, FAULT})
"""Linked in the transaction in which they are added."""
_LOCK = "audit"


@dataclass(frozen=True, slots=True)
class Head:
    """The last link."""

    number: int = 0
    seal: str = ""
    running: int = 0


def add(session: Session, event: str, now: datetime, *, actor: str = "triage", **detail: Any) -> AuditEntry:
    """An entry that is about no series."""
    entry = AuditEntry(at=now, event=event, actor=actor, detail=detail)
    session.add(entry)
    return entry


def said(entry: AuditEntry, before: str) -> str:
    """All that a seal is made of."""
    return json.dumps(
        [
            entry.number,
            entry.running,
            entry.at.isoformat(),
            entry.event,
            entry.actor,
            entry.series_id,
            entry.detail,
            before,
        ],
        sort_keys=True,
        separators=(",", ":"),
    )


def head(session: Session) -> Head:
    """The last link; number 0 where there is none."""
    return next((_head_of(entry) for entry in _last(session, 1)), Head())


def is_unlinked(session: Session) -> bool:
    """Whether entries wait for their place."""
    return session.scalar(_waiting().limit(1)) is not None


def begin(session: Session, ring: KeyRing, now: datetime) -> None:
    """Begin a chain where there is none; what is in the audit already is taken into it by and by."""
    _lock(session)
    if not head(session).number:
        earlier = session.scalar(select(func.count()).select_from(AuditEntry)) or 0
        append(session, ring, 0, [add(session, BEGAN, now, earlier=earlier)])


def link(session: Session, ring: KeyRing, running: int, most: int) -> bool:
    """Give entries their places, the oldest first; whether others still wait.

    Args:
        session: of one transaction.
        ring: whose first key seals.
        running: seconds for which the program has run since the chain began.
        most: entries at once.
    """
    _lock(session)
    found = session.scalars(_waiting().limit(most)).all()
    for entry in found:
        if entry.event in _OWN:
            entry.detail, entry.event = {"event": entry.event, "said": entry.detail}, FORGED
    if found:
        append(session, ring, running, found)
    return len(found) == most


def append(session: Session, ring: KeyRing, running: int, entries: Sequence[AuditEntry]) -> None:
    """Link entries of this transaction to the last one, arguments as of :func:`link`."""
    session.flush()
    last = head(session)
    running = max(running, trusted_running(session, ring))
    for entry in entries:
        entry.number, entry.running = last.number + 1, running
        entry.seal = ring.seal(said(entry, last.seal))
        last = _head_of(entry)
    session.flush()


def release(session: Session, ring: KeyRing, older: int, now: datetime, most: int) -> bool:
    """Let go what is older than has to be kept, under a mark; whether there may be more.

    Only what is in good order: an entry that was altered stays, and all that follow it.

    Args:
        session: of one transaction.
        ring: keys that vouch, of which the first seals.
        older: seconds for which the program has to have run since. No clock that can be set counts: one that
            shows a year to come would have all of it deleted.
        now: when.
        most: entries at once.
    """
    _lock(session)
    wanted = select(AuditEntry).where(AuditEntry.number.is_not(None)).order_by(AuditEntry.number)
    rows = session.scalars(wanted.limit(most)).all()
    old = _sound(session, ring, rows, trusted_running(session, ring) - older)
    if not old:
        return False
    first, end = old[0], old[-1]
    mark = add(
        session,
        RELEASED,
        now,
        first=first.number,
        through=end.number,
        seal=end.seal,
        since=first.at.isoformat(),
        until=end.at.isoformat(),
    )
    append(session, ring, 0, [mark])
    session.execute(delete(AuditEntry).where(AuditEntry.id.in_([entry.id for entry in old])))
    return len(old) == most


def marks(session: Session, event: str) -> Sequence[AuditEntry]:
    """Entries of one of the few kinds that are looked for, the oldest first."""
    found = session.scalars(select(AuditEntry).where(MARKS).order_by(AuditEntry.id))
    return [entry for entry in found if entry.event == event]


def seal_before(session: Session, number: int) -> str | None:
    """The seal before the first entry that is kept; ``None`` where no mark says that others were let go."""
    if number == 1:
        return ""
    for mark in marks(session, RELEASED):
        if mark.number is not None and mark.detail.get("through") == number - 1:
            return str(mark.detail.get("seal"))
    return None


def trusted_running(session: Session, ring: KeyRing) -> int:
    """For how long the program has run, by the last link; 0 where that was altered."""
    last, before = (*_last(session, 2), None, None)[:2]
    if last is None or last.seal is None or last.number is None:
        return 0
    seal = before.seal if before is not None else seal_before(session, last.number)
    vouched = seal is not None and ring.vouches(last.seal, said(last, seal))
    return (last.running or 0) if vouched else 0


# --- Inside ---------------------------------------------------------------------------------------


def _sound(session: Session, ring: KeyRing, rows: Sequence[AuditEntry], before: int) -> list[AuditEntry]:
    """Those of the first entries that are that old and in good order."""
    found: list[AuditEntry] = []
    number = (rows[0].number or 0) if rows else 0
    seal = seal_before(session, number)
    for entry in rows:
        in_order = seal is not None and entry.number == number and entry.seal is not None
        if not in_order or (entry.running or 0) >= before:
            break
        if seal is None or entry.seal is None or not ring.vouches(entry.seal, said(entry, seal)):
            break
        found.append(entry)
        number, seal = number + 1, entry.seal
    return found


def _waiting() -> Select[AuditEntry]:
    return select(AuditEntry).where(AuditEntry.number.is_(None)).order_by(AuditEntry.id)


def _last(session: Session, most: int) -> Sequence[AuditEntry]:
    linked = select(AuditEntry).where(AuditEntry.number.is_not(None))
    return session.scalars(linked.order_by(AuditEntry.number.desc()).limit(most)).all()


def _head_of(entry: AuditEntry) -> Head:
    return Head(entry.number or 0, entry.seal or "", entry.running or 0)


def _lock(session: Session) -> None:
    """One at a time; SQLite has but one writer anyway."""
    if session.get(Position, _LOCK, with_for_update=True) is None:
        session.add(Position(log=_LOCK, sequence=0))
        session.flush()
