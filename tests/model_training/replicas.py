"""A few steps of the real bleed network with its real loss, however many processes or devices take part.

As a program: ``replicas.py FOLDER mirrored`` trains on two devices of this process, ``replicas.py FOLDER
hosts`` on the hosts of ``TF_CONFIG``; the logs land in FOLDER.
"""

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import keras
import tensorflow as tf

from model_training.learning.config import TrainingConfig
from model_training.learning.distribution import strategy
from model_training.learning.fitting import Batches, fit
from model_training.learning.input_pipeline import validation_batches
from model_training.learning.losses import bleed_loss
from model_training.learning.networks import build
from tests.model_training.made_heads import made_head

STEPS, EPOCHS = 4, 2


def train(folder: Path, normalisation: str, replicas: object, precision: str = "float32") -> None:
    """Train on the same slabs in the same order, whoever holds which part of a batch."""
    config = TrainingConfig.read()
    config = replace(config, widths=(8,), normalisation=normalisation, batch=4)
    config = replace(config, augmentation=replace(config.augmentation, window=(64, 64)))
    shown = validation_batches([made_head(n)[1] for n in (1, 2, 3)], config)
    keras.utils.set_random_seed(5)
    with replicas.scope():
        network = build(config, 64, 64)
        optimizer = keras.optimizers.Adam(2e-3)
    fit(
        network,
        optimizer,
        bleed_loss,
        Batches(shown.of_epoch, STEPS),
        folder,
        epochs=EPOCHS,
        strategy=replicas,
        validation=shown,
        patience=1,
    )


def main() -> None:
    """Two devices with one normalisation, hosts with both."""
    folder, how = Path(sys.argv[1]), sys.argv[2]
    if how == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        replicas, normalisations = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), ["batch"]
    else:
        replicas, normalisations = strategy(), ["batch", "group"]
    assert replicas.num_replicas_in_sync == 2
    for normalisation in normalisations:
        train(folder / normalisation, normalisation, replicas)


if __name__ == "__main__":
    main()
