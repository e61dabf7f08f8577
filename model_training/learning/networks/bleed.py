"""The main network: three slabs in Hounsfield units to the bleed probability of the middle one."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from headct.network.preprocessing import CONTEXT, CROP_COLUMNS, CROP_ROWS, HU_RANGE
from model_training.learning.networks.verdicts import FEATURES

BLOOD_RANGE = (0, 80)
"""Window in which clotted blood (50 to 80 HU) stands out from brain (20 to 40 HU)."""
_TOP = 6.0
"""Where ReLU6 ends: what the upper end of a window becomes."""
GROUPS = 8
"""At most so many groups of channels are normalised together."""


@keras.saving.register_keras_serializable("headct")
class Windows(layers.Layer):  # type: ignore[misc]
    """Hounsfield units to 0 to 6: every slab in the blood window, the middle one in the wide window too.

    A convolution with fixed weights, cut to the range of ReLU6: LiteRT makes one step of it. Clipped,
    subtracted and divided one after the other it cost a third of the whole network.
    """

    def call(self, hu: Any) -> Any:
        """Shape (n, r, c, 4 slabs) as :class:`PixelShuffle` gives it to (n, r, c, 4 (slabs + 1))."""
        slabs = 2 * CONTEXT + 1
        windows = [(slab, BLOOD_RANGE) for slab in range(slabs)] + [(CONTEXT, HU_RANGE)]
        weights = np.zeros((1, 1, 4 * slabs, 4 * len(windows)), np.float32)
        offsets = np.zeros(4 * len(windows), np.float32)
        for pixel in range(4):
            for number, (slab, (low, high)) in enumerate(windows):
                to = pixel * len(windows) + number
                weights[0, 0, pixel * slabs + slab, to] = _TOP / (high - low)
                offsets[to] = -low * _TOP / (high - low)
        return ops.relu6(ops.conv(hu, weights, padding="valid") + offsets)


@keras.saving.register_keras_serializable("headct")
class PixelShuffle(layers.Layer):  # type: ignore[misc]
    """Move 2 by 2 pixels into channels (``factor`` -2) or back (2): full resolution at little cost."""

    def __init__(self, factor: int, **options: Any) -> None:
        super().__init__(**options)
        self.factor = factor

    def call(self, x: Any) -> Any:
        """Shape (n, r, c, d) to (n, r / 2, c / 2, 4 d), or back."""
        return tf.nn.depth_to_space(x, 2) if self.factor > 0 else tf.nn.space_to_depth(x, 2)

    def get_config(self) -> dict[str, Any]:
        """What is saved with the network."""
        return {**super().get_config(), "factor": self.factor}


def bleed_network(
    widths: Sequence[int],
    rows: int = CROP_ROWS,
    columns: int = CROP_COLUMNS,
    normalisation: str = "batch",
) -> Any:
    """A U-Net (Ronneberger, MICCAI 2015) whose first level is at half resolution.

    Args:
        widths: channels at 1/2, 1/4, 1/8 and 1/16 of the resolution.
        rows: rows of the input.
        columns: columns of the input.
        normalisation: ``batch`` folds into the convolutions at export and so costs nothing at run time; its
            moments are those of the global batch, however many replicas hold a part. ``group`` (Wu and He,
            ECCV 2018) does not depend on the batch: for replicas with only a few slabs each.

    Returns:
        A ``keras.Model``: float32 (n, rows, columns, 3) to float32 probabilities (n, rows, columns, 1),
        whatever Keras' dtype policy.
    """
    block = partial(_block, normalisation=normalisation)
    inputs = keras.Input((rows, columns, 2 * CONTEXT + 1), name="hounsfield", dtype="float32")
    # Half precision would round Hounsfield units before the window is cut out.
    x = Windows(dtype="float32")(PixelShuffle(-2, dtype="float32")(inputs))
    x = block(x, widths[0])
    skips = []
    for width in widths[1:]:
        skips.append(x)
        x = block(block(x, width, stride=2), width)
    for skip, width in zip(reversed(skips), reversed(widths[:-1]), strict=True):
        x = layers.UpSampling2D()(block(x, width * 2 // 3, kernel=1))
        x = block(layers.Concatenate()([x, skip]), width)
    x = layers.Identity(name=FEATURES)(x)
    # The bias starts where most of a head is: not blood.
    start = keras.initializers.Constant(-4.0)
    x = layers.Conv2D(4, 3, padding="same", bias_initializer=start)(x)
    outputs = layers.Activation("sigmoid", name="probability", dtype="float32")(PixelShuffle(2)(x))
    return keras.Model(inputs, outputs, name="bleed_network")


def _block(x: Any, width: int, kernel: int = 3, stride: int = 1, *, normalisation: str) -> Any:
    x = layers.Conv2D(width, kernel, strides=stride, padding="same", use_bias=False)(x)
    return layers.ReLU()(_normalised(x, width, normalisation))


def _normalised(x: Any, width: int, normalisation: str) -> Any:
    if normalisation == "group":
        return layers.GroupNormalization(max(n for n in range(1, GROUPS + 1) if width % n == 0))(x)
    # One replica has the whole batch; the plain form is faster there.
    several = tf.distribute.get_strategy().num_replicas_in_sync > 1
    return layers.BatchNormalization(momentum=0.95, synchronized=several)(x)
