"""A real network that needs no training."""

import keras

from model_training.learning.networks.bleed import bleed_network

WIDTHS = (24, 32)


def bright_is_blood(threshold_hu: float = 64, widths: tuple[int, ...] = WIDTHS) -> keras.Model:
    """The main network with weights set by hand: what is brighter is blood. Its other weights are noise."""
    keras.utils.set_random_seed(1)
    network = bleed_network(widths)
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    norms = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    first, last_block, last = (c.get_weights() for c in (convolutions[0], *convolutions[-2:]))
    above = last_block[0].shape[2] - widths[0]
    for kernel in (first[0], last_block[0], last[0]):
        kernel[..., :4] = 0
    for pixel in range(4):
        # Four pixels a channel each, of four windows; the second is the middle slab's, 0 to 6 for 0 to 80 HU.
        first[0][1, 1, 4 * pixel + 1, pixel] = 10 / 6
        last_block[0][1, 1, above + pixel, pixel] = 1
        last[0][1, 1, pixel, pixel] = 20
    last[1][:] = -5
    for layer, weights in zip((convolutions[0], *convolutions[-2:]), (first, last_block, last), strict=True):
        layer.set_weights(weights)
    gamma, beta, *moving = norms[0].get_weights()
    beta[:4] = -10 * threshold_hu / 80
    norms[0].set_weights([gamma, beta, *moving])
    return network
