"""A hole is what leaves a slab unseen, among neighbours or by thickness and numbers; less is a caution."""

import numpy as np
import pytest
from pydicom.dataset import Dataset

from headct.errors import NotAnalysedError
from headct.images.scans.gaps import unseen
from headct.reasons import ReasonCode


def headers(
    count: int, thickness: float | None, numbered=lambda k: k + 1, declared: float | None = None
) -> list[Dataset]:
    found = []
    for k in range(count):
        ds = Dataset()
        if thickness is not None:
            ds.SliceThickness = thickness
        if declared is not None:
            ds.SpacingBetweenSlices = declared
        if numbered is not None:
            ds.InstanceNumber = numbered(k)
        found.append(ds)
    return found


def places(gaps) -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum(gaps)])


def refused(positions, found) -> str:
    with pytest.raises(NotAnalysedError) as error:
        unseen(positions, found)
    assert error.value.reason.code is ReasonCode.INCONSISTENT_GEOMETRY
    return error.value.reason.detail


SEAMS = [
    *[1.25] * 8,
    0.73,
    0.52,
    0.73,
    0.52,
    0.73,
    0.52,
    0.73,
    *[1.25] * 4,
    0.73,
    0.52,
    1.25,
    0.73,
    0.52,
    0.73,
]


@pytest.mark.parametrize(
    ("gaps", "thickness"),
    [
        ([5.0] * 30, 5.0),
        ([4.92] * 30, 5.0),
        ([5.0] * 30, 10.0),
        ([5.0] * 30, None),
        ([2.5] * 16 + [5.0] * 20, None),
        ([9.0] * 6 + [8.87] * 7, 9.0),
        ([7.0] * 15, 5.0),
        ([10.0] * 14, 10.0),
        ([0.625] * 200, 1.25),
        (SEAMS * 4, 1.25),
        (SEAMS[::-1] * 4, 1.25),
        ([5.0, 5.0, 5.0, 2.0] * 8, 5.0),
    ],
)
def test_regular_and_uneven_steps_leave_nothing_unseen(gaps, thickness):
    for order in (gaps, gaps[::-1]):
        assert unseen(places(order), headers(len(order) + 1, thickness)) is False


@pytest.mark.parametrize(("step", "lost"), [(0.6, 1), (0.6, 6), (1.25, 1), (1.25, 3), (2.5, 1), (3.0, 1)])
@pytest.mark.parametrize("known", [True, False])
def test_a_few_thin_slices_lost_are_a_caution(step, lost, known):
    gaps = [step] * 40 + [step * (lost + 1)] + [step] * 40
    numbered = (lambda k: k if k < 41 else k + lost) if known else None
    assert unseen(places(gaps), headers(len(gaps) + 1, step if known else None, numbered)) is True


@pytest.mark.parametrize(
    ("step", "lost"), [(0.6, 9), (1.25, 4), (2.5, 2), (4.0, 1), (5.0, 1), (5.0, 8), (8.0, 1)]
)
@pytest.mark.parametrize("known", [True, False])
def test_a_slab_lost_is_a_hole(step, lost, known):
    gaps = [step] * 12 + [step * (lost + 1)] + [step] * 12
    told = refused(places(gaps), headers(len(gaps) + 1, step if known else None, None))
    assert told == f"slices missing: a gap of {format(step * (lost + 1), '.0f')} mm"


@pytest.mark.parametrize("every", [2, 3])
@pytest.mark.parametrize(
    ("thickness", "numbered", "declared"),
    [
        (5.0, lambda k, n: 2 + n * k, None),
        (5.0, lambda k, n: k + 1, None),
        (5.0, lambda k, n: 900 - n * k, 5.0),
        (5.0, None, None),
        (5.0, lambda k, n: 1, None),
        (None, lambda k, n: 101 + n * k, None),
        (None, lambda k, n: k + 1, 5.0),
        (None, lambda k, n: n * ((k * 7) % 15), None),
    ],
    ids=["numbers", "renumbered", "down", "no numbers", "one number", "no thickness", "declared", "mixed"],
)  # fmt: skip
def test_every_second_or_third_slice_gone_is_missing(every, thickness, numbered, declared):
    numbers = None if numbered is None else (lambda k: numbered(k, every))
    told = refused(np.arange(15) * 5.0 * every, headers(15, thickness, numbers, declared))
    assert told == f"slices missing: 5 mm slices every {5 * every} mm"


def test_half_of_a_stack_without_every_second_slice():
    assert (
        refused(places([5.0] * 12 + [10.0] * 8), headers(21, 5.0))
        == "slices missing: 5 mm slices every 10 mm"
    )


@pytest.mark.parametrize("seed", range(20))
def test_a_random_third_lost(seed):
    kept = np.sort(np.random.default_rng(seed).permutation(30)[:20])
    assert refused(kept * 5.0, headers(20, 5.0)).startswith("slices missing")


def test_far_apart_on_purpose_is_said_so():
    told = refused(np.arange(15) * 10.0, headers(15, 5.0, declared=10.0))
    assert told == "slices far apart, as acquired: 5 mm slices every 10 mm"
    lost = refused(np.arange(15) * 10.0, headers(15, 5.0, lambda k: 2 * k, declared=10.0))
    assert lost == "slices missing: 5 mm slices every 10 mm"


@pytest.mark.parametrize(
    ("distance", "thickness"), [(2.5, 1.25), (3.75, 1.25), (5.0, 2.5), (5.0, 0.625), (6.0, 3.0), (8.0, 5.0)]
)
def test_thin_slices_apart_are_a_caution(distance, thickness):
    for numbered in (lambda k: k + 1, None, lambda k: 1):
        assert unseen(np.arange(30) * distance, headers(30, thickness, numbered)) is True


@pytest.mark.parametrize(("step", "every"), [(0.6, 2), (1.25, 2), (1.25, 3), (2.5, 2)])
@pytest.mark.parametrize("start", [0, 60])
def test_every_second_or_third_thin_slice_gone_is_missing(step, every, start):
    kept = np.array([k for k in range(120) if k < start or k % every == 0])
    for numbered in (lambda k: kept[k] + 1, lambda k: 500 - kept[k]):
        told = refused(kept * step, headers(len(kept), step, numbered))
        assert (
            told == f"slices missing: {format(step, '.3g')} mm slices every {format(step * every, '.3g')} mm"
        )


@pytest.mark.parametrize("seed", range(5))
def test_a_random_third_of_thin_slices_lost(seed):
    kept = np.sort(np.random.default_rng(seed).permutation(120)[:80])
    assert refused(kept * 1.25, headers(80, 1.25, lambda k: kept[k])).startswith("slices missing")


@pytest.mark.parametrize("lost", [[30], [30, 60, 61, 90]])
def test_a_few_thin_slices_lost_here_and_there_are_a_caution(lost):
    kept = np.array([k for k in range(120) if k not in lost])
    assert unseen(kept * 0.6, headers(len(kept), 0.6, lambda k: kept[k])) is True


def test_uneven_numbers_of_thin_slices_that_touch_are_no_loss():
    assert unseen(np.arange(120) * 1.25, headers(120, 1.25, lambda k: 3 * k)) is False


def test_numbers_of_two_series_in_turn_are_no_loss_where_slices_touch():
    assert unseen(np.arange(30) * 5.0, headers(30, 5.0, lambda k: 2 * k, declared=5.0)) is False


def test_wide_steps_of_unknown_slices_are_a_caution():
    assert unseen(np.arange(15) * 10.0, headers(15, None, None)) is True
    assert unseen(np.arange(15) * 10.0, headers(15, 500.0, None)) is True


def test_one_false_thickness_loses_nothing():
    found = headers(30, 5.0)
    found[12].SliceThickness = 0.5
    assert unseen(np.arange(30) * 5.0, found) is False


def test_one_slice():
    assert unseen(np.array([3.0]), headers(1, 5.0)) is False
