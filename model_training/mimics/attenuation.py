"""What a scanner's many energies do: bone and metal attenuate less than a line of them should."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_training.mimics.projection import projected, reconstructed

ENERGIES_KEV = (50, 80, 100)
SPECTRUM = (0.45, 0.35, 0.2)
"""Three energies stand for a tube at 120 kVp behind its filter; the shares are ours, their mean is 71 keV."""
PIXEL_CM = 0.11
"""Crop pixel of an adult's head."""
PHOTONS = 1e6
"""That reach a bin of one of the few views here through air; ours."""
SCATTER = 0.03
"""Scattered photons against those that come straight through the middle of a head, behind a grid; ours."""
SOFT = 1.1
"""Relative to water; what is denser is taken to be so by calcium."""

Array = NDArray[np.floating[Any]]


class Material(Enum):
    """Linear attenuation in 1/cm at ``ENERGIES_KEV``: NIST's database 126 times density."""

    WATER = (0.2269, 0.1837, 0.1707)
    BONE = (0.8145, 0.4280, 0.3562)
    """Cortical, ICRU 44."""
    TITANIUM = (5.51, 1.84, 1.24)
    COBALT_ALLOY = (17.4, 5.3, 3.3)
    """Elgiloy and Phynox, of which older clips are made; between iron and nickel."""
    STEEL = (15.4, 4.7, 2.9)
    PLATINUM = (149.0, 187.0, 107.0)
    """Above 78 keV its K edge."""


def hardened(hu: Array, strength: float) -> Array:
    """Slabs with the beam hardening that a correction for water alone leaves.

    Args:
        hu: shape (slabs, rows, columns).
        strength: share of that error that is left.
    """
    water, bone = _parts(hu)
    wrong = _water_cm({Material.WATER: water, Material.BONE: bone}) - (water + _bone_weight() * bone)
    return hu + strength * _to_hu(wrong)


def with_metal(hu: Array, metal: Array, material: Material, random: np.random.Generator) -> Array:
    """Slabs with metal in them: its density, dark and bright streaks, and noise where it lets few through.

    Args:
        hu: shape (slabs, rows, columns).
        metal: share of each voxel, same shape.
        material: of the metal.
        random: draws the noise.
    """
    water, bone = _parts(hu)
    lengths = {Material.WATER: water, Material.BONE: bone, material: _lengths(metal)}
    free = _transmitted({Material.WATER: water, Material.BONE: bone})
    scattered = SCATTER * np.percentile(free, 5)
    through, free = _transmitted(lengths) + scattered, free + scattered
    spread = np.sqrt(np.maximum(1 / (PHOTONS * through) - 1 / (PHOTONS * free), 0))
    counted = through * np.clip(1 + random.standard_normal(through.shape) * spread, 0.1, None)
    return hu + _to_hu(_calibrated(-np.log(counted)) - _calibrated(-np.log(free)))


def _parts(hu: Array) -> tuple[Array, Array]:
    """Path lengths in cm through water and through calcium, as relative densities."""
    density = np.clip((hu + 1000) / 1000, 0, None)
    soft = np.minimum(density, SOFT)
    return _lengths(soft), _lengths((density - soft) / _bone_weight())


def _lengths(share: Array) -> Array:
    return projected(share) * PIXEL_CM


def _transmitted(lengths: Mapping[Material, Array]) -> Array:
    through: Array = sum(  # type: ignore[assignment]
        weight * np.exp(-sum(material.value[i] * cm for material, cm in lengths.items()))
        for i, weight in enumerate(SPECTRUM)
    )
    return through


def _water_cm(lengths: Mapping[Material, Array]) -> Array:
    return _calibrated(-np.log(_transmitted(lengths)))


def _calibrated(attenuation: Array) -> Array:
    """The centimetres of water that attenuate as much: how scanners are corrected for soft tissue."""
    water = np.linspace(0, 80, 2000)
    return np.interp(attenuation, -np.log(_transmitted({Material.WATER: water})), water).astype(np.float32)


def _bone_weight() -> float:
    """How much water as much calcium counts for in the middle of a head, 16 cm of it."""
    a, b = (
        _water_cm({Material.WATER: np.array([16.0]), Material.BONE: np.array([cm])}) for cm in (0.0, 0.05)
    )
    return float((b - a)[0] / 0.05)


def _to_hu(wrong_cm: Array) -> Array:
    return reconstructed(wrong_cm / PIXEL_CM) * 1000
