"""Reviews in the store: added, never changed. What counts after them is :attr:`tables.Series.verdict`."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import sha256

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from headct.language import _
from headct.reports.review_meaning import Beside
from headct.terms.review import Action, Review, Verdict, verdict
from orthanc_plugin.errors import ConflictError, NotFoundError
from orthanc_plugin.states import SeriesState
from orthanc_plugin.store import outbox, tables, times
from orthanc_plugin.store.tables import AuditEntry, FoundReport, Series

UNKNOWN_REQUEST = ""
"""Stands for the digest of a request of which only what was recorded is known."""
NONE_WRITTEN = ""
"""Stands for the report's UID where none is or can be written, so that nobody tries for ever."""


def based_on(series: Series) -> str:
    """Changes with everything a reader goes by.

    That is the machine's result, the images, the last review, what the machine says of the rest of the study,
    and the last review found that nobody vouches for: whoever speaks of one series is taken to have seen the
    others.
    """
    machine = series.current.id if series.current else 0
    person = max((row.id for row in series.reviews), default=0)
    others = [
        s.current for s in series.study.series if s is not series and s.state is not SeriesState.WITHDRAWN
    ]
    rest = max((said.id for said in others if said is not None), default=0)
    unverified = "".join(f"-{found.id}" for found in series.study.unverified[-1:])
    return f"{machine}-{series.instance_count}-{person}-{rest}{unverified}"


def repeated(
    session: Session, series_id: str, login: str, *, request_id: str, asked: str
) -> tables.Review | None:
    """What an earlier request of the same name recorded; ``None`` where there was none.

    Raises:
        ConflictError: the name was used for something else.
    """
    known = session.scalar(
        select(tables.Review).where(
            tables.Review.series_id == series_id,
            tables.Review.login == login,
            tables.Review.request_id == request_id,
        )
    )
    # Of what was rebuilt from a report nobody knows how it was asked for.
    if known is not None and known.request_digest not in (UNKNOWN_REQUEST, _digest(asked)):
        raise ConflictError(_("This request_id was used for another review."))
    return known


def record(
    session: Session, series_id: str, review: Review, *, seen: str, request_id: str, asked: str, now: datetime
) -> tables.Review:
    """Add a review; a repeated request gives the row that the first one added.

    Args:
        session: of one transaction.
        series_id: Orthanc's identifier.
        review: what is said; ``at`` is ``now``.
        seen: :func:`based_on` as the reader had it.
        request_id: chosen by the client.
        asked: the whole request as text, by which a repeat is told from another one.
        now: the server's time. A clock set back never puts the review before what the reader saw.

    Raises:
        NotFoundError: no such series.
        ConflictError: the series is no longer as the reader saw it, there is nothing to review yet, or to
            confirm, or the request's name was used before.
    """
    series = session.get(Series, series_id, with_for_update=True)
    if series is None or series.state is SeriesState.WITHDRAWN:
        raise NotFoundError(_("No such series."))
    known = repeated(session, series_id, review.by.login, request_id=request_id, asked=asked)
    if known is not None:
        return known
    if seen != based_on(series):
        raise ConflictError(_("The case has changed since it was shown; look again."))
    machine = series.current
    if machine is None and series.state.pending:
        raise ConflictError(_("The series is still being received or judged."))
    if review.action is Action.CONFIRM and (machine is None or machine.urgency is not review.urgency):
        raise ConflictError(_("Only the machine's present urgency can be confirmed."))
    row = tables.Review(
        series_id=series.id,
        assessment_id=machine.id if machine else None,
        login=review.by.login,
        request_id=request_id,
        request_digest=_digest(asked),
        at=times.later_than(now, *_shown(series), last_word(session, series.study_id)),
        urgency=review.urgency,
        content=review.to_json(),
    )
    _add(session, series, row, now)
    return row


def last_word(session: Session, study_id: str) -> datetime | None:
    """When a person last spoke of a study: what comes now was not before them."""
    of_study = select(func.max(tables.Review.at)).join(Series, tables.Review.series_id == Series.id)
    return session.scalar(of_study.where(Series.study_id == study_id))


def carry_over(session: Session, old: Series, new: Series, now: datetime, *, reported: bool = True) -> None:
    """The same images under another patient or name: what was said of them is said of the new series too.

    Args:
        session: of one transaction.
        old: what was spoken of.
        new: what counts instead.
        now: when.
        reported: whether a report is written of each review.
    """
    # By name, so that a correction that is corrected back copies nothing twice.
    here = {(row.login, row.request_id) for row in new.reviews}
    for row in old.reviews:
        if (row.login, row.request_id) not in here:
            copy = tables.Review(
                series_id=new.id,
                login=row.login,
                request_id=row.request_id,
                request_digest=row.request_digest,
                at=row.at,
                urgency=row.urgency,
                content=row.content,
                copy_of=row.id,
                report_uid=None if reported else NONE_WRITTEN,
            )
            _add(session, new, copy, now)
    for found in () if old.study_id == new.study_id else old.study.unverified:
        _doubt_too(session, found, new.study_id)


def rebuild(session: Session, series: Series, row: tables.Review, now: datetime) -> None:
    """Add a review that an earlier store knew; when the reader gave it stays as it was."""
    _add(session, series, row, now, event="review_rebuilt")


def beside(row: tables.Review) -> tuple[Beside, ...]:
    """The other series of the study that the machine had judged when a person spoke."""
    found = []
    for other in row.series.study.series:
        judged = min((a.created_at for a in other.assessments), default=None)
        if other is row.series or other.state is SeriesState.WITHDRAWN or judged is None:
            continue
        since = other.known_since or max(other.last_arrival, judged)
        if since <= row.at:
            found.append(
                Beside(other.series_instance_uid, other.instance_count, other.assessments[0].case_identity)
            )
    return tuple(found)


def seen_before(session: Session, series: Series) -> None:
    """Images of which a rebuilt review says that its reader had them before them are known since then."""
    rebuilt = session.scalars(
        select(tables.Review)
        .join(Series, Series.id == tables.Review.series_id)
        .where(Series.study_id == series.study_id, tables.Review.rebuilt.is_not(None))
    )
    times_seen = [row.at for row in rebuilt if _had_before_them(row, series)]
    known = [series.known_since] if series.known_since is not None else []
    series.known_since = min([*known, *times_seen], default=None)


def _had_before_them(row: tables.Review, series: Series) -> bool:
    """Whether the reader of a rebuilt review had the very images of a series before them."""
    had = row.rebuilt
    if had is None or series.state.pending:
        return False
    if row.series_id == series.id:
        images, identity = had["images"], had["case_identity"]
    else:
        seen = [
            b for b in map(Beside.parse, had["beside"]) if b.series_instance_uid == series.series_instance_uid
        ]
        if not seen:
            return False
        images, identity = seen[0].images, seen[0].case_identity
    if series.current is not None:
        return bool(identity == series.current.case_identity)
    return not identity and bool(images == series.instance_count)


def _doubt_too(session: Session, found: FoundReport, study_id: str) -> None:
    """What nobody vouches for of some images, of the same ones in another study too."""
    there = select(FoundReport.id).where(
        FoundReport.instance_id == found.instance_id, FoundReport.study_id == study_id
    )
    if session.scalar(there) is None:
        values = {c.key: getattr(found, c.key) for c in FoundReport.__table__.columns if c.key != "id"}
        session.add(FoundReport(**{**values, "study_id": study_id}))


def _shown(series: Series) -> Iterator[datetime]:
    """When what a reader has before them came and was judged."""
    for other in series.study.series:
        if other.state is not SeriesState.WITHDRAWN:
            yield other.last_arrival
            if other.current is not None:
                yield other.current.created_at


def _add(
    session: Session, series: Series, row: tables.Review, now: datetime, event: str = "reviewed"
) -> None:
    session.add(row)
    session.flush()
    session.expire(series, ["reviews"])
    outbox.want(series, now)
    session.add(
        AuditEntry(at=now, event=event, actor=row.login, series_id=series.id, detail={"review": row.id})
    )


def before(row: tables.Review) -> Sequence[tables.Review]:
    """What had been said of the series when a review was given, by all readers, in order."""
    said = row.series.reviews
    return said[: said.index(row)]


def until(row: tables.Review) -> Verdict:
    """What counted when a review had just been given."""
    return verdict([Review.from_json(r.content) for r in (*before(row), row)])


def _digest(asked: str) -> str:
    return sha256(asked.encode()).hexdigest()
