"""Variation on the fly: what scanners, positions and hospitals change without changing the diagnosis."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

AIR_HU = -1000.0


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far each property is varied; every draw is uniform within plus or minus, or the range given."""

    offset_hu: float = 8.0
    """Calibration differs between hospitals: brain medians from 29 to 37 HU were met."""
    gain: float = 0.15
    noise_hu: float = 6.0
    """Largest standard deviation of the noise added."""
    kernel: float = 0.7
    """From smoother (negative) to sharper: share of the local detail taken away or added."""
    rotation_deg: float = 20.0
    scale: float = 0.15
    aspect: float = 0.08
    window: tuple[int, int] = (160, 128)
    """Rows and columns of the random part of the crop that is shown."""


def augment(hu: Any, mask: Any, weight: Any, whole: Any, how: Augmentation) -> tuple[Any, Any]:
    """Vary a batch.

    Args:
        hu: float32 (n, rows, columns, 3).
        mask: float32 (n, rows, columns, 1), 1 where blood.
        weight: the same, 0 where the mask is not to be trusted.
        whole: bool (n,), true where all of the crop has to be in the window: it is shown smaller.
        how: how far.

    Returns:
        Hounsfield units (n, *window, 3) and target (n, *window, 2): mask and weight.
    """
    n = tf.shape(hu)[0]
    transforms = _transforms(whole, hu.shape[1:3], how)
    hu = _warp(hu, transforms, how.window, "BILINEAR", AIR_HU)
    target = tf.concat(
        [
            _warp(mask, transforms, how.window, "BILINEAR", 0.0),
            _warp(weight, transforms, how.window, "NEAREST", 1.0),
        ],
        axis=-1,
    )
    # Above and below are exchangeable; the slabs' order is the scanner's.
    swap = tf.random.uniform([n, 1, 1, 1]) < 0.5
    hu = tf.where(swap, tf.reverse(hu, [-1]), hu)
    # Beyond this range nothing is seen; cutting here keeps bone from ringing when sharpened.
    hu = tf.clip_by_value(hu, -200.0, 300.0)
    smooth = tf.nn.avg_pool2d(hu, 3, 1, "SAME")
    hu += _uniform([n, 1, 1, 1], how.kernel) * (hu - smooth)
    hu += tf.random.normal(tf.shape(hu)) * tf.random.uniform([n, 1, 1, 1], 0.0, how.noise_hu)
    hu = hu * (1.0 + _uniform([n, 1, 1, 1], how.gain)) + _uniform([n, 1, 1, 1], how.offset_hu)
    return hu, target


def _transforms(whole: Any, shape: tuple[int, int], how: Augmentation) -> Any:
    """Rows of ImageProjectiveTransform, window (column, row) to crop (column, row): (n, 8)."""
    n = tf.shape(whole)[0]
    (rows, columns), (high, broad) = shape, how.window
    angle = _uniform([n], np.deg2rad(how.rotation_deg))
    scale = (1.0 + _uniform([n], how.scale)) * tf.where(whole, max(rows / high, columns / broad), 1.0)
    wide = scale * (1.0 + _uniform([n], how.aspect))
    wide *= tf.where(tf.random.uniform([n]) < 0.5, -1.0, 1.0)
    a, b = wide * tf.cos(angle), -scale * tf.sin(angle)
    d, e = wide * tf.sin(angle), scale * tf.cos(angle)
    off = tf.where(whole, 0.0, 1.0)
    middle_r = (rows - 1) / 2 + off * _uniform([n], (rows - high) / 2)
    middle_c = (columns - 1) / 2 + off * _uniform([n], (columns - broad) / 2)
    c = middle_c - a * (broad - 1) / 2 - b * (high - 1) / 2
    f = middle_r - d * (broad - 1) / 2 - e * (high - 1) / 2
    zero = tf.zeros([n])
    return tf.stack([a, b, c, d, e, f, zero, zero], axis=1)


def _warp(images: Any, transforms: Any, shape: tuple[int, int], how: str, fill: float) -> Any:
    warped = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=shape,
        interpolation=how,
        fill_mode="CONSTANT",
        fill_value=fill,
    )
    return tf.ensure_shape(warped, [None, *shape, images.shape[-1]])


def _uniform(shape: Any, reach: float) -> Any:
    return tf.random.uniform(shape, -reach, reach)
