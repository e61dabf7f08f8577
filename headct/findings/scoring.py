"""The network's voxels to one score a patient, and to the mask that is measured."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

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

_CONNECTED_26 = np.ones((3, 3, 3), bool)


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
    labels, blood_ml = components(volume, probabilities, thresholds.power)
    scores = np.log10(blood_ml + SMALLEST_ML)
    flagging = scores >= thresholds.haemorrhage
    flagging[0] = False
    mask = flagging[labels] & (probabilities >= thresholds.voxel)
    if flagging.any() and not mask.any():
        # Nowhere certain, yet enough in all: measured in its whole reach rather than shown as nothing.
        mask = flagging[labels]
    nearest = np.abs(scores - thresholds.haemorrhage).min()
    return Bleeding(float(scores.max()), mask, float(nearest))


def components(
    volume: HeadVolume, probabilities: NDArray[np.float32], power: float
) -> tuple[NDArray[np.signedinteger], NDArray[np.float64]]:
    """Connected pieces of possible blood (26-connected).

    Returns:
        Label of each voxel, 0 for none, and the likely blood of each label in ml of an adult-sized head, 0
        for label 0: the sum of probability to the ``power`` times volume. Above 1, a small certain bleed
        counts more than a wide doubt with as much expected blood.
    """
    labels, count = ndimage.label(probabilities >= SUPPORT, _CONNECTED_26)
    slab, row, column = np.nonzero(labels)
    ml = probabilities[slab, row, column] ** power * volume.slab_heights_mm[slab] * HEAD_PIXEL_MM**2 / 1000.0
    return labels, np.bincount(labels[slab, row, column], ml, count + 1).astype(np.float64)
