"""Which case's label would teach most: a list of its own, of which the clinical worklist knows nothing.

A case is worth ``disagreement + uncertainty + unlikeness``, each from 0 to 1:

- *disagreement*: those who spoke of it differ: persons, the model and a person or the model in shadow, or
  the model about two series. 1 where it is about an alert, 0.5 within alerts or within the others. Two
  readers who differ: 1, as nothing may be learnt until a third has spoken.
- *uncertainty*: entropy in bits of the probability of haemorrhage or of an alert, whichever is nearer to
  even, from :data:`lessons.UNDECIDED` on (uncertainty sampling, Lewis and Gale, SIGIR 1994).
- *unlikeness*: 1 - 20 t for the rarest of its figures, t being the share of the patients trained on who lie
  as far out or further; counted where t is at most :data:`lessons.RARE`, outside their central 95 %.

What is worth nothing is not on the list. A case leaves it when a reader agrees with the model, when two
readers agree, when a third has settled it and when it is excluded. Alerts of the queue that nobody has read
are not on it: they are read at once, in the order of the worklist, and need no other reason.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from headct.network.reference import Reference
from headct.terms.review import Standing
from headct.terms.urgency import Urgency
from orthanc_plugin.answer import PatientNameView
from orthanc_plugin.cases.study import SeriesRecord, StudyRecord
from orthanc_plugin.labelling_queue.reasons import lessons
from orthanc_plugin.labelling_queue.views import LabellingQueueView, LabellingRow, Lesson, LessonView
from orthanc_plugin.states import SeriesState
from orthanc_plugin.store import model_history, tables
from orthanc_plugin.store.tables import ShadowAssessment

SHOWN = 100
"""Cases; the others move up as these are read."""


@dataclass(frozen=True, slots=True)
class _Case:
    study: StudyRecord
    series: SeriesRecord
    """The one whose label is wanted."""
    lessons: tuple[LessonView, ...]

    @property
    def worth(self) -> float:
        return sum(
            max((lesson.weight for lesson in self.lessons if lesson.kind is kind), default=0.0)
            for kind in Lesson
        )


def labelling_queue(
    studies: Iterable[StudyRecord],
    in_shadow: Mapping[str, Urgency],
    trained_on: Mapping[str, Reference],
    now: datetime,
) -> LabellingQueueView:
    """The cases worth reading, the most instructive first; of equal ones the earliest.

    Args:
        studies: all, earlier ones too.
        in_shadow: as :func:`shadows` gives it.
        trained_on: as :func:`references` gives it.
        now: the server's time.
    """
    found: list[_Case] = []
    waiting = 0
    for study in studies:
        if not study.earlier and _is_unread_alert(study):
            waiting += 1
        elif (case := _case(study, in_shadow, trained_on)) is not None:
            found.append(case)
    found.sort(key=lambda case: (-case.worth, case.study.first_arrival, case.study.id))
    return LabellingQueueView(
        generated_at=now, rows=tuple(map(_row, found[:SHOWN])), total=len(found), left_to_worklist=waiting
    )


def shadows(session: Session, study_id: str | None = None) -> dict[str, Urgency]:
    """What the model in shadow says, by series, of what the one in service says now; of a study or of all."""
    began = model_history.shadow(session)
    if began is None:
        return {}
    wanted = (
        select(ShadowAssessment.series_id, ShadowAssessment.urgency)
        .join(tables.Assessment, ShadowAssessment.assessment_id == tables.Assessment.id)
        .where(
            ShadowAssessment.bundle == began.digest,
            ShadowAssessment.urgency.is_not(None),
            tables.Assessment.withdrawn_at.is_(None),
        )
    )
    if study_id is not None:
        of_study = select(tables.Series.id).where(tables.Series.study_id == study_id)
        wanted = wanted.where(ShadowAssessment.series_id.in_(of_study))
    return {series_id: urgency for series_id, urgency in session.execute(wanted) if urgency is not None}


def references(session: Session) -> dict[str, Reference]:
    """What each model was trained on, by its digest, where that is known."""
    rows = session.execute(select(tables.Bundle.digest, tables.Bundle.reference))
    return {digest: Reference.from_json(body) for digest, body in rows if body is not None}


def _is_unread_alert(study: StudyRecord) -> bool:
    unread = all(s.reviewed_at is None for s in study.series)
    return any(s.urgency is not None and s.urgency.alert and (unread or s.unseen) for s in study.series)


def _case(
    study: StudyRecord, in_shadow: Mapping[str, Urgency], trained_on: Mapping[str, Reference]
) -> _Case | None:
    """A study with what its label would teach; ``None`` when that is nothing, or it was read."""
    judged = [
        s for s in study.series if s.assessment and not s.preliminary and s.state is not SeriesState.WITHDRAWN
    ]
    open_to = [s for s in judged if _differs_from_readers(s)]
    if not open_to and any(s.reviewed_at is not None for s in study.series):
        return None
    cases = [_Case(study, s, tuple(lessons(s, judged, in_shadow, trained_on))) for s in open_to or judged]
    best = min(cases, key=lambda case: (-case.worth, case.series.id), default=None)
    return best if best is not None and best.lessons else None


def _differs_from_readers(series: SeriesRecord) -> bool:
    """Whether a person's word on it is still open: disputed, or one reader against the model."""
    said = series.verdict
    if said.standing is Standing.DISPUTED:
        return True
    alone = said.standing is Standing.REVIEWED and len(series.reviews) == 1
    return alone and said.urgency is not None and said.urgency is not series.urgency


def _row(case: _Case) -> LabellingRow:
    study = case.study
    return LabellingRow(
        study_id=study.id,
        series_id=case.series.id,
        patient_name=PatientNameView.of(study.demographics.patient_name),
        patient_id=study.demographics.patient_id,
        study_date=study.demographics.study_date,
        study_description=study.demographics.study_description,
        series_description=case.series.description,
        worth=round(case.worth, 3),
        lessons=tuple(sorted(case.lessons, key=lambda lesson: -lesson.weight)),
        readers=tuple(sorted({review.login for s in study.series for review in s.reviews})),
    )
