"""Binary images of all slabs at once, shape (slabs, rows, columns), each slab treated by itself.

The same as SciPy's functions of one image, several times faster than these called for each slab.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Masks = NDArray[np.bool_]

_BESIDE = np.zeros((3, 3, 3), bool)
"""Which neighbours hang together: the four in the slab."""
_BESIDE[1] = ndimage.generate_binary_structure(2, 1)


def eroded(masks: Masks, times: int) -> Masks:
    """What is left when pixels with one of their four neighbours outside are taken off, so many times.

    What lies beyond the image is outside.
    """
    now = masks
    for _ in range(times):
        less = now.copy()
        less[:, 1:] &= now[:, :-1]
        less[:, :-1] &= now[:, 1:]
        less[:, :, 1:] &= now[:, :, :-1]
        less[:, :, :-1] &= now[:, :, 1:]
        less[:, [0, -1]] = False
        less[:, :, [0, -1]] = False
        now = less
    return now


def dilated(masks: Masks, times: int) -> Masks:
    """The four neighbours of each pixel added, so many times."""
    now = masks
    for _ in range(times):
        more = now.copy()
        more[:, 1:] |= now[:, :-1]
        more[:, :-1] |= now[:, 1:]
        more[:, :, 1:] |= now[:, :, :-1]
        more[:, :, :-1] |= now[:, :, 1:]
        now = more
    return now


def closed(masks: Masks, times: int) -> Masks:
    """Grown and shrunk again so many times, with room about the image: what lay in it stays."""
    room = ((0, 0), (times, times), (times, times))
    grown = eroded(dilated(np.pad(masks, room), times), times)
    return grown[:, times:-times, times:-times] | masks


def filled(masks: Masks) -> Masks:
    """With their holes: what the edge of the image is not reached from."""
    labels, count = ndimage.label(~masks, _BESIDE)
    outside = np.zeros(count + 1, bool)
    for edge in (labels[:, 0], labels[:, -1], labels[:, :, 0], labels[:, :, -1]):
        outside[edge.ravel()] = True
    outside[0] = False
    found: Masks = ~outside[labels]
    return found


def largest(masks: Masks) -> Masks:
    """Of each slab the largest connected piece, the first of equally large ones; nothing where nothing is."""
    labels, count = ndimage.label(masks, _BESIDE)
    if count == 0:
        return masks
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    # Pieces are numbered line by line, so those of a slab follow one another.
    last = np.maximum.accumulate(labels.reshape(len(labels), -1).max(axis=1))
    kept = np.zeros(count + 1, bool)
    for first, end in zip((0, *last[:-1].tolist()), last.tolist(), strict=True):
        if end > first:
            kept[first + 1 + int(sizes[first + 1 : end + 1].argmax())] = True
    found: Masks = kept[labels]
    return found


def within(masks: Masks, pixels: NDArray[np.float64]) -> Masks:
    """What lies further than so many pixels, one number a slab, from everything outside.

    As the Euclidean distance to the nearest pixel outside tells; beyond the image there is none.
    """
    reach = np.floor(pixels * pixels + _ROUNDING).astype(np.int64)
    reach -= np.sqrt(reach) > pixels  # the largest square of a distance that is not further
    rows, columns = masks.shape[1:]
    along = _along(masks)
    found = masks.copy()
    most = min(int(np.sqrt(max(int(reach.max(initial=0)), 0))), rows - 1)
    for away in range(most + 1):
        left = reach - away * away
        # In a line so far away, outside must be further along than this; -1 where the line does not matter.
        wide = np.where(left >= 0, np.floor(np.sqrt(np.maximum(left, 0) + _ROUNDING)), -1)
        far = along > np.minimum(wide, columns).astype(np.int16)[:, None, None]
        found[:, away:] &= far[:, : rows - away]
        found[:, : rows - away] &= far[:, away:]
    return found


_ROUNDING = 1e-9
"""Of the root of a whole number, which may come out a little too small."""


def _along(masks: Masks) -> NDArray[np.int16]:
    """Pixels from each one along its line to the nearest outside; very far where the line has none."""
    columns = masks.shape[2]
    at = np.arange(columns, dtype=np.int16)
    far = np.int16(4 * columns)
    before = np.maximum.accumulate(np.where(masks, -far, at), axis=2)
    behind = np.minimum.accumulate(np.where(masks, far, at)[:, :, ::-1], axis=2)[:, :, ::-1]
    nearest: NDArray[np.int16] = np.minimum(at - before, behind - at)
    return nearest
