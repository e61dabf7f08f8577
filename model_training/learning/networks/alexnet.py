"""AlexNet as the research project used it: one 256 x 256 image in, a class out.

Layers after Krizhevsky, Sutskever and Hinton, NIPS 2012, single column, without local response
normalisation; the grey 256 x 256 input gives the same 6 x 6 x 256 feature map as the original's 227 x 227.
"""

from typing import Any

import keras

INPUT_SHAPE = (256, 256, 1)


def alexnet(classes: int = 2, width: float = 1.0) -> Any:
    """The baseline network, a ``keras.Model``.

    Args:
        classes: 2 for alert or not, 4 for the colours.
        width: share of the original's channels and units; below 1 to try things out.
    """
    layers = keras.layers

    def wide(channels: int) -> int:
        return max(1, round(width * channels))

    return keras.Sequential(
        [
            keras.Input(INPUT_SHAPE),
            layers.Rescaling(1 / 255),
            layers.Conv2D(wide(96), 11, strides=4, activation="relu"),
            layers.MaxPooling2D(3, strides=2),
            layers.Conv2D(wide(256), 5, padding="same", activation="relu"),
            layers.MaxPooling2D(3, strides=2),
            layers.Conv2D(wide(384), 3, padding="same", activation="relu"),
            layers.Conv2D(wide(384), 3, padding="same", activation="relu"),
            layers.Conv2D(wide(256), 3, padding="same", activation="relu"),
            layers.MaxPooling2D(3, strides=2),
            layers.Flatten(),
            layers.Dense(wide(4096), activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(wide(4096), activation="relu"),
            layers.Dropout(0.5),
            # In mixed precision too, probabilities and their loss are taken in full.
            layers.Dense(classes, activation="softmax", dtype="float32"),
        ],
        name="alexnet",
    )
