"""What happens in a night and when, and the table of it."""

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from statistics import median

KILLS = ("Orthanc", "a worker", "nginx", "headct up")
"""What is ended by ``kill -9``; nginx is one process here."""
LOCKED, FULL, BODIES, NESTED, BOMBS = "store locked", "disk full", "nested bodies", "nested files", "bombs"
FORWARD, BACK = "clock a day forward", "clock a day back"
_CLOCK = (FORWARD, BACK, BACK, FORWARD)
"""From the right time to a day ahead and back, then to a day behind."""
_EVERY_MINUTES = 15
"""So often each of what is no kill happens in a long night; in a short one once."""
_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?( UTC)?")


@dataclass(frozen=True, slots=True)
class Planned:
    """One thing that is to happen."""

    at: float
    """Seconds after the beginning; later where what came before took longer."""
    what: str


@dataclass(frozen=True, slots=True)
class Happened:
    """One thing that happened, and what came of it."""

    what: str
    seconds: float | None = None
    """From the moment on that nothing stood in the way any more, until the stack was well again."""
    said: tuple[str, ...] = ()
    """What the page or the status said of it."""
    wrong: tuple[str, ...] = field(default=())


def plan(minutes: float, kills: int, seed: int) -> list[Planned]:
    """Every kind at least once, in no order and at no moment that anybody expects; the same each time."""
    rng = random.Random(seed)
    names = [KILLS[n % len(KILLS)] for n in range(kills)]
    for one in (LOCKED, FULL, FORWARD, FORWARD, BODIES, NESTED, BOMBS):
        names += [one] * max(1, round(minutes / _EVERY_MINUTES))
    rng.shuffle(names)
    turns = cycle(_CLOCK)
    names = [next(turns) if name == FORWARD else name for name in names]
    moments = sorted(rng.uniform(0.02, 0.9) * minutes * 60 for _ in names)
    return [Planned(at, name) for at, name in zip(moments, names, strict=True)]


def new_lines(before: Iterable[str], lines: Iterable[str]) -> tuple[str, ...]:
    """What was said that had not been said before, of the same moment; once each, in order, without times."""
    known = set(before)
    return tuple(dict.fromkeys(_TIME.sub("...", line) for line in lines if line not in known))


def table(happened: Sequence[Happened]) -> str:
    """One line for each kind."""
    lines = ["| what | how often | seconds till back, median and most | what was said |", "|---|---|---|---|"]
    for what in dict.fromkeys(one.what for one in happened):
        same = [one for one in happened if one.what == what]
        seconds = [one.seconds for one in same if one.seconds is not None]
        took = f"{median(seconds):.1f}, {max(seconds):.1f}" if seconds else ""
        said = "; ".join(dict.fromkeys(line for one in same for line in one.said))
        lines.append(f"| {what} | {len(same)} | {took} | {said} |")
    return "\n".join(lines) + "\n"


def twice(found: Iterable[str]) -> list[str]:
    """What is there more than once."""
    seen: set[str] = set()
    return sorted({one for one in found if one in seen or seen.add(one)})  # type: ignore[func-returns-value]
