"""What a study adds to the weeks: a case with a result, what models were given of it, what persons said."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Self

from sqlalchemy import select
from sqlalchemy.orm import Session

from headct.network.reference import EDGES, Histogram, Reference
from headct.reasons import ReasonCode
from headct.terms.quantities import Quantity
from orthanc_plugin.drift.views import Rate
from orthanc_plugin.states import FINAL, SeriesState
from orthanc_plugin.store.tables import Assessment, AuditEntry, Bundle, Review, Series, Study

OF_ALL = ""
"""Stands for the model where figures are about none."""
CASES = "cases"
"""Name of a figure: how many cases, and how many series. The others are rates and quantities."""

_Of = tuple[date, str]
"""A week's Monday and the digest of a model."""


@dataclass(slots=True)
class Figures:
    """Figures of weeks and models: whole numbers, which can be added and taken away."""

    of: dict[_Of, dict[str, list[int]]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, other: "Figures", sign: int = 1) -> None:
        """Add others, or take them away."""
        for key, figures in other.of.items():
            for name, numbers in figures.items():
                self.count(key, name, numbers, sign)

    def count(self, key: _Of, name: str, numbers: list[int], sign: int = 1) -> None:
        """Add the numbers of one figure; where its classes are others than before, only the new ones stay."""
        known = self.of[key].get(name, [])
        if len(known) != len(numbers):
            if sign < 0:
                return
            known = [0] * len(numbers)
        self.of[key][name] = [max(a + sign * b, 0) for a, b in zip(known, numbers, strict=True)]

    def get(self, week: date, model: str, name: str, length: int) -> list[int]:
        """The numbers of a figure, of which there are so many."""
        found = self.of.get((week, model), {}).get(name, [])
        return found if len(found) == length else [0] * length

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; :meth:`from_json` reads them back."""
        data: dict[str, Any] = {}
        for (week, model), figures in self.of.items():
            data.setdefault(week.isoformat(), {})[model] = figures
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of :meth:`to_json`."""
        found = cls()
        for week, models in data.items():
            for model, figures in models.items():
                found.of[date.fromisoformat(week), model] = dict(figures)
        return found


def of_study(session: Session, study_id: str) -> Figures:
    """What a study adds to the weeks."""
    figures = Figures()
    study = session.get(Study, study_id)
    if study is not None and not study.earlier:
        _add_outcomes(session, study_id, figures)
        _add_judged(session, study_id, figures)
        _add_reviewed(session, study_id, figures)
    return figures


def monday(at: datetime) -> date:
    """Of the week of a time, on the server's own clock."""
    day = at.astimezone().date()
    return day - timedelta(days=day.weekday())


def edges(bundle: Bundle | None) -> Mapping[Quantity, tuple[float, ...]]:
    """Between the classes into which a model's figures are counted."""
    known = Reference.from_json(bundle.reference).histograms if bundle and bundle.reference else {}
    return {q: known[q].edges if q in known else EDGES[q] for q in Quantity}


def _add_outcomes(session: Session, study_id: str, figures: Figures) -> None:
    last: dict[tuple[date, str], SeriesState] = {}
    for at, event, detail, series_id in session.execute(
        select(AuditEntry.at, AuditEntry.event, AuditEntry.detail, Series.id)
        .join_from(AuditEntry, Series, AuditEntry.series_id == Series.id)
        .where(
            Series.study_id == study_id,
            Series.aside.is_(False),
            Series.superseded_by.is_(None),
            AuditEntry.event.in_(FINAL),
        )
        .order_by(AuditEntry.id)
    ):
        if detail.get("reason") != ReasonCode.NOT_CT:
            last[monday(at), series_id] = SeriesState(event)
    for week in {week for week, _ in last}:
        seen = [state for (other, _), state in last.items() if other == week]
        # Failed when any series did; not analysed only when nothing else is to be said.
        not_analysed = set(seen) == {SeriesState.NOT_ANALYSED}
        figures.count((week, OF_ALL), CASES, [1, len(seen)])
        figures.count((week, OF_ALL), Rate.NOT_ANALYSED, [int(not_analysed), 1])
        figures.count((week, OF_ALL), Rate.FAILED, [int(SeriesState.FAILED in seen), 1])


def _add_judged(session: Session, study_id: str, figures: Figures) -> None:
    found: dict[tuple[str, str], tuple[date, Mapping[Quantity, float]]] = {}
    for series_id, at, judged_by, probability, inputs in session.execute(
        select(
            Series.id,
            Assessment.created_at,
            Assessment.judged_by,
            Assessment.content["haemorrhage_probability"].as_float(),
            Assessment.content["inputs"],
        )
        .join_from(Assessment, Series)
        .where(
            Series.study_id == study_id,
            Series.aside.is_(False),
            Series.superseded_by.is_(None),
            Assessment.preliminary.is_(False),
        )
        .order_by(Assessment.id)
    ):
        values: dict[Quantity, float] = {Quantity(name): value for name, value in (inputs or {}).items()}
        values[Quantity.HAEMORRHAGE_PROBABILITY] = probability
        # A result that late images or a rerun replaced does not count beside the later one.
        found[_digest(judged_by), series_id] = monday(at), values
    for digest, (week, known) in _of_first(found):
        between = edges(session.get(Bundle, digest))
        for quantity, value in known.items():
            counts = Histogram.of([value], between[quantity]).counts
            figures.count((week, digest), quantity, list(counts))


def _of_first(
    found: Mapping[tuple[str, str], tuple[date, Mapping[Quantity, float]]],
) -> Iterable[tuple[str, tuple[date, Mapping[Quantity, float]]]]:
    """By model, of the series that was judged first."""
    first: dict[str, tuple[date, Mapping[Quantity, float]]] = {}
    for (digest, _), of_series in found.items():
        first.setdefault(digest, of_series)
    return first.items()


def _add_reviewed(session: Session, study_id: str, figures: Figures) -> None:
    found: dict[tuple[str, str], tuple[date, bool]] = {}
    for series_id, at, said, judged_by, machine in session.execute(
        select(
            Series.id, Review.at, Review.urgency, Assessment.judged_by, Assessment.urgency.label("machine")
        )
        .join_from(Review, Series, Review.series_id == Series.id)
        .join(Assessment, Review.assessment_id == Assessment.id)
        .where(Series.study_id == study_id, Series.aside.is_(False), Review.urgency.is_not(None))
        .order_by(Review.id)
    ):
        found[_digest(judged_by), series_id] = monday(at), said is not machine
    by_model: dict[str, tuple[date, bool]] = {}
    for (digest, _), (week, differs) in found.items():
        before = by_model.get(digest, (week, False))
        by_model[digest] = max(before[0], week), before[1] or differs
    for digest, (week, differs) in by_model.items():
        figures.count((week, digest), Rate.RELABELLED, [int(differs), 1])


def _digest(judged_by: str) -> str:
    return judged_by.partition("+")[0]
