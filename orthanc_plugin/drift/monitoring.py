"""Drift monitoring: week by week what came in, what was said of it, and whether that is still as it was.

The unit is the case, one study: series of one study are alike, and counting each would make chance look like
change. Of a case's inputs those of the series that was judged first count. Earlier studies and imports stand
apart, because a folder of old studies is no news of the scanner; images that are no CT do not count.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from headct.network.reference import EDGES, Histogram, Reference
from headct.terms.quantities import Quantity
from orthanc_plugin.drift import alarm, words
from orthanc_plugin.drift.facts import Facts, facts_since, monday
from orthanc_plugin.drift.views import (
    AlarmView,
    DriftView,
    ModelDriftView,
    QuantityView,
    Rate,
    RateView,
    RateWeekView,
    ShiftWeekView,
    WeekView,
)
from orthanc_plugin.states import SeriesState
from orthanc_plugin.store import model_history
from orthanc_plugin.store.tables import Bundle

SHOWN_WEEKS = 26
_LOADED_WEEKS = SHOWN_WEEKS + alarm.MEMORY + alarm.LONGEST
"""So that the first week shown is compared with as many before it as the last."""
_Look = TypeVar("_Look")


def keep_reference(session: Session, digest: str, reference: Reference | None) -> None:
    """Remember what a model was trained on, once a worker has loaded it."""
    row = session.get(Bundle, digest)
    if row is not None and row.reference is None and reference is not None:
        row.reference = reference.to_json()


def drift(session: Session, now: datetime) -> DriftView:
    """The last weeks and the one that runs.

    Args:
        session: of one transaction.
        now: the server's time.
    """
    weeks = _mondays(now)
    facts = facts_since(session, datetime.combine(weeks[0], time.min).astimezone())
    in_service = model_history.active(session)
    known = {row.digest: row for row in session.scalars(select(Bundle).order_by(Bundle.first_used.desc()))}
    shown = set(weeks[-SHOWN_WEEKS:])
    busy = {
        digest for (digest, _), (week, _) in (*facts.judged.items(), *facts.reviewed.items()) if week in shown
    }
    served = [row for digest, row in known.items() if digest in busy | {in_service}]
    served.sort(key=lambda row: row.digest != in_service)

    alarms: list[AlarmView] = []
    rates = (
        _rate(Rate.NOT_ANALYSED, _cases(facts, weeks, {SeriesState.NOT_ANALYSED}), weeks, alarms),
        _rate(Rate.FAILED, _cases(facts, weeks, {SeriesState.FAILED}), weeks, alarms),
    )
    views = tuple(_model(row, facts, weeks, alarms, in_service=row.digest == in_service) for row in served)
    cases = Counter(week for week, _ in facts.outcomes)
    return DriftView(
        generated_at=now,
        rule=words.RULE,
        weeks=tuple(
            WeekView(
                week=_name(week),
                begins=week,
                complete=week != weeks[-1],
                cases=cases[week],
                series=facts.series[week],
            )
            for week in weeks[-SHOWN_WEEKS:]
        ),
        rates=rates,
        models=views,
        alarms=tuple(alarms),
    )


def _model(
    row: Bundle, facts: Facts, weeks: Sequence[date], alarms: list[AlarmView], *, in_service: bool
) -> ModelDriftView:
    judged = [found for (digest, _), found in facts.judged.items() if digest == row.digest]
    reviewed = [found for (digest, _), found in facts.reviewed.items() if digest == row.digest]
    known = Reference.from_json(row.reference).histograms if row.reference else {}
    relabelled = dict.fromkeys(weeks, (0, 0))
    for week, differs in reviewed:
        if week in relabelled:
            count, of = relabelled[week]
            relabelled[week] = count + differs, of + 1
    return ModelDriftView(
        name=row.name,
        version=row.version,
        digest=row.digest,
        in_service=in_service,
        quantities=tuple(
            _quantity(quantity, known.get(quantity), judged, weeks, alarms, model=row.folder_name)
            for quantity in Quantity
        ),
        relabelled=_rate(Rate.RELABELLED, list(relabelled.values()), weeks, alarms, model=row.folder_name),
    )


def _quantity(
    quantity: Quantity,
    reference: Histogram | None,
    judged: Iterable[tuple[date, Mapping[Quantity, float]]],
    weeks: Sequence[date],
    alarms: list[AlarmView],
    *,
    model: str,
) -> QuantityView:
    edges = reference.edges if reference else EDGES[quantity]
    values: dict[date, list[float]] = defaultdict(list)
    for week, known in judged:
        if (value := known.get(quantity)) is not None:
            values[week].append(value)
    counts = [Histogram.of(values[week], edges).counts for week in weeks]
    looks = [*alarm.shifts(counts[:-1], reference.counts if reference else (0,) * (len(edges) + 1)), None]
    if (last := looks[-2]) is not None and last.alarm:
        when = _span(weeks, len(weeks) - 2, last.weeks)
        sentence = words.shift_alarm(quantity, model, when, last)
        alarms.append(AlarmView(figure=quantity, model=model, sentence=sentence))
    return QuantityView(
        quantity=quantity,
        edges=edges,
        reference=reference.counts if reference else None,
        weeks=tuple(
            ShiftWeekView(
                week=_name(weeks[n]),
                counts=counts[n],
                since=_name(weeks[n - look.weeks + 1]) if look else None,
                index=look.index if look else None,
                limit=look.limit if look else None,
                alarm=look is not None and look.alarm,
            )
            for n, look in _shown(looks)
        ),
    )


def _rate(
    rate: Rate,
    counts: Sequence[tuple[int, int]],
    weeks: Sequence[date],
    alarms: list[AlarmView],
    *,
    model: str | None = None,
) -> RateView:
    looks = [*alarm.rises(counts[:-1]), None]
    if (last := looks[-2]) is not None and last.alarm:
        when = _span(weeks, len(weeks) - 2, last.weeks)
        sentence = words.rise_alarm(rate, model, when, last)
        alarms.append(AlarmView(figure=rate, model=model, sentence=sentence))
    views = []
    for n, look in _shown(looks):
        (count, of), (low, high) = counts[n], alarm.wilson(*counts[n])
        views.append(
            RateWeekView(
                week=_name(weeks[n]),
                count=count,
                of=of,
                low=low,
                high=high,
                since=_name(weeks[n - look.weeks + 1]) if look else None,
                chance=look.chance if look else None,
                alarm=look is not None and look.alarm,
            )
        )
    return RateView(rate=rate, weeks=tuple(views))


def _cases(facts: Facts, weeks: Sequence[date], states: set[SeriesState]) -> list[tuple[int, int]]:
    """Of the cases of each week how many are *not analysed*, or *failed*."""
    found = {week: [0, 0] for week in weeks}
    for (week, _), seen in facts.outcomes.items():
        if week in found:
            # Failed when any series did; not analysed only when nothing else is to be said.
            found[week][0] += bool(seen & states) if SeriesState.FAILED in states else seen == states
            found[week][1] += 1
    return [(count, of) for count, of in found.values()]


def _shown(looks: Sequence[_Look]) -> list[tuple[int, _Look]]:
    return list(enumerate(looks))[-SHOWN_WEEKS:]


def _span(weeks: Sequence[date], last: int, length: int) -> str:
    names = [_name(weeks[last - length + 1]), _name(weeks[last])]
    return "–".join(dict.fromkeys(names))


def _mondays(now: datetime) -> list[date]:
    this = monday(now)
    return [this - timedelta(weeks=n) for n in reversed(range(_LOADED_WEEKS))]


def _name(monday: date) -> str:
    year, week, _ = monday.isocalendar()
    return f"{year}-W{week:02d}"
