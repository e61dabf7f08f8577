"""The network's voxels to one score a patient, and to the mask that is measured."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headct.findings.pieces import Pieces, Sizes, pieces
from headct.network.contents import Thresholds
from headct.network.preprocessing import HeadVolume

SUPPORT = 0.1
"""A component reaches down to this probability: weak blood counts where it hangs together. The score changes
little with it and needs no threshold of its own."""
HEAD_PIXEL_MM = 1.1
"""Crop pixel of an adult's head. Scores use it for every head, so that the spacing in the header, which
may be a placeholder, is never a feature."""
SMALLEST_ML = 1e-3
"""Keeps the logarithm finite where the network sees nothing."""


@dataclass(frozen=True, slots=True)
class Bleeding:
    """What the network's output says of one patient."""

    score: float
    """Decimal logarithm of the likely blood in the component that has most, in ml of an adult-sized head."""
    mask: NDArray[np.bool_]
    """Voxels to measure, shape of the volume; empty unless the score reaches the haemorrhage threshold."""
    nearest: float
    """How far from the threshold that component's score lies which lies nearest to it."""


def score(volume: HeadVolume, probabilities: NDArray[np.float32], thresholds: Thresholds) -> Bleeding:
    """Score a patient and keep what is to be measured.

    A component is measured only where it alone would flag the patient: otherwise specks of doubt would
    turn one bleed into several.

    Args:
        volume: the head that was judged.
        probabilities: bleed probability of each voxel, shape of ``volume.hu``.
        thresholds: chosen out of fold; see :class:`headct.network.contents.Thresholds`.
    """
    found, blood_ml = components(volume, probabilities, thresholds.power)
    scores = np.log10(blood_ml + SMALLEST_ML)
    flagging = found.those(scores >= thresholds.haemorrhage)
    mask = flagging & (probabilities >= thresholds.voxel)
    if not mask.any():
        # Nowhere certain, yet enough in all: measured in its whole reach rather than shown as nothing.
        mask = flagging
    nearest = np.abs(scores - thresholds.haemorrhage).min()
    return Bleeding(float(scores.max()), mask, float(nearest))


def components(volume: HeadVolume, probabilities: NDArray[np.float32], power: float) -> tuple[Pieces, Sizes]:
    """Connected pieces of possible blood (26-connected).

    Returns:
        The pieces, and the likely blood of each in ml of an adult-sized head: the sum of probability to the
        ``power`` times volume. Above 1, a small certain bleed counts more than a wide doubt with as much
        expected blood.
    """

    def ml(at: tuple[NDArray[np.intp], ...]) -> NDArray[np.floating]:
        likely: NDArray[np.floating] = probabilities[at] ** power * volume.slab_heights_mm[at[0]]
        return likely * HEAD_PIXEL_MM**2 / 1000.0

    found = pieces(probabilities >= SUPPORT)
    return found, found.sizes(ml)
