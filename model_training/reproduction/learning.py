"""One AlexNet: trained on its share of the pictures, asked for the others, and forgotten."""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from headct.errors import UnusableInputError
from model_training.datasets.manifest import TEST, TRAIN, VALIDATION, Manifest
from model_training.learning.networks.alexnet import alexnet
from model_training.reproduction.answers import ANSWERS, Answers
from model_training.reproduction.dealing import TASKS, Dealing, folds, parts
from model_training.reproduction.pictures import Pictures, of_each_picture
from model_training.reproduction.settings import Settings
from model_training.reproduction.variation import Variations, order, varied

LOG = "log.csv"
_SETTINGS = "settings.json"


@dataclass(frozen=True, slots=True)
class Assignment:
    """One network to train. Seed and fold alone decide what is random, so both dealings start alike."""

    data: Path
    """Folder of the manifest."""
    pictures: Path
    root: Path
    """Folder of all networks."""
    settings: Settings
    dealing: Dealing
    task: str
    fold: int | None
    """Held out, or ``None`` for the frozen split with its curves."""
    one_thread: bool = False

    @property
    def folder(self) -> Path:
        """Log, settings, TensorBoard, and the answers when it is finished."""
        return self.root / self.dealing / self.task / ("split" if self.fold is None else f"fold-{self.fold}")


def learn(what: Assignment) -> None:
    """Train one network and keep its answers.

    A finished one is left as it is; one that was stopped starts anew.

    Raises:
        UnusableInputError: the folder holds a network of other data or settings.
    """
    manifest = Manifest.read(what.data)
    patients = manifest.in_folds
    # Which tasks and folds there are does not change this network.
    own = {k: v for k, v in asdict(what.settings).items() if k not in ("folds", "curves")}
    description = {"manifest": manifest.sha256, **own}
    if _is_finished(what.folder, description):
        return
    shutil.rmtree(what.folder, ignore_errors=True)
    what.folder.mkdir(parents=True)
    (what.folder / _SETTINGS).write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")

    grey = Pictures.read(what.pictures, patients).flat
    task = TASKS[what.task]
    label = of_each_picture(np.array([task.of(p) for p in patients], np.int32))
    if what.fold is None:
        part = parts(what.dealing, patients)
        train, watched = np.flatnonzero(part == TRAIN), np.flatnonzero(part == VALIDATION)
        held = np.flatnonzero((part == VALIDATION) | (part == TEST))
    else:
        fold = folds(what.dealing, patients)
        train, held = np.flatnonzero(fold != what.fold), np.flatnonzero(fold == what.fold)
        watched = held[:0]
    network = _fit(what, grey, label, train, watched)
    probabilities = network.predict(grey[held], batch_size=what.settings.batch, verbose=0)
    Answers(held, probabilities, network.count_params()).write(what.folder)


def _fit(
    what: Assignment,
    grey: NDArray[np.uint8],
    label: NDArray[Any],
    train: NDArray[np.intp],
    watched: NDArray[np.intp],
) -> Any:
    settings = what.settings
    if what.one_thread:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    seed = settings.seed + 100 * (0 if what.fold is None else what.fold + 1)
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(settings.precision)
    try:
        network = alexnet(len(TASKS[what.task].classes), settings.width)
    finally:
        keras.config.set_dtype_policy(before)
    network.compile(
        optimizer=keras.optimizers.Adam(settings.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    # Made inside the first step, the optimizer's variables would have the step traced twice.
    network.optimizer.build(network.trainable_variables)
    network.fit(
        _batches(grey[train], label[train], settings, seed),
        epochs=settings.epochs,
        steps_per_epoch=-(-len(train) // settings.batch),
        validation_data=(grey[watched], label[watched]) if len(watched) else None,
        validation_batch_size=settings.batch,
        shuffle=False,
        verbose=0,
        callbacks=[
            keras.callbacks.CSVLogger(what.folder / LOG),
            keras.callbacks.TensorBoard(what.folder / "tensorboard", write_graph=False),
        ],
    )
    return network


def _batches(grey: NDArray[np.uint8], label: NDArray[Any], settings: Settings, seed: int) -> Any:
    """Varied pictures with their labels, an epoch after the other; the last batch of each may be short."""
    how = settings.variation
    drawn = Variations.draw(len(grey), how, seed)
    pictures, labels = tf.constant(grey), tf.constant(label)
    transforms, noise = tf.constant(drawn.transforms), tf.constant(drawn.noise)

    def one(shown: Any) -> tuple[Any, Any]:
        i, j = shown[0], shown[1]
        picture = tf.cast(pictures[i], tf.float32)
        return varied(picture, transforms[i, j], noise[i, j], shown), labels[i]

    def epoch(shown: Any) -> Any:
        return tf.data.Dataset.from_tensor_slices(shown).map(one).batch(settings.batch)

    shown = order(len(grey), how.of_each, settings.epochs, seed)
    return tf.data.Dataset.from_tensor_slices(shown).flat_map(epoch).prefetch(2)


def _is_finished(folder: Path, description: dict[str, Any]) -> bool:
    if not (folder / ANSWERS).exists():
        return False
    if json.loads((folder / _SETTINGS).read_text(encoding="utf-8")) != json.loads(json.dumps(description)):
        raise UnusableInputError(f"{folder} was trained on other data or settings: choose another run")
    return True
