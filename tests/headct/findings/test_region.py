"""From the crop of the head back to the pixels of the images."""

from dataclasses import replace

import numpy as np
import pytest
import report_cases as cases
from hypothesis import given, settings
from hypothesis import strategies as st

from headct.findings.region import Region
from headct.network.preprocessing import CROP_COLUMNS, CROP_ROWS

IMAGES = replace(cases.series(4), hu=np.zeros((4, 400, 400), np.int16))


def transform(turn_deg, scale, row, column):
    """Crop pixel to source pixel, about the crop's middle, which lies at (row, column)."""
    a = np.deg2rad(turn_deg)
    linear = scale * np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
    return np.column_stack([linear, np.array([row, column]) - linear @ [CROP_ROWS / 2, CROP_COLUMNS / 2]])


def disc(row, column, radius):
    r, c = np.indices((CROP_ROWS, CROP_COLUMNS))
    return np.hypot(r - row, c - column) <= radius


@settings(max_examples=30)
@given(
    turn=st.floats(-45, 45),
    scale=st.floats(0.4, 2.5),
    middle=st.tuples(st.floats(190, 210), st.floats(190, 210)),
    at=st.tuples(st.integers(60, 130), st.integers(50, 110)),
    radius=st.integers(4, 20),
)
def test_a_disc_keeps_its_place_and_size(turn, scale, middle, at, radius):
    to_source = transform(turn, scale, *middle)
    mask = np.zeros((4, CROP_ROWS, CROP_COLUMNS), bool)
    mask[3] = disc(*at, radius)
    ((number, drawn),) = Region(mask, to_source).in_images(IMAGES)
    assert number == 3
    # The centre by the transform itself, the size by its determinant.
    expected = to_source @ [*at, 1]
    assert np.argwhere(drawn).mean(axis=0) == pytest.approx(expected, abs=1.0)
    edge = 4 * np.pi * radius * scale  # half a pixel on either side of the circle, twice
    assert drawn.sum() == pytest.approx(mask.sum() * scale**2, abs=edge)


def test_every_slice_of_a_slab_shows_it_and_no_other_slice():
    series = cases.series(6, slabs=((0, 1), (2, 3, 4), (5,)))
    mask = np.zeros((3, CROP_ROWS, CROP_COLUMNS), bool)
    mask[1, :2, :2] = True
    found = dict(Region(mask, np.eye(2, 3)).in_images(series))
    assert list(found) == [2, 3, 4]
    for drawn in found.values():
        assert np.argwhere(drawn).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_nothing_lies_outside_the_crop():
    mask = np.ones((4, CROP_ROWS, CROP_COLUMNS), bool)
    to_source = np.array([[0.5, 0, 40.0], [0, 0.5, 30.0]])
    drawn = dict(Region(mask, to_source).in_images(IMAGES))[0]
    rows, columns = np.nonzero(drawn)
    # Half a crop pixel beyond the centres of the outermost ones.
    assert (rows.min(), rows.max()) == (40, 40 + (CROP_ROWS - 1) // 2)
    assert (columns.min(), columns.max()) == (30, 30 + (CROP_COLUMNS - 1) // 2)
    assert drawn.sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
