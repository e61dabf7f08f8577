"""A slice that came alone is shown the same, however it was windowed."""

import drawn_heads
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headct.network.single_slices import BONE_SHOWN_HU, BRAIN_HU, PICTURE_HU, as_picture, brain_shift


def slab(brain: float = drawn_heads.BRAIN) -> np.ndarray:
    hu = drawn_heads.head(3)[1]
    soft = (hu > 0) & (hu < 100)
    return np.where(soft, hu + brain - drawn_heads.BRAIN, hu).astype(np.int16)


@given(off=st.floats(-9, 9))
@settings(max_examples=15, deadline=None)
def test_the_brain_comes_to_one_value_wherever_the_window_lay(off):
    shown = as_picture(slab(BRAIN_HU + off))
    assert np.median(shown[shown == np.round(BRAIN_HU)]) == BRAIN_HU
    assert (shown == BRAIN_HU).sum() > 5000


def test_what_is_too_far_off_is_no_brain():
    assert abs(brain_shift(slab(BRAIN_HU + 30))) == 10


def test_where_there_is_no_brain_nothing_is_moved():
    assert brain_shift(np.full((192, 160), -1000, np.int16)) == 0


@pytest.mark.parametrize(("width", "centre"), [(75, 40), (80, 35), (80, 40), (100, 40), (150, 40)])
def test_the_width_of_the_window_cannot_be_seen(width, centre):
    hu = slab()
    hu[90:100, 60:70] = drawn_heads.BLOOD
    cut = np.clip(hu, centre - width / 2, centre + width / 2)
    windowed = np.where((hu > 200) | (hu < -200), hu, cut).astype(np.int16)
    seen, wide = as_picture(windowed), as_picture(hu)
    # All are cut alike, but for what a narrow window had cut off below.
    assert np.abs(seen.astype(int) - wide).max() <= max(0, centre - width / 2)
    assert seen.min() >= PICTURE_HU[0] and set(np.unique(seen[seen > PICTURE_HU[1]])) <= {BONE_SHOWN_HU}
