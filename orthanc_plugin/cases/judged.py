"""Every case of the queue that one model judged, read or not: what a promise is counted from.

Labels tell of what was read alone; whether that was all that came, or some of it, only this list can say. So
cases that were deleted since are on it.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import false, select
from sqlalchemy.orm import Session, selectinload

from headct.terms.judged_case import BlindReading, JudgedCase
from headct.terms.review import Review
from orthanc_plugin.cases.review_views import JudgedCasesView, JudgedCaseView
from orthanc_plugin.store.tables import Assessment, Series, Study

MOST_CASES = 200
"""Of one answer."""


def cases(
    session: Session, digest: str, since: datetime | None = None, after: int = 0, most: int = MOST_CASES
) -> JudgedCasesView:
    """Cases of one model in the order of their arrival.

    Earlier studies, copies of what stands in the queue, and images that came again under a corrected
    patient are not among them, nor is a study of which another model judged a series.

    Args:
        session: of one transaction.
        digest: of the bundle.
        since: when the first of them arrived.
        after: :attr:`JudgedCasesView.next` of the part before; 0 for the first one.
        most: studies of a part.
    """
    judged = (
        select(Series.study_id)
        .join(Assessment, Assessment.series_id == Series.id)
        .where(Assessment.judged_by.startswith(f"{digest}+"), Assessment.preliminary == false())
    )
    wanted = select(Study).where(Study.id.in_(judged), Study.earlier == false())
    if since is not None:
        wanted = wanted.where(Study.first_arrival >= since)
    wanted = wanted.order_by(Study.first_arrival, Study.id).offset(after).limit(most + 1)
    of_series = selectinload(Study.series)
    found = session.scalars(
        wanted.options(of_series.selectinload(Series.reviews), of_series.selectinload(Series.assessments))
    ).all()
    told = (_case(study, digest) for study in found[:most])
    return JudgedCasesView(
        cases=tuple(JudgedCaseView.of(case) for case in told if case is not None),
        next=after + most if len(found) > most else None,
    )


def _case(study: Study, digest: str) -> JudgedCase | None:
    series = [one for one in study.series if one.superseded_by is None and not one.aside]
    judged = [one for one in series if any(not said.preliminary for said in one.assessments)]
    said = [_last_of(one.assessments, digest) for one in judged]
    answers = [one for one in said if one is not None]
    if not answers or len(answers) < len(said):
        return None
    worst = max(one.urgency for one in answers)
    return JudgedCase(
        study_id=study.id,
        patient_id=study.demographics.patient_id,
        first_arrival=study.first_arrival,
        urgency=worst,
        unsure=any(one.unsure for one in answers if one.urgency is worst),
        readings=() if _came_later(series) else tuple(_readings(series)),
    )


def _last_of(assessments: Sequence[Assessment], digest: str) -> Assessment | None:
    """What the model said of the whole of a series, at the last."""
    return next(
        (one for one in assessments if not one.preliminary and one.judged_by.startswith(f"{digest}+")), None
    )


def _came_later(series: Sequence[Series]) -> bool:
    """Whether there is more of the study than its readers had before them."""
    return any(
        one.unseen(series, min((said.created_at for said in one.assessments), default=None))
        for one in series
        if one.reviews or one.assessments
    )


def _readings(series: Sequence[Series]) -> Iterator[BlindReading]:
    """The first word of each reader on the study, where it was given blind: after it they know the answer."""
    first: dict[str, Review] = {}
    for row in sorted((row for one in series for row in one.reviews), key=lambda row: (row.at, row.id)):
        first.setdefault(row.login, Review.from_json(row.content))
    for said in first.values():
        if said.blind:
            yield BlindReading(said.urgency, said.findings, said.reason)
