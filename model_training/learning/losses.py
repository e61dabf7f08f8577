"""What the bleed networks are trained to lessen."""

from typing import Any

import tensorflow as tf

from model_training.learning.distribution import total

SUSPECT_PIXELS = 24
"""Pixels a slab is judged by, its most suspicious ones: about 0.15 ml, a little over the rubric's smallest
bleed."""
SLIVER_PIXELS = 8
"""Marked pixels below which a slab is neither clear nor bleeding: the end of a bleed that the slab cuts."""
SLAB_SHARE = 0.3
"""Weight of the slabs' verdicts beside that of their pixels."""


def bleed_loss(target: Any, probability: Any) -> Any:
    """What pixels and what whole slabs are judged wrongly.

    Of pixels, cross-entropy plus one minus the batch's soft Dice (Milletari, 3DV 2016), both weighted by
    pixel; Dice is that of the global batch, of which every replica holds a part. Both are ruled by large
    bleeds, but a patient is flagged by one spot: so the cross-entropy of each slab's most suspicious pixels
    is added, which counts a small bleed that is missed and a speck that is none as much as a large one.

    Args:
        target: float32 (n, rows, columns, 2): mask and weight.
        probability: float32 (n, rows, columns, 1).
    """
    mask, weight = target[..., :1], target[..., 1:]
    p = tf.clip_by_value(probability, 1e-6, 1 - 1e-6)
    # Blood is a few pixels in a thousand; at equal weight the network would first learn to say no.
    entropy = -(4.0 * mask * tf.math.log(p) + (1.0 - mask) * tf.math.log(1.0 - p))
    both = total(tf.reduce_sum(weight * mask * p))
    either = total(tf.reduce_sum(weight * (mask + p)))
    dice = (2.0 * both + 50.0) / (either + 50.0)
    return 10.0 * tf.reduce_mean(weight * entropy) + 1.0 - dice + SLAB_SHARE * _slab_loss(mask * weight, p)


def _slab_loss(blood: Any, p: Any) -> Any:
    """Cross-entropy of the mean of each slab's highest probabilities: mean over slabs, slivers left out."""
    slabs = tf.shape(p)[0]
    marked = tf.reduce_sum(tf.reshape(blood, [slabs, -1]), axis=1)
    highest, _ = tf.math.top_k(tf.reshape(p, [slabs, -1]), SUSPECT_PIXELS, sorted=False)
    suspicion = tf.reduce_mean(highest, axis=1)
    bleeding = marked >= SLIVER_PIXELS
    entropy = -tf.math.log(tf.where(bleeding, suspicion, 1.0 - suspicion))
    return tf.reduce_mean(tf.where(bleeding | (marked < 0.5), entropy, 0.0))
