"""Coverage from skull base to vertex, on drawn and generated heads."""

from dataclasses import fields, replace

import numpy as np
import pytest
from dicom_stack import file_bytes, files, head
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from headct.generator.generation import generate
from headct.images.anatomy import Levels, levels
from headct.images.coverage import LIMITS, coverage, covered
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


# --- generated heads: whole ones with blank slices at either end, tilted, thin; and cut off ---


@pytest.fixture(scope="module", params=["plain", "tilted", "thin"])
def generated(request) -> Levels:
    """What is measured of a child's head, its soft neck left out as routine scans do."""
    setting = {"plain": {}, "tilted": {"tilt_deg": 18.0}, "thin": {"thickness_mm": 2.5}}[request.param]
    made = generate("normal_child", 2, matrix=128, **setting)
    return levels(load_series([file_bytes(ds) for ds in made.datasets]))


def piece(at: Levels, where: slice) -> Levels:
    return Levels(*(getattr(at, f.name)[where] for f in fields(Levels)))


def joined(*parts: Levels) -> Levels:
    return Levels(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Levels)))


def blank(count: int, at: Levels, head_rest: bool = False) -> Levels:
    """Slabs of air, or of air with a head rest in it: a small outline, partly as soft as brain."""
    air = Levels(*np.zeros((len(fields(Levels)), count)))
    if head_rest:
        air = replace(air, head_cm2=np.full(count, 0.1 * at.head_cm2.max()), soft=np.full(count, 0.4))
    return air


def base_slabs(at: Levels) -> NDArray[np.intp]:
    """Numbers of the slabs that show skull base."""
    return np.flatnonzero(at.soft[: int(np.argmax(at.brain))] < LIMITS.base_level)


@settings(max_examples=40)
@given(below=st.integers(0, 8), above=st.integers(0, 8), head_rest=st.booleans(), begin=st.floats(0, 1))
def test_whole_heads_with_blank_slabs_at_either_end(generated, below, above, head_rest, begin):
    # From a scan of the whole neck to one that shows two slabs of skull base.
    first = round(begin * base_slabs(generated)[-2])
    head = piece(generated, slice(first, None))
    whole = joined(blank(below, head, head_rest), head, blank(above, head, head_rest))
    assert covered(whole) == covered(head)
    assert covered(whole).complete or begin > 0.9


@given(lost=st.floats(0, 1), air=st.integers(0, 8), head_rest=st.booleans())
def test_heads_cut_off_below(generated, lost, air, head_rest):
    count, last = len(generated.soft), base_slabs(generated)[-1]
    first = last + round(lost * (count - 1 - last))
    head = piece(generated, slice(first, None))
    assert not covered(joined(blank(air, head, head_rest), head)).skull_base


@given(left=st.floats(0, 1), air=st.integers(0, 8))
def test_heads_cut_off_above(generated, left, air):
    full = np.flatnonzero(generated.brain > 0.6 * generated.brain.max())[-1]
    head = piece(generated, slice(0, 1 + round(left * full)))
    assert not covered(joined(head, blank(air, head))).vertex


def test_two_slabs_of_skull_base_are_enough_where_one_is_plain(whole):
    at = levels(whole)
    at = piece(at, slice(base_slabs(at)[-2], None))
    for lowest, second, enough in ((0.45, 0.65, True), (0.65, 0.45, True), (0.65, 0.66, False)):
        at.soft[:2] = lowest, second
        assert covered(at).complete is enough
    at.soft[2] = 0.66
    assert covered(at).complete


def test_what_was_measured_can_be_cut_as_files_can(whole):
    at = levels(load_series(files(HEAD)[5:20]))
    for f in fields(Levels):
        np.testing.assert_array_equal(getattr(at, f.name), getattr(levels(whole), f.name)[5:20])
