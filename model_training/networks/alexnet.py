"""AlexNet as the research project used it: one 256 x 256 picture in, a class out.

Layers after Krizhevsky, Sutskever and Hinton, NIPS 2012, single column, without local response
normalisation; the grey 256 x 256 input gives the same 6 x 6 x 256 feature map as the original's 227 x 227.
"""

from typing import Any

import keras

INPUT_SHAPE = (256, 256, 1)


def alexnet(classes: int = 2) -> Any:
    """The baseline network, a ``keras.Model``.

    Args:
        classes: 2 for alert or not, 4 for the colours.
    """
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(INPUT_SHAPE),
            layers.Rescaling(1 / 255),
            layers.Conv2D(96, 11, strides=4, activation="relu"),
            layers.MaxPooling2D(3, strides=2),
            layers.Conv2D(256, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(3, strides=2),
            layers.Conv2D(384, 3, padding="same", activation="relu"),
            layers.Conv2D(384, 3, padding="same", activation="relu"),
            layers.Conv2D(256, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(3, strides=2),
            layers.Flatten(),
            layers.Dense(4096, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(4096, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(classes, activation="softmax"),
        ],
        name="alexnet",
    )
