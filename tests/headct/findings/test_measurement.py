import numpy as np
import pytest
from drawn_heads import BLOOD, BONE, BRAIN, ball, grid, head, volume
from hypothesis import given, settings
from hypothesis import strategies as st

from headct.findings import measurement
from headct.findings.measurement import measure
from headct.terms.assessment import FindingKind, Location
from headct.triage.rubric import default_rubric


def bleeds(findings):
    return [f for f in findings if f.kind is not FindingKind.MIDLINE_OFFSET]


def measured(hu, mask, **kwargs):
    return bleeds(measure(volume(hu, **kwargs), mask))


def with_blood(mask, hu=None, value=BLOOD):
    hu = head(len(mask)) if hu is None else hu
    return np.where(mask, value, hu)


def box(slabs, z, y, x):
    mask = np.zeros(grid(slabs)[0].shape, bool)
    mask[z, y, x] = True
    return mask


def test_no_mask_gives_the_midline_alone():
    findings = measure(volume(head()), np.zeros(head().shape, bool))
    assert [f.kind for f in findings] == [FindingKind.MIDLINE_OFFSET]


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="shape"):
        measure(volume(head(4)), np.zeros((3, 192, 160), bool))


@pytest.mark.parametrize("radius", [8.0, 15.0, 25.0])
def test_a_deep_ball_has_its_volume_and_thickness(radius):
    mask = ball(23, radius)
    (found,) = measured(with_blood(mask), mask)
    assert found.kind is FindingKind.HAEMORRHAGE
    assert found.location is Location.DEEP
    assert found.volume_ml == pytest.approx(4 / 3 * np.pi * radius**3 / 1000, rel=0.12)
    # The second-largest slice of a ball lies one slab off the middle.
    second = 2 * np.sqrt(radius**2 - 5.0**2)
    assert found.thickness_mm == pytest.approx(second, abs=1.5)
    assert found.mean_hu == pytest.approx(BLOOD)


@pytest.mark.parametrize("width", range(1, 14))
@pytest.mark.parametrize("pixel", [0.8, 1.25])
def test_a_slab_of_n_pixels_is_n_pixels_thick_odd_or_even(width, pixel):
    mask = box(8, slice(2, 6), slice(80, 120), slice(70, 70 + width))
    (found,) = measured(np.where(mask, BLOOD, BRAIN), mask, pixel_mm=pixel)
    assert found.thickness_mm == pytest.approx(width * pixel)
    assert found.volume_ml == pytest.approx(4 * 40 * width * pixel**2 * 5.0 / 1000)


def test_thickness_leaves_out_the_slice_that_cuts_tangentially():
    mask = box(10, slice(3, 6), slice(80, 120), slice(70, 76)) | box(10, 6, slice(80, 120), slice(70, 100))
    (found,) = measured(np.where(mask, BLOOD, BRAIN), mask)
    assert found.thickness_mm == pytest.approx(6.0)


def test_a_bleed_in_one_slice_keeps_its_thickness():
    mask = box(10, 3, slice(80, 120), slice(70, 76))
    (found,) = measured(np.where(mask, BLOOD, BRAIN), mask)
    assert found.thickness_mm == pytest.approx(6.0)
    assert found.slices == (3,)


def test_one_slab_volume():
    mask = box(1, 0, slice(80, 120), slice(70, 76))
    (found,) = measured(with_blood(mask, head(1)), mask)
    assert found.slices == (0,)


def test_components_touching_at_a_corner_are_one():
    a = box(8, 2, slice(80, 90), slice(70, 80))
    b = box(8, 3, slice(90, 100), slice(80, 90))
    assert len(measured(np.where(a | b, BLOOD, BRAIN), a | b)) == 1
    apart = np.roll(b, 1, axis=2)
    assert len(measured(np.where(a | apart, BLOOD, BRAIN), a | apart)) == 2


def test_pieces_under_a_tenth_of_a_millilitre_are_noise():
    # 1 mm pixels in 5 mm slabs: 20 voxels are 0.1 ml.
    for voxels, found in ((19, 0), (20, 1)):
        mask = box(6, 2, 90, slice(60, 60 + voxels))
        assert len(measured(np.where(mask, BLOOD, BRAIN), mask)) == found


def test_voxels_above_100_hu_have_no_weight():
    mask = box(8, slice(2, 6), slice(80, 120), slice(60, 80))
    hu = np.where(mask, BLOOD, BRAIN)
    hu[:, :, 70:] = 101
    (found,) = measured(hu, mask)
    assert found.volume_ml == pytest.approx(4 * 40 * 10 * 5 / 1000)
    assert found.mean_hu == pytest.approx(BLOOD)
    assert measured(np.full(mask.shape, BONE), mask) == []


def test_an_old_collection_is_its_own_finding():
    for value, kind in ((29, FindingKind.OLD_COLLECTION), (31, FindingKind.HAEMORRHAGE)):
        mask = ball(15, 12)
        (found,) = measured(with_blood(mask, head(15), value), mask)
        assert found.kind is kind
        assert found.mean_hu == pytest.approx(value)


def crescent(depth_mm):
    """A collection from the inner table to ``depth_mm`` below it, on the left side of the middle slabs."""
    z, y, x = grid(24)
    hu = head(24)
    inside = (hu < 500) & (hu > -500)
    from scipy.ndimage import distance_transform_edt

    depth = np.stack([distance_transform_edt(level) for level in inside])
    return inside & (depth <= depth_mm) & (x > 20) & (np.abs(y) < 50) & (np.abs(z) < 6), hu


@pytest.mark.parametrize(
    ("depth", "location"), [(6, Location.PERIPHERAL), (16, Location.PERIPHERAL), (30, Location.DEEP)]
)
def test_peripheral_is_a_median_depth_of_at_most_10_mm(depth, location):
    mask, hu = crescent(depth)
    (found,) = measured(with_blood(mask, hu), mask)
    assert found.location is location


def test_a_calcification_is_no_inner_table():
    mask = ball(23, 8)
    hu = with_blood(mask)
    hu[10:13, 96 + 9 : 96 + 14, 78:83] = 400
    (found,) = measured(hu, mask)
    assert found.location is Location.DEEP


def test_a_bleed_under_the_vertex_is_peripheral():
    hu = head(24)
    hu[23] = np.where(hu[23] > -500, BONE, hu[23])
    mask = (head(24) == BRAIN) & (grid(24)[0] > 9.5) & (grid(24)[0] < 11) & (np.abs(grid(24)[2]) < 12)
    (found,) = measured(with_blood(mask, hu), mask)
    assert found.location is Location.PERIPHERAL


def test_a_head_without_any_bone_has_deep_bleeds_only():
    mask = ball(9, 10)
    (found,) = measured(np.where(mask, BLOOD, BRAIN), mask)
    assert found.location is Location.DEEP


def test_slices_are_source_slices():
    mask = box(8, slice(2, 4), slice(80, 120), slice(70, 80))
    (found,) = measured(np.where(mask, BLOOD, BRAIN), mask, thin=4)
    assert found.slices == tuple(range(8, 16))


def test_slab_heights_weigh():
    mask = box(4, slice(1, 3), slice(80, 100), slice(70, 80))
    v = volume(np.where(mask, BLOOD, BRAIN))
    v.slab_heights_mm[:] = [5, 5, 10, 10]
    (found,) = bleeds(measure(v, mask))
    assert found.volume_ml == pytest.approx(200 * (5 + 10) / 1000)


def test_the_largest_comes_first():
    mask = ball(23, 6, column=-30) | ball(23, 12, column=30)
    findings = measured(with_blood(mask), mask)
    assert [round(f.volume_ml) for f in findings] == sorted(
        (round(f.volume_ml) for f in findings), reverse=True
    )
    assert len(findings) == 2


def test_limits_can_be_changed():
    from dataclasses import replace

    mask = ball(23, 8)
    limits = replace(default_rubric().limits, component_min_ml=5.0)
    assert bleeds(measure(volume(with_blood(mask)), mask, limits)) == []


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.0005, 0.5))
def test_any_mask_gives_sane_findings(seed, density):
    rng = np.random.default_rng(seed)
    hu = head(6)
    mask = np.zeros(hu.shape, bool)
    mask[:, 60:130, 50:110] = rng.random((6, 70, 60)) < density
    v = volume(hu)
    findings = bleeds(measure(v, mask))
    usable = mask & (hu <= 100)
    counted = measurement.measured(v, mask)
    assert not (counted & ~usable).any()
    assert sum(f.volume_ml for f in findings) == pytest.approx(counted.sum(axis=(1, 2)) @ v.voxel_ml)
    for f in findings:
        assert f.volume_ml >= 0.1 - 1e-9
        assert 0 < f.thickness_mm < 80
        assert f.slices == tuple(sorted(set(f.slices)))
        assert f.location is not None
