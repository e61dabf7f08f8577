"""What the bleed networks are trained to lessen."""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from headct.findings.slice_score import SUSPECT_PIXELS
from model_training.learning.distribution import total
from model_training.learning.networks.verdicts import PROBABILITY, VERDICTS

SLIVER_PIXELS = 8
"""Marked pixels below which a slab is neither clear nor bleeding: the end of a bleed that the slab cuts."""
SLAB_SHARE = 0.3
"""Weight of the slabs' verdicts beside that of their pixels."""


def training_loss(verdict_share: float, kind_share: float) -> Callable[[Any, Any], Any]:
    """Of masks where there are some, and of what is said of whole slices everywhere.

    Args:
        verdict_share: weight of the verdicts on blood of any kind beside the masks.
        kind_share: weight of those on its kinds.
    """

    def loss(target: Mapping[str, Any], output: Mapping[str, Any]) -> Any:
        pixels, said = target["pixels"], target["said"]
        of_masks = bleed_loss(pixels, output[PROBABILITY], said[:, -1])
        verdicts = output[VERDICTS]
        any_blood = _entropy(_any_blood(pixels, said), verdicts[:, :1])
        kinds = _entropy(said[:, 1:-1], verdicts[:, 1:]) if verdicts.shape[-1] > 1 else 0.0
        return of_masks + verdict_share * any_blood + kind_share * kinds

    return loss


def bleed_loss(target: Any, probability: Any, masked: Any | None = None) -> Any:
    """What pixels and what whole slabs are judged wrongly.

    Of pixels, cross-entropy plus one minus the batch's soft Dice (Milletari, 3DV 2016), both weighted by
    pixel; Dice is that of the global batch, of which every replica holds a part. Both are ruled by large
    bleeds, but a patient is flagged by one spot: so the cross-entropy of each slab's most suspicious pixels
    is added, which counts a small bleed that is missed and a speck that is none as much as a large one.

    Args:
        target: float32 (n, rows, columns, 2): mask and weight.
        probability: float32 (n, rows, columns, 1).
        masked: float32 (n,), 1 where the mask is to be learnt and 0 where it says nothing: no weights do
            that, for a slab without weight would pass for a clear one. Everywhere when ``None``.
    """
    mask, weight = target[..., :1], target[..., 1:]
    learnt = tf.ones(tf.shape(mask)[0]) if masked is None else masked
    weight *= learnt[:, None, None, None]
    p = tf.clip_by_value(probability, 1e-6, 1 - 1e-6)
    # Blood is a few pixels in a thousand; at equal weight the network would first learn to say no.
    entropy = -(4.0 * mask * tf.math.log(p) + (1.0 - mask) * tf.math.log(1.0 - p))
    both = total(tf.reduce_sum(weight * mask * p))
    either = total(tf.reduce_sum(weight * (mask + p)))
    dice = (2.0 * both + 50.0) / (either + 50.0)
    slabs = tf.maximum(total(tf.reduce_sum(learnt)), 1.0)
    of_pixels = total(tf.reduce_sum(tf.reduce_mean(weight * entropy, axis=(1, 2, 3)))) / slabs
    of_slabs = total(tf.reduce_sum(learnt * _slab_losses(mask * weight, p))) / slabs
    return 10.0 * of_pixels + 1.0 - dice + SLAB_SHARE * of_slabs


def _slab_losses(blood: Any, p: Any) -> Any:
    """Cross-entropy of the mean of each slab's highest probabilities, shape (n,); slivers count nothing."""
    slabs = tf.shape(p)[0]
    marked = tf.reduce_sum(tf.reshape(blood, [slabs, -1]), axis=1)
    highest, _ = tf.math.top_k(tf.reshape(p, [slabs, -1]), SUSPECT_PIXELS, sorted=False)
    suspicion = tf.reduce_mean(highest, axis=1)
    bleeding = marked >= SLIVER_PIXELS
    entropy = -tf.math.log(tf.where(bleeding, suspicion, 1.0 - suspicion))
    return tf.where(bleeding | (marked < 0.5), entropy, 0.0)


def _any_blood(pixels: Any, said: Any) -> Any:
    """1, 0 or less where unknown, shape (n, 1): as readers said it, else by a mask that is to be learnt."""
    marked = tf.reduce_sum(pixels[..., 0] * pixels[..., 1], axis=(1, 2))
    by_mask = tf.where(marked >= SLIVER_PIXELS, 1.0, tf.where(marked < 0.5, 0.0, -1.0))
    known = tf.where(said[:, -1] > 0, by_mask, -1.0)
    return tf.where(said[:, 0] >= 0, said[:, 0], known)[:, None]


def _entropy(truth: Any, log_odds: Any) -> Any:
    """Mean cross-entropy where the truth is known, over the global batch; 0 where nothing is."""
    known = tf.cast(truth >= 0, tf.float32)
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(tf.maximum(truth, 0.0), log_odds)
    return total(tf.reduce_sum(known * entropy)) / tf.maximum(total(tf.reduce_sum(known)), 1.0)
