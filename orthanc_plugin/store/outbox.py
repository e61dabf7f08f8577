"""What Orthanc is to show of a series: derived from the store, wished for, done, compared again.

A wish is a number that only grows; a publication fulfils the wish it began with, so that a change in
between is published after it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, and_, exists, false, func, select
from sqlalchemy.orm import Session

from headct.terms.review import Said, counted
from headct.terms.urgency import Urgency
from orthanc_plugin.states import FINAL, SeriesState
from orthanc_plugin.store import times
from orthanc_plugin.store.tables import Assessment, Document, FoundReport, MissingImages, Series, Worker

PRELIMINARY_LABEL = "triage-preliminary"
"""Beside the colour's label while a series is incomplete."""
UNSURE_LABEL = "triage-unsure"
"""Beside the label of GREEN where the machine is not sure of it; whatever is flagged is looked at anyway."""
UNVERIFIED_LABEL = "triage-review-unverified"
"""Beside the colour's, or alone, where there is a review that nobody vouches for: to be read again."""
PUBLISH_SECONDS = 30
"""A publication not finished by then is taken up by anyone."""
PUBLISH_RETRY_SECONDS = 300
"""The longest pause between two attempts to publish."""


@dataclass(frozen=True, slots=True)
class Publication:
    """What Orthanc is to show of a series, derived from the store."""

    series_id: str
    study_id: str
    series_labels: tuple[str, ...]
    study_labels: tuple[str, ...]
    send: tuple[str, ...] = ()
    """SOP instance UIDs of documents to be sent."""
    remove: tuple[tuple[str, str], ...] = ()
    """SOP instance UID and Orthanc's identifier of documents to be deleted, empty where never heard of."""
    keep: tuple[tuple[str, str], ...] = ()
    """The same of documents that are to be there."""
    reviewed: bool = False
    """Whether a person spoke of the study: only then is a person's label ours to remove."""


def want(series: Series, now: datetime) -> None:
    """What Orthanc shows of the series may be out of date."""
    series.publish_wanted += 1
    series.publish_not_before = now
    series.publish_failures = 0


def claim_publication(session: Session, now: datetime) -> tuple[str, int] | None:
    """The next series whose face in Orthanc may be out of date, and the number of that wish.

    None of a study while a report in it was found that may be a review, and nobody looked at it yet.
    """
    unread = exists().where(FoundReport.study_id == Series.study_id, FoundReport.looked_at.is_(None))
    series = session.scalar(
        select(Series)
        .where(
            Series.publish_wanted != Series.publish_done,
            times.due(Series.publish_not_before, now, PUBLISH_RETRY_SECONDS),
            ~unread,
        )
        .order_by(Series.publish_not_before)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if series is None:
        return None
    series.publish_not_before = now + timedelta(seconds=PUBLISH_SECONDS)
    return series.id, series.publish_wanted


def publication(session: Session, series_id: str) -> Publication:
    """What Orthanc is to show of a series now."""
    series = session.get_one(Series, series_id)
    live = [d for d in series.documents if d.withdrawn_at is None]
    unverified = series.study.unverified
    return Publication(
        series_id=series.id,
        study_id=series.study_id,
        series_labels=labels([series], [f for f in unverified if f.speaks_of(series.series_instance_uid)]),
        study_labels=labels(series.study.series, unverified),
        reviewed=any(s.reviews for s in series.study.series),
        send=tuple(d.sop_instance_uid for d in live if d.sent_at is None),
        remove=tuple(
            (d.sop_instance_uid, d.orthanc_id or "")
            for d in series.documents
            if d.withdrawn_at is not None and d.removed_at is None
        ),
        keep=tuple((d.sop_instance_uid, d.orthanc_id or "") for d in live if d.sent_at is not None),
    )


def document_sent(
    session: Session, sop_instance_uid: str, orthanc_id: str, now: datetime, *, forward: bool = False
) -> None:
    """Orthanc has the document; ``forward`` when it is to go on to DICOM modalities."""
    document = session.get_one(Document, sop_instance_uid)
    document.orthanc_id, document.sent_at, document.removed_at = orthanc_id, now, None
    if document.withdrawn_at is not None:  # while it was being sent
        want(session.get_one(Series, document.series_id), now)
    document.to_forward = forward or document.to_forward


def document_removed(session: Session, sop_instance_uid: str, orthanc_id: str, now: datetime) -> None:
    """The withdrawn document is gone from Orthanc, unless another worker has sent it meanwhile.

    ``orthanc_id`` as in :attr:`Publication.remove`.
    """
    document = session.get_one(Document, sop_instance_uid)
    if (document.orthanc_id or "") == orthanc_id:
        document.removed_at = now


def published(session: Session, series_id: str, wish: int, now: datetime) -> None:
    """Orthanc shows what it was to show when the wish was claimed."""
    series = session.get_one(Series, series_id)
    series.publish_done = wish
    series.publish_failures = 0
    series.publish_not_before = now
    series.checked_at = now


def publication_failed(session: Session, series_id: str, now: datetime) -> None:
    """Try again, ever more slowly, for ever: a result is never dropped."""
    series = session.get_one(Series, series_id)
    series.publish_failures += 1
    series.publish_not_before = now + timedelta(
        seconds=min(PUBLISH_RETRY_SECONDS, 2**series.publish_failures)
    )


def want_publication(session: Session, series_ids: Sequence[str], now: datetime) -> None:
    """Somebody changed what Orthanc shows of these series: compare again."""
    for series in session.scalars(select(Series).where(Series.id.in_(series_ids))):
        want(series, now)


def want_checks(session: Session, older_than: datetime, now: datetime, limit: int) -> int:
    """Have the series compared that were not compared with Orthanc for the longest time."""
    found: list[Series] = []
    for state in FINAL:  # one by one, or the database would sort all there are
        for long_ago in (Series.checked_at < older_than, times.too_far(Series.checked_at, now, 0)):
            unchanged = Series.publish_wanted == Series.publish_done
            wanted = select(Series).where(Series.state == state, long_ago, unchanged)
            found += session.scalars(wanted.order_by(Series.checked_at).limit(limit))
    rows = sorted(found, key=lambda series: series.checked_at)[:limit]
    for series in rows:
        want(series, now)
    return len(rows)


def previews_due(session: Session, owner: str) -> bool:
    """Whether there is something to render; asked before it is claimed, which keeps others from writing."""
    return session.scalar(_previews_due(owner).limit(1)) is not None


def claim_preview(session: Session, owner: str, attempts: int) -> tuple[str, int] | None:
    """The next series whose slices a worker is to render and its generation, alerts first.

    What ends its worker each time is given up after so many attempts, and meanwhile keeps no other waiting.
    """
    due = (
        _previews_due(owner)
        .outerjoin(Assessment, and_(Assessment.series_id == Series.id, Assessment.withdrawn_at.is_(None)))
        .order_by(
            Series.preview_attempts,
            func.coalesce(Assessment.urgency.in_((Urgency.BLACK, Urgency.RED)), false()).desc(),
            Series.first_arrival,
        )
        .limit(1)
        .with_for_update(of=Series, skip_locked=True)
    )
    while (series := session.scalar(due)) is not None:
        if series.preview_attempts < attempts:
            series.preview_attempts += 1
            series.preview_owner = owner
            return series.id, series.generation
        series.preview_pending, series.preview_slices, series.preview_owner = False, 0, None
    return None


def _previews_due(owner: str) -> Select[Series]:
    """Those that nobody renders: who began with them may have died over them."""
    alive = select(Worker.name).where(Worker.name == Series.preview_owner, Worker.name != owner)
    missing = exists().where(MissingImages.series_id == Series.id)
    return select(Series).where(Series.preview_pending, ~missing, ~alive.exists())


def preview_put_off(session: Session, series_id: str) -> None:
    """The slices could not be rendered now, through no fault of the series."""
    series = session.get_one(Series, series_id)
    series.preview_attempts, series.preview_owner = max(0, series.preview_attempts - 1), None


def previews_done(session: Session, series_id: str, generation: int) -> None:
    """The slices of that generation are rendered."""
    series = session.get_one(Series, series_id)
    series.preview_owner = None
    if series.generation == generation:
        series.preview_pending = False


def labels(series: Iterable[Series], unverified: Sequence[FoundReport] = ()) -> tuple[str, ...]:
    """Labels of the urgency that counts of some series, the colour first.

    Args:
        series: of one study.
        unverified: reports on them that nobody vouches for.
    """
    shown = [s for s in series if s.state is not SeriesState.WITHDRAWN]
    if not shown:
        return ()
    counts = counted((_said(s, shown) for s in shown), [f.claim for f in unverified])
    marks = (UNVERIFIED_LABEL,) if counts.unverified else ()
    if counts.urgency is None:
        return marks
    if counts.by_person:
        return counts.urgency.person_labels() + marks
    if counts.preliminary:
        marks = (PRELIMINARY_LABEL, *marks)
    if counts.unsure and counts.urgency is Urgency.GREEN:
        marks = (UNSURE_LABEL, *marks)
    return counts.urgency.machine_labels() + marks


def _said(series: Series, of_study: Sequence[Series]) -> Said:
    current = series.current
    first_judged = min((a.created_at for a in series.assessments), default=None)
    return Said(
        machine=current.urgency if current else None,
        preliminary=current.preliminary if current else False,
        verdict=series.verdict,
        unseen=series.unseen(of_study, first_judged),
        unsure=current.unsure if current else False,
    )
