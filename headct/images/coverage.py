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
_BASE_MM = 12.0
"""Height of skull base that must be seen, about two routine slices: one may be an artefact."""
_VERTEX_SHARE = 0.45
"""Brain area left at the top, as a share of the widest: routine scans stop a slice or two short."""
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
    at = levels(series) if measured is None else measured
    brain = np.where((at.soft >= _BRAIN_LEVEL) & (at.skull >= _SKULL), at.brain, 0.0)
    widest = int(np.argmax(brain))
    if brain[widest] == 0.0:
        return Coverage(skull_base=False, vertex=False)
    below = (at.soft[:widest] < _BASE_LEVEL) & (at.soft[:widest] > _BLANK_LEVEL)
    share = at.brain / brain[widest]
    return Coverage(
        skull_base=float(series.slab_heights_mm[:widest][below].sum()) >= _BASE_MM,
        vertex=bool(share[share > _AIR_SHARE][-1] < _VERTEX_SHARE),
    )
