"""A slice without neighbours: all that is known of it is a picture, windowed nobody knows how.

Collections of single slices are 8-bit pictures whose window's centre was not kept. So of a single slice the
network is shown only what every such picture has: densities counted from the brain's own median, cut to what
the narrowest common window still holds, and bone. A slab of a stack that is shown alone is shown the same
way; otherwise the way would tell the source, and the width of the window the diagnosis (wide ones were chosen
for heads that bleed). Stacks are not treated so: their Hounsfield units are calibrated, and a dense or a pale
brain is a finding.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

BRAIN_HU = 33.0
"""Where the brain's median is put: between the sources', medians of 29 and 37 HU."""
SHIFT_MAX_HU = 10.0
"""Window centres of brain lie between 30 and 50 HU, 40 in the middle; what seems further off is no brain
(muscle beside the skull's base) or mostly blood."""
PICTURE_HU = (0.0, 75.0)
"""Held by every common brain window: widths from 75 on, centres from 35 to 40 HU."""
BONE_HU = 150.0
"""As :data:`headct.images.anatomy.BONE_HU`."""
BONE_SHOWN_HU = 160
"""The top of what the networks see."""

_BODY_HU = -250.0
_RIM = 0.2
"""Scalp and skull as a share of the head's radius."""
_FEWEST = 300
"""Pixels of soft tissue from which a median is taken; an adult's slice has some 15,000."""


def brain_shift(hu: NDArray[np.int16]) -> float:
    """What has to be added to bring the brain's median to :data:`BRAIN_HU`; 0 where there is no brain.

    Args:
        hu: a cropped slab, shape (rows, columns).
    """
    head = ndimage.binary_fill_holes(hu > _BODY_HU)
    deep = ndimage.distance_transform_edt(head) > _RIM * np.sqrt(np.count_nonzero(head) / np.pi)
    inside = hu[deep]
    soft = inside[(inside > PICTURE_HU[0]) & (inside < PICTURE_HU[1])]
    if soft.size < _FEWEST:
        return 0.0
    return float(np.clip(BRAIN_HU - np.median(soft), -SHIFT_MAX_HU, SHIFT_MAX_HU))


def as_picture(hu: NDArray[np.int16]) -> NDArray[np.int16]:
    """A cropped slab, shape (rows, columns), as the network reads one that has no neighbours."""
    shown = np.clip(np.round(hu + brain_shift(hu)), *PICTURE_HU).astype(np.int16)
    shown[hu > BONE_HU] = BONE_SHOWN_HU
    return shown
