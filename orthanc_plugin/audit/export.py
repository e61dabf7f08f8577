"""The audit as CSV (RFC 4180), for spreadsheets and for other programs."""

import csv
import io
import json
from collections.abc import Iterable, Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from orthanc_plugin.store.tables import AuditEntry

COLUMNS = ("number", "at", "event", "actor", "address", "times", "series", "detail", "seal")
_FORMULA = frozenset("=+-@\t\r\uff1d\uff0b\uff0d\uff20")
"""What begins a formula in spreadsheets, in full width too, as those set to Japanese read it."""


def table(session: Session, after: int, most: int) -> str:
    """The entries after a number, the header first; the header alone where there are no more.

    Args:
        session: of the store.
        after: the last number of the part before; 0 for the first part.
        most: entries of one part. What waits for its place in the chain follows the last one.
    """
    rows = _linked(session, after, most)
    rows += _waiting(session, 0, most - len(rows))
    return lines([COLUMNS, *map(_row, rows)])


def parts(session: Session, most: int) -> Iterator[str]:
    """All of it, so many entries at once."""
    yield lines([COLUMNS])
    last = 0
    while rows := _linked(session, last, most):
        yield lines(map(_row, rows))
        last = rows[-1].number or 0
        session.expunge_all()
    last = 0
    while rows := _waiting(session, last, most):
        yield lines(map(_row, rows))
        last = rows[-1].id
        session.expunge_all()


def lines(rows: Iterable[Iterable[object]]) -> str:
    """Every cell in quotation marks, and none of them a formula."""
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL).writerows([harmless(cell) for cell in row] for row in rows)
    return written.getvalue()


def harmless(cell: object) -> str:
    """A cell that no spreadsheet takes for a formula: it would run with the rights of who opens it."""
    text = "" if cell is None else str(cell).replace("\0", "")
    return f"'{text}" if text.lstrip(" ")[:1] in _FORMULA else text


def _linked(session: Session, after: int, most: int) -> list[AuditEntry]:
    found = select(AuditEntry).where(AuditEntry.number > after).order_by(AuditEntry.number)
    return list(session.scalars(found.limit(most)))


def _waiting(session: Session, after: int, most: int) -> list[AuditEntry]:
    found = select(AuditEntry).where(AuditEntry.number.is_(None), AuditEntry.id > after)
    return list(session.scalars(found.order_by(AuditEntry.id).limit(most)))


def _row(entry: AuditEntry) -> Iterator[object]:
    rest = dict(entry.detail)
    address, times = rest.pop("address", ""), rest.pop("times", 1)
    yield from (entry.number, entry.at.isoformat(), entry.event, entry.actor, address, times)
    yield from (entry.series_id, json.dumps(rest, sort_keys=True), entry.seal)
