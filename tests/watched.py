"""A watch as a small hospital might see it, for tests of pages and metrics; and the facts behind it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from headct.quantities import Quantity
from headct.reference import EDGES, Histogram
from orthanc_plugin import drift, watch_words
from orthanc_plugin.watch_views import (
    AlarmView,
    QuantityView,
    Rate,
    RateView,
    RateWeekView,
    ShiftWeekView,
    WatchedModelView,
    WatchView,
    WeekView,
)

NOW = datetime(2026, 3, 4, 18, 12, 44, tzinfo=UTC)
WEEKS = 26
USUAL = {
    Quantity.HAEMORRHAGE_PROBABILITY: (8, 15, 9, 11, 10, 4),
    Quantity.AGE_YEARS: (2, 15, 23, 14, 3, 0),
    Quantity.SLICES: (1, 38, 18, 0, 0, 0),
    Quantity.SLICE_DISTANCE_MM: (0, 0, 0, 57, 0, 0),
    Quantity.PIXEL_MM: (0, 0, 1, 12, 43, 1),
    Quantity.NOISE_HU: (0, 4, 28, 22, 3, 0),
    Quantity.NOISE_CORRELATION: (0, 5, 24, 24, 4, 0),
}
"""Of the patients trained on, by class."""


def names() -> list[str]:
    this = NOW.date() - timedelta(days=NOW.weekday())
    mondays = [this - timedelta(weeks=n) for n in reversed(range(WEEKS))]
    return ["{}-W{:02d}".format(*monday.isocalendar()[:2]) for monday in mondays]


def rate_view(rate: Rate, counts: Sequence[tuple[int, int]]) -> RateView:
    looks = [*drift.rises(counts[:-1]), None]
    return RateView(
        rate=rate,
        weeks=tuple(
            RateWeekView(
                week=week,
                count=count,
                of=of,
                low=drift.wilson(count, of)[0],
                high=drift.wilson(count, of)[1],
                since=week if look else None,
                chance=look.chance if look else None,
                alarm=look is not None and look.alarm,
            )
            for week, (count, of), look in zip(names(), counts, looks, strict=True)
        ),
    )


def watched() -> WatchView:
    """Slices became thin four weeks ago; otherwise nothing but chance."""
    random = np.random.default_rng(2020)
    cases = [*random.poisson(42, WEEKS - 1).tolist(), 17]
    weeks = names()

    def drawn(quantity: Quantity) -> list[tuple[int, ...]]:
        usual = np.array(USUAL[quantity]) + 0.3
        thin = np.array((60, 0, 0, 40, 0, 0)) / 100
        shares = usual / usual.sum()
        found = []
        for number, count in enumerate(cases):
            changed = quantity is Quantity.SLICE_DISTANCE_MM and number > WEEKS - 5
            found.append(tuple(random.multinomial(count, thin if changed else shares).tolist()))
        return found

    quantities = []
    alarms = []
    for quantity in Quantity:
        counts = drawn(quantity)
        looks = [*drift.shifts(counts[:-1], USUAL[quantity]), None]
        if (last := looks[-2]) and last.alarm:
            sentence = watch_words.shift_alarm(quantity, "bleed25d-0.1.0", weeks[-2], last)
            alarms.append(AlarmView(figure=quantity, model="bleed25d-0.1.0", sentence=sentence))
        quantities.append(
            QuantityView(
                quantity=quantity,
                edges=EDGES[quantity],
                reference=Histogram(EDGES[quantity], USUAL[quantity]).counts,
                weeks=tuple(
                    ShiftWeekView(
                        week=week,
                        counts=of_week,
                        since=week if look else None,
                        index=look.index if look else None,
                        limit=look.limit if look else None,
                        alarm=look is not None and look.alarm,
                    )
                    for week, of_week, look in zip(weeks, counts, looks, strict=True)
                ),
            )
        )
    return WatchView(
        generated_at=NOW,
        rule=watch_words.RULE,
        weeks=tuple(
            WeekView(
                week=week,
                begins=(NOW - timedelta(days=NOW.weekday(), weeks=WEEKS - 1 - n)).date(),
                complete=n < WEEKS - 1,
                cases=count,
                series=count * 3,
            )
            for n, (week, count) in enumerate(zip(weeks, cases, strict=True))
        ),
        rates=(
            rate_view(Rate.NOT_ANALYSED, [(int(random.binomial(n, 0.12)), n) for n in cases]),
            rate_view(Rate.FAILED, [(int(random.binomial(n, 0.005)), n) for n in cases]),
        ),
        models=(
            WatchedModelView(
                name="bleed25d",
                version="0.1.0",
                digest="ab" * 32,
                in_service=True,
                quantities=tuple(quantities),
                relabelled=rate_view(
                    Rate.RELABELLED,
                    [(int(random.binomial(of := n // 2, 0.1)), of) for n in cases],
                ),
            ),
        ),
        alarms=tuple(alarms),
    )
