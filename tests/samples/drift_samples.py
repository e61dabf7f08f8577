"""Drift monitoring and labelling queue as a small hospital might see it, for tests of pages and metrics."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from headct.network.reference import EDGES, Histogram, Reference
from headct.terms.assessment import Assessment, BundleIdentity
from headct.terms.demographics import Demographics
from headct.terms.quantities import Quantity
from headct.terms.review import Action, Exclusion, Person, Review, verdict
from headct.terms.urgency import Urgency
from orthanc_plugin.cases.review_views import ReviewView
from orthanc_plugin.cases.study import SeriesRecord, StudyRecord
from orthanc_plugin.drift import alarm
from orthanc_plugin.drift import words as drift_words
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
from orthanc_plugin.labelling_queue.ranking import labelling_queue
from orthanc_plugin.labelling_queue.views import LabellingQueueView
from orthanc_plugin.states import SeriesState

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
    looks = [*alarm.rises(counts[:-1]), None]
    return RateView(
        rate=rate,
        weeks=tuple(
            RateWeekView(
                week=week,
                count=count,
                of=of,
                low=alarm.wilson(count, of)[0],
                high=alarm.wilson(count, of)[1],
                since=week if look else None,
                chance=look.chance if look else None,
                alarm=look is not None and look.alarm,
            )
            for week, (count, of), look in zip(names(), counts, looks, strict=True)
        ),
    )


# Long: one answer of the server, field by field.
def drifted() -> DriftView:
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
        looks = [*alarm.shifts(counts[:-1], USUAL[quantity]), None]
        if (last := looks[-2]) and last.alarm:
            sentence = drift_words.shift_alarm(quantity, "bleed25d-0.1.0", weeks[-2], last)
            began = NOW.date() - timedelta(days=NOW.weekday(), weeks=4)
            alarms.append(AlarmView(figure=quantity, model="bleed25d-0.1.0", sentence=sentence, began=began))
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
    return DriftView(
        generated_at=NOW,
        rule=drift_words.RULE,
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
            ModelDriftView(
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


BUNDLE = BundleIdentity("bleed25d", "0.1.0", "2.25.1", "ab" * 32)
TRAINED_ON = {
    BUNDLE.digest: Reference({q: Histogram(EDGES[q], counts) for q, counts in USUAL.items()}),
}


def said(urgency: Urgency, bleed: float = 0.05, alert: float = 0.02, **inputs: float) -> Assessment:
    return Assessment(
        urgency=urgency,
        alert_probability=alert,
        haemorrhage_probability=bleed,
        findings=(),
        key_slices=(),
        bundle=BUNDLE,
        rubric_version="1",
        inputs={Quantity(name): value for name, value in inputs.items()},
    )


def series(
    name: str,
    assessment: Assessment | None,
    *words: Urgency | None,
    state: SeriesState = SeriesState.ASSESSED,
) -> SeriesRecord:
    """A series; each of ``words`` is another reader's."""
    spoken = [
        Review(
            Person(f"reader{n}", f"Reader^{n}", "Hospital"),
            NOW,
            Action.RELABEL if word is not None else Action.EXCLUDE,
            word,
            reason=None if word is not None else Exclusion.REPEAT,
        )
        for n, word in enumerate(words)
    ]
    return SeriesRecord(
        id=name,
        series_instance_uid=f"1.2.{len(name)}",
        state=state,
        description="HEAD 5.0 H31s",
        assessment=assessment,
        verdict=verdict(spoken),
        reviewed_at=NOW if spoken else None,
        reviews=tuple(map(ReviewView.of, spoken)),
    )


def study(name: str, *of_study: SeriesRecord, minutes: float = 60, **changes: Any) -> StudyRecord:
    return StudyRecord(
        id=name,
        study_instance_uid=f"1.3.{len(name)}",
        first_arrival=NOW - timedelta(minutes=minutes),
        series=of_study,
        demographics=Demographics(
            patient_name=f"{name.upper()}^CASE", study_date="20260304", study_description="CT HEAD PLAIN"
        ),
        **changes,
    )


def queued() -> LabellingQueueView:
    """One case for every reason, one for several, and what is on the worklist alone."""
    G, Y, R, B = Urgency
    studies = (
        study("disputed", series("d", said(R, 0.9, 0.8), R, G)),
        study("against", series("a", said(G), Y)),
        study("shadowed", series("s", said(G))),
        study("discordant", series("t1", said(Y, 0.7)), series("t2", said(G, 0.3)), minutes=90),
        study("undecided", series("u", said(Y, 0.47, 0.2))),
        study("old", series("o", said(G, age_years=93, slice_distance_mm=0.6, slices=250))),
        study("alert", series("x", said(R, 0.6, 0.5))),
        study("extreme", series("b", said(B, 0.99, 0.99)), earlier=True),
        study("agreed", series("g", said(G, 0.5), G)),
    )
    return labelling_queue(studies, {"s": R, "b": R}, TRAINED_ON, NOW)
