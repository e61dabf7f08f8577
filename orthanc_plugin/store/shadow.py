"""A model in shadow: assesses what the model in service assessed since, publishes nothing, is compared.

A series is taken up by writing its row before it is judged, so that a model which kills its process is not
given the same series again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from headct.language import pgettext
from headct.terms.assessment import Outcome
from orthanc_plugin.states import PENDING, SeriesState
from orthanc_plugin.store import model_history, tables
from orthanc_plugin.store.standing import figures
from orthanc_plugin.store.tables import Series, ShadowAssessment

LOST = str(pgettext("detail", "the judging process was lost"))
LOSSES = 3
"""Processes that may be lost over a shadow before it ends: they are needed for the model in service."""
_NOT_ASSESSED = frozenset(SeriesState) - {SeriesState.ASSESSED}


@dataclass(frozen=True, slots=True)
class Due:
    """An assessment to which the model in shadow gives its own."""

    row_id: int
    assessment_id: int
    series_id: str
    digest: str


def is_due(session: Session) -> bool:
    """Whether there is something to do; asked before :func:`claim`, which keeps others from writing."""
    began = model_history.shadow(session)
    return began is not None and _next(session, began) is not None


def claim(session: Session, owner: str, now: datetime) -> Due | None:
    """The next assessment to be repeated, once nothing is pending and what is published of it is there."""
    began = model_history.shadow(session)
    found = _next(session, began) if began is not None else None
    if began is None or found is None:
        return None
    row = ShadowAssessment(
        assessment_id=found.id, series_id=found.series_id, bundle=began.digest, owner=owner, begun_at=now
    )
    session.add(row)
    found.to_shadow = False
    session.flush()
    return Due(row.id, found.id, found.series_id, began.digest)


def record(session: Session, due: Due, outcome: Outcome, now: datetime) -> None:
    """Keep what was said, unless the series is no longer what it was."""
    row = session.get(ShadowAssessment, due.row_id)
    if row is None:
        return
    current = session.get_one(Series, due.series_id).current
    if current is None or current.id != due.assessment_id:
        _forget(session, row)
        return
    row.ended_at = now
    figures.outdate(session, select(Series.study_id).where(Series.id == due.series_id))
    if (said := outcome.assessment) is not None:
        row.urgency, row.content, row.seconds = said.urgency, said.to_json(), said.timings.total
    elif outcome.reason is not None:
        row.trouble = outcome.reason.sentence()


def give_back(session: Session, due: Due) -> None:
    """It could not be judged through no fault of the model."""
    if (row := session.get(ShadowAssessment, due.row_id)) is not None:
        _forget(session, row)


def worker_lost(session: Session, owner: str, now: datetime) -> None:
    """A worker died; over a shadow's series that counts against the shadow."""
    for row in _in_hand(session, owner):
        row.ended_at, row.trouble = now, LOST
        session.flush()
        of_this = select(func.count()).where(ShadowAssessment.bundle == row.bundle)
        lost = session.scalar(of_this.where(ShadowAssessment.trouble == LOST))
        if lost is not None and lost >= LOSSES:
            why = pgettext("detail", "the judging process was lost {count} times while it judged", count=lost)
            model_history.drop_shadow(session, row.bundle, str(why), now)


def host_lost(session: Session, owner: str) -> None:
    """A worker ended with its Orthanc."""
    for row in _in_hand(session, owner):
        _forget(session, row)


# --- Inside ---------------------------------------------------------------------------------------


def _next(session: Session, began: tables.ModelChange) -> tables.Assessment | None:
    said = tables.Assessment
    if session.scalar(select(Series.id).where(Series.state.in_(PENDING)).limit(1)) is not None:
        return None
    repeated = select(ShadowAssessment.id).where(
        ShadowAssessment.assessment_id == said.id, ShadowAssessment.bundle == began.digest
    )
    return session.scalar(
        select(said)
        .join(Series, Series.id == said.series_id)
        .where(
            said.to_shadow,
            said.withdrawn_at.is_(None),
            ~said.preliminary,
            said.created_at >= began.at,
            ~said.judged_by.startswith(began.digest),
            Series.state.not_in(_NOT_ASSESSED),  # nearly all there is, is assessed
            Series.publish_wanted == Series.publish_done,
            ~repeated.exists(),
        )
        .order_by(said.created_at)
        .limit(1)
    )


def _forget(session: Session, row: ShadowAssessment) -> None:
    """As if it had not been taken up."""
    session.get_one(tables.Assessment, row.assessment_id).to_shadow = True
    session.delete(row)


def _in_hand(session: Session, owner: str) -> Sequence[ShadowAssessment]:
    return session.scalars(
        select(ShadowAssessment).where(ShadowAssessment.owner == owner, ShadowAssessment.ended_at.is_(None))
    ).all()
