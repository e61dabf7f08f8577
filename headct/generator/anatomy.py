"""What one head is like: its traits from a seed and an age, the cavity of its skull.

Head axes are the patient's (x left, y back, z up, mm) with the origin between the thalami. Shapes and sizes
are an adult's of textbook proportions; nothing is fitted to any one patient.
"""

from dataclasses import dataclass

import numpy as np

from headct.generator.fields import (
    Field,
    Points,
    SmoothNoise,
    Triple,
    capsule,
    ellipsoid,
    mirrored,
    smooth_union,
)

AIR_HU = -1000.0
VAULT_CENTRE: Triple = (0, 0, 12)
VAULT_RADII: Triple = (66, 84, 64)


@dataclass(frozen=True, slots=True)
class HeadTraits:
    """What differs between one head and the next."""

    age_years: float
    size: float
    """Linear scale, 1 for an adult of average size."""
    width: float
    """Breadth against length, 1 on average."""
    skull_mm: float
    atrophy: float
    """0 in the young, about 1 in a shrunken old brain."""
    ventricles: float
    """Linear scale of the ventricles."""
    grey_hu: float
    white_hu: float
    pneumatisation: float
    """How much of mastoid and sinuses is air, 0 to 1."""
    calcified: bool
    """Pineal gland and choroid plexus calcified, as in most adults."""

    @staticmethod
    def drawn(rng: np.random.Generator, age_years: float) -> "HeadTraits":
        """Traits of a random head of that age."""
        old = float(np.clip((age_years - 45) / 45, 0, 1))
        grown = float(np.clip(age_years / 12, 0, 1))
        atrophy = old * rng.uniform(0.5, 1.0)
        # Unmyelinated white matter is darker, and the infant's brain as a whole holds more water.
        infant = float(np.clip(1 - age_years / 2, 0, 1))
        grey = rng.normal(40.0, 1.5) - 4 * infant
        return HeadTraits(
            age_years=age_years,
            size=(0.68 + 0.32 * grown**0.35) * rng.normal(1, 0.025),
            width=rng.normal(1, 0.03),
            skull_mm=1.6 + 4.2 * grown**0.7 + rng.uniform(-0.5, 1.0),
            atrophy=atrophy,
            ventricles=(0.85 + 0.5 * atrophy + 0.1 * infant) * rng.uniform(0.9, 1.12),
            grey_hu=grey,
            white_hu=grey - rng.uniform(7.5, 9.5) - 2 * infant - atrophy,
            pneumatisation=float(np.clip(grown * rng.uniform(0.7, 1.1), 0, 1)),
            calcified=bool(age_years > 15 and rng.random() < 0.7),
        )


class Head:
    """One head; every method takes points in head axes and mm and returns one value a point."""

    def __init__(self, traits: HeadTraits, rng: np.random.Generator) -> None:
        self.traits = traits
        self.gyri, self.fine, self.coarse = (SmoothNoise(rng) for _ in range(3))

    def adult(self, p: Points) -> Points:
        """Points in the axes of an adult of average size and breadth."""
        s = 1 / self.traits.size
        return p[0] * (s / self.traits.width), p[1] * s, p[2] * s

    def cavity(self, p: Points) -> Field:
        """Signed distance to the inner table, in mm."""
        x, y, z = q = self.adult(p)
        m = mirrored(q)
        # Broadest behind the ears, narrower at the forehead.
        egg = (x / (1 + 0.10 * y / 84), y, z)
        vault = np.maximum(ellipsoid(egg, VAULT_CENTRE, VAULT_RADII), -16 - z)
        temporal = ellipsoid(m, (35, -8, -14), (24, 35, 23))
        posterior = ellipsoid(q, (0, 38, -18), (52, 42, 38))
        canal = np.maximum(np.hypot(x / 1.05, y - 26) - 15, z + 40)
        space = smooth_union(vault, smooth_union(temporal, posterior, 4), 5)
        petrous = smooth_union(
            capsule(m, (15, 4, -25), (56, 30, -30), 8), capsule(m, (50, 26, -28), (58, 30, -42), 11), 6
        )
        clivus = capsule(q, (0, -4, -21), (0, 10, -50), 6)
        wings = capsule(m, (8, -24, -15), (58, -30, -12), 2.5)
        base = np.minimum(np.minimum(petrous, clivus), wings)
        hollow = np.minimum(np.maximum(space, -base), canal)
        distance: Field = hollow * self.traits.size
        return distance

    def skull_thickness(self, p: Points) -> Field:
        """Distance from inner to outer table, in mm."""
        x, y, z = self.adult(p)
        crests = 1 + 0.3 * np.clip((np.abs(y) - 55) / 30, 0, 1) - 0.25 * np.clip((np.abs(x) - 45) / 20, 0, 1)
        base = 1 - 0.25 * (z < -18).astype(np.float32)
        ripple = 1 + 0.10 * self.coarse((x, y, z), 40)
        thickness: Field = self.traits.skull_mm * crests * base * ripple
        return thickness
