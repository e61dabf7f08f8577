"""Several images of one height: which is the slice, and which a copy of it that somebody drew on.

The slice is like the other slices: what a copy was made with shows in its header. Where neither is more like
them, both stay, and their pixels decide.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

from headct.images.headers import element, number, text
from headct.images.quiet import quiet

_SAME_MM = 0.1
"""Copies are written with rounded positions; no scanner's slices lie so close."""
_MADE_LATER_SECONDS = 60.0
"""From the last slice of a scan to a copy that somebody made of one."""
_LEAST = 3
"""Slices it takes to say what all of them have in common."""

_NO_SIGN = Tag("SeriesInstanceUID")
"""Where the files of two series were put together, neither is a copy of the other."""

Unlike = set[BaseTag | str]
"""In what an image differs from the other slices."""


@dataclass(slots=True)
class Copies:
    """Numbers of images that are copies."""

    declared: list[int] = field(default_factory=list)
    """They say so themselves."""
    undeclared: list[int] = field(default_factory=list)
    """They are unlike the other slices in what all those share."""


@quiet()
def copies(headers: Sequence[Dataset], heights: Mapping[int, float], declared: Collection[int]) -> Copies:
    """The copies among images.

    Args:
        headers: of the series.
        heights: of the images, by their number.
        declared: those that say they were made of others, while most do not.
    """
    found = Copies()
    groups: list[list[int]] = []
    for i in sorted(heights, key=heights.__getitem__):
        if groups and heights[i] - heights[groups[-1][0]] < _SAME_MM:
            groups[-1].append(i)
        else:
            groups.append([i])
    alone = [group[0] for group in groups if len(group) == 1]
    others = _Slices([headers[i] for i in alone], [heights[i] for i in alone])
    for group in groups:
        slices = [i for i in group if i not in declared]
        if slices:
            found.declared += [i for i in group if i in declared]
        if len(alone) >= _LEAST and len({text(headers[i], "SOPInstanceUID") for i in slices}) > 1:
            unlike = {i: others.unlike(headers[i], heights[i]) for i in slices}
            found.undeclared += [i for i in slices if any(unlike[j] < unlike[i] for j in slices)]
    return found


class _Slices:
    """The slices that nothing else lies beside, and what they have in common."""

    def __init__(self, headers: Sequence[Dataset], heights: Sequence[float]) -> None:
        self._headers = headers
        self._heights = heights
        self._counted: list[tuple[float, float]] = []
        """Height and number of those that have one, lowest first."""
        self._common: dict[BaseTag, str | None] | None = None
        self._known: set[BaseTag] = set()
        self._made = 0.0

    def unlike(self, header: Dataset, height: float) -> Unlike:
        """In what an image differs from what they share, and whether it counts on with its neighbours."""
        if self._common is None:
            self._common = self._share()
        own = set(header.keys())
        found: Unlike = {tag for tag, value in self._common.items() if _said(header, tag) != value}
        found |= own - self._known
        if not self._counts_on(number(header, "InstanceNumber"), height):
            found.add("number")
        if self._made and _made(header) > self._made + _MADE_LATER_SECONDS:
            found.add("made later")
        return found

    def _share(self) -> dict[BaseTag, str | None]:
        first, *rest = self._headers
        common = {tag: _said(first, tag) for tag in list(first.keys())}
        for header in rest:
            common = {tag: value for tag, value in common.items() if _said(header, tag) == value}
        self._known.update(*(h.keys() for h in self._headers))
        self._made = max(map(_made, self._headers))
        self._counted = [
            (height, n)
            for height, header in zip(self._heights, self._headers, strict=True)
            if (n := number(header, "InstanceNumber")) is not None
        ]
        common.pop(_NO_SIGN, None)
        return common

    def _counts_on(self, own: float | None, height: float) -> bool:
        """Whether a number lies between those of the slices below and above, or goes on from the last.

        Where most slices have none, a number tells nothing.
        """
        if len(self._counted) <= len(self._headers) / 2:
            return True
        if own is None:
            return False
        first = bisect_left(self._counted, (height, -math.inf))
        last = bisect_right(self._counted, (height, math.inf))
        below = [n for _, n in self._counted[max(0, first - 2) : first]][::-1]
        above = [n for _, n in self._counted[last : last + 2]]
        if below and above:
            return min(below[0], above[0]) < own < max(below[0], above[0])
        end = below or above
        step = end[0] - end[1]
        return step == 0 or 0 < (own - end[0]) / step < 2


def _said(header: Dataset, tag: BaseTag) -> str | None:
    """A value as text; of a sequence only that it is there."""
    if tag not in header:
        return None
    try:
        found = element(header, tag)
        return "" if found.VR == "SQ" else str(found.value)
    except MemoryError:
        raise
    except Exception:  # conversion of damaged values raises errors without a common root
        return None


def _made(header: Dataset) -> float:
    """Seconds of the day when an image was made, the latest of what it says; 0 where it says nothing."""
    found = [number(header, keyword) for keyword in ("ContentTime", "InstanceCreationTime")]
    return max((_seconds(value) for value in found if value is not None), default=0.0)


def _seconds(clock: float) -> float:
    """HHMMSS.fff as seconds."""
    return clock // 10000 * 3600 + clock // 100 % 100 * 60 + clock % 100
