"""Training of a run's networks: for every seed one a fold, and one that ships on every training patient."""

import fcntl
import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from sklearn.model_selection import train_test_split

from headct.errors import SettingsError, TrainingError, UnusableInputError
from headct.network.preprocessing import CROP_COLUMNS, CROP_ROWS, Missing
from model_training.datasets.manifest import Entry, Manifest
from model_training.datasets.sample import Sample, sample_path
from model_training.learning.config import TrainingConfig
from model_training.learning.distribution import is_chief
from model_training.learning.fitting import Batches, fit, written_to
from model_training.learning.input_pipeline import seed_number, training_batches, validation_batches
from model_training.learning.losses import training_loss
from model_training.learning.networks import build
from model_training.learning.networks.verdicts import with_verdicts

WEIGHTS = "network.weights.h5"
SETTINGS = "settings.json"
_log = logging.getLogger(__name__)


def run_folder(run: Path, seed: int, fold: int | None) -> Path:
    """Where a network of a run lies; ``fold`` is ``None`` for the one that ships."""
    return run / f"seed-{seed}" / ("final" if fold is None else f"fold-{fold}")


def train(
    data: Path,
    run: Path,
    config: TrainingConfig,
    *,
    seed: int,
    fold: int | None,
    start: Path | None = None,
    strategy: Any = None,
) -> Path:
    """Train one network.

    It learns from the cross-validation's patients and single slices outside ``fold``, or when ``None``, for
    the one that ships, from those of the training and validation parts of the split, never of the test part.

    A training that was stopped goes on from its last finished epoch; a finished one is left as it is.

    Args:
        data: folder that ``headct-train dataset`` wrote.
        run: folder of the run.
        config: settings; the networks of a run have them in common.
        seed: of the first weights, of what is drawn and how it is varied.
        fold: whose patients are kept out, or ``None``.
        start: folder of an earlier run, whose network of this seed and fold gives the first weights: so a
            network that never saw the fold's patients goes on not seeing them. Random ones when ``None``.
        strategy: a ``tf.distribute.Strategy``; one device when ``None``.

    Returns:
        The folder with the weights, the log and the settings.

    Raises:
        UnusableInputError: no such fold, too few patients, or no network to start from that fits.
        SettingsError: the batch cannot be shared out evenly, or single slices cannot be told from others.
        TrainingError: begun with other settings or data, trained by another process now, or diverged.
    """
    strategy = strategy or tf.distribute.get_strategy()
    if config.batch % strategy.num_replicas_in_sync:
        raise SettingsError(
            f"a batch of {config.batch} cannot be shared by {strategy.num_replicas_in_sync} replicas"
        )
    manifest = Manifest.read(data)
    if fold is not None and fold not in manifest.folds:
        raise UnusableInputError(f"there is no fold {fold} in {data}")
    patients = manifest.taught(fold)
    if config.missing == Missing.REPEATED and any(p.single for p in patients):
        raise SettingsError('single slices are learnt from with missing = "air" alone')
    folder = run_folder(run, seed, fold)
    settings = {"manifest": manifest.sha256, "seed": seed, "fold": fold, **config.of_training}
    first = None if start is None else weights_file(run_folder(start, seed, fold))
    if first:
        settings["start"] = hashlib.sha256(first.read_bytes()).hexdigest()
    with _begun(folder, settings) if is_chief(strategy) else nullcontext():
        if not (folder / WEIGHTS).exists():
            stream = (seed, 0 if fold is None else fold + 1)
            network = _fitted(data, folder, patients, config, seed=stream, first=first, strategy=strategy)
            _save(network, folder, strategy)
    return folder


def trained(folder: Path, config: TrainingConfig) -> Any:
    """The network of a finished training, for whole crops and in float32 whatever it was trained in.

    Raises:
        UnusableInputError: the training has not finished.
    """
    network = build(config, CROP_ROWS, CROP_COLUMNS)
    network.load_weights(weights_file(folder))
    return network


def weights_file(folder: Path) -> Path:
    """The weights of a finished training.

    Raises:
        UnusableInputError: the training has not finished.
    """
    if not (folder / WEIGHTS).exists():
        raise UnusableInputError(f"{folder} holds no trained network: run headct-train train")
    return folder / WEIGHTS


def _fitted(
    data: Path,
    folder: Path,
    patients: Sequence[Entry],
    config: TrainingConfig,
    *,
    seed: tuple[int, int],
    first: Path | None,
    strategy: Any,
) -> Any:
    learnt = [p for p in patients if p.teaches]
    slices = sum(p.single for p in learnt)
    _log.info(
        "%s: %d patients, %d left out for want of masks",
        folder,
        len(learnt) - slices,
        len(patients) - len(learnt),
    )
    if slices:
        _log.info("%s: %d single slices", folder, slices)
    validation: Batches | None = None
    if config.validation_share:
        learnt, kept = _kept_apart(learnt, config.validation_share, seed)
        validation = validation_batches(_samples(data, kept), kept, config)
    keras.utils.set_random_seed(seed_number(seed))
    with strategy.scope(), _dtype_policy(config.precision):
        network = build(config, *config.augmentation.window)
        if first:
            _load_first(network, first)
        teacher = with_verdicts(network)
        optimizer = _optimizer(config)
    fit(
        teacher,
        optimizer,
        training_loss(config.verdict_share, config.kind_share),
        training_batches(_samples(data, learnt), learnt, config, seed),
        folder,
        epochs=config.epochs,
        strategy=strategy,
        validation=validation,
        patience=config.patience,
    )
    return network


def _load_first(network: Any, weights: Path) -> None:
    try:
        network.load_weights(weights)
    except ValueError as error:
        raise UnusableInputError(f"{weights} is of another network than the settings name") from error


def _save(network: Any, folder: Path, strategy: Any) -> None:
    with written_to(folder, strategy) as own:
        # Under its name only when whole: the name says that the training has finished.
        network.save_weights(own / f"partial.{WEIGHTS}")
        (own / f"partial.{WEIGHTS}").replace(own / WEIGHTS)


@contextmanager
def _begun(folder: Path, settings: dict[str, Any]) -> Iterator[None]:
    """The folder with its settings in it, for this process alone."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / SETTINGS).open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TrainingError(f"{folder} is being trained by another process") from error
        file.seek(0)
        text = json.dumps(settings, indent=1) + "\n"
        if (before := file.read()) and before != text:
            raise TrainingError(
                f"{folder} was begun with other settings or data: take a new folder for the run"
            )
        if not before:
            file.write(text)
            file.flush()
        yield


def _kept_apart(
    patients: Sequence[Entry], share: float, seed: Sequence[int]
) -> tuple[list[Entry], list[Entry]]:
    """Patients to learn from and patients to validate on, bleeding ones in both by the same share."""
    try:
        learnt, kept = train_test_split(
            patients,
            test_size=share,
            stratify=[p.bleeding for p in patients],
            random_state=seed_number(seed),
        )
    except ValueError as error:
        raise UnusableInputError(f"no validation patients can be kept apart: {error}") from error
    return learnt, kept


def _samples(data: Path, patients: Sequence[Entry]) -> list[Sample]:
    return [Sample.read(sample_path(data, p)) for p in patients]


def _optimizer(config: TrainingConfig) -> Any:
    steps = config.epochs * config.steps
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=config.learning_rate / 10,
        warmup_target=config.learning_rate,
        warmup_steps=config.steps,
        decay_steps=max(1, steps - config.steps),
    )
    adam = keras.optimizers.Adam(schedule)
    # Only float16's range is too short for small gradients.
    return keras.optimizers.LossScaleOptimizer(adam) if config.precision == "mixed_float16" else adam


@contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
