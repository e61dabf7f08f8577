"""Passes of one scan told apart by what the slices show, where headers are silent.

Within one pass the nearer of two slices resembles more. Where two passes with the head moved between them are
interleaved, a slice resembles the next one of its own pass more than its neighbour.
"""

import math
from collections.abc import Sequence
from itertools import islice, pairwise

import numpy as np
from numpy.typing import NDArray

from headct.images.coarse import block_sums
from headct.images.planes import Vector
from headct.images.scans.positions import AGAIN, SAME_POSITION_MM, SLAB_MM, seen_again

Small = NDArray[np.int16]
"""A slice in few pixels."""

_SIDE = 64
"""Pixels a side that are enough to see a head move."""
_LOWEST_HU, _HIGHEST_HU = -500, 500
"""What lies beyond says air or bone."""
_UNLIKE = 1.1
"""Difference to a slice about a slab away, as a share of that to the next one. Within one pass it is at least
1.26 over 18 real series (5 % of slices below 1.5, the middle 1.8 to 2.0). Between two passes of 5 mm slices
it is 0.9 to 1.1 in the middle where the head moved by 2 mm and 2 degrees, 0.25 to 0.4 by 11 mm and 12."""
_FAR_MM = 0.8 * SLAB_MM
"""About a slab away: what moves less than anatomy changes within a slab does no harm."""
_AHEAD = 6
"""Slices looked at from there on: those of three passes, and some to spare."""
FEWEST = 3
"""Slices unlike the next one that are no accident."""
_BACK = 10
"""Slices that another pass may have between two of one."""
_BEGIN = 3.0
"""What it costs to begin another pass, in usual differences of slices about a slab apart: less than three
slices of a pass among those of another cost."""
_MORE = (3, 4)
"""Passes that alternate."""
_UNEVEN = 0.3
"""What it costs, in the same measure, to be a slab's height off the next place of a pass whose slices
alternate with those of another: tells where both show the same, air or the vertex."""


def small(hu: NDArray[np.int16]) -> Small:
    """A slice as it is compared."""
    rows, columns = (max(1, side // _SIDE) for side in hu.shape)
    sums = block_sums(hu.clip(_LOWEST_HU, _HIGHEST_HU), rows, columns)
    found: Small = (sums // (rows * columns)).astype(np.int16)
    return found


def told_apart(slices: Sequence[Small], positions_mm: Vector) -> list[list[int]]:
    """Numbers of the slices of each pass, the largest first; all in one list where there is one pass.

    Where the head moved within a pass, between shots that overlap a little, each height is kept once.

    Args:
        slices: feet first.
        positions_mm: theirs along the normal, not decreasing.
    """
    difference = _Differences(slices)
    passes: list[list[int]] = []
    threads = _threads(difference, positions_mm, list(range(len(slices))))
    for thread in sorted(threads, key=lambda t: (-len(t), t)):
        heights = positions_mm[thread]
        for one in passes:
            known = positions_mm[one]
            again = seen_again(heights, known)
            if max(np.mean(again), np.mean(seen_again(known, heights))) < AGAIN:
                one += [k for k, double in zip(thread, again, strict=True) if not double]
                one.sort()
                break
        else:
            passes.append(thread)
    return passes


class _Differences:
    """How much two slices differ, each pair looked at once."""

    def __init__(self, slices: Sequence[Small]) -> None:
        self._slices = slices
        self._known: dict[tuple[int, int], float] = {}

    def __call__(self, one: int, other: int) -> float:
        if (one, other) not in self._known:
            self._known[one, other] = float(np.abs(self._slices[one] - self._slices[other]).mean())
        return self._known[one, other]


def _threads(difference: _Differences, positions_mm: Vector, numbers: list[int]) -> list[list[int]]:
    """Slices that go on with each other; parted in two, and each again, while they alternate."""
    double = int(np.count_nonzero(np.diff(positions_mm[numbers]) <= SAME_POSITION_MM))
    unlike = sum(_unlike(difference, positions_mm, numbers, k) for k in range(len(numbers) - 1))
    if max(double, unlike) < FEWEST:
        return [numbers]
    parts = _parted(difference, positions_mm, numbers)
    return [numbers] if len(parts) < 2 else [t for p in parts for t in _threads(difference, positions_mm, p)]


def _unlike(difference: _Differences, positions_mm: Vector, numbers: Sequence[int], k: int) -> bool:
    """Whether a slice resembles one about a slab away as much as the next one."""
    return _slab_away(difference, positions_mm, numbers, k) < _UNLIKE * difference(numbers[k], numbers[k + 1])


def _slab_away(difference: _Differences, positions_mm: Vector, numbers: Sequence[int], k: int) -> float:
    """Least difference of a slice to those about a slab away."""
    here = positions_mm[numbers[k]]
    above = (numbers[n] for n in range(k + 2, len(numbers)))
    far = islice((j for j in above if positions_mm[j] - here >= _FAR_MM), _AHEAD)
    return min((difference(numbers[k], j) for j in far), default=math.inf)


def _parted(difference: _Differences, positions_mm: Vector, numbers: Sequence[int]) -> list[list[int]]:
    """Slices in one thread or more, so that the differences within them are least in all.

    Two threads that begin and end anywhere are tried, and more that alternate from end to end.
    """
    slab_away = [_slab_away(difference, positions_mm, numbers, k) for k in range(len(numbers) - 2)]
    usual = float(np.median([apart for apart in slab_away if apart < math.inf] or [1.0]))
    in_two = _in_two(difference, positions_mm, numbers, usual)
    tried = [[list(numbers)], in_two, *([list(numbers[n::m]) for n in range(m)] for m in _MORE)]

    def cost(parts: Sequence[Sequence[int]]) -> float:
        steps = [np.diff(positions_mm[list(part)]) <= SAME_POSITION_MM for part in parts]
        if sum(map(np.count_nonzero, steps)) >= FEWEST:
            return math.inf
        within = sum(difference(a, b) for part in parts for a, b in pairwise(part))
        return within + (len(parts) - 1) * _BEGIN * usual

    return min(tried, key=cost)


def _in_two(
    difference: _Differences, positions_mm: Vector, numbers: Sequence[int], usual: float
) -> list[list[int]]:
    """Slices in two threads, or one.

    Goes from slice to slice and keeps, for each slice that may have been the last of the other thread, the
    least costly way there.
    """
    height = positions_mm[list(numbers)]
    step = float(np.median(height[2:] - height[:-2]))

    def apart(k: int, following: int) -> float:
        gap = float(height[following] - height[k])
        if gap <= SAME_POSITION_MM:
            return math.inf
        uneven = abs(gap - step) / SLAB_MM
        return difference(numbers[k], numbers[following]) + _UNEVEN * uneven * usual

    ways: dict[int | None, tuple[float, tuple[bool, ...]]] = {None: (0.0, ())}
    for following in range(1, len(numbers)):
        found: dict[int | None, tuple[float, tuple[bool, ...]]] = {}
        for other, (cost, turns) in ways.items():
            kept = other if other is not None and following - other <= _BACK else None
            back = _BEGIN * usual if kept is None else apart(kept, following)
            _take(found, kept, cost + apart(following - 1, following), (*turns, False))
            _take(found, following - 1, cost + back, (*turns, True))
        ways = found
    turns = min(ways.values())[1]
    if sum(turns) < 2:
        return [list(numbers)]  # one above the other
    thread = np.append(0, np.cumsum(turns)) % 2
    return [[n for n, t in zip(numbers, thread, strict=True) if t == side] for side in sorted({*thread})]


def _take(
    found: dict[int | None, tuple[float, tuple[bool, ...]]],
    other: int | None,
    cost: float,
    turns: tuple[bool, ...],
) -> None:
    if other not in found or cost < found[other][0]:
        found[other] = cost, turns
