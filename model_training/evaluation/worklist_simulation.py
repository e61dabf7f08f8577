"""Who waits how long for the reader: first come, first served against the order of the worklist.

The same cases, with the same reading times and the same published colours, go through a reading room twice.
Each simulated month has an operating point of its own, drawn from what so few patients leave open, so the
intervals hold the machine's uncertainty as well as the months' own luck. Every reader is taken to follow the
order: a mark that changes no order changes no wait (O'Neill et al., Radiol Artif Intell 2021).
"""

import tomllib
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from headct.errors import SettingsError, UnusableInputError
from headct.terms.urgency import Urgency

SCENARIOS = Path(__file__).with_name("worklist_scenarios.toml")
OVERDUE_MINUTES = 1.0
"""A case pending longer is an unknown one, as in the worklist."""
LONG_WAITS = (30, 60)
"""Minutes; the share of patients who wait longer is reported."""
JEFFREYS = 0.5
"""Pseudo-patients a cell before any was seen (Jeffreys' prior of a multinomial)."""
PUBLISHED = (Urgency.GREEN, Urgency.YELLOW, Urgency.RED)
"""What is told apart: RED and BLACK are one group of the order, and too few are BLACK for a row of their
own."""

Figure = dict[str, float | None]
Random = np.random.Generator


class Group(IntEnum):
    """Places in the worklist, first to last."""

    CALL = -1
    """Not a case: the reader is needed elsewhere, at once."""
    ALERT = 0
    UNKNOWN = 1
    """Not analysed, or pending for over a minute."""
    YELLOW = 2
    PENDING = 3
    GREEN = 4


@dataclass(frozen=True, slots=True)
class Scenario:
    """A reading room; `worklist_scenarios.toml` says what each setting means."""

    name: str
    title: str
    description: str
    months: int
    shifts: int
    readers: int
    arrivals_per_hour: tuple[float, ...]
    called_away_per_hour: float
    called_away_minutes: float
    judging_seconds: float
    not_analysed: float
    distribution: str
    variation: float
    share: Mapping[str, float]
    reading_minutes: Mapping[str, float]
    sources: Mapping[str, str]

    def __post_init__(self) -> None:
        colours = {u.name for u in Urgency}
        if set(self.share) != colours or set(self.reading_minutes) != colours:
            raise SettingsError(f"scenario {self.name}: share and reading_minutes name each colour once")
        if abs(sum(self.share.values()) - 1.0) > 1e-6 or min(self.share.values()) < 0.0:
            raise SettingsError(f"scenario {self.name}: shares must together be 1")
        if self.distribution not in ("lognormal", "exponential", "fixed"):
            raise SettingsError(f"scenario {self.name}: unknown distribution {self.distribution}")
        if min(self.months, self.shifts, self.readers, len(self.arrivals_per_hour)) < 1:
            raise SettingsError(f"scenario {self.name}: at least one month, shift, hour and reader")
        minutes = (*self.arrivals_per_hour, *self.reading_minutes.values(), self.variation)
        if min(*minutes, self.called_away_per_hour, self.called_away_minutes, self.judging_seconds) < 0.0:
            raise SettingsError(f"scenario {self.name}: rates and times cannot be negative")
        if not 0.0 <= self.not_analysed <= 1.0:
            raise SettingsError(f"scenario {self.name}: not_analysed is a share")

    @property
    def load(self) -> float:
        """Share of the readers' time that is asked for, over the shift."""
        reading = sum(self.share[c] * self.reading_minutes[c] for c in self.share)
        asked = float(np.mean(self.arrivals_per_hour)) * reading
        return (asked + self.called_away_per_hour * self.called_away_minutes) / 60.0 / self.readers


def read_scenarios(path: Path = SCENARIOS) -> tuple[Scenario, ...]:
    """Scenarios of a TOML file.

    Raises:
        SettingsError: not TOML, no scenario, an unknown or missing setting, or a value that makes no sense.
    """
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error
    tables = given.get("scenario")
    if not isinstance(tables, list) or not tables:
        raise SettingsError(f"{path} has no [[scenario]]")
    known = {f.name for f in fields(Scenario)}
    scenarios = []
    for table in tables:
        if wrong := set(table) ^ known:
            raise SettingsError(f"{path}: unknown or missing in a scenario: {', '.join(sorted(wrong))}")
        try:
            scenarios.append(Scenario(**table | {"arrivals_per_hour": tuple(table["arrivals_per_hour"])}))
        except (TypeError, AttributeError) as error:
            raise SettingsError(f"{path}: a setting of a wrong type: {error}") from error
    return tuple(scenarios)


@dataclass(frozen=True, slots=True)
class Case:
    """A head CT that waits to be read, or a call that keeps a reader away; times in minutes."""

    arrival: float
    minutes: float
    """That the reader needs for it."""
    truth: Urgency | None
    """None of a call."""
    published: Urgency | None = None
    """By the machine; None when not analysed."""
    published_at: float = 0.0


Order = Callable[[Case, float], tuple[float, ...]]
"""Sort key of a case at a time; the reader takes the least."""


def first_come(case: Case, now: float) -> tuple[float, ...]:
    """First come, first served, whatever the machine says; a call goes first."""
    return (0.0 if case.truth is None else 1.0, case.arrival)


def triage(case: Case, now: float) -> tuple[float, ...]:
    """The order of the worklist: by group, within each the longest waiting first."""
    return (_group(case, now), case.arrival)


def _group(case: Case, now: float) -> Group:
    if case.truth is None:
        return Group.CALL
    if now < case.published_at:
        return Group.UNKNOWN if now - case.arrival > OVERDUE_MINUTES else Group.PENDING
    if case.published is None:
        return Group.UNKNOWN
    if case.published.alert:
        return Group.ALERT
    return Group.YELLOW if case.published is Urgency.YELLOW else Group.GREEN


def waits(cases: Sequence[Case], readers: int, order: Order) -> NDArray[np.float64]:
    """Minutes from arrival to the start of reading, case by case; a reading begun is finished.

    `cases` are in the order of arrival. The room closes when all of them are read.
    """
    room = simpy.Environment()
    waiting: list[int] = []
    idle: list[simpy.Event] = []
    waited = np.zeros(len(cases))

    def arrive() -> Generator[simpy.Event, Any, None]:
        for number, case in enumerate(cases):
            yield room.timeout(max(0.0, case.arrival - room.now))
            waiting.append(number)
            if idle:
                idle.pop().succeed()

    def read() -> Generator[simpy.Event, Any, None]:
        while True:
            while not waiting:
                idle.append(room.event())
                yield idle[-1]
            # The order is looked at now: a colour may have come since the case did.
            number = min(waiting, key=lambda n: order(cases[n], room.now))
            waiting.remove(number)
            waited[number] = max(0.0, room.now - cases[number].arrival)
            yield room.timeout(cases[number].minutes)

    room.process(arrive())
    for _ in range(readers):
        room.process(read())
    room.run()
    return waited


OperatingPoint = Mapping[Urgency, NDArray[np.float64]]
"""True colour (BLACK as RED) to the chances of each of `PUBLISHED`."""


def confusion(table: Mapping[str, Mapping[str, float]]) -> dict[Urgency, NDArray[np.float64]]:
    """Patients by true colour and, in the order of `PUBLISHED`, by the colour found; BLACK counts as RED."""
    counts = {truth: np.zeros(len(PUBLISHED)) for truth in PUBLISHED}
    for true, row in table.items():
        for found, count in row.items():
            counts[_merged(Urgency[true])][PUBLISHED.index(_merged(Urgency[found]))] += count
    return counts


def draw_operating_point(counts: OperatingPoint, random: Random) -> dict[Urgency, NDArray[np.float64]]:
    """One operating point that the counted patients leave possible: a draw of each row's posterior."""
    return {truth: random.dirichlet(row + JEFFREYS) for truth, row in counts.items()}


def draw_shift(scenario: Scenario, point: OperatingPoint, random: Random) -> list[Case]:
    """Cases and calls of one shift, in the order of arrival."""
    arrivals = _poisson(scenario.arrivals_per_hour, random)
    colours = np.array(Urgency)
    truths = random.choice(colours, len(arrivals), p=[scenario.share[u.name] for u in Urgency])
    minutes = _reading_minutes(scenario, truths, random)
    # Chance of at most this colour; the first that exceeds a uniform draw is published.
    chances = (
        np.array([point[_merged(Urgency(t))] for t in truths]).reshape(-1, len(PUBLISHED)).cumsum(axis=1)
    )
    found = (random.random((len(arrivals), 1)) > chances[:, :-1]).sum(axis=1)
    unknown = random.random(len(arrivals)) < scenario.not_analysed
    delay = scenario.judging_seconds / 60.0
    cases = [
        Case(float(at), float(need), Urgency(truth), None if silent else PUBLISHED[said], float(at) + delay)
        for at, need, truth, silent, said in zip(arrivals, minutes, truths, unknown, found, strict=True)
    ]
    calls = _poisson([scenario.called_away_per_hour] * len(scenario.arrivals_per_hour), random)
    away = random.exponential(scenario.called_away_minutes, len(calls))
    cases += [Case(float(at), float(need), None) for at, need in zip(calls, away, strict=True)]
    return sorted(cases, key=lambda case: case.arrival)


def _poisson(per_hour: Sequence[float], random: Random) -> NDArray[np.float64]:
    """Minutes at which something comes, at a rate of its own each hour."""
    hours = np.repeat(np.arange(len(per_hour)), random.poisson(per_hour))
    return 60.0 * (hours + random.random(len(hours)))


def _reading_minutes(scenario: Scenario, truths: NDArray[np.int_], random: Random) -> NDArray[np.float64]:
    means = np.array([scenario.reading_minutes[u.name] for u in Urgency])[truths]
    if scenario.distribution == "fixed":
        return means
    if scenario.distribution == "exponential":
        return random.exponential(means)
    spread = np.log1p(scenario.variation**2)
    return means * random.lognormal(-spread / 2, np.sqrt(spread), len(means))


def simulate_worklist(
    figures: Mapping[str, Any], scenarios: Sequence[Scenario] | None = None, seed: int = 0
) -> dict[str, Any]:
    """Waiting times in each scenario at the operating point of `figures["colours"]["table"]`, as plain JSON.

    Every figure is the mean over the simulated months with the range that holds 95 % of them. `difference` is
    the worklist's order minus first come, first served: negative is a gain.

    Raises:
        UnusableInputError: the figures lack the table of colours.
    """
    try:
        counts = confusion(figures["colours"]["table"])
    except (KeyError, TypeError, AttributeError) as error:
        raise UnusableInputError("the worklist needs the table of colours true and found") from error
    return {
        "seed": seed,
        "operating_point": {
            _name(t): {_name(f): float(n) for f, n in zip(PUBLISHED, row, strict=True)}
            for t, row in counts.items()
        },
        "long_waits": list(LONG_WAITS),
        "scenarios": [
            _simulate(scenario, counts, np.random.default_rng([seed, number]))
            for number, scenario in enumerate(read_scenarios() if scenarios is None else scenarios)
        ],
    }


def _simulate(scenario: Scenario, counts: OperatingPoint, random: Random) -> dict[str, Any]:
    months = [_month(scenario, draw_operating_point(counts, random), random) for _ in range(scenario.months)]
    return {"parameters": asdict(scenario), "load": scenario.load, "groups": _over(months)}


def _month(scenario: Scenario, point: OperatingPoint, random: Random) -> dict[str, Any]:
    """Waiting times of one month, by who the patient is and what was said of them."""
    cases, before, after = [], [np.zeros(0)], [np.zeros(0)]
    for _ in range(scenario.shifts):
        shift = draw_shift(scenario, point, random)
        cases += shift
        before.append(waits(shift, scenario.readers, first_come))
        after.append(waits(shift, scenario.readers, triage))
    fcfs, ours = np.concatenate(before), np.concatenate(after)
    return {name: _compared(fcfs[chosen], ours[chosen]) for name, chosen in _groups(cases).items()}


def _groups(cases: Sequence[Case]) -> dict[str, NDArray[np.bool_]]:
    def those(who: Callable[[Urgency, Urgency | None], bool]) -> NDArray[np.bool_]:
        return np.array([c.truth is not None and who(c.truth, c.published) for c in cases], bool)

    return {
        "alert": those(lambda true, said: true.alert),
        "yellow": those(lambda true, said: true is Urgency.YELLOW),
        "green": those(lambda true, said: true is Urgency.GREEN),
        "all": those(lambda true, said: True),
        "alert_found": those(lambda true, said: true.alert and said is not None and said.alert),
        "alert_called_yellow": those(lambda true, said: true.alert and said is Urgency.YELLOW),
        "alert_called_green": those(lambda true, said: true.alert and said is Urgency.GREEN),
        "yellow_called_green": those(lambda true, said: true is Urgency.YELLOW and said is Urgency.GREEN),
        "not_analysed": those(lambda true, said: said is None),
    }


def _compared(first_come: NDArray[np.float64], ours: NDArray[np.float64]) -> dict[str, Any]:
    """One group in one month: both orders, and what the order changes for the same patients."""
    if not len(ours):
        return {"patients": 0.0, "first_come": {}, "triage": {}, "difference": {}}
    before, after = _measures(first_come), _measures(ours)
    difference = {name: after[name] - before[name] for name in before}
    difference["longest_added"] = float((ours - first_come).max())
    return {"patients": float(len(ours)), "first_come": before, "triage": after, "difference": difference}


def _measures(waited: NDArray[np.float64]) -> dict[str, float]:
    return {
        "mean": float(waited.mean()),
        "median": float(np.median(waited)),
        "p90": float(np.percentile(waited, 90)),
        "longest": float(waited.max()),
        **{f"over_{minutes}": float((waited > minutes).mean()) for minutes in LONG_WAITS},
    }


MEASURES = ("mean", "median", "p90", "longest", *(f"over_{minutes}" for minutes in LONG_WAITS))
COMPARED = {"first_come": MEASURES, "triage": MEASURES, "difference": (*MEASURES, "longest_added")}


def _over(months: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Figures over the months in which there was such a patient."""
    return {
        group: {
            "patients_a_month": _figure([month[group]["patients"] for month in months]),
            **{
                kind: {
                    name: _figure([m[group][kind][name] for m in months if name in m[group][kind]])
                    for name in names
                }
                for kind, names in COMPARED.items()
            },
        }
        for group in months[0]
    }


def _figure(values: Sequence[float]) -> Figure:
    if not values:
        return {"value": None, "low": None, "high": None}
    low, high = np.percentile(values, [2.5, 97.5])
    return {"value": float(np.mean(values)), "low": float(low), "high": float(high)}


def _merged(colour: Urgency) -> Urgency:
    return Urgency.RED if colour is Urgency.BLACK else colour


def _name(colour: Urgency) -> str:
    return "ALERT" if colour.alert else colour.name
