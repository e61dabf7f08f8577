"""A study as machine and persons have left it: all that its place on the worklist follows from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from headct.terms.review import Counted, Said, counted
from headct.terms.urgency import Urgency
from orthanc_plugin.states import PENDING, CaseState, SeriesState
from orthanc_plugin.store.standing.order import Facts
from orthanc_plugin.store.standing.progress import Progress, SeriesFacts
from orthanc_plugin.store.tables import Assessment, FoundReport, Review, Series


@dataclass(frozen=True, slots=True)
class Case:
    """A study, from the series of it that Orthanc still has."""

    counts: Counted
    machine: Urgency | None
    """The worst that it says."""
    progress: Progress
    state: CaseState
    incomplete: bool
    """Something is still to come, or failed."""
    unsure: bool = False
    """Whether some result that says the worst is not sure."""
    claimed: Urgency | None = None
    """The worst that reports say for which nobody vouches, until somebody has read it again."""

    @classmethod
    def of(cls, series: Iterable[SeriesFacts], unverified: Sequence[FoundReport] = ()) -> Self:
        """From what is known of each, and the reports on them that nobody vouches for."""
        found = list(series)
        machine = max((u for s in found if (u := s.said.machine) is not None), default=None)
        return cls(
            counts=counted((s.said for s in found), [report.claim for report in unverified]),
            machine=machine,
            progress=Progress.of(found, unverified=bool(unverified)),
            state=_state(found),
            incomplete=any(s.state.unknown for s in found),
            unsure=any(s.said.unsure for s in found if s.said.machine is machine),
            claimed=max((r.urgency for r in unverified if r.urgency is not None), default=None),
        )

    @property
    def pending(self) -> bool:
        """Nothing is known of it yet, and something to come."""
        return self.state is CaseState.PENDING and self.counts.urgency is None

    def facts(self, *, just_came: bool = False, wrong_clock: bool = False) -> Facts:
        """What its place depends on.

        Args:
            just_came: not over :data:`order.OVERDUE_SECONDS` ago.
            wrong_clock: it seems to come from the future.
        """
        said = self.counts.urgency, self.machine if self.progress.reopened else None, self.claimed
        return Facts(
            waits=not self.progress.reviewed,
            worst=max((u for u in said if u is not None), default=None),
            just_came=just_came and self.state is CaseState.PENDING,
            incomplete=self.incomplete,
            unsure=self.unsure,
            wrong_clock=wrong_clock,
        )


@dataclass(frozen=True, slots=True)
class KnownSeries:
    """A series with what is said of it now, and nothing of its history."""

    row: Series
    current: Assessment | None
    unseen: bool
    """There is more than readers had before them, :meth:`orthanc_plugin.store.tables.Series.unseen`."""
    spoken: bool
    """Whether anybody spoke of its study."""

    @property
    def unread_alert(self) -> Urgency | None:
        """The machine's urgency where it is an alert that nobody has read."""
        said = self.current.urgency if self.current is not None else None
        known = self.spoken and not self.unseen
        return said if said is not None and said.alert and not known and not self.row.aside else None

    @property
    def facts(self) -> SeriesFacts:
        """As far as the standing of its study depends on it."""
        said, reviews = self.current, self.row.reviews
        return SeriesFacts(
            state=self.row.state,
            said=Said(
                said.urgency if said else None,
                said.preliminary if said else False,
                self.row.verdict,
                self.unseen,
                said.unsure if said else False,
            ),
            first_word=reviews[0].at if reviews else None,
            last_word=reviews[-1].at if reviews else None,
        )


def series_of(
    session: Session, study_ids: Sequence[str] | None, *, anew: bool = False
) -> dict[str, list[KnownSeries]]:
    """The series that Orthanc still has, by study.

    Args:
        session: of one transaction.
        study_ids: of which studies; ``None`` for all.
        anew: as the database has them, also what the transaction has in hand; what was said at the time of
            a review is not looked up.
    """
    wanted = select(Series).where(Series.state != SeriesState.WITHDRAWN)
    if study_ids is not None:
        wanted = wanted.where(Series.study_id.in_(study_ids))
    ids = wanted.with_only_columns(Series.id)
    said = {
        row.series_id: row
        for row in session.scalars(
            select(Assessment).where(Assessment.withdrawn_at.is_(None), Assessment.series_id.in_(ids))
        )
    }
    judged = session.execute(
        select(Assessment.series_id, func.min(Assessment.created_at))
        .where(Assessment.series_id.in_(ids))
        .group_by(Assessment.series_id)
    )
    first_judged: dict[str, datetime] = {series_id: at for series_id, at in judged}  # noqa: C416 (rows to pairs)
    reviews = selectinload(Series.reviews)
    if anew:
        wanted = wanted.options(reviews).execution_options(populate_existing=True)
    else:
        wanted = wanted.options(reviews.selectinload(Review.assessment).load_only(Assessment.urgency))
    by_study: dict[str, list[Series]] = {}
    for series in session.scalars(wanted):
        by_study.setdefault(series.study_id, []).append(series)
    return {
        study_id: [
            KnownSeries(
                s,
                said.get(s.id),
                unseen=s.unseen(of_study, first_judged.get(s.id)),
                spoken=any(other.reviews for other in of_study),
            )
            for s in of_study
        ]
        for study_id, of_study in by_study.items()
    }


def is_aside(series: Iterable[Series]) -> bool:
    """Whether a study has nothing but copies of what stands in the queue."""
    found = [s.aside for s in series]
    return bool(found) and all(found)


def _state(series: Sequence[SeriesFacts]) -> CaseState:
    if any(s.said.machine is not None for s in series):
        return CaseState.ASSESSED
    states = {s.state for s in series}
    if states & PENDING:
        return CaseState.PENDING
    return CaseState.FAILED if SeriesState.FAILED in states else CaseState.NOT_ANALYSED
