"""The x17 of the research project: each picture and sixteen variations of it, made on the fly.

The project flipped, rotated, scaled and added noise; how far it went is not known, so the reaches are ours.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from headct.network.preprocessing import BASELINE_SIZE
from model_training.reproduction.settings import Variation


@dataclass(frozen=True, slots=True)
class Variations:
    """All variations of all pictures, drawn once; the first of each picture is the picture itself."""

    transforms: NDArray[np.float32]
    """Varied pixel (column, row) to picture pixel, rows of ImageProjectiveTransform: (pictures, n, 8)."""
    noise: NDArray[np.float32]
    """Standard deviation of the noise in grey levels, (pictures, n)."""

    @classmethod
    def draw(cls, pictures: int, how: Variation, seed: int) -> Self:
        """Draw for so many pictures; the same seed gives the same variations."""
        random = np.random.default_rng(seed)
        shape = (pictures, how.of_each)
        angle = np.deg2rad(random.uniform(-how.rotation_deg, how.rotation_deg, shape))
        scale = 1.0 + random.uniform(-how.scale, how.scale, shape)
        mirror = np.where(random.random(shape) < 0.5, -1.0, 1.0)
        noise = random.uniform(0.0, how.noise, shape)
        angle[:, 0], scale[:, 0], mirror[:, 0], noise[:, 0] = 0.0, 1.0, 1.0, 0.0
        a, b = mirror * scale * np.cos(angle), -scale * np.sin(angle)
        d, e = mirror * scale * np.sin(angle), scale * np.cos(angle)
        # The picture's middle stays where it is.
        middle = (BASELINE_SIZE - 1) / 2
        c, f = middle * (1.0 - a - b), middle * (1.0 - d - e)
        zero = np.zeros(shape)
        transforms = np.stack([a, b, c, d, e, f, zero, zero], axis=-1)
        return cls(transforms.astype(np.float32), noise.astype(np.float32))


def order(pictures: int, of_each: int, epochs: int, seed: int) -> NDArray[np.int32]:
    """Which picture is shown when, and in which variation: (epochs, pictures, 2).

    Every epoch shows every picture once; every ``of_each`` epochs show every variation of every picture
    once, which is one pass through the project's enlarged set.
    """
    random = np.random.default_rng(seed)
    shown = np.empty((epochs, pictures, 2), np.int32)
    left = np.empty((pictures, 0), np.int32)
    for epoch in range(epochs):
        if left.shape[1] == 0:
            left = random.permuted(np.tile(np.arange(of_each, dtype=np.int32), (pictures, 1)), axis=1)
        pair = np.column_stack([np.arange(pictures, dtype=np.int32), left[:, 0]])
        shown[epoch], left = random.permutation(pair), left[:, 1:]
    return shown


def varied(grey: Any, transform: Any, noise: Any, seed: Any) -> Any:
    """One variation of one picture.

    Args:
        grey: float32 (256, 256, 1), 0 to 255.
        transform: float32 (8,).
        noise: float32, standard deviation in grey levels.
        seed: int32 (2,); the same seed gives the same noise.
    """
    turned = tf.raw_ops.ImageProjectiveTransformV3(
        images=grey[None],
        transforms=transform[None],
        output_shape=(BASELINE_SIZE, BASELINE_SIZE),
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
        fill_value=0.0,
    )[0]
    turned = tf.ensure_shape(turned, (BASELINE_SIZE, BASELINE_SIZE, 1))
    return tf.clip_by_value(turned + noise * tf.random.stateless_normal(tf.shape(turned), seed), 0.0, 255.0)
