"""Drift monitoring: week by week what came in, what was said of it, and whether that is still as it was.

The unit is the case, one study: series of one study are alike, and counting each would make chance look like
change. Of a case's inputs those of the series that was judged first count. Earlier studies and imports stand
apart, because a folder of old studies is no news of the scanner; images that are no CT do not count.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import takewhile
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from headct.network.reference import EDGES, Histogram, Reference
from headct.terms.quantities import Quantity
from orthanc_plugin.drift import alarm, sums, words
from orthanc_plugin.drift.facts import CASES, OF_ALL, Figures, monday
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
from orthanc_plugin.store import model_history
from orthanc_plugin.store.standing import figures
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
        if sums.of_model(session, digest):
            figures.outdate(session)  # its classes may be others


def drift(session: Session, now: datetime) -> DriftView:
    """The last weeks and the one that runs.

    Args:
        session: of one transaction.
        now: the server's time.
    """
    weeks = _mondays(now)
    shown = weeks[-SHOWN_WEEKS:]
    found = sums.since(session, weeks[0])
    in_service = model_history.active(session)
    known = {row.digest: row for row in session.scalars(select(Bundle).order_by(Bundle.first_used.desc()))}
    busy = sums.models(found, shown[0])
    served = [row for digest, row in known.items() if digest in busy | {in_service}]
    served.sort(key=lambda row: row.digest != in_service)

    alarms: list[AlarmView] = []
    rates = tuple(_rate(rate, found, weeks, alarms) for rate in (Rate.NOT_ANALYSED, Rate.FAILED))
    views = tuple(_model(row, found, weeks, alarms, in_service=row.digest == in_service) for row in served)
    cases = {week: found.get(week, OF_ALL, CASES, 2) for week in shown}
    return DriftView(
        generated_at=now,
        rule=words.RULE,
        weeks=tuple(
            WeekView(
                week=_name(week),
                begins=week,
                complete=week != weeks[-1],
                cases=cases[week][0],
                series=cases[week][1],
            )
            for week in shown
        ),
        rates=rates,
        models=views,
        alarms=tuple(alarms),
    )


def _model(
    row: Bundle, found: Figures, weeks: Sequence[date], alarms: list[AlarmView], *, in_service: bool
) -> ModelDriftView:
    known = Reference.from_json(row.reference).histograms if row.reference else {}
    return ModelDriftView(
        name=row.name,
        version=row.version,
        digest=row.digest,
        in_service=in_service,
        quantities=tuple(
            _quantity(quantity, known.get(quantity), found, weeks, alarms, model=row) for quantity in Quantity
        ),
        relabelled=_rate(Rate.RELABELLED, found, weeks, alarms, model=row),
    )


def _quantity(
    quantity: Quantity,
    reference: Histogram | None,
    found: Figures,
    weeks: Sequence[date],
    alarms: list[AlarmView],
    *,
    model: Bundle,
) -> QuantityView:
    edges = reference.edges if reference else EDGES[quantity]
    counts = [tuple(found.get(week, model.digest, quantity, len(edges) + 1)) for week in weeks]
    looks = [*alarm.shifts(counts[:-1], reference.counts if reference else (0,) * (len(edges) + 1)), None]
    if (last := looks[-2]) is not None and last.alarm:
        when = _span(weeks, len(weeks) - 2, last.weeks)
        sentence = words.shift_alarm(quantity, model.folder_name, when, last)
        began = _began(weeks, looks)
        alarms.append(AlarmView(figure=quantity, model=model.folder_name, sentence=sentence, began=began))
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
    found: Figures,
    weeks: Sequence[date],
    alarms: list[AlarmView],
    *,
    model: Bundle | None = None,
) -> RateView:
    of_model, name = (model.digest, model.folder_name) if model is not None else (OF_ALL, None)
    counts = [_pair(found.get(week, of_model, rate, 2)) for week in weeks]
    looks = [*alarm.rises(counts[:-1]), None]
    if (last := looks[-2]) is not None and last.alarm:
        when = _span(weeks, len(weeks) - 2, last.weeks)
        sentence = words.rise_alarm(rate, name, when, last)
        alarms.append(AlarmView(figure=rate, model=name, sentence=sentence, began=_began(weeks, looks)))
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


def _began(weeks: Sequence[date], looks: Sequence[alarm.Shift | alarm.Rise | None]) -> date:
    """The first week of the alarm that stands, and stood at every look since."""
    looked = [(week, look) for week, look in zip(weeks, looks, strict=True) if look is not None]
    standing = takewhile(lambda one: one[1].alarm, reversed(looked))
    return min(week for week, _ in standing)


def _pair(numbers: Sequence[int]) -> tuple[int, int]:
    count, of = numbers
    return count, of


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
