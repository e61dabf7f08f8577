"""Connected pieces of a mask, and how far they lie from something: looked for only where the mask is."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Sizes = NDArray[np.float64]
"""One value a piece, by its number; 0 for number 0."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """The connected pieces of a mask (26-connected)."""

    shape: tuple[int, ...]
    """Of the mask."""
    box: tuple[slice, ...]
    """The part of it in which they lie."""
    labels: NDArray[np.int32]
    """Number of the piece that each voxel of the box belongs to, 0 where it belongs to none."""
    count: int

    def each(self) -> Iterator[tuple[NDArray[np.bool_], tuple[slice, ...]]]:
        """Every piece, in the part of the mask in which it lies, and that part."""
        for label, box in enumerate(ndimage.find_objects(self.labels), start=1):
            sides = zip(box, self.box, strict=True)
            place = tuple(slice(side.start + of.start, side.stop + of.start) for side, of in sides)
            yield self.labels[box] == label, place

    def sizes(self, voxels: Callable[[tuple[NDArray[np.intp], ...]], NDArray[np.floating]]) -> Sizes:
        """What the voxels of each piece come to; 0 for number 0.

        Args:
            voxels: the size of each voxel, by where in the mask they are.
        """
        at = np.nonzero(self.labels)
        within = tuple(here + side.start for here, side in zip(at, self.box, strict=True))
        return np.bincount(self.labels[at], voxels(within), self.count + 1).astype(np.float64)

    def those(self, wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Pieces as a mask, by whether each number is wanted; number 0 never is."""
        mask = np.zeros(self.shape, bool)
        if wanted[1:].any():
            mask[self.box] = (wanted & (np.arange(self.count + 1) > 0))[self.labels]
        return mask


def pieces(mask: NDArray[np.bool_]) -> Pieces:
    """Look for them."""
    box = _box(mask)
    labels = np.zeros([side.stop - side.start for side in box], np.int32)
    count = ndimage.label(mask[box], np.ones((3,) * mask.ndim, bool), output=labels)
    return Pieces(mask.shape, box, labels, int(count))


def _box(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    """The smallest box that has all of a mask; one voxel where nothing is."""
    box: tuple[slice, ...] = ()
    for axis in range(mask.ndim):
        others = tuple(other for other in range(mask.ndim) if other != axis)
        along = np.flatnonzero(mask.any(axis=others))
        box = (*box, slice(int(along[0]), int(along[-1]) + 1) if len(along) else slice(0, 1))
    return box


def distances(
    mask: NDArray[np.bool_], inside: NDArray[np.bool_], sampling: Sequence[float]
) -> NDArray[np.float64]:
    """Distance of some voxels to the nearest one outside a mask.

    Args:
        mask: not everywhere true.
        inside: which voxels; shape of the mask.
        sampling: size of a voxel along each axis.

    Returns:
        One value a voxel, in their order in the array: as SciPy's distance transform of all has them.
    """
    nearest = ndimage.distance_transform_edt(
        mask, sampling=sampling, return_distances=False, return_indices=True
    )
    at = np.nonzero(inside)
    apart = np.stack([(to[at] - here) * step for to, here, step in zip(nearest, at, sampling, strict=True)])
    return np.asarray(np.sqrt(np.add.reduce(apart * apart, axis=0)), np.float64)
