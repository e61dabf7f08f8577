"""A few steps of the real bleed network with its real loss, however many processes or devices take part.

As a program, ``replicas.py FOLDER HOST:PORT HOST:PORT``, it trains on two devices of one process, and on two
hosts; the logs land in FOLDER.
"""

import json
import os
import sys
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import keras
import tensorflow as tf

from model_training.learning.config import TrainingConfig
from model_training.learning.distribution import strategy
from model_training.learning.fitting import Batches, fit
from model_training.learning.input_pipeline import validation_batches
from model_training.learning.losses import training_loss
from model_training.learning.networks import build
from model_training.learning.networks.verdicts import with_verdicts
from tests.model_training.made_heads import made_head

STEPS, EPOCHS = 2, 2


def train(folder: Path, normalisation: str, replicas: object, precision: str = "float32") -> None:
    """Train on the same slabs in the same order, whoever holds which part of a batch."""
    config = TrainingConfig.read()
    config = replace(config, widths=(8,), normalisation=normalisation, batch=4)
    config = replace(config, augmentation=replace(config.augmentation, window=(64, 64)))
    patients, samples = zip(*(made_head(n) for n in (1, 2, 3)), strict=True)
    shown = validation_batches(samples, patients, config)
    keras.utils.set_random_seed(5)
    with replicas.scope():
        network = with_verdicts(build(config, 64, 64))
        optimizer = keras.optimizers.Adam(2e-3)
    fit(
        network,
        optimizer,
        training_loss(config.verdict_share, config.kind_share),
        Batches(shown.of_epoch, STEPS),
        folder,
        epochs=EPOCHS,
        strategy=replicas,
        validation=shown,
        patience=1,
    )


def two_devices(folder: Path) -> None:
    """Of this process, with both normalisations."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    replicas = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert replicas.num_replicas_in_sync == 2
    for normalisation in ("batch", "group"):
        train(folder / normalisation, normalisation, replicas)


def host(folder: Path, hosts: list[str], index: int) -> None:
    """One of several, with the normalisation that has to ask the others."""
    cluster = {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}}
    os.environ["TF_CONFIG"] = json.dumps(cluster)
    replicas = strategy()
    assert replicas.num_replicas_in_sync == len(hosts)
    train(folder / "batch", "batch", replicas)


def main() -> None:
    """Processes of their own, forked before TensorFlow has begun anything: importing it is long."""
    folder, *hosts = sys.argv[1:]
    forked = get_context("fork")
    processes = [forked.Process(target=two_devices, args=(Path(folder, "mirrored"),))]
    processes += [
        forked.Process(target=host, args=(Path(folder, "hosts"), hosts, index)) for index in range(len(hosts))
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    sys.exit(any(process.exitcode for process in processes))


if __name__ == "__main__":
    main()
