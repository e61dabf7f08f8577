"""Where in the images a bleed was found: the mask on the crop of the head, and back on the images' pixels."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headct.images.series import CTSeries


@dataclass(frozen=True, slots=True)
class Region:
    """Voxels of the crop that the network was shown."""

    mask: NDArray[np.bool_]
    """Shape (slabs, crop rows, crop columns)."""
    to_source: NDArray[np.float64]
    """:attr:`headct.network.preprocessing.HeadVolume.to_source`."""

    def in_images(self, series: CTSeries) -> Iterator[tuple[int, NDArray[np.bool_]]]:
        """The region on the pixels of every slice it reaches: slice number, mask of shape (rows, columns).

        Feet first, on the grid of ``series.hu``. Each pixel is what the crop's nearest pixel is; nothing lies
        outside the crop. Every slice that was averaged into a slab shows the slab's mask.
        """
        rows, columns = series.hu.shape[1:]
        inverse = np.linalg.inv(self.to_source[:, :2])
        pixels = np.indices((rows, columns), dtype=np.float64).reshape(2, -1)
        nearest = np.rint(inverse @ (pixels - self.to_source[:, 2:])).astype(np.intp)
        limits = np.array(self.mask.shape[1:])[:, None]
        outside = ((nearest < 0) | (nearest >= limits)).any(axis=0)
        row, column = np.where(outside, 0, nearest)
        for slab in np.flatnonzero(self.mask.any(axis=(1, 2))):
            drawn: NDArray[np.bool_] = (self.mask[slab][row, column] & ~outside).reshape(rows, columns)
            if drawn.any():
                for number in series.slabs[slab]:
                    yield number, drawn
