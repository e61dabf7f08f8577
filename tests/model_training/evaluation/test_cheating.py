"""The changed pictures of the tests for cheating, on drawn heads."""

import numpy as np
import pytest
from drawn_heads import AIR, BLOOD, BONE, BRAIN, grid, head
from drawn_heads import volume as wrapped
from scipy import ndimage

from model_training.evaluation.cheating import AIR_HU, SHELL_HU, around, blank_outside, erase
from model_training.evaluation.skull import inside_skull, scalp_asymmetry

SLABS = 6


@pytest.fixture(scope="module")
def brain():
    """A head with noise as a scanner makes it."""
    noise = np.random.default_rng(0).normal(0, 4, (SLABS, 192, 160))
    hu = head(SLABS)
    return np.where(hu > AIR, hu + noise, hu).astype(np.int16)


def with_scalp(hu, left_mm, right_mm):
    """Soft tissue outside the skull, thicker or thinner on either side."""
    x = grid(len(hu))[2]
    distance = ndimage.distance_transform_edt(hu <= AIR, sampling=(1e6, 1, 1))
    thick = np.where(x > 0, left_mm, right_mm)
    return np.where((hu <= AIR) & (distance <= thick), 40, hu).astype(np.int16)


def deep_bleed():
    z, y, x = grid(SLABS)
    return (np.hypot(y - 20, x - 25) <= 11) & (np.abs(z) <= 1)


def peripheral_bleed(hu):
    """A crescent along the inner table, touching it."""
    z, _, x = grid(SLABS)
    bone = ndimage.distance_transform_edt(hu < BONE / 2, sampling=(1e6, 1, 1))
    return (bone <= 9) & (hu > 0) & (hu < 100) & (x > 20) & (np.abs(z) <= 1)


@pytest.mark.parametrize("where", [deep_bleed, None], ids=["deep", "peripheral"])
def test_an_erased_bleed_looks_like_brain(brain, where):
    mask = where() if where else peripheral_bleed(brain)
    bloody = np.where(mask, brain + (BLOOD - BRAIN), brain).astype(np.int16)
    found = erase(bloody, around(mask), seed=1)
    hole = around(mask) & (brain < 100)
    assert np.abs(found[mask].mean() - BRAIN) < 3
    assert np.percentile(found[mask], 99) < BRAIN + 15
    assert 2 < found[hole].std() < 7  # neither a flat patch nor speckle
    untouched = ~around(mask) | (bloody > 150)
    assert (found[untouched] == bloody[untouched]).all()


def test_erasing_where_nothing_is_changes_little(brain):
    """The operator itself is no cue: brain before and after differs by its noise alone."""
    found = erase(brain, around(deep_bleed()), seed=1)
    tissue = around(deep_bleed()) & (brain > 20)  # not the ventricle, which is filled with brain
    assert np.abs(found[tissue].mean() - brain[tissue].mean()) < 1
    assert 0.8 < found[tissue].std() / brain[tissue].std() < 1.25
    rim = tissue & ~deep_bleed()
    assert np.abs(found[rim].mean() - brain[rim].mean()) < 1


def test_erasing_is_the_same_each_time(brain):
    hole = around(deep_bleed())
    assert (erase(brain, hole, 5) == erase(brain, hole, 5)).all()
    assert (erase(brain, hole, 5) != erase(brain, hole, 6)).any()


def test_around_reaches_the_next_slabs():
    mask = np.zeros((5, 20, 20), bool)
    mask[2, 10, 10] = True
    near = around(mask)
    assert near.any(axis=(1, 2)).tolist() == [False, True, True, True, False]
    assert near[2].sum() == 29 and near[1].sum() == 1
    assert not around(np.zeros((2, 4, 4), bool)).any()


@pytest.mark.parametrize("gap", [0, 6, 60], ids=["closed", "fracture", "open"])
def test_blanking_keeps_blood_along_the_inner_table(brain, gap):
    mask = peripheral_bleed(brain)
    _, y, x = grid(SLABS)
    hole = (x < 0) & (np.abs(y) < gap / 2) & (brain > BONE / 2)
    bloody = np.where(mask, BLOOD, np.where(hole, BRAIN, brain)).astype(np.int16)
    blanked = blank_outside(bloody)
    assert (blanked[mask] == BLOOD).all()
    inner = ndimage.binary_erosion((brain > 0) & (brain < 100), iterations=1)
    assert (blanked[inner] == bloody[inner]).all()


def test_nothing_outside_the_skull_is_left(brain):
    """Swelling, dense bone and the couch leave no trace: the picture is that of the bare head."""
    swollen = with_scalp(brain, 12, 3)
    swollen = np.where((brain > BONE / 2) & (grid(SLABS)[2] > 72), 1500, swollen).astype(np.int16)
    assert (blank_outside(swollen) == blank_outside(brain)).all()
    on_couch = brain.copy()
    on_couch[:, 189:, 20:140] = 900
    assert (blank_outside(on_couch) == blank_outside(brain)).all()
    outside = ~inside_skull(swollen)
    assert set(np.unique(blank_outside(swollen)[outside])) <= {SHELL_HU, AIR_HU}


def test_without_bone_nothing_is_inside():
    hu = np.full((2, 192, 160), BRAIN, np.int16)
    assert not inside_skull(hu).any()
    assert (blank_outside(hu) == AIR_HU).all()
    assert (erase(hu, np.ones(hu.shape, bool), 0) < 60).all()


def test_scalp_asymmetry_is_of_the_swelling_alone(brain):
    even = scalp_asymmetry(wrapped(with_scalp(brain, 5, 5)))
    swollen = scalp_asymmetry(wrapped(with_scalp(brain, 12, 5)))
    other_side = scalp_asymmetry(wrapped(with_scalp(brain, 5, 12)))
    assert max(even) < 0.005
    assert min(swollen) > 0.03
    assert swollen == pytest.approx(other_side, rel=0.2)
    # Pixel spacing, which may be a placeholder, plays no part.
    assert scalp_asymmetry(wrapped(with_scalp(brain, 12, 5), pixel_mm=0.5)) == swollen
    assert scalp_asymmetry(wrapped(np.full((2, 192, 160), AIR, np.int16))) == (0.0, 0.0)
