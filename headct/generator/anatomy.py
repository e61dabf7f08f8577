"""An analytic head: skull, brain, spaces of the cerebrospinal fluid, face, from a seed and an age.

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
    inside,
    mirrored,
    smooth_union,
)

AIR_HU = -1000.0
WATER_LIKE_HU = 6.0  # cerebrospinal fluid
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
        grey = rng.normal(38.5, 1.2) - 4 * infant
        return HeadTraits(
            age_years=age_years,
            size=(0.68 + 0.32 * grown**0.35) * rng.normal(1, 0.025),
            width=rng.normal(1, 0.03),
            skull_mm=1.6 + 4.2 * grown**0.7 + rng.uniform(-0.5, 1.0),
            atrophy=atrophy,
            ventricles=(0.85 + 0.5 * atrophy + 0.1 * infant) * rng.uniform(0.9, 1.12),
            grey_hu=grey,
            white_hu=grey - rng.uniform(8, 10) - 2 * infant - atrophy,
            pneumatisation=float(np.clip(grown * rng.uniform(0.7, 1.1), 0, 1)),
            calcified=bool(age_years > 15 and rng.random() < 0.7),
        )


@dataclass(frozen=True, slots=True)
class Tissues:
    """The brain at some points: Hounsfield units and the fractions that bleeding can fill."""

    hu: Field
    cisterns: Field
    """Fraction of cerebrospinal fluid outside the ventricles."""
    ventricles: Field


class Head:
    """One head; every method takes points in head axes and mm and returns one value a point."""

    def __init__(self, traits: HeadTraits, rng: np.random.Generator) -> None:
        self.traits = traits
        self._gyri, self._fine, self._coarse = (SmoothNoise(rng) for _ in range(3))

    def adult(self, p: Points) -> Points:
        """Points in the axes of an adult of average size and breadth."""
        s = np.float32(1 / self.traits.size)
        return p[0] * (s / np.float32(self.traits.width)), p[1] * s, p[2] * s

    # -- cavity and skull -------------------------------------------------------------------------------

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
        wings = capsule(m, (8, -24, -15), (56, -32, -4), 2.5)
        base = np.minimum(np.minimum(petrous, clivus), wings)
        hollow = np.minimum(np.maximum(space, -base), canal)
        return hollow * np.float32(self.traits.size)

    def skull_thickness(self, p: Points) -> Field:
        """Distance from inner to outer table, in mm."""
        x, y, z = self.adult(p)
        crests = 1 + 0.3 * np.clip((np.abs(y) - 55) / 30, 0, 1) - 0.25 * np.clip((np.abs(x) - 45) / 20, 0, 1)
        base = np.where(z < -18, np.float32(0.75), np.float32(1))
        ripple = 1 + 0.10 * self._coarse((x, y, z), 40)
        return (self.traits.skull_mm * crests * base * ripple).astype(np.float32)

    def surroundings(self, p: Points, cavity: Field, swelling: Field | None = None) -> tuple[Field, Field]:
        """What lies outside the brain: Hounsfield units and fraction of bone, air around included.

        `swelling` is an extra thickness of the scalp in mm.
        """
        size = np.float32(self.traits.size)
        x, y, z = q = self.adult(p)
        m = mirrored(q)
        d = cavity / size
        thickness = self.skull_thickness(p) / size
        speckle = self._fine(q, 5.0)
        patches = self._coarse(q, 14.0)
        layers = self._coarse((x, y, 0.4 * z), 22.0)

        scalp = d - thickness - np.float32(5.0)
        if swelling is not None:
            scalp = scalp - swelling
        face = ellipsoid(q, (0, -36, -46), (60, 62, 62))
        nose = capsule(q, (0, -90, -30), (0, -104, -52), 8)
        cheeks = ellipsoid(m, (36, -55, -58), (30, 34, 30))
        neck = np.maximum(np.hypot(x / 1.02, (y - 26) / 1.08) - 56, z + 20)
        skin = smooth_union(scalp, smooth_union(np.minimum(face, cheeks), nose, 10), 14)
        skin = smooth_union(skin, neck, 16)
        ear = np.maximum(ellipsoid(m, (71, 22, -34), (7, 13, 22)), -ellipsoid(m, (74, 18, -33), (5, 8, 12)))

        # Fat under the skin, muscle deeper, at the temples and in the neck.
        muscle = np.clip(0.75 + 0.6 * layers + 0.05 * (-skin - 6), 0, 1) * np.clip((8 - z) / 18, 0, 1)
        hu = -85 + 140 * muscle + 4 * speckle
        if swelling is not None:
            hu = np.where(swelling > 0.5, 45 + 12 * patches, hu)
        hu = np.where(skin > -1.8, np.float32(15), hu)

        bone = inside(np.maximum(-d, d - thickness), 1.5)
        table = np.clip(1.3 - np.minimum(d, thickness - d) / 1.6, 0, 1)
        bone_hu = (520 + 160 * patches + 60 * speckle) * (1 - table) + 1250 * table

        def add(distance: Field, value: Field | float) -> None:
            nonlocal bone, bone_hu
            a = inside(distance, 1.5)
            bone_hu = np.where(a > bone, value, bone_hu)
            bone = np.maximum(bone, a)

        add(
            smooth_union(
                capsule(m, (15, 4, -25), (56, 30, -30), 8), capsule(m, (51, 27, -30), (55, 30, -48), 13), 6
            ),
            1050 + 250 * speckle,
        )
        add(capsule(m, (27, 12, -27), (40, 20, -28), 4.5), 1900.0)
        add(capsule(q, (0, -4, -21), (0, 10, -50), 6.5), 550 + 150 * patches)
        add(capsule(m, (61, -4, -40), (55, -50, -44), 2.8), 1000.0)
        add(capsule(m, (55, -50, -44), (44, -68, -40), 4.0), 900.0)
        add(capsule(m, (44, -68, -40), (44, -62, -14), 3.0), 1000.0)
        add(capsule(m, (49, -4, -44), (47, -20, -90), 4.5), 950.0)
        add(capsule(m, (10, -10, -40), (16, -16, -80), 3.0), 700.0)
        add(capsule(q, (0, -84, -22), (0, -96, -36), 3.5), 800.0)

        orbit = np.maximum(ellipsoid(m, (31, -62, -27), (19, 30, 18)), -y - 95)
        antrum = ellipsoid(m, (27, -58, -60), (14, 17, 16))
        ethmoid = np.maximum(np.maximum(m[0] - 12, np.abs(y + 55) - 26), np.abs(z + 28) - 12)
        nasal = np.maximum(np.maximum(m[0] - 13, np.abs(y + 56) - 34), np.abs(z + 56) - 17)
        sphenoid = ellipsoid(q, (0, -20, -29), (13, 13, 9))
        frontal = ellipsoid(q, (5, -87, -6), (14, 5, 10))
        for wall in (orbit, antrum, ethmoid, sphenoid, frontal):
            add(np.maximum(wall - 1.6, -wall - 0.2), 700.0)

        hu = hu * (1 - bone) + bone_hu * bone
        within = inside(orbit)
        globe = ellipsoid(m, (32, -80, -27), (12.5, 12.5, 12.5))
        eye = 12 + 55 * inside(ellipsoid(m, (32, -89, -27), (5, 2.2, 5))) + 35 * inside(np.abs(globe + 1) - 1)
        nerves = np.minimum(
            capsule(m, (30, -66, -27), (14, -34, -24), 2.3), capsule(m, (20, -72, -27), (14, -38, -25), 2)
        )
        nerves = np.minimum(nerves, capsule(m, (44, -72, -27), (22, -40, -25), 2))
        socket = -85 + 125 * inside(nerves)
        socket = socket * (1 - inside(globe)) + eye * inside(globe)
        hu = hu * (1 - within) + socket * within

        def hollow(distance: Field, fraction: Field | float = 1.0) -> None:
            nonlocal hu, bone
            a = inside(distance) * np.float32(self.traits.pneumatisation) * fraction
            hu = hu * (1 - a) + AIR_HU * a
            bone = bone * (1 - a)

        cells = np.clip(0.6 + 1.6 * np.abs(speckle) - 0.5, 0, 1)
        hollow(np.maximum(antrum, -cavity))
        hollow(ethmoid, cells)
        hollow(
            nasal,
            np.where(np.abs(m[0]) < 1.2, 0, np.clip(np.abs(np.sin(m[0] * 0.55 + 0.5)) * 2 - 0.35, 0, 1)),
        )
        hollow(sphenoid)
        hollow(frontal)
        hollow(ellipsoid(m, (55, 31, -41), (10, 13, 16)), cells)
        hollow(capsule(m, (52, 16, -35), (80, 16, -35), 3.0))
        hollow(ellipsoid(q, (0, -18, -62), (14, 9, 24)))
        head = np.maximum(inside(skin, 1.5), inside(ear, 1.5))
        return (AIR_HU + (hu - AIR_HU) * head).astype(np.float32), (bone * head).astype(np.float32)

    def _bent(self, q: Points) -> Points:
        """Points moved by up to a few millimetres, so that nothing in the brain is straight or symmetric."""
        x, y, z = q
        a, b = self._coarse((x + 100, y, z), 45), self._coarse((x, y + 100, z), 45)
        calm = np.clip(np.abs(x) / 12, 0.25, 1)
        return x + 1.6 * calm * a, y + 2.5 * b, z + 2.0 * (a - b)

    # -- brain ------------------------------------------------------------------------------------------

    def ventricle_distance(self, q: Points) -> Field:
        """Signed distance to the ventricles, points in adult axes."""
        v = self.traits.ventricles
        m = mirrored(q)
        bend = (m[0] - 0.10 * np.clip(m[1], -30, 40), m[1], m[2])
        lateral = ellipsoid(bend, (4 + 7 * v, -24, 13), (4.2 * v, 15, 7.5 * v))
        body = ellipsoid(bend, (4 + 7 * v, 2, 21), (4.8 * v, 26, 5.2 * v))
        atrium = ellipsoid(m, (21 + 3 * v, 31, 14), (5.5 * v, 11, 10 * v))
        occipital = ellipsoid(m, (24, 47, 8), (3 * v, 15, 4 * v))
        temporal = capsule(m, (28, 24, 2), (31, -4, -17), 1.7 * v)
        pair = smooth_union(smooth_union(lateral, body, 5), smooth_union(atrium, occipital, 4), 6)
        pair = np.maximum(np.minimum(pair, temporal), 0.8 - m[0])
        third = ellipsoid(q, (0, 2, 1), (1.9 * v * v, 13, 10))
        fourth = ellipsoid(q, (0, 34, -27), (7 * v, 4.5 * v, 10))
        return np.minimum(np.minimum(pair, third), fourth)

    def brain(
        self, p: Points, cavity: Field, *, contrast: bool = False, squeeze: Field | float = 0.0
    ) -> Tissues:
        """The brain at points inside the cavity; `cavity` is the distance to the inner table there, in mm.

        With mass effect the points are those from which the tissue came. `squeeze` narrows the fluid spaces
        (0 not at all, 1 closed). `contrast` shows the vessels filled.
        """
        t = self.traits
        straight = self.adult(p)
        q = self._bent(straight)
        x, y, z = q
        m = mirrored(q)
        depth = -cavity
        grey, white = np.float32(t.grey_hu), np.float32(t.white_hu)

        # Sulci: sheets where a noise that changes only along the surface crosses zero.
        u = [(c - o) / np.float32(r) for c, o, r in zip(q, VAULT_CENTRE, VAULT_RADII, strict=True)]
        rho = np.sqrt(u[0] ** 2 + u[1] ** 2 + u[2] ** 2) + np.float32(1e-3)
        stretch = (72 * (0.55 + 0.45 * rho)) / rho
        wavelength = 21.0
        gyri = self._gyri((u[0] * stretch, u[1] * stretch, u[2] * stretch), wavelength)
        across = np.abs(gyri) * np.float32(wavelength / (2 * np.pi))
        reach = 15 + 5 * self._coarse(q, 30)
        gap = np.float32(1.0 + 2.6 * t.atrophy) * (1 - 0.8 * squeeze)
        width = (0.35 + 1.5 * t.atrophy) * (1 - squeeze) * np.clip(1.2 - depth / 22, 0.1, 1)
        sulcus = np.maximum(np.maximum(across - width, depth - reach), 40 * (0.62 - rho))

        half = np.float32(0.9 + 1.6 * t.atrophy)
        callosum = (np.hypot(y / 40, (z - 6) / 24) - 1) * 26
        fissure = np.maximum(np.maximum(m[0] - half, -callosum), -8 - z)
        lid = np.abs(z - (-1 + 0.35 * (y + 5) + 0.004 * (y + 5) ** 2)) - (0.6 + 1.6 * t.atrophy) * (
            1 - squeeze
        )
        sylvian = np.maximum(np.maximum(lid, 38 - m[0]), np.abs(y + 8) - 27 + 0.15 * np.abs(m[0] - 48))
        bow = 39 - 0.02 * (y + 6) ** 2 - 0.03 * (z - 4) ** 2
        insula = np.maximum(
            np.abs(m[0] - bow) - (0.4 + 1.2 * t.atrophy) * (1 - squeeze),
            np.hypot((y + 6) / 18, (z - 4) / 11) * 14 - 14,
        )
        folds = np.minimum(np.minimum(fissure, sylvian), np.minimum(insula, sulcus))

        tent = 5 - 0.0065 * x * x - 0.22 * np.maximum(y - 30, 0)
        below = inside(np.maximum(z - tent, 14 - y), 2.0)
        stem = np.minimum(
            ellipsoid(q, (0, 14, -24), (14, 11, 17)),
            np.minimum(ellipsoid(q, (0, 14, -6), (15, 10, 12)), capsule(q, (0, 20, -36), (0, 26, -90), 6.5)),
        )

        ribbon = inside(np.minimum(depth - gap - 3.0, folds - 2.6), 1.6)
        nuclei = inside(
            np.minimum(
                np.minimum(ellipsoid(m, (11, 8, 6), (9, 13, 9)), ellipsoid(m, (13, -18, 9), (5, 9, 9))),
                ellipsoid(m, (25, -3, 4), (5.5, 15, 9)),
            ),
            2.5,
        )
        hu = white + (grey - white) * np.maximum(ribbon, 0.85 * nuclei)
        folia = np.sin(np.hypot(y - 28, 1.3 * (z + 8)) * 1.3 + self._coarse(q, 25))
        hu = hu * (1 - below) + (grey - 3 + 1.3 * folia) * below
        brainstem = inside(stem, 2.0)
        hu = hu * (1 - brainstem) + (white + 3) * brainstem
        hu += 0.8 * self._coarse(q, 18)

        # Outer fluid spaces. Folds belong to the cerebrum, folia and cisterns to what lies below.
        spaces = np.maximum(folds, np.where(stem < 2, np.float32(9), -9))
        spaces = np.where(
            below > 0.5, np.maximum(np.abs(folia) * 3.0, depth - 4 - 4 * t.atrophy) - 0.3, spaces
        )
        wide = np.float32(1 + 0.7 * t.atrophy)
        cistern = np.minimum.reduce(
            [
                ellipsoid(q, (0, -7, -12), (11 * wide, 8 * wide, 5)),
                ellipsoid(q, (0, 3, -23), (11, 3.2 * wide, 13)),
                ellipsoid(q, (0, 27, 0), (8, 3.0 * wide, 6)),
                ellipsoid(q, (0, 58, -44), (9 * wide, 7, 6)),
                np.maximum(np.abs(stem - 1) - 1.0 * wide, np.maximum(np.abs(z + 5) - 6, 12 - y)),
                np.maximum(np.abs(z - tent - 1) - 0.4 * wide, np.maximum(24 - m[0], 14 - y)),
            ]
        )
        canal = np.maximum(np.hypot(straight[0], straight[1] - 26) - 15, straight[2] + 52)
        cistern = np.minimum(cistern, np.maximum(canal, 1 - stem))
        rim = depth - gap * (0.7 + 0.5 * np.clip(self._coarse(q, 45), -1, 1))
        outer = np.maximum(inside(np.minimum(spaces, np.minimum(cistern, rim)), 1.3), 0)
        ventricle = inside(self.ventricle_distance(q), 1.3)
        outer = outer * (1 - ventricle)
        hu = hu * (1 - outer - ventricle) + WATER_LIKE_HU * (outer + ventricle)

        falx = np.maximum(m[0] - 0.3, np.maximum(-callosum + 6, np.maximum(depth - 38, -6 - z)))
        tentorium = np.maximum(
            np.abs(z - tent) - 0.5, np.maximum(20 - y, 26 - m[0] - 0.4 * np.maximum(y - 30, 0))
        )
        sinus = np.minimum(
            ellipsoid(q, (0, 90, 0), (4, 6, 26)),
            np.maximum(np.maximum(m[0] - 4, depth - 4), np.maximum(-y - 40, 20 - z)),
        )
        dura = inside(np.minimum(np.minimum(falx, tentorium), sinus), 1.2)
        hu = hu * (1 - dura) + (150 if contrast else 50) * dura
        outer *= 1 - dura
        if contrast:
            vessel = inside(_arteries(q), 1.5)
            hu = hu * (1 - vessel) + 260 * vessel
        if t.calcified:
            stones = np.minimum(
                ellipsoid(q, (0, 21, 4), (2, 2.5, 2)), ellipsoid(m, (22, 31, 12), (2, 3.5, 3))
            )
            stone = inside(stones, 1.5)
            hu = hu * (1 - stone) + 210 * stone
        # The dark bar between the petrous bones, from beam hardening.
        hu -= 7 * np.exp(-(((z + 27) / 6) ** 2) - ((y - 16) / 10) ** 2)
        return Tissues(hu.astype(np.float32), outer.astype(np.float32), ventricle.astype(np.float32))


def _arteries(q: Points) -> Field:
    """Signed distance to the circle of Willis and its large branches, points in adult axes."""
    m = mirrored(q)
    return np.minimum.reduce(
        [
            capsule(q, (0, 4, -34), (0, 0, -14), 1.8),
            capsule(m, (0, 0, -14), (16, 14, -8), 1.3),
            capsule(m, (12, -8, -22), (11, -10, -11), 2.2),
            capsule(m, (11, -10, -11), (38, -14, -8), 1.6),
            capsule(m, (38, -14, -8), (42, 8, 6), 1.4),
            capsule(m, (11, -10, -11), (2, -26, -2), 1.3),
            capsule(m, (1.5, -26, -2), (1.5, -36, 18), 1.2),
        ]
    )
