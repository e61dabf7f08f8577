"""Noise of flat brain. That of a filtered back projection follows its kernel."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from headct import threads

_SIGMA, _SIGMAS = 2, 4
"""Standard deviation in pixels of what smooths, and how many of them it reaches."""


def fine_noise(slices: Iterable[NDArray[np.int16]]) -> tuple[float, float] | None:
    """Fine noise in flat brain (HU) and its correlation with the next pixel; medians over the slices.

    A bone kernel lifts the high frequencies, so neighbours differ. Nothing else in brain is that fine.

    Args:
        slices: Hounsfield units, each of shape (rows, columns).

    Returns:
        ``None`` where no slice shows enough flat brain.
    """
    found = [noise for noise in threads.each(_fine_noise, slices) if noise is not None]
    if not found:
        return None
    noise, correlation = np.median(np.array(found), axis=0)
    return float(noise), float(correlation)


def _fine_noise(whole: NDArray[np.int16]) -> tuple[float, float] | None:
    hu = _around_head(whole).astype(np.float32)
    smooth = ndimage.uniform_filter(hu, 7)
    flat = _all_around((smooth > 0) & (smooth < 80))
    if np.count_nonzero(flat) < 500:
        return None
    box = _boxed(flat, _SIGMAS * _SIGMA)
    hu, flat = hu[box], flat[box]
    fine = hu - ndimage.gaussian_filter(hu, _SIGMA, truncate=_SIGMAS)
    values = fine[flat]
    if not values.any():
        return None
    pairs = (fine[:, 1:] * fine[:, :-1])[flat[:, 1:] & flat[:, :-1]]
    return float(values.std()), float(pairs.mean() / values.var()) if pairs.size else 1.0


def _all_around(brain: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where all is brain in the square of 9 pixels about a pixel, as far as it lies in the image."""
    for axis in (0, 1):
        line = np.moveaxis(np.pad(brain, [(4, 4) if k == axis else (0, 0) for k in (0, 1)]), axis, 0)
        line[:4] = line[-4:] = True
        for reach in (1, 2, 4):  # each step doubles what a pixel stands for: 2, 4, 8 in a row
            line = line[:-reach] & line[reach:]
        brain = np.moveaxis(line[:-1] & line[1:], 0, axis)
    return brain


def _around_head(hu: NDArray[np.int16]) -> NDArray[np.int16]:
    """The part of a slice that decides on flat brain and its noise; filtering the air around it takes time.

    A flat pixel has something above 0 HU within 3 pixels, and the filters reach 8 further.
    """
    return hu[_boxed(hu > 0, 11)]


def _boxed(marked: NDArray[np.bool_], margin: int) -> tuple[slice, ...]:
    """The smallest part of an image that has all that is marked, and so many pixels around it."""
    box = ndimage.find_objects(marked.astype(np.int8))
    around = box[0] if box else [slice(0, side) for side in marked.shape]
    return tuple(slice(max(side.start - margin, 0), side.stop + margin) for side in around)
