"""What nobody has read yet: the alerts that are here, and cases whose images were deleted meanwhile."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from headct.terms.urgency import Urgency
from orthanc_plugin.store.tables import AuditEntry, Series, Standing, Study

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
    found = session.execute(
        select(Standing.study_id, Standing.unread_alert, Standing.first_arrival).where(
            Standing.unread_alert.is_not(None)
        )
    )
    alerts = [UnreadAlert(study_id, urgency, at) for study_id, urgency, at in found if urgency is not None]
    return sorted(alerts, key=lambda alert: (-alert.urgency, alert.first_arrival))


def endangered(session: Session) -> int:
    """Studies without a result, read by nobody, among the oldest; alerts are protected."""
    here = select(func.count()).select_from(Standing).where(Standing.shown)
    few = max(1, int(AMONG_THE_OLDEST * (session.scalar(here) or 0)))
    arrived = select(Standing.first_arrival).where(Standing.shown).order_by(Standing.first_arrival)
    youngest = session.scalar(arrived.offset(few).limit(1))
    unknown = select(func.count()).where(
        Standing.shown, Standing.read_at.is_(None), Standing.urgency.is_(None)
    )
    return session.scalar(unknown.where(Standing.first_arrival < youngest) if youngest else unknown) or 0


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
