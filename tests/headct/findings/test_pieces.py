import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from headct.findings.pieces import distances, pieces


@st.composite
def masks(draw):
    noise = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = [draw(st.integers(1, 12)) for _ in range(3)]
    return noise.random(shape) < draw(st.sampled_from([0.0, 0.02, 0.2, 0.6, 1.0]))


@settings(max_examples=80, deadline=None)
@given(masks())
def test_pieces_are_those_of_the_whole_mask(mask):
    labels, count = ndimage.label(mask, np.ones((3, 3, 3)))
    found = pieces(mask)
    assert found.count == count
    sizes = found.sizes(lambda at: at[0] + 1.0)
    assert np.allclose(
        sizes,
        np.bincount(labels.ravel(), np.nonzero(np.ones(mask.shape))[0] + 1.0)[: count + 1]
        * (np.arange(count + 1) > 0),
    )
    for wanted in (np.ones(count + 1, bool), np.arange(count + 1) % 2 == 0):
        assert np.array_equal(found.those(wanted), (wanted & (np.arange(count + 1) > 0))[labels])
    drawn = np.zeros(mask.shape, int)
    for number, (piece, box) in enumerate(found.each(), start=1):
        drawn[box][piece] = number
    assert np.array_equal(drawn, labels)


@settings(max_examples=60, deadline=None)
@given(masks(), st.sampled_from([(1.0, 1.0, 1.0), (5.0, 0.98, 0.98)]))
def test_distances_are_those_of_the_whole_mask(mask, sampling):
    mask[0, 0, 0] = False
    expected = ndimage.distance_transform_edt(mask, sampling=sampling)[mask]
    assert np.array_equal(distances(mask, mask, sampling), expected)
