"""A drawn vault that landmarks can be laid into, in milliseconds: skull, brain, two ventricles, noise."""

import numpy as np

from headct.network.preprocessing import CROP_COLUMNS, CROP_ROWS, HeadVolume

PIXEL_MM, SLAB_MM, SLABS = 1.1, 5.0, 27
BRAIN_HU, FLUID_HU, BONE_HU = 35.0, 8.0, 900.0


def vault(seed: int = 0) -> HeadVolume:
    """An adult's head of average size from below the skull's base to above the vertex."""
    z = (np.arange(SLABS) * SLAB_MM - 45.0)[:, None, None]
    y = ((np.arange(CROP_ROWS) - (CROP_ROWS - 1) / 2) * PIXEL_MM)[None, :, None]
    x = ((np.arange(CROP_COLUMNS) - (CROP_COLUMNS - 1) / 2) * PIXEL_MM)[None, None, :]
    up = np.maximum(z - 12, 0)
    inner = (x / 66) ** 2 + (y / 84) ** 2 + (up / 64) ** 2
    outer = (x / 73) ** 2 + (y / 91) ** 2 + (up / 71) ** 2
    skin = (x / 79) ** 2 + (y / 97) ** 2 + (up / 77) ** 2
    hu = np.where(skin < 1, 20.0, -1000.0)
    hu = np.where(outer < 1, BONE_HU, hu)
    hu = np.where(inner < 1, BRAIN_HU, hu)
    ventricle = ((np.abs(x) - 18) / 7) ** 2 + (y / 40) ** 2 + ((z - 14) / 12) ** 2 < 1
    hu = np.where(ventricle & (inner < 1), FLUID_HU, hu)
    noise = np.random.default_rng(seed).normal(0, 3, hu.shape)
    hu = np.where(hu > -500, hu + noise, hu)
    slabs = tuple((i,) for i in range(SLABS))
    heights = np.full(SLABS, SLAB_MM)
    return HeadVolume(np.rint(hu).astype(np.int16), (PIXEL_MM, PIXEL_MM), heights, slabs, np.eye(2, 3))
