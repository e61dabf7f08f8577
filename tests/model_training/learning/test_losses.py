"""The loss: nothing is better than the truth, and specks and small bleeds count."""

import numpy as np
import tensorflow as tf

from model_training.learning.losses import SLIVER_PIXELS, bleed_loss


def target(*marked: tuple[slice, slice]) -> np.ndarray:
    """One slab, mask and weight."""
    made = np.zeros((1, 64, 64, 2), np.float32)
    made[..., 1] = 1
    for rows, columns in marked:
        made[0, rows, columns, 0] = 1
    return made


def answer(*marked: tuple[slice, slice], high: float = 0.95) -> np.ndarray:
    made = np.full((1, 64, 64, 1), 0.01, np.float32)
    for rows, columns in marked:
        made[0, rows, columns] = high
    return made


LARGE, SMALL = (slice(10, 40), slice(10, 40)), (slice(50, 54), slice(50, 54))


def loss(truth: np.ndarray, said: np.ndarray) -> float:
    return float(bleed_loss(truth, said))


def test_the_truth_is_best():
    for truth in ((), (LARGE,), (SMALL,), (LARGE, SMALL)):
        right = loss(target(*truth), answer(*truth))
        for said in ((), (LARGE,), (SMALL,), (LARGE, SMALL)):
            if said != truth:
                assert loss(target(*truth), answer(*said)) > right + 0.1


def test_a_missed_small_bleed_and_a_false_speck_cost_like_large_ones():
    missed = loss(target(SMALL), answer()) - loss(target(SMALL), answer(SMALL))
    false = loss(target(), answer(SMALL)) - loss(target(), answer())
    assert missed > 0.5 and false > 0.3


def test_the_sliver_of_a_bleed_makes_no_slab_bleed():
    sliver = (slice(0, 1), slice(0, SLIVER_PIXELS - 1))
    bleed = (slice(0, 1), slice(0, SLIVER_PIXELS))
    of_sliver = loss(target(sliver), answer()) - loss(target(), answer())
    of_bleed = loss(target(bleed), answer()) - loss(target(), answer())
    assert of_bleed > of_sliver + 0.5


def test_pixels_without_weight_do_not_count():
    truth = target(SMALL)
    truth[0, :, :, 1] = 1 - truth[0, :, :, 0]
    assert loss(truth, answer()) < loss(target(SMALL), answer())


def test_the_most_suspicious_pixels_are_pulled_down():
    said = tf.Variable(answer(SMALL, high=0.5))
    with tf.GradientTape() as tape:
        value = bleed_loss(target(), said)
    slope = tape.gradient(value, said).numpy()[0, :, :, 0]
    assert (slope[SMALL] > 0).all() and slope[SMALL].min() > slope[LARGE].max()
