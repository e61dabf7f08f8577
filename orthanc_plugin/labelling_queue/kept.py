"""The labelling queue as it is kept in the store: what it costs does not grow with the cases of years.

A worker keeps it up, study by study, soon after something of one changed
(:mod:`orthanc_plugin.store.standing.figures`). Until it has, whoever asks works out the newest of those by
themselves.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from orthanc_plugin.cases import records
from orthanc_plugin.labelling_queue import ranking
from orthanc_plugin.labelling_queue.ranking import SHOWN
from orthanc_plugin.labelling_queue.tables import Teaching
from orthanc_plugin.labelling_queue.views import LabellingQueueView, LabellingRow
from orthanc_plugin.store.standing import figures, tallies

WORKED_OUT = 20
"""Studies at most that are worked out for who asks. Each takes some 10 ms; after an update of the program all
that is there waits for the worker."""

TALLY = "teaching"
"""Of studies in the queue, and of those left to the worklist."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Of a study in the queue."""

    study_id: str
    first_arrival: datetime
    row: LabellingRow | None
    """``None``: left to the worklist."""

    @property
    def order(self) -> tuple[float, datetime, str]:
        return -self.row.worth if self.row is not None else 0.0, self.first_arrival, self.study_id


def keep(session: Session, study_id: str) -> None:
    """Make the place of a study anew."""
    place, known = _place(session, study_id), session.get(Teaching, study_id, with_for_update=True)
    if known is not None:
        tallies.add(session, TALLY, _key(known.waiting), -1)
    if place is None:
        if known is not None:
            session.delete(known)
        return
    tallies.add(session, TALLY, _key(place.row is None), 1)
    if known is None:
        known = Teaching(study_id=study_id)
        session.add(known)
    known.first_arrival, known.minus_worth, known.waiting = *place.order[1::-1], place.row is None
    known.row = place.row.model_dump(mode="json") if place.row is not None else {}


def view(session: Session, now: datetime) -> LabellingQueueView:
    """The cases worth reading, the most instructive first; of equal ones the earliest."""
    new = [study_id for study_id, _ in figures.to_be_made(session, WORKED_OUT)]
    worked_out = [place for study_id in new if (place := _place(session, study_id)) is not None]
    others = Teaching.study_id.not_in(new)
    kept = select(Teaching).where(Teaching.waiting.is_(False), others)
    kept = kept.order_by(Teaching.minus_worth, Teaching.first_arrival, Teaching.study_id).limit(SHOWN)
    listed = [
        _Place(row.study_id, row.first_arrival, LabellingRow(**row.row)) for row in session.scalars(kept)
    ]
    listed += [place for place in worked_out if place.row is not None]
    count = Counter(tallies.counts(session, TALLY))
    for row in session.scalars(select(Teaching).where(Teaching.study_id.in_(new))):
        count[_key(row.waiting)] -= 1
    for place in worked_out:
        count[_key(place.row is None)] += 1
    first = sorted(listed, key=lambda place: place.order)[:SHOWN]
    return LabellingQueueView(
        generated_at=now,
        rows=tuple(place.row for place in first if place.row is not None),
        total=count[_key(False)],
        left_to_worklist=count[_key(True)],
    )


def _key(waiting: bool) -> str:
    return "waiting" if waiting else "listed"


def _place(session: Session, study_id: str) -> _Place | None:
    studies = records.studies(session, [study_id])
    found = ranking.labelling_queue(
        studies,
        ranking.shadows(session, study_id),
        ranking.references(session),
        studies[0].first_arrival,
    )
    if not found.rows and not found.left_to_worklist:
        return None
    return _Place(study_id, studies[0].first_arrival, found.rows[0] if found.rows else None)
