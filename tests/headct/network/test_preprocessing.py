import drawn_heads
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from headct.images.series import CTSeries
from headct.network.preprocessing import (
    ABSENT_HU,
    CROP_COLUMNS,
    CROP_ROWS,
    Missing,
    eight_slices,
    head_volume,
    resample,
    stacked,
)
from headct.network.single_slices import as_picture

SLABS, ROWS, COLUMNS, SPACING = 24, 256, 256, 0.9


def head_series(turn_deg=0.0, shift=(0, 0), couch=False, scale=1.0) -> CTSeries:
    """An egg-shaped skull, narrower in front, with a dense mark at the patient's left front."""
    z = np.arange(SLABS)[:, None, None]
    r, c = np.indices((ROWS, COLUMNS), dtype=float)
    a = np.deg2rad(turn_deg)
    dr, dc = (r - 128 - shift[0]) * SPACING, (c - 128 - shift[1]) * SPACING
    ap, lr = np.cos(a) * dr + np.sin(a) * dc, -np.sin(a) * dr + np.cos(a) * dc
    level = np.sqrt(np.maximum(0.05, 1 - ((z - 8) / 17.0) ** 2)) * scale
    radius = np.sqrt((ap / (92 * level)) ** 2 + (lr / ((70 + 0.1 * ap) * level)) ** 2)
    hu = np.full((SLABS, ROWS, COLUMNS), -1000, np.int16)
    hu[radius < 1] = 35
    hu[(radius < 0.97) & (radius > 0.9)] = 900
    hu[8:12, (np.hypot(ap + 40 * scale, lr - 30 * scale) < 8)] = 70
    if couch:
        hu[:, 240:243, 20:236] = 200
        hu[4:20, 90:100, 4:14] = 60
    return CTSeries(
        hu=hu,
        slabs=tuple((i,) for i in range(SLABS)),
        slab_positions_mm=np.arange(SLABS) * 5.0,
        slice_positions_mm=np.arange(SLABS) * 5.0,
        spacing_mm=(SPACING, SPACING),
        gantry_tilt_deg=0.0,
        sop_instance_uids=tuple(f"1.2.{i}" for i in range(SLABS)),
        headers=(),
        pixel_digest="",
    )


def mark(volume) -> np.ndarray:
    """Centre (row, column) of the dense mark in slab 9: the largest piece of its density."""
    labels, _ = ndimage.label((volume.hu[9] > 55) & (volume.hu[9] < 85))
    return np.argwhere(labels == np.bincount(labels[labels > 0]).argmax()).mean(axis=0)


@pytest.mark.parametrize("turn", [-35, -18, -5, 0, 7, 25, 40])
def test_head_is_turned_upright(turn):
    upright, turned = head_volume(head_series()), head_volume(head_series(turn))
    assert turned.hu.shape == (SLABS, CROP_ROWS, CROP_COLUMNS)
    assert np.hypot(*(mark(turned) - mark(upright))) < 6
    assert turned.pixel_mm[0] == pytest.approx(upright.pixel_mm[0], rel=0.05)


@settings(max_examples=8, deadline=None)
@given(turn=st.floats(-30, 30), row=st.integers(-15, 15), column=st.integers(-15, 15))
def test_nothing_of_the_head_is_cut_away(turn, row, column):
    series = head_series(turn, (row, column))
    volume = head_volume(series)
    inside = (series.hu > -480).sum() * SPACING**2
    kept = (volume.hu > -480).sum() * volume.pixel_mm[0] * volume.pixel_mm[1]
    assert kept == pytest.approx(inside, rel=0.02)


def test_couch_and_hand_do_not_widen_the_crop():
    assert head_volume(head_series(couch=True)).pixel_mm == pytest.approx(
        head_volume(head_series()).pixel_mm, rel=0.02
    )


def test_small_head_fills_the_crop_and_keeps_its_millimetres():
    volume = head_volume(head_series(scale=0.6))
    assert volume.pixel_mm[0] < 0.7
    expected = (head_series(scale=0.6).hu > -480).sum() * SPACING**2 * 5 / 1000
    assert ((volume.hu > -480).sum(axis=(1, 2)) * volume.voxel_ml).sum() == pytest.approx(expected, rel=0.02)


def test_crop_pixel_maps_back_to_its_source():
    series = head_series(20, (8, -6))
    volume = head_volume(series)
    row, column = mark(volume)
    source = volume.to_source @ (row, column, 1)
    assert source == pytest.approx(mark(series), abs=1)


def test_frame_without_a_head_still_gives_a_volume():
    series = head_series()
    series.hu[:] = -1000
    assert head_volume(series).hu.max() == -1000


def test_eight_slices_are_brain_windowed_pictures_of_the_whole_frame():
    pictures = eight_slices(head_series())
    assert pictures.shape == (8, 256, 256) and pictures.dtype == np.uint8
    assert pictures[3, 128, 128] == round(35 / 80 * 255)
    assert pictures[:, 0, 0].max() == 0 and pictures.max() == 255
    areas = (pictures > 0).sum(axis=(1, 2))
    assert areas.min() > 0 and areas[0] > areas[-1]


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_resampling_to_a_coarser_grid_averages_and_stays_centred(factor):
    rng = np.random.default_rng(0)
    ramp = np.indices((48, 60))[1][None] + rng.normal(0, 1, (3, 48, 60))
    frame = np.array([[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2]], float)
    out = resample(ramp, frame, (48 // factor, 60 // factor))
    expected = np.arange(60 // factor) * factor + (factor - 1) / 2
    assert out.mean(axis=(0, 1)) == pytest.approx(expected, abs=0.5)
    assert (out - expected).std() < 1.2 / factor


def test_slabs_come_with_their_neighbours_and_the_end_slabs_repeat_themselves():
    hu = np.arange(4, dtype=np.int16)[:, None, None] * np.ones((4, 2, 3), np.int16)
    stack = stacked(hu)
    assert stack.shape == (4, 2, 3, 3)
    assert stack.dtype == np.float32
    assert stack[:, 0, 0].tolist() == [[0, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 3]]
    assert stacked(hu, [1, 9], context=2)[:, 1, 2].tolist() == [[0, 0, 1, 2, 3], [3, 3, 3, 3, 3]]


def test_neighbours_that_are_not_there_read_as_air():
    hu = np.arange(4, dtype=np.int16)[:, None, None] * np.ones((4, 2, 3), np.int16)
    air = ABSENT_HU
    stack = stacked(hu, missing=Missing.AIR)
    assert stack[:, 0, 0].tolist() == [[air, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, air]]
    assert stacked(hu, [1, 9], context=2, missing=Missing.AIR)[:, 1, 2].tolist() == [
        [air, 0, 1, 2, 3],
        [1, 2, 3, air, air],
    ]


def test_a_slab_without_any_neighbour_is_read_as_a_picture():
    slab = drawn_heads.head(3)[1:2].astype(np.int16)
    alone = stacked(slab, missing=Missing.AIR)
    assert (alone[..., [0, 2]] == ABSENT_HU).all()
    assert np.array_equal(alone[0, ..., 1], as_picture(slab[0]))
    assert np.array_equal(stacked(slab)[0], np.repeat(slab[0, ..., None], 3, axis=-1))
