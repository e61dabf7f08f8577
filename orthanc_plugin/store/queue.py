"""The queue: series arrive, are claimed with a lease, given back, tried again, asked for again.

Every change of a series' state is a plain function inside one transaction. What was found of a claimed series
is recorded by :mod:`orthanc_plugin.store.results`; what Orthanc shows is derived from here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from headct.language import pgettext
from headct.reasons import Reason, ReasonCode
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import UNCLAIMED, DocumentKind, SeriesState
from orthanc_plugin.store import copies, imports, model_history, outbox, reviews, sent_again, shadow, times
from orthanc_plugin.store.corrected_patients import same_images
from orthanc_plugin.store.tables import Series, Study, Worker
from orthanc_plugin.store.transitions import PRIORITY_RERUN, audit, give_back, give_reason, move, requeue
from orthanc_plugin.store.withdrawal import send_again

RETRY_SECONDS = (5, 30)
"""Pauses after the first and the later failed attempts."""
HEAD_START_SECONDS = 1.5
"""How long before its quiet time is over a series is taken up: about what a look takes. Nothing is said of
it before, unless all that the scanner announced is there."""
SHORTEST_PAUSE_SECONDS = 0.5
"""Between two images of one series, in which nobody looks at it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A series as Orthanc lists it: identifiers and counts, no demographics."""

    series_id: str
    study_id: str
    series_instance_uid: str
    study_instance_uid: str
    modality: str
    instance_count: int
    first_stored: datetime | None = None
    """When Orthanc stored its first image, where known."""
    uploaded: bool = False
    """Stored through the REST interface, as imports are, not sent by a scanner."""
    copied_from: str | None = None
    """The series that Orthanc made it of, if it did and says so."""
    anonymised: bool = False
    """Made by an anonymisation."""
    joined: bool = False
    """Made by a merge or a split of studies, of what Orthanc does not say."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's right to judge one generation of a series until the lease ends."""

    series_id: str
    generation: int
    owner: str
    modality: str
    instance_count: int
    quiet_seconds: float
    """Since the last image arrived, as far as a clock that was set back does not hide it."""
    tried_before: bool = False
    """An attempt has come to nothing: it may be broken off for what was never tried."""


def utcnow() -> datetime:
    """Now, with zone."""
    return datetime.now(UTC)


def arrive(session: Session, seen: Seen, now: datetime, settings: Settings) -> Series:
    """Images of a series arrived: whatever was said of it no longer counts until it is judged again."""
    stored = _first_stored(seen, now)
    study = session.get(Study, seen.study_id)
    if study is None:
        study = Study(
            id=seen.study_id, study_instance_uid=seen.study_instance_uid, first_arrival=stored, earlier=False
        )
        session.add(study)
    imports.place(session, study, uploaded=seen.uploaded)
    series = session.get(Series, seen.series_id) or _new_series(session, study, seen, stored, now)
    if sent_again.note(series, seen.instance_count, now, settings):
        return series
    if series.state is SeriesState.WITHDRAWN:
        _come_back(session, series, seen)
    series.interrupted |= series.state is SeriesState.JUDGING
    # Sent again and again, an incomplete series would never be given up.
    if series.state not in UNCLAIMED or series.instance_count != seen.instance_count:
        # Later than what readers saw, and than the same images under another patient, whatever the clock
        # says.
        others = same_images(session, series, seen.study_instance_uid, withdrawn=True)
        before = (reviews.last_word(session, study.id), *(other.last_arrival for other in others))
        series.last_arrival = times.later_than(now, *before)
    series.modality = seen.modality
    series.instance_count = seen.instance_count
    sent_again.as_new(series, now, now + _until_taken_up(series, settings))
    copies.settle(session, series, now)
    return series


def claim(session: Session, owner: str, now: datetime, settings: Settings) -> Claim | None:
    """The next series to look at, or nothing.

    What failed once waits behind all that was never tried: it may hang or kill one worker after the other.
    """
    expire_leases(session, now, settings)
    series = session.scalar(
        select(Series)
        .join(Study)
        .where(_is_due(now, settings))
        .order_by(
            Study.earlier | Series.aside,  # a whole CD of earlier studies never keeps the queue waiting
            Series.setbacks,
            Series.priority,
            Series.modality != "CT",
            Series.first_arrival <= now + times.SLACK,  # what came on a wrong clock may have waited longest
            Series.first_arrival,
            Series.id,
        )
        .limit(1)
        .with_for_update(of=Series, skip_locked=True)
    )
    if series is None:
        return None
    quiet = _quiet_seconds(series, now, settings)
    move(series, SeriesState.JUDGING, now)
    series.lease_owner = owner
    series.lease_until = now + timedelta(seconds=settings.lease_seconds)
    series.attempts += 1
    return Claim(
        series_id=series.id,
        generation=series.generation,
        owner=owner,
        modality=series.modality,
        instance_count=series.instance_count,
        quiet_seconds=quiet,
        tried_before=series.setbacks > 0,
    )


def anything_waits(session: Session) -> bool:
    """Whether a series waits for its images or for the next attempt: it comes due though nobody writes."""
    return session.scalar(select(Series.id).where(Series.state.in_(UNCLAIMED)).limit(1)) is not None


def untried_is_due(session: Session, now: datetime, settings: Settings) -> bool:
    """Whether something new waits for a worker, for which another attempt at what failed is broken off."""
    waiting = select(Series.id).join(Study).where(_is_due(now, settings), Series.setbacks == 0)
    return session.scalar(waiting.where(~Study.earlier, ~Series.aside).limit(1)) is not None


def renew(session: Session, claim: Claim, now: datetime, settings: Settings) -> bool:
    """Prolong the lease; false when it was lost."""
    series = claimed(session, claim)
    if series is None:
        return False
    series.lease_until = now + timedelta(seconds=settings.lease_seconds)
    return True


def release(session: Session, claim: Claim, now: datetime, *, setback: bool = False) -> None:
    """Give a claim back unjudged, through no fault of the series as far as is known.

    ``setback``: something went wrong over it. Should it be the series after all, it keeps no other waiting.
    """
    series = claimed(session, claim)
    if series is None:
        return
    give_back(series, now)
    if setback:
        _set_back(series, RETRY_SECONDS[0], now)


def expire_leases(session: Session, now: datetime, settings: Settings) -> int:
    """Take up the series of workers that fell silent.

    A lease further ahead than any is given tells nothing of its worker: the clock was set back. The series is
    given back, and that is no failed attempt.
    """
    for series in _judging(session, times.too_far(Series.lease_until, now, settings.lease_seconds)):
        give_back(series, now)
    return _lose(session, Series.lease_until < now, now, settings)


def claimed(session: Session, claim: Claim) -> Series | None:
    """The series, while the claim holds: no more images came, and the lease was not lost."""
    series = session.get(Series, claim.series_id, with_for_update=True)
    if (
        series is not None
        and series.state is SeriesState.JUDGING
        and series.lease_owner == claim.owner
        and series.generation == claim.generation
    ):
        return series
    return None


def record_failure(session: Session, claim: Claim, reason: Reason, now: datetime, settings: Settings) -> bool:
    """An attempt failed: try again later, or give the series up as *failed*."""
    series = claimed(session, claim)
    if series is None:
        return False
    _attempt_failed(session, series, reason, now, settings)
    return True


def rerun(session: Session, series_id: str, actor: str, now: datetime) -> bool:
    """Judge a series again, as a person asked; its present result counts until the new one is there."""
    series = session.get(Series, series_id)
    if series is None or not series.state.final:
        return False
    requeue(series, now, now)
    series.priority = PRIORITY_RERUN
    audit(session, "rerun", series.id, now, actor=actor)
    return True


# --- Workers --------------------------------------------------------------------------------------


def sign_of_life(session: Session, worker: str, now: datetime) -> None:
    """A worker lives."""
    row = session.get(Worker, worker)
    if row is None:
        session.add(Worker(name=worker, started_at=now, seen_at=now))
    else:
        row.seen_at = now


def worker_lost(
    session: Session, owner: str, now: datetime, settings: Settings, *, by_itself: bool = False
) -> int:
    """A worker died over its series: take it up without waiting for the lease to end.

    ``by_itself``: it ended in good order and said why, so it was killed by no model that it loaded.
    """
    if (worker := session.get(Worker, owner)) is not None:
        if not by_itself:
            model_history.died_loading(session, worker, now)
        session.delete(worker)
        session.flush()
    shadow.worker_lost(session, owner, now)
    return _lose(session, Series.lease_owner == owner, now, settings)


def host_lost(session: Session, host: str, now: datetime) -> None:
    """All workers of a host ended with their Orthanc, through no fault of what they had in hand."""
    for worker in session.scalars(select(Worker).where(Worker.name.startswith(f"{host}/", autoescape=True))):
        for series in session.scalars(select(Series).where(Series.lease_owner == worker.name)):
            give_back(series, now)
        shadow.host_lost(session, worker.name)
        session.delete(worker)
    session.flush()


# --- Inside ---------------------------------------------------------------------------------------


def _is_due(now: datetime, settings: Settings) -> ColumnElement[bool]:
    """Whether a worker may take a series up."""
    longest = max(settings.quiet_seconds, settings.long_quiet_seconds, *RETRY_SECONDS)
    return Series.state.in_(UNCLAIMED) & times.due(Series.not_before, now, longest)


def _new_series(session: Session, study: Study, seen: Seen, stored: datetime, now: datetime) -> Series:
    series = Series(
        id=seen.series_id,
        study_id=study.id,
        series_instance_uid=seen.series_instance_uid,
        modality=seen.modality,
        first_arrival=stored,
        last_arrival=now,
        state=SeriesState.ARRIVING,
        changed_at=now,
        not_before=now,
        generation=0,
        publish_wanted=0,
        publish_done=0,
        publish_not_before=now,
        checked_at=now,
    )
    session.add(series)
    session.flush()
    series.joined = seen.joined
    copies.made_of(session, series, seen.copied_from, anonymised=seen.anonymised)
    audit(session, "arrived", series.id, now, images=seen.instance_count)
    for other in same_images(session, series, seen.study_instance_uid):
        # One case under a corrected patient: it has been waiting since it first came.
        series.first_arrival = min(series.first_arrival, other.first_arrival)
        study.first_arrival = min(study.first_arrival, other.study.first_arrival)
    return series


def _until_taken_up(series: Series, settings: Settings) -> timedelta:
    """From its newest image on. Where images come slowly, not every one of them is worth a look."""
    head_start = 0.0 if series.interrupted else HEAD_START_SECONDS
    shortest = min(SHORTEST_PAUSE_SECONDS, settings.quiet_seconds)
    return timedelta(seconds=max(shortest, settings.quiet_seconds - head_start))


def _come_back(session: Session, series: Series, seen: Seen) -> None:
    """Deleted, and here again: what persons said counts again, the machine's results are made anew."""
    for document in series.documents:
        if document.kind is DocumentKind.REVIEW:
            send_again(document)
    series.took_place, series.joined = False, seen.joined
    copies.made_of(session, series, seen.copied_from, anonymised=seen.anonymised)


def _first_stored(seen: Seen, now: datetime) -> datetime:
    """When Orthanc stored the first image, as far as its clock can be believed."""
    stored = seen.first_stored
    return min(now, stored) if stored is not None and stored >= times.ORTHANC_BEGAN else now


def _quiet_seconds(series: Series, now: datetime, settings: Settings) -> float:
    if not times.ahead(series.last_arrival, now):
        return times.seconds(series.last_arrival, now)
    # What waited for the long quiet time has had it; else nobody knows, and one more look costs little.
    return settings.long_quiet_seconds if series.state is SeriesState.WAITING else 0.0


def _judging(session: Session, which: ColumnElement[bool]) -> Sequence[Series]:
    return session.scalars(
        select(Series).where(Series.state == SeriesState.JUDGING, which).with_for_update(skip_locked=True)
    ).all()


def _lose(session: Session, which: ColumnElement[bool], now: datetime, settings: Settings) -> int:
    rows = _judging(session, which)
    for series in rows:
        lost = Reason(ReasonCode.INTERNAL_ERROR, str(pgettext("detail", "the judging process was lost")))
        _attempt_failed(session, series, lost, now, settings)
    return len(rows)


def _attempt_failed(
    session: Session, series: Series, reason: Reason, now: datetime, settings: Settings
) -> None:
    audit(session, "attempt_failed", series.id, now, reason=reason.code.value, attempt=series.attempts)
    if series.attempts >= settings.max_attempts:
        move(series, SeriesState.FAILED, now)
        give_reason(series, reason)
        series.files_digest = None
        copies.recognise(session, series)
        copies.settle(session, series, now)
        reviews.seen_before(session, series)
        outbox.want(series, now)
        audit(session, "failed", series.id, now, reason=reason.code.value)
    else:
        pause = RETRY_SECONDS[min(series.attempts, len(RETRY_SECONDS)) - 1]
        move(series, SeriesState.ARRIVING, now)
        _set_back(series, pause, now)


def _set_back(series: Series, pause: float, now: datetime) -> None:
    series.setbacks += 1
    series.not_before = now + timedelta(seconds=pause)
