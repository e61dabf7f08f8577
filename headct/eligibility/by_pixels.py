"""What the images show against a series, whatever its headers say."""

import numpy as np
from numpy.typing import NDArray

from headct.eligibility.contrast import bright_vessels, said_by
from headct.eligibility.contrast_words import Said
from headct.eligibility.density import check_density
from headct.eligibility.limits import MIN_IMAGES, refused
from headct.eligibility.spectral import spectral
from headct.images.anatomy import Levels, levels
from headct.images.noise import fine_noise
from headct.images.series import CTSeries
from headct.language import pgettext
from headct.reasons import ReasonCode

# Measured limits; in brackets the range over 107 real head series of three sources and makers.
_BLANK_LEVEL, _BLANK_SHARE = 0.3, 0.6
"""Soft tissue (at least 0.76) and area (at least 0.87 of what lies both below and above) of a slab between
brain: less is an image that is blank, in part or in whole."""
_UNIFORM_HU = 3.0
"""Texture below this is one material (brain 5.0 to 12)."""
_WATER_HU, _WATER_TEXTURE_HU = 10.0, 6.0
"""A noisy water phantom: mean below the one (brain 20 to 45) and texture below the other."""
_LUNG_SHARE = 0.25
"""Air inside the outline, in a third of the slabs (head at most 0.13 in any)."""
_BODY_CM2 = 450.0
"""Area of a trunk (head at most 305, with a pixel spacing half as large again as the true one)."""
_TINY_CM2 = 30.0
"""Below the head of a premature newborn (a newborn's: 90): with such a scale every bleed is a speck."""
_TALL_MM = 150.0
"""Above any brain (at most 95 between its lowest and highest full slab): at such steps the crop to the head
would be cut short."""
_SKULL_SHARE, _SKULL_MM = 0.75, 10.0
"""A skull closed this far, over this height (median 0.89 in a newborn, 1.0 in adults)."""
_BONE_NOISE_HU, _BONE_CORRELATION = 12.0, 0.25
"""Noise of a bone kernel: strong and not correlated from pixel to pixel. Soft kernels: 2.0 to 4.6 and 0.28 to
0.78; the bone kernel of the same patient: 39 and -0.02."""


def check_pixels(series: CTSeries, measured: Levels | None = None) -> None:
    """Refuse what the images show; ``measured`` saves measuring the same series twice.

    Raises:
        NotAnalysedError: too few slices, phantom, not a head, bone kernel, blank images, derived values,
            contrast.
    """
    at = levels(series) if measured is None else measured
    if len(series.hu) < MIN_IMAGES:
        raise refused(ReasonCode.TOO_FEW_SLICES, f"{len(series.hu)}")
    solid = at.soft > 0.8
    if solid.any():
        texture, mean = float(np.median(at.texture_hu[solid])), float(np.median(at.mean_hu[solid]))
        if texture < _UNIFORM_HU or (abs(mean) < _WATER_HU and texture < _WATER_TEXTURE_HU):
            raise refused(ReasonCode.PHANTOM, pgettext("detail", "one uniform material"))
    if np.mean(at.air > _LUNG_SHARE) > 1 / 3:
        raise refused(ReasonCode.NOT_A_HEAD, pgettext("detail", "lungs"))
    if "pixel_spacing" not in series.assumed and at.head_cm2.max() > _BODY_CM2:
        raise refused(ReasonCode.NOT_A_HEAD, pgettext("detail", "too large"))
    if "pixel_spacing" not in series.assumed and 0 < at.head_cm2.max() < _TINY_CM2:
        raise refused(ReasonCode.NOT_A_HEAD, pgettext("detail", "too small"))
    noise, correlation = _noise(series, solid)
    if noise > _BONE_NOISE_HU and correlation < _BONE_CORRELATION:
        raise refused(
            ReasonCode.BONE_KERNEL, pgettext("detail", "noise {noise} HU", noise=format(noise, ".0f"))
        )
    if series.slab_heights_mm[solid & (at.skull >= _SKULL_SHARE)].sum() < _SKULL_MM:
        raise refused(ReasonCode.NOT_A_HEAD, pgettext("detail", "no brain within a skull"))
    _check_brain(series, at)
    header = series.headers[0]
    check_density(at, spectral=spectral(header))
    if said_by(header) in {Said.PERHAPS, Said.BOTH} and bright_vessels(at):
        raise refused(ReasonCode.CONTRAST, pgettext("detail", "bright vessels"))


def _check_brain(series: CTSeries, at: Levels) -> None:
    """Nothing may be hidden between the lowest and the highest slab full of brain."""
    full = np.flatnonzero((at.soft > 0.8) & (at.skull >= _SKULL_SHARE))
    brain = slice(full[0], full[-1] + 1)
    area = at.head_cm2[brain]
    least = np.minimum(np.maximum.accumulate(area), np.maximum.accumulate(area[::-1])[::-1])
    if (at.soft[brain] < _BLANK_LEVEL).any() or (area < _BLANK_SHARE * least).any():
        raise refused(ReasonCode.UNREADABLE, pgettext("detail", "blank images among the slices"))
    if series.slab_heights_mm[brain].sum() > _TALL_MM:
        raise refused(ReasonCode.INCONSISTENT_GEOMETRY, pgettext("detail", "slices too far apart for a head"))


def _noise(series: CTSeries, brain_slabs: NDArray[np.bool_]) -> tuple[float, float]:
    """Fine noise in flat brain (HU) and its correlation with the next pixel; zeros when there is none."""
    numbers = np.flatnonzero(brain_slabs)
    middle = numbers[len(numbers) // 4 : (3 * len(numbers)) // 4 + 1 : 3]
    return fine_noise(series.hu[k] for k in middle) or (0.0, 0.0)
