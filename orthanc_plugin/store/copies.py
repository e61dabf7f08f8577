"""Copies that Orthanc makes of images that are here: modified, anonymised, merged, split off.

A copy has other identifiers and, as a rule, the same pixels. All that were made of the same images are one
family. One of them stands for all in the queue, and the others are *aside*: assessed, not queued. It is the
one that was there first; an anonymised one comes last, for whoever reads has to know the patient. When it is
deleted the next takes its place: it has waited as long, and what persons said of the same pixels is said of
it. Copies of our own documents are no documents of ours, and are deleted.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session, aliased

from orthanc_plugin.states import SeriesState
from orthanc_plugin.store import imports, reviews
from orthanc_plugin.store.tables import Assessment, AuditEntry, CopiedDocument, Document, Series
from orthanc_plugin.store.transitions import audit


def made_of(session: Session, series: Series, original: str | None, *, anonymised: bool) -> None:
    """Note what Orthanc made a new series of, if it says so; its study is as early as that one's."""
    series.copied_from = original if original != series.id else None
    source = session.get(Series, series.copied_from) if series.copied_from else None
    series.anonymised = anonymised or (source is not None and source.anonymised)
    if source is not None:
        imports.follow(session, source.study, series.study, series.first_arrival)


def recognise(session: Session, series: Series) -> None:
    """Of what Orthanc merged or split its looks alone say what it was made of: its pixels before its name.

    Its original is most likely the one that was deleted after it came, as Orthanc does unless it is told
    otherwise; else one that is still here.
    """
    if not series.joined or series.copied_from is not None:
        return
    withdrawn = Series.state == SeriesState.WITHDRAWN
    deleted_since = and_(withdrawn, Series.changed_at >= series.first_arrival)
    for where in (deleted_since, ~withdrawn):
        for alike in (_same_pixels(series), _same_name(series)):
            original = session.scalar(
                select(Series)
                .where(
                    where,
                    alike,
                    Series.id != series.id,
                    Series.first_arrival <= series.first_arrival,
                    Series.superseded_by.is_(None),
                )
                # Of those that were deleted the last, of those that are here the first.
                .order_by(Series.changed_at.desc() if where is deleted_since else Series.first_arrival)
                .limit(1)
            )
            if original is not None:
                made_of(session, series, original.id, anonymised=False)
                return


def family(session: Session, series: Series) -> Sequence[Series]:
    """A series and all that were made of the same images, those too that Orthanc no longer has."""
    found = {series.id: series}
    new: Iterable[Series] = [series]
    while new:
        ids = {s.id for s in new}
        parents = {s.copied_from for s in new if s.copied_from is not None}
        related = session.scalars(
            select(Series).where(or_(Series.copied_from.in_(ids | parents), Series.id.in_(parents)))
        ).all()
        new = [s for s in related if s.id not in found]
        found.update({s.id: s for s in new})
    return tuple(found.values())


def settle(session: Session, series: Series, now: datetime) -> None:
    """Something of a series changed: who of its family stands for all, and what follows from that."""
    members = family(session, series)
    first = _first(members)
    if first is not None:
        for gone in _before(first, members):
            _take_place(session, first, gone, now)
    for member in members:
        member.aside = first is not None and _stands_aside(member, first)


def know_again(session: Session, series: Series) -> None:
    """Since when the very pixels of a series are known, of itself or of those whose place it took."""
    current = series.current
    if current is None:
        reviews.seen_before(session, series)
        return
    of_others = select(Series.id).where(Series.superseded_by == series.id)
    earliest = session.scalar(
        select(Assessment.created_at)
        .where(
            Assessment.pixel_digest == current.pixel_digest,
            or_(Assessment.series_id == series.id, Assessment.series_id.in_(of_others)),
        )
        .order_by(Assessment.created_at)
        .limit(1)
    )
    came_again = earliest is not None and earliest < series.last_arrival
    series.known_since = earliest if came_again else None
    reviews.seen_before(session, series)


# --- Documents -----------------------------------------------------------------------------------


def found(session: Session, instances: Iterable[tuple[str, str | None]], now: datetime) -> None:
    """Orthanc made documents of others that may be ours: they are looked at by a worker.

    Args:
        session: of one transaction.
        instances: Orthanc's identifiers of each, and of what it was made of, where Orthanc says so.
        now: when.
    """
    for instance, original in instances:
        ours = select(Document.sop_instance_uid).where(Document.orthanc_id == instance)
        if session.get(CopiedDocument, instance) is None and session.scalar(ours) is None:
            session.add(CopiedDocument(id=instance, copied_from=original, found_at=now))


def next_document(session: Session) -> CopiedDocument | None:
    """The next document that may be a copy of ours, and is still in Orthanc."""
    return session.scalar(
        select(CopiedDocument)
        .where(CopiedDocument.withdrawn_at.is_(None))
        .order_by(CopiedDocument.found_at)
        .limit(1)
    )


def is_ours(session: Session, instance: str | None) -> bool:
    """Whether a document in Orthanc is one that we stored there, or a copy of one."""
    if instance is None:
        return False
    stored = session.scalar(select(Document.sop_instance_uid).where(Document.orthanc_id == instance).limit(1))
    copy = session.get(CopiedDocument, instance)
    return stored is not None or (copy is not None and copy.withdrawn_at is not None)


def of_images(session: Session, series_instance_uids: Iterable[str]) -> Iterator[bytes]:
    """Our documents of the series of some UIDs, byte for byte, withdrawn ones too while they are kept."""
    yield from session.scalars(
        select(Document.content)
        .join(Series, Series.id == Document.series_id)
        .where(
            Series.series_instance_uid.in_(tuple(series_instance_uids)),
            Document.let_go_at.is_(None),
        )
    )


def looked_at(session: Session, instance: str, now: datetime, *, ours: bool) -> None:
    """A copy of ours was deleted from Orthanc; or it is none, and stays there."""
    copy = session.get(CopiedDocument, instance)
    if copy is not None and ours:
        copy.withdrawn_at = now
        session.add(AuditEntry(at=now, event="copy_withdrawn", detail={"instance": instance}))
    elif copy is not None:
        session.delete(copy)


# --- Inside ---------------------------------------------------------------------------------------


def _same_pixels(series: Series) -> ColumnElement[bool]:
    digest = series.current.pixel_digest if series.current is not None else None
    return Series.id.in_(select(Assessment.series_id).where(Assessment.pixel_digest == digest))


def _same_name(series: Series) -> ColumnElement[bool]:
    """What was never judged has no pixels that are known.

    What was never read has no name either, and was deleted perhaps before all of its images were counted.
    """
    count, copy = Series.instance_count, aliased(Series)
    never_read = and_(Series.number == "", Series.description == "", count <= series.instance_count)
    same = and_(
        Series.number == series.number,
        Series.description == series.description,
        count == series.instance_count,
    )
    return and_(
        Series.id.not_in(select(Assessment.series_id)),
        Series.modality == series.modality,
        or_(never_read, same),
        ~select(copy.id).where(copy.copied_from == Series.id).exists(),
    )


def _first(members: Sequence[Series]) -> Series | None:
    """Who stands for all: one that took another's place keeps it."""
    by_id = {s.id: s for s in members}
    here = [s for s in members if s.state is not SeriesState.WITHDRAWN]
    return min(
        here,
        key=lambda s: (s.anonymised, not s.took_place, len(_ancestors(s, by_id)), s.first_arrival, s.id),
        default=None,
    )


def _ancestors(series: Series, by_id: dict[str, Series]) -> list[Series]:
    """What a series was made of, and that of, as far as it is known; the nearest first."""
    found: list[Series] = []
    while (parent := by_id.get(series.copied_from or "")) is not None and parent not in found:
        found.append(parent)
        series = parent
    return found


def _before(first: Series, members: Sequence[Series]) -> list[Series]:
    """Those that are gone and stood for all before, the oldest first."""
    ancestors = _ancestors(first, {s.id: s for s in members})
    stood = [s for s in members if s not in ancestors and s is not first and s.took_place]
    return [s for s in (*reversed(ancestors), *stood) if s.state is SeriesState.WITHDRAWN]


def _take_place(session: Session, first: Series, gone: Series, now: datetime) -> None:
    first.first_arrival = min(first.first_arrival, gone.first_arrival)
    first.study.first_arrival = min(first.study.first_arrival, gone.first_arrival)
    if first.instance_count >= gone.instance_count:
        gone.lost_unread = False
    if gone.superseded_by is not None or not _same_images(gone, first):
        return
    # The words of a reader may name the patient: no document of theirs is written for one that names nobody.
    reviews.carry_over(session, gone, first, now, reported=not first.anonymised)
    gone.superseded_by, first.took_place = first.id, True
    if first.current is None:
        first.known_since = gone.known_since or gone.last_arrival
    know_again(session, first)
    audit(session, "took_place", first.id, now, predecessor=gone.id)


def _same_images(gone: Series, first: Series) -> bool:
    """Whether what was said of the one is true of the other; of images never judged their number must do."""
    said = next(iter(gone.assessments), None)
    if first.current is not None:
        return said is not None and said.pixel_digest == first.current.pixel_digest
    return said is None and first.state.final and gone.instance_count == first.instance_count


def _stands_aside(member: Series, first: Series) -> bool:
    """Whether nothing is lost from sight while only the first stands in the queue."""
    if member is first or member.state is SeriesState.WITHDRAWN:
        return False
    if member.instance_count > first.instance_count:
        return False
    said, shown = member.current, first.current
    if said is None:
        return member.state.pending or shown is not None or first.state is member.state
    if shown is None:
        # What the headers say against judging it may be missing in a copy: names of series are taken out.
        return first.state is SeriesState.NOT_ANALYSED
    return shown.pixel_digest == said.pixel_digest or shown.urgency >= said.urgency
