"""How bright vessels and sinuses are in a slab. Contrast medium shows there first.

Two signs, for two phases. The sinus along the back of the vault is seen some 5 mm inside the bone: it is
bright after a while. Branches of the middle cerebral arteries are bright specks far from the midline on both
sides, apart from bone: they are bright at first. Clotted blood is less bright; calcifications lie near the
midline, on one side or in one slab.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SPECK_HU = 100.0
"""Above clotted blood (60 to 90 HU) in pixels averaged to about 2 mm, below a filled artery (110 to 250)."""
_BONE_HU = 300.0
_DENSE_HU = 450.0
"""A speck that is this dense anywhere, or hangs together with what is, is bone, a calcification or metal."""
_ASIDE, _BEHIND, _RIM = 0.35, 0.35, 0.85
"""Where specks count, in radii from the middle: further aside than the deep nuclei, not behind
the choroid plexus, inside the bone."""
_RAYS = np.radians(np.arange(-40.0, 40.1, 2.5))
"""Directions from the middle to the back of the head."""
_INSIDE = 0.07
"""Radii inwards from the first bone, about 5 mm: beyond what bone lends its neighbours, within the sinus."""


def vessels(hu: NDArray[np.float32], head: NDArray[np.bool_]) -> tuple[float, float]:
    """The brightest place along the back of the vault (HU), and 1 where both sides show bright specks.

    Args:
        hu: a slab in pixels of about 2 mm.
        head: its outline, filled.
    """
    y, x = np.nonzero(head)
    middle = float(y.mean()), float(x.mean())
    radius = float(np.sqrt(y.size / np.pi))
    return _sinus(hu, middle, radius), float(_specks(hu, middle, radius))


def _sinus(hu: NDArray[np.float32], middle: tuple[float, float], radius: float) -> float:
    steps = np.arange(int(0.35 * radius), int(1.5 * radius))
    rows = np.rint(middle[0] + np.cos(_RAYS)[:, None] * steps).astype(int).clip(0, hu.shape[0] - 1)
    columns = np.rint(middle[1] + np.sin(_RAYS)[:, None] * steps).astype(int).clip(0, hu.shape[1] - 1)
    along = hu[rows, columns]
    bone = along > _BONE_HU
    table = bone.argmax(axis=1)
    depth = max(2, round(_INSIDE * radius))
    seen = np.flatnonzero(bone.any(axis=1) & (table > depth))
    if len(seen) < 2:
        return 0.0
    inside = along[seen, table[seen] - depth]
    return float(((inside[1:] + inside[:-1]) / 2).max())


def _specks(hu: NDArray[np.float32], middle: tuple[float, float], radius: float) -> bool:
    labels, count = ndimage.label(hu > SPECK_HU)
    if count == 0:
        return False
    y, x = np.nonzero(labels)
    label, down, across = labels[y, x], (y - middle[0]) / radius, (x - middle[1]) / radius
    bone = np.zeros(count + 1, bool)
    bone[label[(hu[y, x] > _DENSE_HU) | (np.hypot(down, across) > _RIM)]] = True
    aside = across[~bone[label] & (down < _BEHIND)]
    return bool((aside > _ASIDE).any() and (aside < -_ASIDE).any())
