"""Is the brain as dense as brains are? Where it is not, the values are not what their header says."""

import numpy as np

from headct.eligibility.limits import refused
from headct.images.anatomy import Levels
from headct.language import pgettext
from headct.reasons import ReasonCode

_USUAL_HU = (18.0, 47.0)
"""Mean of the brain. 107 real heads of three sources: 20 to 45, the lowest from a source whose scale is
unverified, the highest of a child with a large bleed; all others are below 40."""
_SPECTRAL_HU = (18.0, 50.0)
"""Of a series that is named a spectral one: what is half as dense again cannot be judged by limits in HU."""
_POSSIBLE_HU = (8.0, 60.0)
"""Beyond any brain, swollen or full of blood: values that were shifted or multiplied."""


def usual_density(measured: Levels) -> bool:
    """Whether the brain is as dense as brains are; true where none is seen."""
    brain = _brain_hu(measured)
    return brain is None or _USUAL_HU[0] <= brain <= _USUAL_HU[1]


def check_density(measured: Levels, *, spectral: bool) -> None:
    """Refuse values that cannot be densities, and those that a series named a spectral one should not have.

    Raises:
        NotAnalysedError: derived values.
    """
    brain = _brain_hu(measured)
    low, high = _SPECTRAL_HU if spectral else _POSSIBLE_HU
    if brain is not None and not low <= brain <= high:
        detail = pgettext("detail", "brain of {hu} HU", hu=format(brain, ".0f"))
        raise refused(ReasonCode.DERIVED_VALUES, detail)


def _brain_hu(measured: Levels) -> float | None:
    solid = measured.soft > 0.8
    return float(np.median(measured.mean_hu[solid])) if solid.any() else None
