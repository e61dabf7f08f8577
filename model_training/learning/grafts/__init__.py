"""Bleeds and bleed mimics drawn into real bleed-free heads: what a small collection of patients lacks.

Subarachnoid and layering ventricular blood, collections at the inner table and clots in the brain, each with
its mass effect; and what is taken for blood: calcification, partial volume and beam hardening at the inner
table, dense sinuses, old low-density collections. A graft is a shape in three dimensions evaluated on the few
slabs that are asked for, so it costs milliseconds. It keeps the noise of the scan it is drawn into.

Lengths are in millimetres of an adult-sized head (:data:`headct.findings.scoring.HEAD_PIXEL_MM`): the spacing
of a header may be a placeholder. Sizes and densities are chosen to cover more than is common, not to be
likely.
"""

import numpy as np

from model_training.learning.grafts.bleeds import BLEEDS
from model_training.learning.grafts.drawing import draw
from model_training.learning.grafts.head import Graft, Head, Kind, inner_depth
from model_training.learning.grafts.mimics import MIMICS

__all__ = ["BLEEDS", "MIMICS", "Graft", "Head", "Kind", "draw", "inner_depth", "one_of"]

_TRIES = 3


def one_of(kinds: dict[Kind, float], head: Head, random: np.random.Generator) -> Graft | None:
    """A graft of a random kind that fits this head; ``None`` if none was found soon."""
    for _ in range(_TRIES):
        number = random.choice(len(kinds), p=np.array(list(kinds.values())) / sum(kinds.values()))
        graft = list(kinds)[int(number)](head, random)
        if graft is not None:
            return graft
    return None
