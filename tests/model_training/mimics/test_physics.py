"""Projection and what it is used for."""

import numpy as np
import pytest

from headct.network.preprocessing import CROP_COLUMNS, CROP_ROWS
from model_training.mimics.attenuation import Material, hardened, with_metal
from model_training.mimics.projection import projected, reconstructed

ROWS, COLUMNS = np.indices((CROP_ROWS, CROP_COLUMNS))
HEAD = np.hypot((ROWS - 96) / 85, (COLUMNS - 80) / 68) < 1


def test_what_was_projected_is_reconstructed():
    image = HEAD.astype(np.float32)
    image[60:70, 90:100] = 1.5
    found = reconstructed(projected(image[None]))[0]
    assert found[100:120, 60:100].mean() == pytest.approx(1.0, abs=0.01)
    assert found[62:68, 92:98].mean() == pytest.approx(1.5, abs=0.05)
    assert abs(found[:5, :5].mean()) < 0.02


def test_between_two_dense_bones_it_is_too_dark_and_water_stays():
    water = np.where(HEAD, 0.0, -1000.0).astype(np.float32)
    bones = water.copy()
    for column in (45, 115):
        bones[np.hypot(ROWS - 96, COLUMNS - column) < 12] = 1500.0
    plain, dark = (hardened(hu[None], 1.0)[0] - hu for hu in (water, bones))
    middle = np.s_[92:100, 70:90]
    assert abs(plain[HEAD].mean()) < 1.0
    assert dark[middle].mean() < plain[middle].mean() - 10
    assert dark[middle].mean() < dark[140:150, 70:90].mean()


def test_metal_is_bright_and_streaks_reach_far_from_it():
    water = np.where(HEAD, 40.0, -1000.0).astype(np.float32)
    metal = (np.hypot(ROWS - 96, COLUMNS - 60) < 1.5).astype(np.float32)
    for material in (Material.TITANIUM, Material.PLATINUM):
        found = with_metal(water[None], metal[None], material, np.random.default_rng(0))[0]
        assert found[96, 60] > 1000
        away = np.s_[90:102, 95:115]
        assert found[away].std() > 1.0
