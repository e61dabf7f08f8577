"""How a head was scanned, measured alike when a network is trained and when it judges, to be compared."""

import numpy as np

from headct.images.noise import fine_noise
from headct.network.preprocessing import HeadVolume
from headct.terms.quantities import Quantity

_SLABS = (0.25, 0.5, 0.75)
"""Parts of the way up the stack at which noise is measured."""


def input_quantities(
    volume: HeadVolume, *, age_years: float | None, pixel_mm: float | None
) -> dict[Quantity, float]:
    """What is known of one input; what is not known, or cannot be measured, is absent.

    Args:
        volume: the head as the network sees it.
        age_years: at the study.
        pixel_mm: of the source images, ``None`` where the header does not say.
    """
    slices = np.array([len(slab) for slab in volume.slabs])
    noise, correlation = fine_noise(volume.hu[round(part * (len(volume.hu) - 1))] for part in _SLABS) or (
        None,
        None,
    )
    found = {
        Quantity.AGE_YEARS: age_years,
        Quantity.SLICES: float(slices.sum()),
        Quantity.SLICE_DISTANCE_MM: float(np.median(volume.slab_heights_mm / slices)),
        Quantity.PIXEL_MM: pixel_mm,
        Quantity.NOISE_HU: noise,
        Quantity.NOISE_CORRELATION: correlation,
    }
    return {quantity: round(value, 4) for quantity, value in found.items() if value is not None}
