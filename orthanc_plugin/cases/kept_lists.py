"""Lists as last made, for all who ask: made again when something changed, and of it only what did."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b

from sqlalchemy.orm import Session

from orthanc_plugin.cases import records, selection, worklist
from orthanc_plugin.cases.selection import Asked, Listed
from orthanc_plugin.cases.views import LostView, WorklistRow, WorklistView
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.standing import keeping

LISTS_KEPT = 64
"""Pages, searches, days and blind readers that are being looked at."""
ROWS_KEPT = 1000
"""As many as five of the longest answers have; about 20 MB."""
MADE_AGAIN = timedelta(seconds=5)
"""Lists change by time alone: what is pending is overdue after a minute, what was read leaves."""
MOST_BYTES = 250_000
"""Of the rows of one answer, as JSON: who asks again and again over a slow line is not kept waiting."""


@dataclass(frozen=True, slots=True)
class _Row:
    row: WorklistRow
    bytes: int


@dataclass(frozen=True, slots=True)
class _List:
    number: int
    """Of the last change in it."""
    at: datetime
    view: WorklistView


class KeptLists:
    """What many browsers ask for every two seconds, made once."""

    def __init__(self) -> None:
        self._lists: OrderedDict[Asked, _List] = OrderedDict()
        self._rows: OrderedDict[str, _Row] = OrderedDict()
        self._lock = threading.Lock()
        """One makes it, the others wait for it."""

    def get(self, database: Database, asked: Asked, now: datetime, kept: timedelta | None) -> WorklistView:
        """What is asked for, its rows as old as they are now; arguments as of :func:`selection.listed`."""
        with self._lock:
            view = self._up_to_date(database, asked, now, kept)
        return view.model_copy(
            update={
                "generated_at": now,
                "rows": tuple(worklist.as_of(row, now) for row in view.rows),
                "earlier": tuple(worklist.as_of(row, now) for row in view.earlier),
            }
        )

    def _up_to_date(
        self, database: Database, asked: Asked, now: datetime, kept: timedelta | None
    ) -> WorklistView:
        with database.reading() as session:
            number, last = keeping.change_number(session), self._lists.pop(asked, None)
            if last is None or last.number != number or abs(now - last.at) > MADE_AGAIN:
                if selection.without_standing(session):
                    session.rollback()
                    database.complete()
                found = selection.listed(session, asked, now, kept)
                last = _List(number, now, self._view(session, asked, found, now))
        self._lists[asked] = last
        while len(self._lists) > LISTS_KEPT:
            self._lists.popitem(last=False)
        return last.view

    def _view(self, session: Session, asked: Asked, found: Listed, now: datetime) -> WorklistView:
        shown: list[WorklistRow] = []
        size = 0
        for one in self._made(session, found, now):
            size += one.bytes
            if shown and size > MOST_BYTES:
                break
            shown.append(one.row)
        total = found.queued.total
        queued = max(0, min(len(shown), total - asked.offset))
        end = asked.offset + len(shown)
        lost, more_lost = records.lost(session)
        return WorklistView(
            generated_at=now,
            state=_state(shown, found, lost, more_lost),
            rows=tuple(shown[:queued]),
            earlier=tuple(shown[queued:]),
            lost=lost,
            more_lost=more_lost,
            offset=asked.offset,
            next=end if shown and end < total + found.earlier else None,
            total=total,
            total_earlier=found.earlier,
            counts=found.queued,
            to_speak_of=found.to_speak_of,
        )

    def _made(self, session: Session, found: Listed, now: datetime) -> list[_Row]:
        """Rows in the order of the list; those that changed since they were last made are made anew."""
        old = [i for i, n in found.rows.items() if i not in self._rows or self._rows[i].row.change != n]
        for study in records.studies(session, old) if old else ():
            row = worklist.row(study, now, found.rows[study.id])
            self._rows[study.id] = _Row(row, len(row.model_dump_json()))
        for study_id in found.rows:
            self._rows.move_to_end(study_id)
        made = [self._rows[study_id] for study_id in found.rows]
        while len(self._rows) > ROWS_KEPT:
            self._rows.popitem(last=False)
        return made


def _state(rows: Sequence[WorklistRow], found: Listed, lost: Sequence[LostView], more_lost: int) -> str:
    """Another one whenever the list shows anything else, and not by the passing of time alone."""
    shown = [(row.id, row.change, row.waiting_known) for row in rows]
    gone = [(one.study_id, one.deleted_at, one.urgency) for one in lost]
    all_of_it = (shown, gone, more_lost, found.queued, found.earlier, found.to_speak_of)
    return blake2b(repr(all_of_it).encode(), digest_size=12).hexdigest()
