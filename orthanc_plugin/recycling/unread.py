"""What nobody has read yet: the alerts that are here, and cases whose images were deleted meanwhile."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from headct.terms.urgency import Urgency
from orthanc_plugin.states import SeriesState
from orthanc_plugin.store.tables import Assessment, AuditEntry, Review, Series, Study
from orthanc_plugin.store.withdrawal import ALERTS, is_unread_alert

AMONG_THE_OLDEST = 0.1
"""Of all studies in the store: with fewer than that before it, a study is soon to be deleted."""


@dataclass(frozen=True, slots=True)
class UnreadAlert:
    """A study of the queue."""

    study_id: str
    urgency: Urgency
    first_arrival: datetime


def unread_alerts(session: Session) -> list[UnreadAlert]:
    """The worst first, of these the longest waiting."""
    read = exists().where(
        Review.series_id == Series.id, Review.copy_of.is_(None), Review.at >= Series.last_arrival
    )
    found: dict[str, UnreadAlert] = {}
    for series in session.scalars(
        select(Series)
        .join(Assessment)
        .join(Study)
        .where(
            Assessment.withdrawn_at.is_(None),
            Assessment.urgency.in_(ALERTS),
            Series.state != SeriesState.WITHDRAWN,
            Study.earlier.is_(False),
            Series.aside.is_(False),
            ~read,  # of years of alerts the few that may be unread
        )
    ):
        if series.current is not None and is_unread_alert(series):
            known = found.get(series.study_id)
            urgency = max(series.current.urgency, known.urgency if known else Urgency.GREEN)
            found[series.study_id] = UnreadAlert(series.study_id, urgency, series.study.first_arrival)
    return sorted(found.values(), key=lambda alert: (-alert.urgency, alert.first_arrival))


def endangered(session: Session) -> int:
    """Studies of the queue without a result, read by nobody, among the oldest; alerts are protected.

    Counted by the database: Orthanc's process has no time for the rows of years.
    """
    here = (
        select(Study.id)
        .join(Series)
        .where(Series.state != SeriesState.WITHDRAWN)
        .group_by(Study.id, Study.first_arrival)
        .order_by(Study.first_arrival)
    )
    count = session.scalar(select(func.count()).select_from(here.subquery())) or 0
    oldest = here.limit(max(1, int(AMONG_THE_OLDEST * count))).subquery()
    of_study = Series.study_id == Study.id
    judged = exists().where(of_study, Assessment.series_id == Series.id, Assessment.withdrawn_at.is_(None))
    read = exists().where(of_study, Review.series_id == Series.id)
    unknown = select(func.count()).select_from(Study).where(Study.id.in_(select(oldest.c.id)), ~judged, ~read)
    return session.scalar(unknown) or 0


def lost(session: Session) -> list[Series]:
    """What was deleted before anybody had read it, the last first."""
    wanted = select(Series).join(Study).where(Series.lost_unread, Study.earlier.is_(False))
    return list(session.scalars(wanted.order_by(Series.changed_at.desc())))


def count_lost(session: Session) -> int:
    """How many series those are."""
    wanted = select(func.count()).select_from(Series).join(Study)
    return session.scalar(wanted.where(Series.lost_unread, Study.earlier.is_(False))) or 0


def note_loss(session: Session, study_id: str, login: str, now: datetime) -> bool:
    """A person knows of it: it is no longer shown. False where nothing was lost."""
    gone = session.scalars(select(Series).where(Series.study_id == study_id, Series.lost_unread)).all()
    for series in gone:
        series.lost_unread = False
        session.add(AuditEntry(at=now, event="loss_noted", actor=login, series_id=series.id))
    return bool(gone)
