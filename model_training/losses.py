"""What the bleed networks are trained to lessen."""

from typing import Any

import tensorflow as tf

from model_training.distribution import total


def bleed_loss(target: Any, probability: Any) -> Any:
    """Cross-entropy plus one minus the batch's soft Dice (Milletari, 3DV 2016), both weighted by pixel.

    Dice is that of the global batch, of which every replica holds a part.

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
    return 10.0 * tf.reduce_mean(weight * entropy) + 1.0 - dice
