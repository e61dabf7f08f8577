import numpy as np
import pytest

from headct.network.acquisition import input_quantities
from headct.network.preprocessing import CROP_COLUMNS, CROP_ROWS, HeadVolume
from headct.terms.quantities import Quantity as Q


def head(noise_hu=4.0, smoothed=False, slabs=((0,), (1,), (2, 3), (4, 5)), heights=(5.0, 5.0, 5.0, 5.0)):
    random = np.random.default_rng(1)
    hu = 35 + random.normal(0, noise_hu, (len(slabs), CROP_ROWS, CROP_COLUMNS))
    if smoothed:
        hu = 35 + (hu - 35 + np.roll(hu - 35, 1, axis=2)) / np.sqrt(2)
    return HeadVolume(np.round(hu).astype(np.int16), (1.1, 1.1), np.array(heights), slabs, np.eye(2, 3))


def test_what_is_known_of_an_input():
    found = input_quantities(head(), age_years=43.0, pixel_mm=0.45)
    assert found[Q.AGE_YEARS] == 43.0
    assert found[Q.PIXEL_MM] == 0.45
    assert found[Q.SLICES] == 6
    assert found[Q.SLICE_DISTANCE_MM] == pytest.approx(3.75)  # of 5, 5, 2.5 and 2.5
    assert found[Q.NOISE_HU] == pytest.approx(4.0, rel=0.1)


def test_a_sharp_kernel_has_less_correlated_noise():
    sharp, soft = (
        input_quantities(head(smoothed=s), age_years=None, pixel_mm=None)[Q.NOISE_CORRELATION]
        for s in (False, True)
    )
    assert sharp == pytest.approx(0.0, abs=0.08)
    assert soft == pytest.approx(0.5, abs=0.15)


def test_what_is_unknown_is_absent():
    bone = HeadVolume(
        np.full((3, CROP_ROWS, CROP_COLUMNS), 900, np.int16),
        (1.1, 1.1),
        np.full(3, 5.0),
        ((0,), (1,), (2,)),
        np.eye(2, 3),
    )
    assert set(input_quantities(bone, age_years=None, pixel_mm=None)) == {Q.SLICES, Q.SLICE_DISTANCE_MM}


def test_a_head_of_one_slab():
    one = head(slabs=((0,),), heights=(5.0,))
    assert input_quantities(one, age_years=0.0, pixel_mm=None)[Q.AGE_YEARS] == 0.0
