"""Reviews in the store: added, never changed. What counts after them is :attr:`tables.Series.verdict`."""

import json
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

from sqlalchemy import select
from sqlalchemy.orm import Session

from headct.review import Action, Review, Verdict, verdict
from orthanc_plugin import outbox, tables
from orthanc_plugin.tables import AuditEntry, Series
from orthanc_plugin.views import ConflictError, NotFoundError, SeriesState

_UNSETTLED = frozenset({SeriesState.ARRIVING, SeriesState.WAITING, SeriesState.JUDGING})


def based_on(series: Series) -> str:
    """Changes with everything a reader goes by: the machine's result, the images, the last review."""
    machine = series.current.id if series.current else 0
    person = series.reviews[-1].id if series.reviews else 0
    return f"{machine}-{series.instance_count}-{person}"


def record(
    session: Session, series_id: str, review: Review, *, seen: str, request_id: str, now: datetime
) -> tables.Review:
    """Add a review; a repeated request gives the row that the first one added.

    Args:
        session: of one transaction.
        series_id: Orthanc's identifier.
        review: what is said; ``at`` is ``now``.
        seen: :func:`based_on` as the reader had it.
        request_id: chosen by the client.
        now: the server's time.

    Raises:
        NotFoundError: no such series.
        ConflictError: the series is no longer as the reader saw it, there is nothing to review yet, or to
            confirm, or the request's name was used before.
    """
    series = session.get(Series, series_id, with_for_update=True)
    if series is None or series.state is SeriesState.WITHDRAWN:
        raise NotFoundError("no such series")
    asked = {**review.to_json(), "at": None, "seen": seen}
    digest = sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    known = session.scalar(
        select(tables.Review).where(
            tables.Review.series_id == series_id,
            tables.Review.login == review.by.login,
            tables.Review.request_id == request_id,
        )
    )
    if known is not None:
        if known.request_digest != digest:
            raise ConflictError("This request_id was used for another review.")
        return known
    if seen != based_on(series):
        raise ConflictError("The case has changed since it was shown; look again.")
    machine = series.current
    if machine is None and series.state in _UNSETTLED:
        raise ConflictError("The series is still being received or judged.")
    if review.action is Action.CONFIRM and (machine is None or machine.urgency is not review.urgency):
        raise ConflictError("Only the machine's present urgency can be confirmed.")
    row = tables.Review(
        series_id=series.id,
        assessment_id=machine.id if machine else None,
        login=review.by.login,
        request_id=request_id,
        request_digest=digest,
        at=now,
        urgency=review.urgency,
        content=review.to_json(),
    )
    _add(session, series, row, now)
    return row


def carry_over(session: Session, old: Series, new: Series, now: datetime) -> None:
    """The same images under a corrected patient: what was said of them is said of the new series too."""
    here = {row.copy_of for row in new.reviews}
    for row in old.reviews:
        if row.id not in here:
            copy = tables.Review(
                series_id=new.id,
                login=row.login,
                request_id=row.request_id,
                request_digest=row.request_digest,
                at=row.at,
                urgency=row.urgency,
                content=row.content,
                copy_of=row.id,
            )
            _add(session, new, copy, now)


def _add(session: Session, series: Series, row: tables.Review, now: datetime) -> None:
    session.add(row)
    session.flush()
    session.expire(series, ["reviews"])
    outbox.want(series, now)
    session.add(
        AuditEntry(at=now, event="reviewed", actor=row.login, series_id=series.id, detail={"review": row.id})
    )


def until(row: tables.Review, all_rows: Sequence[tables.Review]) -> Verdict:
    """What counted when a review had just been given."""
    return verdict([Review.from_json(r.content) for r in all_rows if r.id <= row.id])
