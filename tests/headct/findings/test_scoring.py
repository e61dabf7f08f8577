from dataclasses import replace

import numpy as np
import pytest

from headct.findings.scoring import HEAD_PIXEL_MM, SMALLEST_ML, score
from headct.network.contents import Thresholds
from headct.network.preprocessing import HeadVolume

THRESHOLDS = Thresholds(voxel=0.4, haemorrhage=0.0)


def volume(pixel_mm=1.0, slabs=10) -> HeadVolume:
    return HeadVolume(
        hu=np.full((slabs, 40, 40), 35, np.int16),
        pixel_mm=(pixel_mm, pixel_mm),
        slab_heights_mm=np.full(slabs, 5.0),
        slabs=tuple((i,) for i in range(slabs)),
        to_source=np.eye(2, 3),
    )


def output(*pieces) -> np.ndarray:
    """Probability 0 but for cubes given as (slab, row, side, probability)."""
    p = np.zeros((10, 40, 40), np.float32)
    for slab, row, side, value in pieces:
        p[slab : slab + 2, row : row + side, 5 : 5 + side] = value
    return p


def test_score_is_the_likely_blood_of_the_component_with_most():
    found = score(volume(), output((1, 2, 10, 0.8), (6, 20, 5, 0.9)), THRESHOLDS)
    assert found.score == pytest.approx(np.log10(200 * 0.8**2 * 5 * HEAD_PIXEL_MM**2 / 1000 + SMALLEST_ML))


def test_certain_blood_counts_more_than_as_much_in_doubt():
    certain, doubtful = output((1, 2, 5, 0.9)), output((1, 2, 10, 0.225))
    assert certain.sum() == pytest.approx(doubtful.sum())
    assert score(volume(), certain, THRESHOLDS).score > score(volume(), doubtful, THRESHOLDS).score
    plain = replace(THRESHOLDS, power=1.0)
    assert score(volume(), certain, plain).score == pytest.approx(score(volume(), doubtful, plain).score)


def test_nothing_seen_scores_lowest_and_measures_nothing():
    found = score(volume(), output(), THRESHOLDS)
    assert found.score == pytest.approx(np.log10(SMALLEST_ML)) and not found.mask.any()


def test_pixel_spacing_in_the_header_is_no_feature():
    p = output((1, 2, 10, 0.8))
    assert score(volume(0.7), p, THRESHOLDS).score == score(volume(1.4), p, THRESHOLDS).score


def test_score_rises_with_certainty_and_with_size_below_the_voxel_cut_too():
    scores = [
        score(volume(), output((1, 2, side, value)), THRESHOLDS).score
        for side, value in ((4, 0.25), (8, 0.25), (8, 0.35), (8, 0.9), (20, 0.9))
    ]
    assert scores == sorted(scores) and len(set(scores)) == 5


def test_specks_beside_a_bleed_are_not_measured():
    found = score(volume(), output((1, 2, 20, 0.8), (6, 30, 3, 0.9)), THRESHOLDS)
    assert found.mask.sum() == 800 and not found.mask[6:].any()


def test_two_bleeds_are_both_measured():
    assert (
        score(volume(), output((1, 2, 16, 0.8), (6, 20, 16, 0.9)), THRESHOLDS)
        .mask[[1, 6]]
        .any(axis=(1, 2))
        .all()
    )


def test_flagged_patient_always_has_something_to_measure():
    found = score(volume(), output((1, 2, 25, 0.39)), THRESHOLDS)
    assert found.score > THRESHOLDS.haemorrhage and found.mask.sum() == 2 * 25 * 25


def test_below_the_cut_nothing_is_measured():
    found = score(volume(), output((1, 2, 5, 0.9)), THRESHOLDS)
    assert found.score < THRESHOLDS.haemorrhage and not found.mask.any()
