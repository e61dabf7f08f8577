"""Standings are brought up to date in the transaction that changes what they follow from, whoever changes it.

So a look at the worklist costs the same however long the house has run, and no case is where it was before a
reader spoke, or left the list while it waits. Every transaction that changes anything shown counts up one
number, by which others know that something changed.
"""

import logging
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import event, inspect, select, update
from sqlalchemy.orm import Session, UOWTransaction, aliased

from headct.safe_log import failure
from headct.terms.urgency import Urgency
from orthanc_plugin.store.standing.case import Case, KnownSeries, is_aside, series_of
from orthanc_plugin.store.standing.order import place_of
from orthanc_plugin.store.standing.search import found_by
from orthanc_plugin.store.tables import Assessment, ChangeCount, FoundReport, Review, Series, Standing, Study

RULE = 4
"""Raised whenever standings follow by another rule, in this room or where it asks: they are derived again."""
_NOT_SHOWN = frozenset(
    {
        "generation",
        "priority",
        "not_before",
        "interrupted",
        "lease_owner",
        "lease_until",
        "attempts",
        "files_digest",
        "sent_again_at",
        "reports_sought",
        "publish_wanted",
        "publish_done",
        "publish_not_before",
        "publish_failures",
        "checked_at",
    }
)
"""Columns of series from which nothing follows that a list shows; a lease is renewed every few seconds."""
_log = logging.getLogger(__name__)


class Watch:
    """Notes whose rows a transaction changes, and brings their standings up to date at its end."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._studies: set[str] = set()
        self._series: set[str] = set()
        self._all = False
        session.info[Watch] = self
        event.listen(session, "after_flush", self._note)

    def touch(self, study_ids: Iterable[str]) -> None:
        """These studies too."""
        self._studies.update(study_ids)

    def touch_all(self) -> None:
        """What is shown of every study is another, though nothing follows differently."""
        self._all = True

    def settle(self) -> None:
        """Before the transaction is committed."""
        self._session.flush()
        if self._studies or self._series or self._all:
            studies = self._studies | _studies_of(self._session, self._series)
            number = _count_up(self._session)
            if self._all:
                self._session.execute(update(Standing).values(number=number))
            _derive(self._session, sorted(studies), number)

    def _note(self, session: Session, _: UOWTransaction) -> None:
        for row in (*session.new, *session.dirty, *session.deleted):
            match row:
                case Study():
                    self._studies.add(row.id)
                case Series() if row not in session.dirty or _shows_a_change(row):
                    self._studies.add(row.study_id)
                    self._series.add(row.id)
                case Assessment() | Review():
                    self._series.add(row.series_id)
                case FoundReport() if _is_doubted(row):
                    self._studies.add(row.study_id)


def of(session: Session) -> Watch:
    """That of a transaction that writes."""
    watch: Watch = session.info[Watch]
    return watch


def change_number(session: Session) -> int:
    """Another one whenever anything that a list shows may be another."""
    return session.scalar(select(ChangeCount.number)) or 0


def missing(session: Session, limit: int) -> Sequence[str]:
    """Studies without a standing, or with one by an older rule."""
    found = select(Study.id).outerjoin(Standing, Standing.study_id == Study.id)
    return session.scalars(found.where(Standing.rule.is_distinct_from(RULE)).limit(limit)).all()


# --- Inside ---------------------------------------------------------------------------------------


def _shows_a_change(series: Series) -> bool:
    changed: Any = inspect(series)
    return any(
        changed.attrs[column.key].history.has_changes()
        for column in changed.mapper.column_attrs
        if column.key not in _NOT_SHOWN
    )


def _is_doubted(found: FoundReport) -> bool:
    """Whether nobody vouches for a report, or did until now."""
    changed: Any = inspect(found)
    return found.doubt is not None or any(
        before is not None for before in changed.attrs.doubt.history.deleted
    )


def _studies_of(session: Session, series_ids: Collection[str]) -> set[str]:
    """Studies of series, and of those that count as read by what was said of these under another name."""
    found, new = set(series_ids), set(series_ids)
    copy, original = aliased(Review), aliased(Review)
    while new:
        copied = select(copy.series_id).join(original, copy.copy_of == original.id)
        new = set(session.scalars(copied.where(original.series_id.in_(new)))) - found
        found |= new
    return set(session.scalars(select(Series.study_id).where(Series.id.in_(found))))


def _count_up(session: Session) -> int:
    # The last lock of a transaction, so that two that write at once wait for each other here and see all.
    counted = update(ChangeCount).values(number=ChangeCount.number + 1).returning(ChangeCount.number)
    return session.execute(counted).scalar_one()


def _derive(session: Session, study_ids: Sequence[str], number: int) -> None:
    series = series_of(session, study_ids, anew=True)
    known = {
        row.study_id: row for row in session.scalars(select(Standing).where(Standing.study_id.in_(study_ids)))
    }
    studies = select(Study).where(Study.id.in_(study_ids)).execution_options(populate_existing=True)
    for study in session.scalars(studies):
        values = {"number": number, "rule": RULE, **_follows(study, series.get(study.id, ()))}
        if study.id in known:
            for name, value in values.items():
                setattr(known[study.id], name, value)
        else:
            session.add(Standing(study_id=study.id, **values))
    session.flush()


def _follows(study: Study, series: Sequence[KnownSeries]) -> dict[str, Any]:
    rows = [s.row for s in series]
    earlier = study.earlier or is_aside(rows)
    unread_alerts = (u for s in series if not earlier and (u := s.unread_alert) is not None)
    values = {
        "shown": bool(rows),
        "earlier": earlier,
        "first_arrival": study.first_arrival,
        "words": found_by(study.demographics),
        "unread_alert": max([*unread_alerts, *_claimed([] if earlier else study.unverified)], default=None),
    }
    try:
        case = Case.of((s.facts for s in series), study.unverified)
    except (ValueError, KeyError, TypeError) as error:
        # What is not understood stays in sight, above all else; and nothing else is held up by it.
        _log.error("where a study stands cannot be said: %s", failure(error))
        at_the_top = {"place": 0, "place_new": 0, "place_ahead": 0}
        return {**values, **at_the_top, "read_at": None, "urgency": None, "pending": False}
    return {
        **values,
        "read_at": case.progress.last_word if case.progress.reviewed else None,
        "place": place_of(case.facts()),
        "place_new": place_of(case.facts(just_came=True)),
        "place_ahead": place_of(case.facts(wrong_clock=True)),
        "urgency": case.counts.urgency,
        "pending": case.pending,
    }


def _claimed(unverified: Sequence[FoundReport]) -> list[Urgency]:
    """The alerts that reports may give for which nobody vouches."""
    return [max(f.urgency or Urgency.RED, Urgency.RED) for f in unverified if f.may_be_alert]
