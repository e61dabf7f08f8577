"""Drift monitoring, as REST and page show it. Counts and shares alone: nothing of a single patient."""

from datetime import date
from enum import StrEnum

from pydantic import AwareDatetime, Field

from headct.terms.quantities import Quantity
from orthanc_plugin.answer import View, Words


class Rate(StrEnum):
    """A share of cases that is monitored."""

    NOT_ANALYSED = "not_analysed"
    """Cases of which no series was assessed, and none failed."""
    FAILED = "failed"
    """Cases of which a series failed."""
    RELABELLED = "relabelled"
    """Reviewed cases to which a person gave another urgency than the model."""


class WeekView(View):
    """One week, from Monday on the server's clock."""

    week: str = Field(description="ISO 8601, such as 2026-W09")
    begins: date
    complete: bool = Field(description="over; the week that runs is shown and not looked at")
    cases: int = Field(ge=0, description="studies that came to a result, earlier studies left out")
    series: int = Field(ge=0)


class RateWeekView(View):
    """A rate in one week, and what was to be said at its end."""

    week: str
    count: int = Field(ge=0)
    of: int = Field(ge=0)
    low: float = Field(description="of the 95 % interval (Wilson)")
    high: float
    since: str | None = Field(default=None, description="first of the weeks looked at together, if any were")
    chance: float | None = Field(default=None, description="of so high a rate if nothing had changed")
    alarm: bool = False


class RateView(View):
    """A rate, week by week."""

    rate: Rate
    weeks: tuple[RateWeekView, ...]


class ShiftWeekView(View):
    """A distribution in one week, and what was to be said at its end."""

    week: str
    counts: tuple[int, ...] = Field(description="cases in each class")
    since: str | None = Field(default=None, description="first of the weeks looked at together, if any were")
    index: float | None = Field(default=None, description="population stability index of those weeks")
    limit: float | None = Field(default=None, description="of the index, for an alarm")
    alarm: bool = False


class QuantityView(View):
    """A distribution, week by week, beside that of the patients trained on."""

    quantity: Quantity
    edges: tuple[float, ...] = Field(description="between the classes; an edge belongs to the class above")
    reference: tuple[int, ...] | None = Field(default=None, description="patients in each class")
    weeks: tuple[ShiftWeekView, ...]


class ModelDriftView(View):
    """What one model was given and said."""

    name: str
    version: str
    digest: str
    in_service: bool
    quantities: tuple[QuantityView, ...]
    relabelled: RateView


class AlarmView(View):
    """Something changed in the weeks up to the last one that is over."""

    figure: str = Field(description="a rate or a quantity")
    model: str | None = Field(default=None, description="NAME-VERSION, where it is about one")
    sentence: Words
    began: date = Field(description="Monday of the first week since which it was given at every look")


class DriftView(View):
    """Is what comes in and goes out still as it was?"""

    generated_at: AwareDatetime
    rule: Words
    weeks: tuple[WeekView, ...] = Field(description="the oldest first")
    rates: tuple[RateView, ...]
    models: tuple[ModelDriftView, ...] = Field(description="the one in service first")
    alarms: tuple[AlarmView, ...] = ()
