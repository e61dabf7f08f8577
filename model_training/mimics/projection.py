"""Parallel-beam projection and filtered back-projection, for the errors that scanners make.

An artefact is drawn as the reconstruction of what is wrong with the projections, and added to the image that
is there: what is right with it keeps its sharpness and noise.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from headct.network.preprocessing import CROP_COLUMNS, CROP_ROWS

VIEWS = 240
"""Over half a turn; with fewer, streaks of our own would show beside a dense speck."""
BINS = 256
"""Detector bins of one pixel, more than the crop's diagonal."""

Array = NDArray[np.floating[Any]]


@cache
def _system() -> sparse.csc_array:
    """Which pixel adds how much to which bin of which view: shape (VIEWS * BINS, pixels)."""
    rows, columns = np.indices((CROP_ROWS, CROP_COLUMNS), dtype=np.float32).reshape(2, -1)
    angle = np.arange(VIEWS, dtype=np.float32) * np.float32(np.pi / VIEWS)
    at = (columns - (CROP_COLUMNS - 1) / 2)[:, None] * np.cos(angle) + (rows - (CROP_ROWS - 1) / 2)[
        :, None
    ] * np.sin(angle)
    at += (BINS - 1) / 2
    left = np.floor(at).astype(np.int32)
    part = at - left
    bins = np.stack([left, left + 1], axis=-1) + (np.arange(VIEWS, dtype=np.int32) * BINS)[None, :, None]
    share = np.stack([1 - part, part], axis=-1)
    starts = np.arange(len(rows) + 1, dtype=np.int32) * (2 * VIEWS)
    return sparse.csc_array(
        (share.astype(np.float32).ravel(), bins.ravel(), starts), shape=(VIEWS * BINS, len(rows))
    )


def projected(images: Array) -> Array:
    """Line integrals in pixels, shape (n, VIEWS, BINS), of images of shape (n, CROP_ROWS, CROP_COLUMNS)."""
    lines = _system() @ images.reshape(len(images), -1).T.astype(np.float32)
    return np.ascontiguousarray(lines.T).reshape(-1, VIEWS, BINS)


def reconstructed(lines: Array) -> Array:
    """Filtered back-projection (Kak and Slaney, Principles of Computerized Tomographic Imaging, 1988, 3.3).

    The ramp is rolled off by Hann's window, as soft kernels are: what pixels cannot show would be a hatching.
    """
    size = 2 * BINS
    n = np.arange(size)
    n = np.minimum(n, size - n)
    ramp = np.zeros(size)
    ramp[0] = 0.25
    odd = n % 2 == 1
    ramp[odd] = -1 / (np.pi * n[odd]) ** 2
    frequency = np.fft.rfftfreq(size)
    response = np.fft.rfft(ramp).real * np.cos(np.pi * frequency) ** 2
    padded = np.fft.rfft(lines, size, axis=-1) * (2 * response)
    filtered = np.fft.irfft(padded, size, axis=-1)[..., :BINS].astype(np.float32)
    images = _system().T @ filtered.reshape(len(lines), -1).T
    return np.ascontiguousarray(images.T).reshape(-1, CROP_ROWS, CROP_COLUMNS) * (np.pi / (2 * VIEWS))
