"""Noise of flat brain. That of a filtered back projection follows its kernel."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def fine_noise(slices: Iterable[NDArray[np.int16]]) -> tuple[float, float] | None:
    """Fine noise in flat brain (HU) and its correlation with the next pixel; medians over the slices.

    A bone kernel lifts the high frequencies, so neighbours differ. Nothing else in brain is that fine.

    Args:
        slices: Hounsfield units, each of shape (rows, columns).

    Returns:
        ``None`` where no slice shows enough flat brain.
    """
    found = []
    for whole in slices:
        hu = _around_head(whole).astype(np.float32)
        smooth = ndimage.uniform_filter(hu, 7)
        flat = (ndimage.minimum_filter(smooth, 9) > 0) & (ndimage.maximum_filter(smooth, 9) < 80)
        fine = hu - ndimage.gaussian_filter(hu, 2.0)
        values = fine[flat]
        if values.size < 500 or not values.any():
            continue
        pairs = (fine[:, 1:] * fine[:, :-1])[flat[:, 1:] & flat[:, :-1]]
        found.append((float(values.std()), float(pairs.mean() / values.var()) if pairs.size else 1.0))
    if not found:
        return None
    noise, correlation = np.median(np.array(found), axis=0)
    return float(noise), float(correlation)


def _around_head(hu: NDArray[np.int16]) -> NDArray[np.int16]:
    """The part of a slice that decides on flat brain and its noise; filtering the air around it takes time.

    A flat pixel has something above 0 HU within 3 pixels, and the filters reach 8 further.
    """
    box = ndimage.find_objects((hu > 0).astype(np.int8))
    return hu[tuple(slice(max(along.start - 11, 0), along.stop + 11) for along in box[0])] if box else hu
