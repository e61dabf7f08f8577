"""Plots as shapes in user units of an SVG; templates draw them, a table beneath gives the figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from orthanc_plugin.drift.views import QuantityView, RateView, WeekView

STEP = 22.0
"""From one week to the next."""
LEFT, TOP, BOTTOM = 44.0, 16.0, 20.0
HEIGHT = 110.0
"""Of the plot itself, without its axes."""
FEW = 10
"""Fewer cases than these are drawn as a narrow column: shares of few say little."""
_WIDE, _NARROW = 16.0, 5.0
_LABEL_EVERY = 4
"""Weeks."""
_NICE = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle; its tone is the number of a class."""

    x: float
    y: float
    width: float
    height: float
    tone: int
    title: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A share with its interval."""

    x: float
    y: float
    high: float
    low: float
    alarm: bool
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """One plot."""

    width: float
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    bars: tuple[Bar, ...] = ()
    dots: tuple[Dot, ...] = ()
    alarms: tuple[float, ...] = ()
    """Where on the x axis."""
    height: float = TOP + HEIGHT + BOTTOM


def cases_chart(weeks: Sequence[WeekView]) -> Chart:
    """Cases a week; the week that runs in a lighter tone."""
    most = max((week.cases for week in weeks), default=0) or 1
    bars = tuple(
        _bar(
            _x(n),
            0.0,
            week.cases / most,
            _WIDE,
            tone=3 if week.complete else 1,
            title=f"{week.week}: {week.cases}",
        )
        for n, week in enumerate(weeks)
        if week.cases
    )
    ticks = ((_y(0.0), "0"), (_y(1.0), str(most)))
    return Chart(_width(len(weeks)), _week_ticks([w.week for w in weeks]), ticks, bars)


def rate_chart(view: RateView) -> Chart:
    """A rate a week with its 95 % interval, on a scale that holds the shares; intervals may leave it."""
    known = [week for week in view.weeks if week.of]
    usual = median(week.high for week in known) if known else 1.0
    needed = max(usual, *(week.count / week.of for week in known), 0.0)
    top = next(nice for nice in _NICE if nice >= needed or nice == 1.0)
    dots = tuple(
        Dot(
            x=_x(n),
            y=_y(min(week.count / week.of / top, 1.0)),
            high=_y(min(week.high / top, 1.0)),
            low=_y(min(week.low / top, 1.0)),
            alarm=week.alarm,
            title=f"{week.week}: {week.count} / {week.of}",
        )
        for n, week in enumerate(view.weeks)
        if week.of
    )
    ticks = tuple((_y(part), f"{part * top:.3g}") for part in (0.0, 0.5, 1.0))
    alarms = tuple(_x(n) for n, week in enumerate(view.weeks) if week.alarm)
    return Chart(
        _width(len(view.weeks)),
        _week_ticks([w.week for w in view.weeks]),
        _percent(ticks),
        dots=dots,
        alarms=alarms,
    )


def shift_chart(view: QuantityView) -> Chart:
    """Shares of the classes a week, stacked; those of the patients trained on before them."""
    names = class_names(view.edges)
    bars: list[Bar] = []
    columns = [(_x(n + 2), week.week, week.counts) for n, week in enumerate(view.weeks)]
    if view.reference is not None:
        columns.insert(0, (_x(0), "", view.reference))
    for x, week, counts in columns:
        total, below = sum(counts), 0.0
        for number, count in enumerate(counts):
            if count:
                share = count / total
                width = _WIDE if total >= FEW else _NARROW
                title = f"{week}: " if week else ""
                bars.append(
                    _bar(
                        x,
                        below,
                        share,
                        width,
                        tone=number,
                        title=f"{title}{names[number]}: {count} / {total}",
                    )
                )
                below += share
    ticks = _percent(tuple((_y(part), f"{part:.3g}") for part in (0.0, 0.5, 1.0)))
    shown = _week_ticks([w.week for w in view.weeks], shift=2)
    alarms = tuple(_x(n + 2) for n, week in enumerate(view.weeks) if week.alarm)
    return Chart(_width(len(view.weeks) + 2), shown, ticks, tuple(bars), alarms=alarms)


def class_names(edges: Sequence[float]) -> tuple[str, ...]:
    """``< 2``, ``2–18``, ``≥ 18``."""
    shown = [f"{edge:g}" for edge in edges]
    between = [f"{low}–{high}" for low, high in pairwise(shown)]
    return (f"< {shown[0]}", *between, f"≥ {shown[-1]}")


def _bar(x: float, below: float, share: float, width: float, *, tone: int, title: str) -> Bar:
    return Bar(round(x - width / 2, 1), _y(below + share), width, round(share * HEIGHT, 1), tone, title)


def _x(column: int) -> float:
    return LEFT + STEP * (column + 0.5)


def _y(share: float) -> float:
    return round(TOP + HEIGHT * (1 - share), 1)


def _width(columns: int) -> float:
    return LEFT + STEP * columns + 4


def _week_ticks(weeks: Sequence[str], shift: int = 0) -> tuple[tuple[float, str], ...]:
    """Every few weeks, so that the last one that is over has a name."""
    last = len(weeks) - 2
    return tuple((_x(n + shift), w[5:]) for n, w in enumerate(weeks) if (last - n) % _LABEL_EVERY == 0)


def _percent(ticks: Sequence[tuple[float, str]]) -> tuple[tuple[float, str], ...]:
    return tuple((y, f"{100 * float(share):g} %") for y, share in ticks)
