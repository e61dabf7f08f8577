"""The loss: nothing is better than the truth, and specks and small bleeds count."""

import numpy as np
import pytest
import tensorflow as tf

from headct.findings.slice_score import slice_scores
from model_training.learning.losses import SLIVER_PIXELS, bleed_loss, training_loss
from model_training.learning.networks.bleed import bleed_network
from model_training.learning.networks.verdicts import PROBABILITY, VERDICTS, SliceScore, with_verdicts


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


def both(*slabs: tuple[np.ndarray, list[float]]) -> dict[str, np.ndarray]:
    """A batch: pixels of each slab, and what is said of it."""
    return {
        "pixels": np.concatenate([pixels for pixels, _ in slabs]),
        "said": np.array([said for _, said in slabs], np.float32),
    }


UNSAID = [-1.0] * 6
MASKED, LABELLED = [*UNSAID, 1.0], [1.0, *UNSAID[1:], 0.0]


def whole(batch: dict[str, np.ndarray], *answers: np.ndarray, verdicts: list[list[float]]) -> float:
    said = {PROBABILITY: np.concatenate(answers), VERDICTS: np.array(verdicts, np.float32)}
    return float(training_loss(0.5, 0.1)(batch, said))


def test_a_slice_without_mask_stays_out_of_the_mask_loss():
    batch = both((target(LARGE), MASKED), (target(), LABELLED))
    seen, blind = (
        whole(batch, answer(LARGE), second, verdicts=[[3.0], [3.0]]) for second in (answer(LARGE), answer())
    )
    assert seen == pytest.approx(blind, abs=1e-6), "what is drawn where nobody marked costs nothing"
    alone = whole(both((target(LARGE), MASKED)), answer(LARGE), verdicts=[[3.0]])
    assert seen == pytest.approx(alone, rel=1e-4), "nor does it make what is marked cheaper"


def test_blood_in_a_slice_is_as_said_or_else_as_marked():
    sliver = (slice(0, 1), slice(0, SLIVER_PIXELS - 1))
    for pixels, said, truth in (
        (target(), LABELLED, 1),
        (target(), [0.0, *UNSAID[1:], 0.0], 0),
        (target(SMALL), MASKED, 1),
        (target(), MASKED, 0),
    ):
        right, wrong = (
            whole(both((pixels, said)), answer(), verdicts=[[odds]]) for odds in (4.0, -4.0)[:: 2 * truth - 1]
        )
        assert wrong > right + 1
    for pixels, said in ((target(), [*UNSAID, 0.0]), (target(sliver), MASKED)):
        low, high = (whole(both((pixels, said)), answer(), verdicts=[[odds]]) for odds in (-4.0, 4.0))
        assert low == pytest.approx(high), "what is not known costs nothing"


def test_kinds_that_nobody_named_cost_nothing():
    said = [1.0, 1.0, -1.0, -1.0, -1.0, -1.0, 0.0]
    batch = both((target(), said))
    right = whole(batch, answer(), verdicts=[[3.0, 3.0, 9.0, -9.0, 9.0, -9.0]])
    assert right == pytest.approx(whole(batch, answer(), verdicts=[[3.0, 3.0, 0.0, 0.0, 0.0, 0.0]]))
    assert whole(batch, answer(), verdicts=[[3.0, -3.0, 0.0, 0.0, 0.0, 0.0]]) > right + 0.2


def test_the_score_that_is_learnt_is_the_score_that_is_given():
    random = np.random.default_rng(0)
    maps = 1 / (1 + np.exp(-random.normal(-5, 3, (3, 48, 48, 1)))).astype(np.float32)
    learnt = SliceScore(dtype="float32")(maps).numpy()[:, 0]
    assert learnt == pytest.approx(slice_scores(maps[..., 0]), abs=1e-3)


def test_a_network_with_verdicts_keeps_its_own_answer():
    network = bleed_network((4, 8), 32, 32)
    slabs = np.random.default_rng(0).normal(30, 20, (2, 32, 32, 3)).astype(np.float32)
    said = with_verdicts(network)(slabs, training=False)
    assert np.allclose(said[PROBABILITY], network(slabs, training=False), atol=1e-6)
    assert said[VERDICTS].shape == (2, 6)
