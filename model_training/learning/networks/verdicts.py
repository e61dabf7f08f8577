"""What a bleed network says of whole slices, so that it learns from labels where nobody marked a pixel.

Only for training: a slice's score needs nothing but the mask (:mod:`headct.findings.slice_score`), so the
network that is kept is the bleed network alone.
"""

from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

from headct.findings.slice_score import LEAST, SMOOTHED, SUSPECT_PIXELS
from model_training.datasets.source import BLEEDS

FEATURES = "features"
"""Name of the layer whose channels tell the kinds of blood apart; a network without one is asked for blood of
any kind alone."""
PROBABILITY, VERDICTS = "probability", "verdicts"
"""Outputs: of each pixel (n, rows, columns, 1), and log odds of each slice (n, 1) or (n, 1 + kinds)."""


@keras.saving.register_keras_serializable("headct")
class SliceScore(layers.Layer):  # type: ignore[misc]
    """The slice's score with a learned gain, never negative, and offset."""

    def build(self, shape: Any) -> None:
        """Two numbers, begun at a gain of one and no offset."""
        self.log_gain = self.add_weight(name="log_gain", initializer="zeros")
        self.offset = self.add_weight(name="offset", initializer="zeros")

    def call(self, probability: Any) -> Any:
        """Shape (n, rows, columns, 1) to (n, 1)."""
        p = ops.clip(probability, LEAST, 1.0)
        # 1 - p would be 0 in float32 well before p is clipped from above.
        odds = ops.log(p) - ops.log(ops.maximum(1.0 - p, 1e-6))
        smooth = tf.nn.avg_pool2d(odds, SMOOTHED, 1, "VALID")
        highest, _ = tf.math.top_k(
            tf.reshape(smooth, [tf.shape(smooth)[0], -1]), SUSPECT_PIXELS, sorted=False
        )
        return ops.exp(self.log_gain) * ops.mean(highest, axis=1, keepdims=True) + self.offset


@keras.saving.register_keras_serializable("headct")
class Where(layers.Layer):  # type: ignore[misc]
    """The mean of features where a network sees blood; what it sees is not changed by what is made of it."""

    def call(self, features: Any, probability: Any) -> Any:
        """Shapes (n, r, c, d) and (n, rows, columns, 1) to (n, d)."""
        step = probability.shape[1] // features.shape[1]
        share = tf.nn.avg_pool2d(tf.stop_gradient(probability), step, step, "VALID")
        total = ops.sum(share * ops.cast(features, "float32"), axis=(1, 2))
        return total / (ops.sum(share, axis=(1, 2)) + 1e-3)


def with_verdicts(network: Any) -> Any:
    """The network with both outputs, by name; its layers are the network's own."""
    probability = network.output
    any_blood = SliceScore(dtype="float32", name="slice_score")(probability)
    verdicts = any_blood
    if any(layer.name == FEATURES for layer in network.layers):
        seen = Where(dtype="float32", name="where")(network.get_layer(FEATURES).output, probability)
        kinds = layers.Dense(len(BLEEDS), dtype="float32", name="kinds")(seen)
        # Each kind is how likely any blood is, and how much more or less likely that kind.
        verdicts = layers.Concatenate(dtype="float32")([any_blood, kinds + any_blood])
    return keras.Model(network.input, {PROBABILITY: probability, VERDICTS: verdicts})
