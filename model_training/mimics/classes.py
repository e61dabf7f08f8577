"""The classes of the bench, in the order in which they are told."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from headct.network.preprocessing import HeadVolume
from model_training.mimics import artefacts, calcium, lesions, surgery, vessels
from model_training.mimics.space import Space

Draw = Callable[[Space, np.random.Generator], NDArray[np.floating[Any]]]
CALCIUM_FROM_YEARS = 9.0
"""Of children with calcium in plexus, pineal gland, falx or tentorium half are over 12, few are younger (Al
Hajri et al., Sultan Qaboos University Medical Journal 2023;23:227)."""
LOWEST_HU, HIGHEST_HU = -1024, 3071


@dataclass(frozen=True, slots=True)
class Mimic:
    """One class."""

    name: str
    words: str
    draw: Draw
    from_years: float = 0.0
    """Younger heads do not get it."""

    def drawn(self, volume: HeadVolume, space: Space, head: str, seed: int = 0) -> NDArray[np.int16]:
        """The head with the mimic in it; the same head, class and seed give the same.

        Args:
            volume: the head.
            space: its axes.
            head: its name.
            seed: another one draws another mimic.
        """
        random = np.random.default_rng([seed, crc32(head.encode()), crc32(self.name.encode())])
        hu = np.clip(np.rint(self.draw(space, random)), LOWEST_HU, HIGHEST_HU).astype(np.int16)
        return np.where(np.abs(hu - volume.hu) > 0, hu, volume.hu)


MIMICS = (
    Mimic("falx", "calcified falx", calcium.falx, CALCIUM_FROM_YEARS),
    Mimic("tentorium", "calcified tentorium", calcium.tentorium, CALCIUM_FROM_YEARS),
    Mimic("plexus", "calcified choroid plexus", calcium.plexus, CALCIUM_FROM_YEARS),
    Mimic("basal_ganglia", "calcified basal ganglia", calcium.basal_ganglia, CALCIUM_FROM_YEARS),
    Mimic("pineal", "calcified pineal gland", calcium.pineal, CALCIUM_FROM_YEARS),
    Mimic("dense_vessels", "dense sinuses and vessels", vessels.dense_blood),
    Mimic("beam_hardening", "beam hardening at the petrous bones", artefacts.beam_hardening),
    Mimic("motion", "motion", artefacts.motion),
    Mimic("metal_streaks", "streaks from metal outside", artefacts.metal_outside),
    Mimic("clip", "aneurysm clip", surgery.clip),
    Mimic("coil", "aneurysm coil", surgery.coil),
    Mimic("shunt", "shunt", surgery.shunt),
    Mimic("drain", "external drain", surgery.drain),
    Mimic("burr_hole", "burr holes", surgery.burr_hole),
    Mimic("craniotomy", "craniotomy", surgery.craniotomy),
    Mimic("old_infarct", "old infarct", lesions.old_infarct),
    Mimic("tumour", "tumour", lesions.tumour),
    Mimic("vertex", "partial volume at the vertex", artefacts.vertex_partial_volume),
)
