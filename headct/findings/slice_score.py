"""One score a slice: how likely blood is there, by its most suspicious pixels."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SUSPECT_PIXELS = 24
"""Pixels a slice is judged by, its most suspicious ones: about 0.15 ml, a little over the rubric's smallest
bleed."""
SMOOTHED = 3
"""Pixels a side over which log odds are averaged first: one pixel alone is noise."""
LEAST = 1e-9
"""Probabilities nearer than this to 0 or 1 count as this far, so that their log odds are finite."""


def slice_scores(probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """The mean smoothed log odds of the most suspicious pixels of each slice, shape (slices,).

    The network is trained by the same score (:mod:`model_training.learning.networks.verdicts`).

    Args:
        probabilities: bleed probability of each pixel, shape (slices, rows, columns).
    """
    p = np.clip(probabilities.astype(np.float64), LEAST, 1 - LEAST)
    odds = np.log(p) - np.log1p(-p)
    rim = SMOOTHED // 2
    smooth = ndimage.uniform_filter(odds, (0, SMOOTHED, SMOOTHED))[:, rim:-rim, rim:-rim]
    flat = smooth.reshape(len(smooth), -1)
    highest = np.partition(flat, -SUSPECT_PIXELS, axis=1)[:, -SUSPECT_PIXELS:]
    scores: NDArray[np.float64] = highest.mean(axis=1)
    return scores
