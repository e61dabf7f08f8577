"""Studies brought in from a medium: announced before their images, so that their place is known on arrival.

An imported study goes to *Earlier studies* unless a person said that it is new. What a scanner sends is
queued whatever was announced, and no import moves a study out of the queue.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from orthanc_plugin.answer import ImportedStudyView
from orthanc_plugin.states import SeriesState
from orthanc_plugin.store.tables import AuditEntry, Import, Series, Study

_OF_UIDS = frozenset("0123456789.")
"""Characters (PS3.5 section 9.1)."""


def announce(
    session: Session, study_instance_uids: Iterable[str], *, new: bool, actor: str, now: datetime
) -> tuple[ImportedStudyView, ...]:
    """Images of these studies are about to be stored; where each of them will be found.

    A study that is here already stays where it is, unless it is declared new.
    """
    return tuple(_announce(session, uid, new, actor, now) for uid in dict.fromkeys(study_instance_uids))


def _announce(session: Session, uid: str, new: bool, actor: str, now: datetime) -> ImportedStudyView:
    here = session.scalars(
        select(Study).where(
            Study.study_instance_uid == uid, Study.series.any(Series.state != SeriesState.WITHDRAWN)
        )
    ).all()
    if here and not new:
        return ImportedStudyView(study_instance_uid=uid, known=True, earlier=all(s.earlier for s in here))
    session.merge(Import(study_instance_uid=uid, earlier=not new, announced_at=now, actor=actor))
    for study in here:
        study.earlier = False
    # Somebody typed it: what is no UID may name a patient.
    told = uid if set(uid) <= _OF_UIDS else "no UID"
    detail = {"study_instance_uid": told, "new": new}
    session.add(AuditEntry(at=now, event="import_announced", actor=actor, detail=detail))
    return ImportedStudyView(study_instance_uid=uid, known=bool(here), earlier=not new)


def follow(session: Session, original: Study, study: Study, now: datetime) -> None:
    """A study that Orthanc made of another one, with nothing else in it, is as early as that one."""
    own = select(Series.id).where(Series.study_id == study.id, Series.copied_from.is_(None)).limit(1)
    if original.earlier and study is not original and session.scalar(own) is None:
        uid = study.study_instance_uid
        session.merge(Import(study_instance_uid=uid, earlier=True, announced_at=now, actor="triage"))
        study.earlier = True


def place(session: Session, study: Study, *, uploaded: bool) -> None:
    """Images of a study arrived, uploaded or sent by a scanner."""
    announced = session.get(Import, study.study_instance_uid)
    if announced is None:
        return
    if announced.earlier and not uploaded:
        session.delete(announced)
        study.earlier = False
    else:
        study.earlier = announced.earlier


def is_old(study_date: str, after_days: int, today: date) -> bool:
    """Whether a study is too old to be queued; one without a readable date never is."""
    day = _day(study_date)
    return bool(after_days) and day is not None and today - day > timedelta(days=after_days)


def today(session: Session, after_days: int, now: datetime) -> date:
    """The day to which the age of studies is counted.

    Where all that was queued by its date would be too old today, either nothing came for long or the clock
    runs ahead. Then age is counted to the newest of those.
    """
    day = now.date()
    if not after_days:
        return day
    announced = select(Import.study_instance_uid).where(Import.study_instance_uid == Study.study_instance_uid)
    written = Study.__table__.c.study_date
    newest = session.scalar(
        select(written)
        .where(
            ~Study.earlier,
            Study.described,
            ~announced.exists(),
            func.length(written) == len("YYYYMMDD"),
            written <= f"{day:%Y%m%d}",
        )
        .order_by(written.desc())
        .limit(1)
    )
    if newest is not None and is_old(newest, after_days, day):
        return _day(newest) or day
    return day


def place_by_date(session: Session, after_days: int, now: datetime) -> None:
    """The clock was set: what it made an earlier study while it was wrong may be of today."""
    if not after_days:
        return
    of_today = today(session, after_days, now)
    for study in session.scalars(select(Study).where(Study.earlier, Study.described)):
        old = is_old(study.demographics.study_date, after_days, of_today)
        study.earlier = is_earlier(session, study, by_date=old)


def _day(study_date: str) -> date | None:
    try:
        return datetime.strptime(study_date, "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None


def is_earlier(session: Session, study: Study, *, by_date: bool) -> bool:
    """Where a study belongs once its date is known: what was said of an import counts more."""
    announced = session.get(Import, study.study_instance_uid)
    return by_date if announced is None else announced.earlier
