"""What is not a CT of a head: a water phantom, a chest, a localizer's projection, a head as MR sees it."""

import numpy as np

from headct.generator.anatomy import AIR_HU
from headct.generator.fields import Field, SmoothNoise, capsule, ellipsoid, inside, mirrored
from headct.generator.volume import Grid, Volume


def water_phantom() -> Volume:
    """A cylinder of water in acrylic, as scanned each morning for calibration."""
    grid = Grid.covering((-112, -112, -80), (112, 112, 80), (1.4, 1.4, 2.0))
    x, y, _ = grid.points
    r = np.hypot(x, y)
    hu = AIR_HU + (120 - AIR_HU) * inside(r - 100) + (0 - 120) * inside(r - 93)
    return Volume(grid, hu.astype(np.float32), {})


def chest(seed: int) -> Volume:
    """A thorax: lungs, heart, spine, ribs, and shoulders' width."""
    rng = np.random.default_rng([seed, 1])
    noise = SmoothNoise(rng)
    grid = Grid.covering((-190, -135, -110), (190, 135, 110), (2.2, 2.2, 2.5))
    p = grid.points
    x, y, z = p
    m = mirrored(p)
    body = (np.hypot(x / 165, y / 108) - 1) * 120
    wall = (np.hypot(x / 138, y / 86) - 1) * 100
    hu = np.where(body < -2, -95 + 145 * inside(wall + 4 * noise(p, 40), 6), np.float32(20))
    ribs = np.maximum(np.abs(wall + 6) - 3.5, np.abs(((z + 0.35 * y) % 26) - 13) - 4.5)
    hu = hu + (450 - hu) * inside(ribs, 3)
    lung = np.maximum(ellipsoid(m, (68, 4, 0), (54, 72, 125)), 8 - m[0])
    vessels = np.clip(noise(p, 12.0) - 1.7, 0, 1) * 700
    hu = hu + (-850 + vessels - hu) * inside(lung, 3)
    hu = hu + (45 - hu) * inside(ellipsoid(p, (22, -22, -30), (58, 48, 66)), 3)
    hu = hu + (350 + 90 * noise(p, 9.0) - hu) * inside(capsule(p, (0, 62, -200), (0, 62, 200), 19), 3)
    hu = AIR_HU + (hu - AIR_HU) * inside(body, 3)
    return Volume(grid, hu.astype(np.float32), {})


def projection(volume: Volume, lateral: bool, matrix: int, fov_mm: float) -> Field:
    """A localizer: attenuation summed along one axis, in scanner units, head up, shape (matrix, matrix)."""
    attenuation = np.clip(volume.hu + 1000, 0, None).mean(axis=2 if lateral else 1)
    nz, n = attenuation.shape
    gx, gy, gz = volume.grid.spacing
    across = gy if lateral else gx
    pixel = fov_mm / matrix
    at = (np.arange(matrix) - (matrix - 1) / 2) * pixel
    column = at / across + (n - 1) / 2
    row = -at / gz + (nz - 1) / 2
    wide = np.stack([np.interp(column, np.arange(n), line, left=0, right=0) for line in attenuation])
    tall = np.stack([np.interp(row, np.arange(nz), line, left=0, right=0) for line in wide.T], axis=1)
    return (tall - 1000).astype(np.float32)


# Signal of a T1-weighted spin echo by tissue, keyed by the tissue's Hounsfield units; arbitrary units.
_MR_HU = (-1000, -400, -90, 0, 10, 28, 38, 65, 200, 800, 3000)
_MR_SIGNAL = (5, 20, 950, 140, 160, 620, 470, 520, 150, 40, 30)


def as_mr(hu: Field) -> Field:
    """The same object's T1-weighted signal, arbitrary units from 0."""
    return np.interp(hu, _MR_HU, _MR_SIGNAL).astype(np.float32)
