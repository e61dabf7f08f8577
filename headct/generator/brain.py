"""The brain: cortex with its folds, white matter, deep nuclei, ventricles, cisterns, cerebellum, dura."""

from dataclasses import dataclass
from functools import reduce

import numpy as np

from headct.generator.anatomy import VAULT_CENTRE, VAULT_RADII, Head
from headct.generator.fields import Field, Points, capsule, ellipsoid, inside, mirrored, smooth_union

_FLUID_HU = 6.0
_DURA_HU, _CALCIUM_HU = 50.0, 210.0
_FILLED_SINUS_HU, _FILLED_ARTERY_HU = 150.0, 260.0


@dataclass(frozen=True, slots=True)
class Tissues:
    """The brain at some points: Hounsfield units and the fractions that bleeding can fill."""

    hu: Field
    cisterns: Field
    """Fraction of cerebrospinal fluid outside the ventricles."""
    ventricles: Field


def brain(
    head: Head, p: Points, cavity: Field, *, contrast: bool = False, squeeze: Field | float = 0.0
) -> Tissues:
    """The brain at points inside the cavity; `cavity` is the distance to the inner table there, in mm.

    With mass effect the points are those from which the tissue came. `squeeze` narrows the fluid spaces
    (0 not at all, 1 closed). `contrast` shows the vessels filled.
    """
    t = head.traits
    q = _bent(head, head.adult(p))
    x, y, z = q
    depth = -cavity
    open_ = 1 - squeeze
    gap = (1.0 + 2.6 * t.atrophy) * (1 - 0.8 * squeeze)
    callosum = (np.hypot(y / 40, (z - 6) / 24) - 1) * 26
    folds = _folds(head, q, depth, callosum, open_)
    tent = 5 - 0.0065 * x * x - 0.22 * np.maximum(y - 30, 0)
    below = inside(np.maximum(z - tent, 14 - y), 2.0)
    stem = _union(
        ellipsoid(q, (0, 14, -24), (14, 11, 17)),
        ellipsoid(q, (0, 14, -6), (15, 10, 12)),
        capsule(q, (0, 20, -36), (0, 26, -90), 6.5),
    )

    ribbon = inside(np.minimum(depth - gap - 3.0, folds - 2.6), 1.6)
    hu = t.white_hu + (t.grey_hu - t.white_hu) * np.maximum(ribbon, 0.85 * _nuclei(q))
    folia = np.sin(np.hypot(y - 28, 1.3 * (z + 8)) * 1.3 + head.coarse(q, 25))
    hu = hu * (1 - below) + (t.grey_hu - 3 + 1.3 * folia) * below
    brainstem = inside(stem, 2.0)
    hu = hu * (1 - brainstem) + (t.white_hu + 3) * brainstem
    hu += 0.8 * head.coarse(q, 18)

    # Folds belong to the cerebrum, folia to what lies below the tentorium.
    between_folia = np.maximum(np.abs(folia) * 3.0, depth - 4 - 4 * t.atrophy) - 0.3
    spaces = np.where(below > 0.5, between_folia, np.maximum(folds, np.where(stem < 2, 9.0, -9.0)))
    cisterns = _cisterns(q, stem, tent, 1 + 0.7 * t.atrophy)
    rim = depth - gap * (0.7 + 0.5 * np.clip(head.coarse(q, 45), -1, 1))
    ventricles = inside(_ventricles(q, t.ventricles), 1.3)
    outer = inside(_union(spaces, cisterns, rim), 1.3) * (1 - ventricles)
    hu = hu * (1 - outer - ventricles) + _FLUID_HU * (outer + ventricles)

    dura = inside(_dura(q, depth, callosum, tent), 1.2)
    hu = hu * (1 - dura) + (_FILLED_SINUS_HU if contrast else _DURA_HU) * dura
    if contrast:
        vessel = inside(_arteries(q), 1.5)
        hu = hu * (1 - vessel) + _FILLED_ARTERY_HU * vessel
    if t.calcified:
        plexus = ellipsoid(mirrored(q), (22, 31, 12), (2, 3.5, 3))
        stone = inside(np.minimum(ellipsoid(q, (0, 21, 4), (2, 2.5, 2)), plexus), 1.5)
        hu = hu * (1 - stone) + _CALCIUM_HU * stone
    # The dark bar between the petrous bones, from beam hardening.
    hu = hu - 7 * np.exp(-(((z + 27) / 6) ** 2) - ((y - 16) / 10) ** 2)
    return Tissues(hu, outer * (1 - dura), ventricles)


def _bent(head: Head, q: Points) -> Points:
    """Points moved by up to a few millimetres, so that nothing in the brain is straight or symmetric."""
    x, y, z = q
    a, b = head.coarse((x + 100, y, z), 45), head.coarse((x, y + 100, z), 45)
    calm = np.clip(np.abs(x) / 12, 0.25, 1)
    return x + 1.6 * calm * a, y + 2.5 * b, z + 2.0 * (a - b)


def _folds(head: Head, q: Points, depth: Field, callosum: Field, open_: Field | float) -> Field:
    """Signed distance to sulci and fissures. Sulci are sheets where a noise crosses zero."""
    atrophy = head.traits.atrophy
    x, y, z = mirrored(q)
    u = [(c - o) / r for c, o, r in zip(q, VAULT_CENTRE, VAULT_RADII, strict=True)]
    rho = np.sqrt(u[0] ** 2 + u[1] ** 2 + u[2] ** 2) + 1e-3
    # The noise changes along the brain's surface and little in depth, so the sheets stand upright on it.
    stretch = (72 * (0.55 + 0.45 * rho)) / rho
    wavelength = 21.0
    gyri = head.gyri((u[0] * stretch, u[1] * stretch, u[2] * stretch), wavelength)
    across = np.abs(gyri) * (wavelength / (2 * np.pi))
    reach = 15 + 5 * head.coarse(q, 30)
    width = (0.35 + 1.5 * atrophy) * open_ * np.clip(1.2 - depth / 22, 0.1, 1)
    sulcus = np.maximum(np.maximum(across - width, depth - reach), 40 * (0.62 - rho))

    fissure = np.maximum(np.maximum(x - (0.9 + 1.6 * atrophy), -callosum), -8 - z)
    lid = np.abs(z + 1 - 0.35 * (y + 5) - 0.004 * (y + 5) ** 2) - (0.6 + 1.6 * atrophy) * open_
    sylvian = np.maximum(np.maximum(lid, 38 - x), np.abs(y + 8) - 27 + 0.15 * np.abs(x - 48))
    bow = 39 - 0.02 * (y + 6) ** 2 - 0.03 * (z - 4) ** 2
    insula = np.maximum(
        np.abs(x - bow) - (0.4 + 1.2 * atrophy) * open_, np.hypot((y + 6) / 18, (z - 4) / 11) * 14 - 14
    )
    return _union(fissure, sylvian, insula, sulcus)


def _nuclei(q: Points) -> Field:
    """Fraction of deep grey matter: thalamus, head of the caudate, lentiform nucleus."""
    m = mirrored(q)
    thalamus, caudate = ellipsoid(m, (11, 8, 6), (9, 13, 9)), ellipsoid(m, (13, -18, 9), (5, 9, 9))
    return inside(_union(thalamus, caudate, ellipsoid(m, (25, -3, 4), (5.5, 15, 9))), 2.5)


def _ventricles(q: Points, v: float) -> Field:
    """Signed distance to the ventricles, scaled by `v`."""
    m = mirrored(q)
    bend = (m[0] - 0.10 * np.clip(m[1], -30, 40), m[1], m[2])
    horn = ellipsoid(bend, (4 + 7 * v, -24, 13), (4.2 * v, 15, 7.5 * v))
    body = ellipsoid(bend, (4 + 7 * v, 2, 21), (4.8 * v, 26, 5.2 * v))
    atrium = ellipsoid(m, (21 + 3 * v, 31, 14), (5.5 * v, 11, 10 * v))
    occipital = ellipsoid(m, (24, 47, 8), (3 * v, 15, 4 * v))
    temporal = capsule(m, (28, 24, 2), (31, -4, -17), 1.7 * v)
    pair = smooth_union(smooth_union(horn, body, 5), smooth_union(atrium, occipital, 4), 6)
    pair = np.maximum(np.minimum(pair, temporal), 0.8 - m[0])
    third = ellipsoid(q, (0, 2, 1), (1.9 * v * v, 13, 10))
    fourth = ellipsoid(q, (0, 34, -27), (7 * v, 4.5 * v, 10))
    return _union(pair, third, fourth)


def _cisterns(q: Points, stem: Field, tent: Field, wide: float) -> Field:
    """Signed distance to the basal cisterns, those around the brainstem, the cisterna magna and the canal."""
    x, y, z = mirrored(q)
    suprasellar = ellipsoid(q, (0, -7, -12), (12 * wide, 9 * wide, 7))
    prepontine = ellipsoid(q, (0, 3, -23), (11, 3.2 * wide, 13))
    quadrigeminal = ellipsoid(q, (0, 27, 0), (8, 3.0 * wide, 6))
    magna = ellipsoid(q, (0, 58, -44), (9 * wide, 7, 6))
    ambient = np.maximum(np.abs(stem - 1) - wide, np.maximum(np.abs(z + 5) - 6, 12 - y))
    tentorial = np.maximum(np.abs(z - tent - 1) - 0.4 * wide, np.maximum(24 - x, 14 - y))
    canal = np.maximum(np.maximum(np.hypot(x, y - 26) - 15, z + 52), 1 - stem)
    return _union(suprasellar, prepontine, quadrigeminal, magna, ambient, tentorial, canal)


def _dura(q: Points, depth: Field, callosum: Field, tent: Field) -> Field:
    """Signed distance to falx, tentorium and the large sinuses."""
    x, y, z = mirrored(q)
    falx = np.maximum(x - 0.3, np.maximum(-callosum + 6, np.maximum(depth - 38, -6 - z)))
    free_edge = np.maximum(20 - y, 26 - x - 0.4 * np.maximum(y - 30, 0))
    tentorium = np.maximum(np.abs(z - tent) - 0.5, free_edge)
    sagittal = np.maximum(np.maximum(x - 4, depth - 4), np.maximum(-y - 40, 20 - z))
    torcular = ellipsoid(q, (0, 90, 0), (4, 6, 26))
    return _union(falx, tentorium, sagittal, torcular)


def _arteries(q: Points) -> Field:
    """Signed distance to the circle of Willis and its large branches."""
    m = mirrored(q)
    return _union(
        capsule(q, (0, 4, -34), (0, 0, -14), 1.8),
        capsule(m, (0, 0, -14), (16, 14, -8), 1.3),
        capsule(m, (12, -8, -22), (11, -10, -11), 2.2),
        capsule(m, (11, -10, -11), (38, -14, -8), 1.6),
        capsule(m, (38, -14, -8), (42, 8, 6), 1.4),
        capsule(m, (11, -10, -11), (2, -26, -2), 1.3),
        capsule(m, (1.5, -26, -2), (1.5, -36, 18), 1.2),
    )


def _union(*distances: Field) -> Field:
    return reduce(np.minimum, distances)
