import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from headct import in_plane

CASES = settings(max_examples=60, deadline=None)


@st.composite
def masks(draw):
    """From noise to large shapes, some slabs full or empty."""
    noise = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = [draw(st.integers(1, 4)), draw(st.integers(8, 30)), draw(st.integers(8, 30))]
    smooth = draw(st.sampled_from([0, 0.5, 1, 2, 4]))
    found = ndimage.gaussian_filter(noise.normal(size=shape), (0, smooth, smooth)) > draw(
        st.sampled_from([-0.3, 0.0, 0.05, 0.3])
    )
    if draw(st.booleans()):
        found[0] = draw(st.booleans())
    return found


def largest(image):
    labels, count = ndimage.label(image)
    sizes = np.bincount(labels.ravel())
    return labels == 1 + np.argmax(sizes[1:]) if count else np.zeros_like(image)


def closed(image, times):
    padded = ndimage.binary_closing(np.pad(image, times), iterations=times)
    return padded[times:-times, times:-times] | image


@CASES
@given(masks(), st.integers(1, 6))
def test_shapes_are_those_that_scipy_makes_of_each_slab(stack, times):
    for found, by_slab in (
        (in_plane.eroded(stack, times), lambda s: ndimage.binary_erosion(s, iterations=times)),
        (in_plane.dilated(stack, times), lambda s: ndimage.binary_dilation(s, iterations=times)),
        (in_plane.closed(stack, times), lambda s: closed(s, times)),
        (in_plane.filled(stack), ndimage.binary_fill_holes),
        (in_plane.largest(stack), largest),
    ):
        assert np.array_equal(found, np.stack([by_slab(slab) for slab in stack]))


@CASES
@given(masks(), st.data())
def test_within_is_what_the_distance_transform_says(stack, data):
    stack[:, 0, 0] = False  # without anything outside, SciPy's distances mean nothing
    exact = st.sampled_from([0.0, 1.0, 2**0.5, 5**0.5, 5.0, 13**0.5])
    pixels = np.array([data.draw(exact | st.floats(0, 20)) for _ in stack])
    far = [ndimage.distance_transform_edt(slab) > p for slab, p in zip(stack, pixels, strict=True)]
    assert np.array_equal(in_plane.within(stack, pixels), np.stack(far))


@pytest.mark.parametrize("shape", [(3, 9, 7)])
def test_where_nothing_lies_outside_all_is_far_within(shape):
    assert in_plane.within(np.ones(shape, bool), np.full(3, 50.0)).all()
