"""Writes threshold.tflite: what lies between about 45 and 95 HU is blood. Run by hand; needs TensorFlow.

A real network for the tests of everything around a network: exact on drawn heads, useless on patients.
"""

from pathlib import Path

import tensorflow as tf

from headct.network.preprocessing import CROP_COLUMNS, CROP_ROWS


class Threshold(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec((1, CROP_ROWS, CROP_COLUMNS, 3), tf.float32)])
    def __call__(self, slabs):
        hu = slabs[..., 1:2]
        return tf.sigmoid((hu - 45.0) / 2.0) * tf.sigmoid((95.0 - hu) / 2.0)


if __name__ == "__main__":
    module = Threshold()
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [module.__call__.get_concrete_function()], module
    )
    Path(__file__).with_name("threshold.tflite").write_bytes(converter.convert())
