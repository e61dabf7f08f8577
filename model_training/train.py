"""Training of the main network: one run a fold, and one on every patient."""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from model_training.augmentation import augment
from model_training.config import TrainingConfig
from model_training.datasets.manifest import Manifest, Patient
from model_training.datasets.sample import Sample, sample_path
from model_training.networks.bleed import CONTEXT, bleed_network
from model_training.sampling import slabs

WEIGHTS = "network.weights.h5"
_log = logging.getLogger(__name__)


def train(data: Path, run: Path, config: TrainingConfig, fold: int | None) -> Path:
    """Train one network on every training patient outside ``fold`` (on all when ``None``).

    A run that was stopped goes on from its last finished epoch; a finished one is left as it is.

    Returns:
        The folder with the weights, the log and the settings.
    """
    folder = run / (f"fold-{fold}" if fold is not None else "final")
    if (folder / WEIGHTS).exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    manifest = Manifest.read(data)
    patients = [p for p in manifest.in_folds if p.fold != fold]
    settings = {"manifest": manifest.sha256, "fold": fold, "patients": len(patients), **asdict(config)}
    (folder / "settings.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
    seed = config.seed + 100 * (fold + 1 if fold is not None else 0)
    keras.utils.set_random_seed(seed)
    samples = [Sample.read(sample_path(data, p)) for p in patients]
    batches = _batches(samples, patients, config, seed)
    network = bleed_network(config.widths, *config.augmentation.window)
    network.compile(optimizer=keras.optimizers.Adam(_schedule(config)), loss=bleed_loss)
    network.fit(
        batches,
        epochs=config.epochs,
        steps_per_epoch=config.steps,
        verbose=0,
        callbacks=[
            keras.callbacks.BackupAndRestore(folder / "checkpoint"),
            keras.callbacks.CSVLogger(folder / "log.csv", append=True),
            keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False),
            _Progress(folder.name, config.epochs),
        ],
    )
    network.save_weights(folder / WEIGHTS)
    return folder


def trained(folder: Path, config: TrainingConfig) -> Any:
    """The network of a finished run, for whole crops."""
    network = bleed_network(config.widths)
    network.load_weights(folder / WEIGHTS)
    return network


def bleed_loss(target: Any, probability: Any) -> Any:
    """Cross-entropy plus one minus the batch's soft Dice (Milletari, 3DV 2016), both weighted by pixel.

    Args:
        target: float32 (n, rows, columns, 2): mask and weight.
        probability: float32 (n, rows, columns, 1).
    """
    mask, weight = target[..., :1], target[..., 1:]
    p = tf.clip_by_value(probability, 1e-6, 1 - 1e-6)
    # Blood is a few pixels in a thousand; at equal weight the network would first learn to say no.
    entropy = -(4.0 * mask * tf.math.log(p) + (1.0 - mask) * tf.math.log(1.0 - p))
    both = tf.reduce_sum(weight * mask * p)
    either = tf.reduce_sum(weight * (mask + p))
    dice = (2.0 * both + 50.0) / (either + 50.0)
    return 10.0 * tf.reduce_mean(weight * entropy) + 1.0 - dice


def stacked(hu: NDArray[np.int16]) -> NDArray[np.float32]:
    """Every slab with its neighbours, shape (slabs, rows, columns, 3); the end slabs repeat themselves."""
    index = np.arange(len(hu))[:, None] + np.arange(-CONTEXT, CONTEXT + 1)
    stack: NDArray[np.float32] = np.moveaxis(hu[np.clip(index, 0, len(hu) - 1)], 1, -1).astype(np.float32)
    return stack


def _batches(
    samples: Sequence[Sample], patients: Sequence[Patient], config: TrainingConfig, seed: int
) -> Any:
    rows, columns = samples[0].volume.hu.shape[1:]
    drawn = tf.data.Dataset.from_generator(
        lambda: slabs(samples, patients, np.random.default_rng(seed)),
        output_signature=(
            tf.TensorSpec((rows, columns, 2 * CONTEXT + 1), tf.float32),
            tf.TensorSpec((rows, columns, 1), tf.float32),
            tf.TensorSpec((rows, columns, 1), tf.float32),
        ),
    )
    return (
        drawn.batch(config.batch, drop_remainder=True)
        .map(lambda hu, mask, weight: augment(hu, mask, weight, config.augmentation))
        .prefetch(2)
    )


def _schedule(config: TrainingConfig) -> Any:
    total = config.epochs * config.steps
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=config.learning_rate / 10,
        warmup_target=config.learning_rate,
        warmup_steps=config.steps,
        decay_steps=total - config.steps,
    )


class _Progress(keras.callbacks.Callback):  # type: ignore[misc]
    """One line an epoch in the log."""

    def __init__(self, name: str, epochs: int) -> None:
        super().__init__()
        self._name, self._epochs = name, epochs

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        _log.info("%s: epoch %d of %d, loss %.4f", self._name, epoch + 1, self._epochs, (logs or {})["loss"])
