"""What the network makes of Hounsfield units before it learns anything."""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from headct.network.preprocessing import HU_RANGE
from model_training.learning.networks.bleed import BLOOD_RANGE, PixelShuffle, Windows


def test_every_slab_in_the_blood_window_and_the_middle_one_in_the_wide_one() -> None:
    hu = np.random.default_rng(1).uniform(-1000, 300, (2, 8, 6, 3)).astype(np.float32)
    hu[0, 0, :5, 1] = [*BLOOD_RANGE, *HU_RANGE, -1000]

    def shown(slab: int, low: int, high: int) -> NDArray[np.float32]:
        return (np.clip(hu[..., slab], low, high) - low) / (high - low)

    windows = [*(shown(slab, *BLOOD_RANGE) for slab in range(3)), shown(1, *HU_RANGE)]
    expected = tf.nn.space_to_depth(6 * np.stack(windows, axis=-1), 2)
    assert np.allclose(Windows()(PixelShuffle(-2)(hu)), expected, atol=1e-5)
