"""What the store says of the weeks: cases with a result, what models were given, what persons said."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TypeVarTuple

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from headct.reasons import ReasonCode
from headct.terms.quantities import Quantity
from orthanc_plugin.states import FINAL, SeriesState
from orthanc_plugin.store.tables import Assessment, AuditEntry, Review, Series, Study

_Columns = TypeVarTuple("_Columns")


@dataclass(slots=True)
class Facts:
    """What the store says of the weeks, by their Mondays."""

    series: Counter[date] = field(default_factory=Counter)
    outcomes: dict[tuple[date, str], set[SeriesState]] = field(default_factory=lambda: defaultdict(set))
    """Of the series of each study in each week."""
    judged: dict[tuple[str, str], tuple[date, Mapping[Quantity, float]]] = field(default_factory=dict)
    """By model and study."""
    reviewed: dict[tuple[str, str], tuple[date, bool]] = field(default_factory=dict)
    """By model and study: when last, and whether a person gave another urgency."""


def facts_since(session: Session, since: datetime) -> Facts:
    """What happened from a time on."""
    facts = Facts()
    last: dict[tuple[date, str], tuple[str, SeriesState]] = {}
    for at, event, detail, series_id, study_id in session.execute(
        _queued(
            select(AuditEntry.at, AuditEntry.event, AuditEntry.detail, Series.id, Series.study_id)
            .join_from(AuditEntry, Series, AuditEntry.series_id == Series.id)
            .where(AuditEntry.at >= since, AuditEntry.event.in_(FINAL), Series.superseded_by.is_(None))
            .order_by(AuditEntry.id)
        )
    ):
        if detail.get("reason") != ReasonCode.NOT_CT:
            last[monday(at), series_id] = study_id, SeriesState(event)
    for (week, _), (study_id, state) in last.items():
        facts.series[week] += 1
        facts.outcomes[week, study_id].add(state)
    _add_judged(session, since, facts)
    _add_reviewed(session, since, facts)
    return facts


def monday(at: datetime) -> date:
    """Of the week of a time, on the server's own clock."""
    day = at.astimezone().date()
    return day - timedelta(days=day.weekday())


def _add_judged(session: Session, since: datetime, facts: Facts) -> None:
    found: dict[tuple[str, str], tuple[str, date, Mapping[Quantity, float]]] = {}
    for series_id, study_id, at, judged_by, probability, inputs in session.execute(
        _queued(
            select(
                Series.id,
                Series.study_id,
                Assessment.created_at,
                Assessment.judged_by,
                # Of the content these alone: findings of a year would take long to read.
                Assessment.content["haemorrhage_probability"].as_float(),
                Assessment.content["inputs"],
            )
            .join_from(Assessment, Series)
            .where(
                Assessment.created_at >= since,
                Assessment.preliminary.is_(False),
                Series.superseded_by.is_(None),
            )
            .order_by(Assessment.id)
        )
    ):
        values = {Quantity(name): value for name, value in (inputs or {}).items()}
        values[Quantity.HAEMORRHAGE_PROBABILITY] = probability
        # A result that late images or a rerun replaced does not count beside the later one.
        found[_digest(judged_by), series_id] = study_id, monday(at), values
    for (digest, _), (study_id, week, known) in found.items():
        facts.judged.setdefault((digest, study_id), (week, known))


def _add_reviewed(session: Session, since: datetime, facts: Facts) -> None:
    found: dict[tuple[str, str], tuple[str, date, bool]] = {}
    for series_id, study_id, at, said, judged_by, machine in session.execute(
        _queued(
            select(
                Series.id,
                Series.study_id,
                Review.at,
                Review.urgency,
                Assessment.judged_by,
                Assessment.urgency.label("machine"),
            )
            .join_from(Review, Series, Review.series_id == Series.id)
            .join(Assessment, Review.assessment_id == Assessment.id)
            .where(Review.at >= since, Review.urgency.is_not(None))
            .order_by(Review.id)
        )
    ):
        found[_digest(judged_by), series_id] = study_id, monday(at), said is not machine
    for (digest, _), (study_id, week, differs) in found.items():
        before = facts.reviewed.get((digest, study_id), (week, False))
        facts.reviewed[digest, study_id] = max(before[0], week), before[1] or differs


def _queued(query: Select[*_Columns]) -> Select[*_Columns]:
    return query.join(Study, Series.study_id == Study.id).where(
        Study.earlier.is_(False), Series.aside.is_(False)
    )


def _digest(judged_by: str) -> str:
    return judged_by.partition("+")[0]
