"""A model in shadow beside the ones that judged meanwhile: by study, and by what readers said."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from headct.terms.urgency import Urgency
from orthanc_plugin.drift import alarm
from orthanc_plugin.models.views import ComparisonView, DifferenceView, ShareView
from orthanc_plugin.states import SeriesState
from orthanc_plugin.store import model_history, tables
from orthanc_plugin.store.tables import Bundle, Review, Series, ShadowAssessment

SHOWN_DIFFERENCES = 50
COMPARED = 2000
"""Series that a model in shadow judged, the newest: three weeks of a large hospital, with some 300 alerts.
What it costs to compare does not grow with a shadow that nobody ends."""


def counts(session: Session) -> dict[str, int]:
    """Series that the present shadow judged: ``agree`` on whether it is an alert, ``differ``, ``failed``."""
    began = model_history.shadow(session)
    if began is None:
        return {}
    rows = _compared(session, began.digest)
    agree = sum(r.active_urgency.alert is r.urgency.alert for r in rows if r.urgency is not None)
    failed = sum(r.urgency is None for r in rows)
    return {"agree": agree, "differ": len(rows) - agree - failed, "failed": failed}


def comparisons(session: Session) -> tuple[ComparisonView, ...]:
    """Every model that was in shadow beside every one that judged meanwhile, the newest first."""
    compared = _compared(session)
    pairs: dict[tuple[str, str], list[_Row]] = defaultdict(list)
    for row in compared:
        pairs[row.shadow, row.active].append(row)
    if not pairs:
        return ()
    names = {b.digest: b.folder_name for b in session.scalars(select(Bundle))}
    labels = _labels(session, compared)
    newest_first = sorted(pairs.items(), key=lambda pair: pair[1][0].id, reverse=True)
    return tuple(
        _comparison(names[shadow], names.get(active, active[:12]), rows, labels)
        for (shadow, active), rows in newest_first
    )


class _Row(NamedTuple):
    id: int
    study_id: str
    series_id: str
    shadow: str
    active: str
    active_urgency: Urgency
    active_seconds: float
    urgency: Urgency | None
    seconds: float


def _compared(session: Session, digest: str | None = None) -> list[_Row]:
    """What was said of every series that is still here by both models, the newest first."""
    said, row = tables.Assessment, ShadowAssessment
    wanted = (
        select(
            row.id,
            Series.study_id,
            row.series_id,
            row.bundle,
            func.substr(said.judged_by, 1, 64),
            said.urgency,
            said.seconds,
            row.urgency,
            row.seconds,
        )
        .join(said, said.id == row.assessment_id)
        .join(Series, Series.id == row.series_id)
        .where(row.ended_at.is_not(None), Series.state != SeriesState.WITHDRAWN)
        .order_by(row.id.desc())
        .limit(COMPARED)
    )
    if digest is not None:
        wanted = wanted.where(row.bundle == digest)
    newest: dict[tuple[str, str, str], _Row] = {}
    for found in session.execute(wanted):
        one = _Row(*found)
        newest.setdefault((one.shadow, one.active, one.series_id), one)
    return list(newest.values())


def _labels(session: Session, rows: Sequence[_Row]) -> dict[str, Urgency]:
    """What readers agree on, by series, of those that a shadow judged."""
    found = session.scalars(
        select(Series)
        .where(Series.id.in_({row.series_id for row in rows}), Series.id.in_(select(Review.series_id)))
        .options(selectinload(Series.reviews))
    )
    return {series.id: label for series in found if (label := series.verdict.label) is not None}


@dataclass(slots=True)
class _Case:
    """A study: the worst of its series, as on the worklist."""

    study_id: str
    active: Urgency = Urgency.GREEN
    shadow: Urgency = Urgency.GREEN
    labels: list[Urgency] = field(default_factory=list)

    @property
    def label(self) -> Urgency | None:
        return max(self.labels, default=None)


def _comparison(shadow: str, active: str, rows: Sequence[_Row], labels: dict[str, Urgency]) -> ComparisonView:
    cases: dict[str, _Case] = {}
    judged = [row for row in rows if row.urgency is not None]
    for row in judged:
        assert row.urgency is not None
        case = cases.setdefault(row.study_id, _Case(row.study_id))
        case.active, case.shadow = max(case.active, row.active_urgency), max(case.shadow, row.urgency)
        case.labels += [labels[row.series_id]] if row.series_id in labels else []
    found = list(cases.values())
    differing = [c for c in found if c.active.alert is not c.shadow.alert]
    alerts = [c for c in found if c.label is not None and c.label.alert]
    others = [c for c in found if c.label is not None and not c.label.alert]
    return ComparisonView(
        shadow=shadow,
        active=active,
        cases=len(found),
        agreement=_share(c.active.alert is c.shadow.alert for c in found),
        only_active=sum(c.active.alert for c in differing),
        only_shadow=sum(c.shadow.alert for c in differing),
        active_sensitivity=_share(c.active.alert for c in alerts),
        shadow_sensitivity=_share(c.shadow.alert for c in alerts),
        active_specificity=_share(not c.active.alert for c in others),
        shadow_specificity=_share(not c.shadow.alert for c in others),
        active_seconds=sum(r.active_seconds for r in judged) / max(len(judged), 1),
        shadow_seconds=sum(r.seconds for r in judged) / max(len(judged), 1),
        failed=len(rows) - len(judged),
        differing=tuple(
            DifferenceView(study_id=c.study_id, active=c.active, shadow=c.shadow, label=c.label)
            for c in differing[:SHOWN_DIFFERENCES]
        ),
    )


def _share(hits: Iterable[bool]) -> ShareView:
    found = list(hits)
    count, of = sum(found), len(found)
    low, high = alarm.wilson(count, of)
    return ShareView(count=count, of=of, low=low, high=high)
