"""Is the head covered from skull base to vertex? Judged from the pixels, for a series that is arriving too.

Going down from the brain's widest level, its interior is nearly all soft tissue until petrous bone, sinuses
and orbits cut it to about half: that marks the skull base. Going up, the brain's area falls to nothing.
"""

from dataclasses import dataclass

import numpy as np

from headct.images.anatomy import Levels, levels
from headct.images.series import CTSeries

_BRAIN_LEVEL = 0.8
"""Soft share of a slab through the brain proper; face, neck and shoulders stay below."""
_SKULL = 0.5
"""Share of the skull around it: at least 0.7 even in a newborn, half after a large craniectomy."""
_BASE_LEVEL = 0.70
"""Soft share below which a slab shows skull base, face or neck. Mid-brain slabs have 0.8 to 1."""
_BLANK_LEVEL = 0.1
"""Soft share below which a slab shows no head at all: blank images stand for nothing. Necks have 0.25."""
_BLANK_AREA = 0.15
"""Nor does one whose outline is less than this share of the widest brain's: a head rest alone in the air has
at most 0.11, a skull base in pieces at least 0.21."""
_BASE_SLABS = 3
"""Slabs of skull base that must be seen, for one may be an artefact. Real scans show 3 to 21; some begin with
two, and two are enough where one is plainly skull base."""
_PLAIN_LEVEL = 0.60
"""Soft share of the lowest slabs of a scan that begins there (its softest 0.27 to 0.59). Chosen by the table
of rules that ``make soak`` prints: two slabs of any kind let the upper half of a long scan pass."""
_VERTEX_SHARE = 0.45
"""Brain area left at the top, as a share of the widest: routine scans stop a slice or two short (at most
0.38)."""
_AIR_SHARE = 0.02
"""Less brain than this share of the widest is none: air above the head, or a blank image. The top is then
judged below it, where a head that was cut off still shows its full width."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which ends of the head are in the series."""

    skull_base: bool
    vertex: bool

    @property
    def complete(self) -> bool:
        """Both ends."""
        return self.skull_base and self.vertex


def coverage(series: CTSeries, measured: Levels | None = None) -> Coverage:
    """Judge coverage; ``measured`` saves measuring the same series twice."""
    return covered(levels(series) if measured is None else measured)


def covered(at: Levels) -> Coverage:
    """The same of what was measured."""
    brain = np.where((at.soft >= _BRAIN_LEVEL) & (at.skull >= _SKULL), at.brain, 0.0)
    widest = int(np.argmax(brain))
    if brain[widest] == 0.0:
        return Coverage(skull_base=False, vertex=False)
    blank = (at.soft <= _BLANK_LEVEL) | (at.head_cm2 < _BLANK_AREA * at.head_cm2[widest])
    base = at.soft[:widest][(at.soft < _BASE_LEVEL)[:widest] & ~blank[:widest]]
    needed = _BASE_SLABS - 1 if (base < _PLAIN_LEVEL).any() else _BASE_SLABS
    share = at.brain / brain[widest]
    return Coverage(
        skull_base=len(base) >= needed,
        vertex=bool(share[share > _AIR_SHARE][-1] < _VERTEX_SHARE),
    )
