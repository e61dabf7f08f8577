"""What is watched of every judged series beside its colour: the score, the patient's age, how it was scanned.

Names alone: this is read where no array library is loaded. :mod:`headct.network.acquisition` measures.
"""

from enum import StrEnum


class Quantity(StrEnum):
    """A figure of one judged series."""

    HAEMORRHAGE_PROBABILITY = "haemorrhage_probability"
    """Calibrated; of the patients trained on, out of fold."""
    AGE_YEARS = "age_years"
    SLICES = "slices"
    """Images that were judged."""
    SLICE_DISTANCE_MM = "slice_distance_mm"
    """From one image to the next, the median; slabs of several thin slices count their slices."""
    PIXEL_MM = "pixel_mm"
    """Distance of pixels in the image, as its header has it."""
    NOISE_HU = "noise_hu"
    """Of flat brain as the network sees it, see :mod:`headct.images.noise`."""
    NOISE_CORRELATION = "noise_correlation"
    """Of that noise from pixel to pixel: the sharper the kernel, the lower."""
