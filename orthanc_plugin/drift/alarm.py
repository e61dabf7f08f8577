"""Has what comes in changed? Distributions and rates of weeks, and what chance alone would make of them.

In plain Python: this runs in Orthanc's process, which loads no numerical library. The constants are the
alarm rule; how often it cries wolf is simulated in ``tests/orthanc_plugin/drift/test_alarm.py``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, lgamma, log, sqrt
from statistics import NormalDist

LEVEL = 0.001
"""Chance that one look at weeks in which nothing changed gives an alarm. Ours: with ten figures looked at in
each of 52 weeks it bounds the false alarms at one in two years."""
LARGE_SHIFT = 0.25
"""Population stability index from which a change counts as large: the usual rule of thumb, as Yurdakul and
Naranjo quote it (Journal of Risk Model Validation 2020)."""
FEWEST = 30
"""Cases under which nothing is said. Ours: one case then moves a share by 3 percent at most."""
LONGEST = 8
"""Weeks that are taken together where one alone has too few cases. Ours: two months is late enough."""
MEMORY = 26
"""Weeks before those, with which a rate is compared."""

_HALF = 0.5
"""Added to each class, so that an empty one has a finite share (Haldane 1956, Anscombe 1956)."""


@dataclass(frozen=True, slots=True)
class Shift:
    """How far the cases of some weeks are from a reference distribution."""

    weeks: int
    """Taken together, the last included."""
    cases: int
    index: float
    """Population stability index: difference of shares times that of their logarithms, summed."""
    limit: float
    """The larger of :data:`LARGE_SHIFT` and what chance exceeds once in 1 / :data:`LEVEL` looks."""

    @property
    def alarm(self) -> bool:
        """Whether it is too far."""
        return self.index > self.limit


@dataclass(frozen=True, slots=True)
class Rise:
    """A rate in some weeks beside that in the weeks before them."""

    weeks: int
    """Taken together, the last included."""
    count: int
    of: int
    count_before: int
    of_before: int
    chance: float
    """Probability of a rate at least as high if nothing had changed."""

    @property
    def alarm(self) -> bool:
        """Whether it is too high."""
        return self.chance < LEVEL


def shifts(weeks: Sequence[Sequence[int]], reference: Sequence[int]) -> list[Shift | None]:
    """What is to be said at the end of each week; ``None`` where nothing can be.

    Args:
        weeks: completed weeks one after the other, the cases of each by class.
        reference: the patients trained on, by class.
    """
    found: list[Shift | None] = []
    for last, length in enumerate(_lengths([sum(week) for week in weeks])):
        if length is None or not sum(reference):
            found.append(None)
            continue
        together = [sum(of_class) for of_class in zip(*weeks[last - length + 1 : last + 1], strict=True)]
        index, by_chance = stability(together, reference)
        found.append(Shift(length, sum(together), index, max(LARGE_SHIFT, by_chance)))
    return found


def rises(weeks: Sequence[tuple[int, int]]) -> list[Rise | None]:
    """What is to be said at the end of each week; ``None`` where nothing can be.

    Args:
        weeks: completed weeks one after the other, the count and the number it is of.
    """
    found: list[Rise | None] = []
    for last, length in enumerate(_lengths([of for _, of in weeks])):
        first = last - (length or 0) + 1
        before = weeks[max(first - MEMORY, 0) : first]
        count_before, of_before = sum(c for c, _ in before), sum(n for _, n in before)
        if length is None or of_before < FEWEST:
            found.append(None)
            continue
        count, of = (sum(of_weeks) for of_weeks in zip(*weeks[first : last + 1], strict=True))
        chance = fisher(count, of, count_before, of_before)
        found.append(Rise(length, count, of, count_before, of_before, chance))
    return found


def _lengths(cases: Sequence[int]) -> list[int | None]:
    """Of each week how many up to it hold enough cases; ``None`` where they do not, or it has none itself."""
    found: list[int | None] = []
    for last, own in enumerate(cases):
        together = [sum(cases[last - n + 1 : last + 1]) for n in range(1, min(LONGEST, last + 1) + 1)]
        enough = (n for n, total in enumerate(together, start=1) if total >= FEWEST)
        found.append(next(enough, None) if own else None)
    return found


def stability(now: Sequence[int], before: Sequence[int]) -> tuple[float, float]:
    """Population stability index of two samples by class, and what chance exceeds once in 1 / ``LEVEL``.

    Drawn from one population the index times the harmonic sum of the sample sizes is about chi-squared with
    one degree of freedom less than there are classes (Yurdakul and Naranjo 2020). Classes empty in both do
    not count.
    """
    classes = [(a, b) for a, b in zip(now, before, strict=True) if a or b]
    of_now, of_before = (sum(sample) + _HALF * len(classes) for sample in (now, before))
    shares = [((a + _HALF) / of_now, (b + _HALF) / of_before) for a, b in classes]
    index = sum((p - q) * log(p / q) for p, q in shares)
    by_chance = _chi_squared(len(classes) - 1) * (1 / sum(now) + 1 / sum(before))
    return index, by_chance


def _chi_squared(freedom: int) -> float:
    """The point that chi-squared exceeds with probability ``LEVEL`` (Wilson and Hilferty, PNAS 1931)."""
    if freedom == 0:
        return 0.0
    spread = 2 / (9 * freedom)
    return freedom * (1 - spread + NormalDist().inv_cdf(1 - LEVEL) * sqrt(spread)) ** 3


def fisher(count: int, of: int, count_before: int, of_before: int) -> float:
    """Probability of a count at least as high by chance, all totals given.

    Fisher's exact test, one-sided (Journal of the Royal Statistical Society 1935).
    """
    total = count + count_before
    if count <= max(total - of_before, 0):
        return 1.0
    chance = term = exp(
        _log_comb(of, count) + _log_comb(of_before, count_before) - _log_comb(of + of_before, total)
    )
    for k in range(count, min(of, total)):
        term *= (of - k) * (total - k) / ((k + 1) * (of_before - total + k + 1))
        chance += term
    return min(chance, 1.0)


def _log_comb(of: int, count: int) -> float:
    return lgamma(of + 1) - lgamma(count + 1) - lgamma(of - count + 1)


def wilson(count: int, of: int) -> tuple[float, float]:
    """95 % interval of a share; from 0 to 1 where there is none.

    Wilson, Journal of the American Statistical Association 1927.
    """
    if not of:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.975)
    share, spread = count / of, z * z / of
    middle = (share + spread / 2) / (1 + spread)
    half = z * sqrt(share * (1 - share) / of + spread / (4 * of)) / (1 + spread)
    return max(middle - half, 0.0), min(middle + half, 1.0)
