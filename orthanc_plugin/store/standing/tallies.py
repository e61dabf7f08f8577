"""How many series and results there are, kept up in the transaction that changes them.

Status and metrics are asked for every few seconds, for years: nobody counts rows then. All is counted once at
each start, which would put right what somebody changed past this program.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from sqlalchemy import Connection, delete, func, insert, inspect, select, update
from sqlalchemy.orm import Session

from headct.reasons import ReasonCode
from headct.terms.urgency import Urgency
from orthanc_plugin.states import SeriesState
from orthanc_plugin.store.tables import Assessment, Series, Tally

SERIES, REASONS, CURRENT, UNSURE = "series", "reasons", "current", "unsure"
"""Series by state, those without a result by their reason, assessments that count by urgency, and of them
those that are not sure."""
JUDGED, WAITED = "judged", "waited"
"""All assessments there ever were: what they took, and from the last image to them."""

_Kind = tuple[str, str]


def counts(session: Session, kind: str) -> dict[str, int]:
    """How many there are of each, those of which there is none left out."""
    wanted = select(Tally.key, Tally.count).where(Tally.kind == kind, Tally.count != 0)
    return {key: count for key, count in session.execute(wanted)}  # noqa: C416 (rows to pairs)


def in_all(session: Session, kind: str) -> tuple[int, float]:
    """How many there are, and how long they took together."""
    row = session.get(Tally, (kind, ""))
    return (row.count, row.seconds) if row is not None else (0, 0.0)


def recount(connection: Connection) -> None:
    """Count all that there is. Where several machines write into one store, the last to start is right."""
    rows = [
        {"kind": kind, "key": key, "count": count, "seconds": seconds}
        for (kind, key), (count, seconds) in of_rows(connection).items()
    ]
    connection.execute(delete(Tally).where(Tally.kind.in_({row["kind"] for row in rows})))
    connection.execute(insert(Tally), rows)


def of_rows(connection: Connection) -> dict[_Kind, tuple[int, float]]:
    """What the rows themselves come to, by kind and key; those too of which there is none."""
    said = Assessment
    found: Counter[_Kind] = Counter()
    seconds: dict[_Kind, float] = defaultdict(float)
    for state in SeriesState:
        found[SERIES, state.value] = 0
    for code in ReasonCode:
        found[REASONS, code.value] = 0
    for urgency in Urgency:
        found[CURRENT, urgency.name] = found[UNSURE, urgency.name] = 0
    by_state = select(Series.state, Series.reason_code, func.count()).group_by(
        Series.state, Series.reason_code
    )
    for state, reason, count in connection.execute(by_state):
        found[SERIES, state.value] += count
        if reason is not None:
            found[REASONS, reason] += count
    current = select(said.urgency, func.count()).where(said.withdrawn_at.is_(None)).group_by(said.urgency)
    for kind, some in ((CURRENT, current), (UNSURE, current.where(said.unsure))):
        for urgency, count in connection.execute(some):
            found[kind, urgency.name] += count
    of_all = select(func.count(), func.sum(said.seconds), func.sum(said.arrival_to_result_seconds))
    count, judging, waiting = connection.execute(of_all).one()
    for kind, took in ((JUDGED, judging), (WAITED, waiting)):
        found[kind, ""], seconds[kind, ""] = count, took or 0.0
    return {kind: (count, seconds[kind]) for kind, count in found.items()}


def add(session: Session, kind: str, key: str, count: int, seconds: float = 0.0) -> None:
    """So many more, or fewer, of which there is a row."""
    session.connection().execute(
        update(Tally)
        .where(Tally.kind == kind, Tally.key == key)
        .values(count=Tally.count + count, seconds=Tally.seconds + seconds)
    )


def keep_up(session: Session, *_: object) -> None:
    """Before a session writes what was changed in it."""
    count: Counter[_Kind] = Counter()
    seconds: dict[_Kind, float] = defaultdict(float)

    def note(row: object, value: _Value, sign: int) -> None:
        for kind, took in _counted_as(row, value):
            count[kind] += sign
            seconds[kind] += sign * took

    for row in session.new | session.dirty:
        note(row, partial(getattr, row), 1)
    for row in session.dirty | session.deleted:
        note(row, partial(_before, row), -1)
    for kind in sorted(kind for kind in count if count[kind] or seconds[kind]):  # all writers in one order
        add(session, *kind, count[kind], seconds[kind])


# --- Inside ---------------------------------------------------------------------------------------

_Value = Callable[[str], Any]
"""Of a row's column."""


def _counted_as(row: object, value: _Value) -> Iterator[tuple[_Kind, float]]:
    """What a row counts as, and how long it took."""
    if isinstance(row, Series):
        yield (SERIES, value("state").value), 0.0
        if (code := value("reason_code")) is not None:
            yield (REASONS, code), 0.0
    elif isinstance(row, Assessment):
        yield (JUDGED, ""), value("seconds") or 0.0
        yield (WAITED, ""), value("arrival_to_result_seconds") or 0.0
        if value("withdrawn_at") is None:
            yield (CURRENT, value("urgency").name), 0.0
            if value("unsure"):
                yield (UNSURE, value("urgency").name), 0.0


def _before(row: object, name: str) -> Any:
    """A column's value as it is in the database."""
    changed = inspect(row).attrs[name].history.deleted
    return changed[0] if changed else getattr(row, name)
