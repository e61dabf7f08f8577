import numpy as np
import pytest
from drawn_heads import BRAIN, FLUID, head, volume

from headct.findings.midline import midline_offset_mm


@pytest.mark.parametrize("shift", [-12.0, -6.0, 0.0, 4.0, 9.0, 14.0])
def test_shifted_ventricles_are_measured_with_their_sign(shift):
    offset = midline_offset_mm(volume(head(24, ventricle_shift=shift)), 3.0)
    assert offset == pytest.approx(shift, abs=1.0)


@pytest.mark.parametrize("lean", [-0.8, 0.8])
def test_a_head_leaning_to_one_side_has_no_offset(lean):
    assert midline_offset_mm(volume(head(24, lean=lean)), 3.0) == pytest.approx(0.0, abs=1.0)


def test_a_head_off_the_middle_of_the_crop_has_no_offset():
    hu = np.roll(head(24), 4, axis=2)
    assert midline_offset_mm(volume(hu), 3.0) == pytest.approx(0.0, abs=1.0)


def test_the_offset_is_in_millimetres():
    offset = midline_offset_mm(volume(head(24, ventricle_shift=8.0), pixel_mm=0.5), 1.0)
    assert offset == pytest.approx(4.0, abs=0.6)


@pytest.mark.parametrize("bias", [-10, 10])
def test_a_scanner_that_reads_low_or_high_does_not_matter(bias):
    hu = head(24, ventricle_shift=8.0)
    hu[(hu == BRAIN) | (hu == FLUID)] += bias
    assert midline_offset_mm(volume(hu), 3.0) == pytest.approx(8.0, abs=1.0)


def test_without_fluid_it_is_not_measurable():
    assert midline_offset_mm(volume(head(24, fluid=False)), 3.0) is None
    assert midline_offset_mm(volume(head(24)), 1000.0) is None


@pytest.mark.parametrize("hu", [-1000, 0, 35, 900])
@pytest.mark.parametrize("slabs", [1, 2, 5])
def test_what_is_no_head_is_not_measurable(hu, slabs):
    assert midline_offset_mm(volume(np.full((slabs, 192, 160), hu)), 3.0) is None


def test_one_slab():
    hu = head(24, ventricle_shift=6.0)[12:13]
    assert midline_offset_mm(volume(hu), 1.0) == pytest.approx(6.0, abs=1.5)


def test_noise_of_a_scanner_is_borne():
    rng = np.random.default_rng(1)
    hu = head(24, ventricle_shift=-9.0) + rng.normal(0, 5, (24, 192, 160))
    assert midline_offset_mm(volume(hu), 3.0) == pytest.approx(-9.0, abs=1.0)
