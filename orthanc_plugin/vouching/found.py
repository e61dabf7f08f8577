"""Structured reports in Orthanc that this store did not put there, and which are still to be looked at."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from orthanc_plugin.states import SeriesState
from orthanc_plugin.store import outbox
from orthanc_plugin.store.tables import CopiedDocument, Document, FoundReport, Series, Study


def unknown(session: Session, instances: Sequence[str]) -> list[str]:
    """Those of some instances that are neither ours, nor copies of ours, nor found before."""
    known = {
        found
        for column in (Document.orthanc_id, CopiedDocument.id, FoundReport.instance_id)
        for found in session.scalars(select(column).where(column.in_(instances)))
    }
    return [instance for instance in instances if instance not in known]


def note(session: Session, study_id: str, instances: Sequence[str], now: datetime) -> None:
    """Structured reports are in Orthanc: those that are new here are to be looked at."""
    for instance in unknown(session, instances):
        session.add(FoundReport(instance_id=instance, study_id=study_id, found_at=now))


def next_unlooked(session: Session, study_id: str | None = None) -> FoundReport | None:
    """The next one to be looked at, of one study or of all; what may be a copy of ours is not yet."""
    wanted = select(FoundReport).where(
        FoundReport.looked_at.is_(None), FoundReport.instance_id.not_in(select(CopiedDocument.id))
    )
    if study_id is not None:
        wanted = wanted.where(FoundReport.study_id == study_id)
    return session.scalar(wanted.order_by(FoundReport.id).limit(1))


def look_again(session: Session, keys_mark: str) -> None:
    """There may be other keys than those by which nobody vouched for what is in doubt."""
    doubted = FoundReport.doubt.is_not(None) & (FoundReport.looked_with != keys_mark)
    session.execute(update(FoundReport).where(doubted).values(looked_at=None))


def forget(session: Session, instance_id: str, now: datetime) -> None:
    """It turned out to be a copy of a document of ours, and is deleted."""
    for row in session.scalars(select(FoundReport).where(FoundReport.instance_id == instance_id)):
        session.delete(row)
        want(session, row.study_id, now)


def unverified(session: Session) -> list[Study]:
    """Studies with images that are to be read again, for somebody may have said what nobody vouches for."""
    doubted = select(FoundReport.study_id).where(FoundReport.doubt.is_not(None))
    studies = session.scalars(select(Study).where(Study.id.in_(doubted)))
    return [
        study
        for study in studies
        if study.unverified and any(s.state is not SeriesState.WITHDRAWN for s in study.series)
    ]


def want(session: Session, study_id: str, now: datetime) -> None:
    """What Orthanc shows of a study may be out of date."""
    for series in session.scalars(select(Series).where(Series.study_id == study_id)):
        outbox.want(series, now)
