"""Which cases a list shows, and in which order: the database has where each of them stands."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import ColumnElement, Select, case, func, or_, select
from sqlalchemy.orm import Session

from orthanc_plugin.cases import records, worklist
from orthanc_plugin.cases.views import CountsView, WorklistRow
from orthanc_plugin.states import SeriesState
from orthanc_plugin.store import times
from orthanc_plugin.store.standing import search
from orthanc_plugin.store.standing.order import OVERDUE_SECONDS
from orthanc_plugin.store.tables import Review, Series, Standing, Study

MOST_ROWS = 200
"""Of one answer."""
ROWS_AT_ONCE = 20
"""Made to see which case is next; it is mostly the first."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A part of the worklist; or of all cases of a day or found by words, however long ago they were read."""

    offset: int = 0
    """Cases before it: of the queue, then of the earlier ones."""
    most: int = MOST_ROWS
    search: str = ""
    day: date | None = None
    """On which they arrived, by the server's calendar, or that is written in the images."""
    blind_for: str | None = None
    """A login who is to see no order but that of arrival, what they have not spoken of first."""


EVERYTHING = Asked()
"""The worklist from its top."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A part of the list, and how much there is of all of it."""

    rows: Mapping[str, int]
    """Studies in their order, with the number of their last change."""
    queued: CountsView
    earlier: int
    to_speak_of: int
    """Cases of the queue that the login of a blind reading has not spoken of; 0 in others."""


def listed(session: Session, asked: Asked, now: datetime, kept: timedelta | None) -> Listed:
    """The cases asked for.

    Args:
        session: of one transaction.
        asked: which.
        now: the server's time.
        kept: how long a case stays on the list once it was read; ``None`` for ever.
    """
    which = _which(asked, now, kept)
    rows = session.execute(
        _in_order(select(Standing.study_id, Standing.number).where(*which), asked, now)
        .offset(asked.offset)
        .limit(asked.most)
    )
    queued, earlier = _counts(session, which)
    unspoken = 0
    if asked.blind_for is not None:
        to_speak_of = select(func.count()).where(*which, ~Standing.earlier, ~_spoken_of(asked.blind_for))
        unspoken = session.scalar(to_speak_of) or 0
    return Listed({study_id: number for study_id, number in rows}, queued, earlier, unspoken)  # noqa: C416 (rows to pairs)


def following(
    session: Session, after: str, asked: Asked, now: datetime, kept: timedelta | None
) -> Iterator[WorklistRow]:
    """Cases that a reader may still have to speak of: those after this one, then those before it.

    Args:
        session: of one transaction.
        after: identifier of a study; its list is gone through. Empty for the queue from its top.
        asked: the order.
        now: the server's time.
        kept: as of :func:`listed`.
    """
    here = session.get(Standing, after)
    which = [*_which(asked, now, kept), Standing.earlier == (here is not None and here.earlier)]
    if asked.blind_for is None:
        which.append(Standing.read_at.is_(None))
    found = list(session.scalars(_in_order(select(Standing.study_id).where(*which), asked, now)))
    at = found.index(after) if after in found else 0
    order = found[at + (after in found) :] + found[:at]
    for some in (order[n : n + ROWS_AT_ONCE] for n in range(0, len(order), ROWS_AT_ONCE)):
        made = {s.id: worklist.row(s, now) for s in records.studies(session, some)}
        yield from (made[study_id] for study_id in some)


def without_standing(session: Session) -> bool:
    """Whether rows came into the store by another way than its functions."""
    studies, standings = (select(func.count()).select_from(t).scalar_subquery() for t in (Study, Standing))
    return bool(session.scalar(select(studies != standings)))


# --- Inside ---------------------------------------------------------------------------------------


def _which(asked: Asked, now: datetime, kept: timedelta | None) -> list[ColumnElement[bool]]:
    found = search.matches(asked.search)
    if asked.day is not None:
        found.append(_of_day(asked.day))
    if not found and kept is not None:
        found.append(or_(Standing.read_at.is_(None), Standing.read_at > now - kept))
    return [Standing.shown.is_(True), *found]


def _of_day(day: date) -> ColumnElement[bool]:
    begin, end = (datetime.combine(d, time()).astimezone() for d in (day, day + timedelta(days=1)))
    written = select(Study.id).where(Study.__table__.c.study_date == f"{day:%Y%m%d}")
    arrived = (Standing.first_arrival >= begin) & (Standing.first_arrival < end)
    return or_(arrived, Standing.study_id.in_(written))


def _in_order(cases: Select, asked: Asked, now: datetime) -> Select:  # type: ignore[type-arg]
    """As :mod:`orthanc_plugin.store.standing.order` has it; a blind reader's is that of arrival."""
    last = (Standing.first_arrival, Standing.study_id)
    if asked.blind_for is not None:
        return cases.order_by(Standing.earlier, _spoken_of(asked.blind_for), *last)
    ahead = Standing.first_arrival > now + times.SLACK
    just_came = Standing.first_arrival >= now - timedelta(seconds=OVERDUE_SECONDS)
    place = case((ahead, Standing.place_ahead), (just_came, Standing.place_new), else_=Standing.place)
    return cases.order_by(Standing.earlier, place, ~ahead, *last)


def _spoken_of(login: str) -> ColumnElement[bool]:
    of_series = select(Series.study_id).join(Review, Review.series_id == Series.id)
    return Standing.study_id.in_(
        of_series.where(Review.login == login, Series.state != SeriesState.WITHDRAWN)
    )


def _counts(session: Session, which: list[ColumnElement[bool]]) -> tuple[CountsView, int]:
    kinds = (Standing.earlier, Standing.urgency, Standing.pending)
    found = dict.fromkeys(CountsView.model_fields, 0)
    earlier = 0
    for is_earlier, urgency, pending, count in session.execute(
        select(*kinds, func.count()).where(*which).group_by(*kinds)
    ):
        if is_earlier:
            earlier += count
        elif urgency is not None:
            found["alert" if urgency.alert else urgency.name.lower()] += count
        else:
            found["pending" if pending else "unknown"] += count
    return CountsView(**found), earlier
