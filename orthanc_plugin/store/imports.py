"""Studies brought in from a medium: announced before their images, so that their place is known on arrival.

An imported study goes to *Earlier studies* unless a person said that it is new. What a scanner sends is
queued whatever was announced, and no import moves a study out of the queue.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from orthanc_plugin.answer import ImportedStudyView
from orthanc_plugin.states import SeriesState
from orthanc_plugin.store.tables import AuditEntry, Import, Series, Study


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
    detail = {"study_instance_uid": uid, "new": new}
    session.add(AuditEntry(at=now, event="import_announced", actor=actor, detail=detail))
    return ImportedStudyView(study_instance_uid=uid, known=bool(here), earlier=not new)


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


def is_earlier(session: Session, study: Study, *, by_date: bool) -> bool:
    """Where a study belongs once its date is known: what was said of an import counts more."""
    announced = session.get(Import, study.study_instance_uid)
    return by_date if announced is None else announced.earlier
