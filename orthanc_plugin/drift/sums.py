"""The figures of the weeks, kept as sums: what they cost does not grow with the cases of a year.

A worker keeps them up, study by study, soon after something of one changed
(:mod:`orthanc_plugin.store.standing.figures`). Until it has, whoever asks works out the newest of those by
themselves.
"""

from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from orthanc_plugin.drift.facts import OF_ALL, Figures, of_study
from orthanc_plugin.drift.tables import StudyFigures, WeekFigures
from orthanc_plugin.store.standing import figures

WORKED_OUT = 50
"""Studies at most that are worked out for who asks. Each takes some 3 ms; after an update of the program all
that is there waits for the worker."""


def keep(session: Session, study_id: str) -> None:
    """Make the figures of a study anew."""
    row = session.get(StudyFigures, study_id)
    before = Figures.from_json(row.figures) if row is not None else Figures()
    now = of_study(session, study_id)
    if now.of == before.of:
        return
    if row is None:
        session.add(StudyFigures(study_id=study_id, figures=now.to_json()))
    else:
        row.figures = now.to_json()
    for key in before.of.keys() | now.of.keys():
        week = session.get(WeekFigures, key, with_for_update=True)
        if week is None:
            week = WeekFigures(week=key[0], model=key[1], figures={})
            session.add(week)
        sums = Figures({key: dict(week.figures)})
        for of_study_then, sign in ((before, -1), (now, 1)):
            for name, numbers in of_study_then.of.get(key, {}).items():
                sums.count(key, name, numbers, sign)
        week.figures = sums.of[key]
    session.flush()


def since(session: Session, first: date) -> Figures:
    """The figures of the weeks from a Monday on."""
    sums = Figures()
    for row in session.scalars(select(WeekFigures).where(WeekFigures.week >= first)):
        sums.of[row.week, row.model] = dict(row.figures)
    for study_id, _ in figures.to_be_made(session, WORKED_OUT):
        if (known := session.get(StudyFigures, study_id)) is not None:
            sums.add(Figures.from_json(known.figures), -1)
        sums.add(of_study(session, study_id))
    return sums


def of_model(session: Session, digest: str) -> bool:
    """Whether there are figures of a model."""
    wanted = select(WeekFigures.week).where(WeekFigures.model == digest).limit(1)
    return session.scalar(wanted) is not None


def models(found: Figures, first: date) -> set[str]:
    """Digests of the models that have figures in the weeks from a Monday on."""
    return {model for (week, model), of in found.of.items() if of and week >= first} - {OF_ALL}
