"""Coverage from skull base to vertex, on a synthetic head."""

from dataclasses import replace

import numpy as np
import pytest
from dicom_stack import files, head

from headct.images.coverage import coverage
from headct.images.reading import load_series
from headct.images.series import CTSeries

HEAD = head()


def part(series: CTSeries, where: slice) -> CTSeries:
    return replace(series, hu=series.hu[where], slab_positions_mm=series.slab_positions_mm[where])


@pytest.fixture(scope="module")
def whole() -> CTSeries:
    return load_series(files(HEAD))


def test_a_whole_head(whole):
    assert coverage(whole).complete


@pytest.mark.parametrize("count", range(1, 25))
def test_no_lower_part_is_complete(whole, count):
    found = coverage(part(whole, slice(0, count)))
    assert not found.vertex


@pytest.mark.parametrize("first", range(9, 27))
def test_no_upper_part_is_complete(whole, first):
    found = coverage(part(whole, slice(first, None)))
    assert not found.skull_base


def test_neither_end(whole):
    found = coverage(part(whole, slice(12, 20)))
    assert not found.skull_base
    assert not found.vertex


def test_thin_slices():
    thin = np.repeat(HEAD, 8, axis=0)
    assert coverage(load_series(files(thin, gaps_mm=0.625))).complete
    assert not coverage(load_series(files(thin[: len(thin) // 2], gaps_mm=0.625))).complete


def test_a_wrong_pixel_spacing_changes_nothing(whole):
    for mm in (0.5, 9.0):
        assert coverage(replace(whole, spacing_mm=(mm, mm))).complete


def test_air_above_the_head(whole):
    above = np.full((4, *whole.hu.shape[1:]), -1000, np.int16)
    taller = replace(
        whole,
        hu=np.concatenate([whole.hu, above]),
        slab_positions_mm=np.arange(len(HEAD) + 4) * 5.0,
    )
    assert coverage(taller).complete


@pytest.mark.parametrize("value", [-1024, -2000, 3000])
def test_blank_pictures_are_no_end_of_a_head(whole, value):
    below, above = whole.hu.copy(), whole.hu.copy()
    below[:10], above[18:] = value, value
    assert not coverage(replace(whole, hu=below)).skull_base
    assert not coverage(replace(whole, hu=above)).vertex


def test_nothing_to_see(whole):
    assert not coverage(replace(whole, hu=np.full_like(whole.hu, -1000))).complete
    assert not coverage(replace(whole, hu=np.full_like(whole.hu, 40))).complete
