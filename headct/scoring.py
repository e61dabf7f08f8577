"""From bleed probabilities to one score a patient: how much blood the most convincing bleed holds."""

from dataclasses import dataclass
from math import log1p

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from headct.bundle import Cuts
from headct.preprocessing import HeadVolume

_CONNECTED_26 = np.ones((3, 3, 3), bool)


@dataclass(frozen=True, slots=True)
class Bleeding:
    """What a network's output says of one patient."""

    score: float
    """0 without blood; rises with volume and probability of the largest bleed. Calibrated by the bundle."""
    mask: NDArray[np.bool_]
    """Shape of the volume: the bleeds that reach the haemorrhage cut, each on its own."""


def score(volume: HeadVolume, probabilities: NDArray[np.float32], cuts: Cuts) -> Bleeding:
    """Score every 26-connected piece at or above the voxel cut; the patient's score is the highest.

    A piece's score is log(1 + expected millilitres of blood in it).
    """
    labels, count = ndimage.label(probabilities >= cuts.voxel, _CONNECTED_26)
    if count == 0:
        return Bleeding(0.0, np.zeros(probabilities.shape, bool))
    expected_ml = np.bincount(
        labels.ravel(), (probabilities * volume.voxel_ml[:, None, None]).ravel(), minlength=count + 1
    )
    scores = np.array([0.0, *(log1p(ml) for ml in expected_ml[1:])])
    passes = scores >= cuts.haemorrhage
    passes[0] = False
    return Bleeding(float(scores.max()), passes[labels])
