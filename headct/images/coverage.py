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
_BLANK_LEVEL = 0.1
"""Soft share below which a slab shows no head at all: blank images stand for nothing. Necks have 0.25."""
_BLANK_AREA = 0.15
"""Nor does one whose outline is less than this share of the widest brain's: a head rest alone in the air has
at most 0.11, a skull base in pieces at least 0.21."""
_AIR_SHARE = 0.02
"""Less brain than this share of the widest is none: air above the head, or a blank image. The top is then
judged below it, where a head that was cut off still shows its full width."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of both ends is enough, chosen by the table of rules that ``make soak`` prints."""

    base_level: float = 0.70
    """Soft share below which a slab shows skull base, face or neck. Mid-brain slabs have 0.8 to 1."""
    base_slabs: int = 3
    """Slabs of skull base that must be seen, for one may be an artefact. Real scans show 3 to 21."""
    plain_level: float = 0.60
    """Soft share below which a slab is plainly skull base: of each real scan the one with least has 0.27 to
    0.59. Fewer slabs without this let the upper half of a long scan pass."""
    plain_slabs: int = 2
    """Slabs that are enough where one is plain: some scans begin with two."""
    vertex_share: float = 0.45
    """Brain area left at the top, as a share of the widest: routine scans stop a slice or two short (at most
    0.38)."""


LIMITS = Limits()


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


def covered(at: Levels, limits: Limits = LIMITS) -> Coverage:
    """The same of what was measured."""
    brain = np.where((at.soft >= _BRAIN_LEVEL) & (at.skull >= _SKULL), at.brain, 0.0)
    widest = int(np.argmax(brain))
    if brain[widest] == 0.0:
        return Coverage(skull_base=False, vertex=False)
    blank = (at.soft <= _BLANK_LEVEL) | (at.head_cm2 < _BLANK_AREA * at.head_cm2[widest])
    base = at.soft[:widest][(at.soft < limits.base_level)[:widest] & ~blank[:widest]]
    plain = bool((base < limits.plain_level).any())
    share = at.brain / brain[widest]
    return Coverage(
        skull_base=len(base) >= (limits.plain_slabs if plain else limits.base_slabs),
        vertex=bool(share[share > _AIR_SHARE][-1] < limits.vertex_share),
    )
