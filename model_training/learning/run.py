"""All networks of a run, one after the other or several side by side."""

import logging
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import tensorflow as tf

from headct.errors import SettingsError, TrainingError
from model_training.datasets.manifest import Manifest
from model_training.learning.config import TrainingConfig
from model_training.learning.distribution import strategy
from model_training.learning.train import WEIGHTS, run_folder, train


def networks(
    config: TrainingConfig, folds: tuple[int, ...], *, seed: int | None, fold: int | None, final: bool
) -> list[tuple[int, int | None]]:
    """Seed and fold (``None``: of all patients) of the networks asked for; without a wish, of all.

    One of each seed ships, on all patients. Which is the first is fixed before anything is trained.

    Raises:
        SettingsError: ``fold`` together with ``final``.
    """
    if final and fold is not None:
        raise SettingsError("name a fold or the final network, not both")
    seeds = config.seeds if seed is None else (seed,)
    if final:
        return [(each, None) for each in seeds]
    if fold is not None:
        return [(each, fold) for each in seeds]
    shipped: list[tuple[int, int | None]] = [(each, None) for each in seeds]
    return shipped + [(each, number) for each in seeds for number in folds]


def train_run(
    data: Path,
    run: Path,
    config: Path | None,
    *,
    seed: int | None,
    fold: int | None,
    final: bool,
    jobs: int,
    threads: int,
    start: Path | None = None,
) -> Iterator[Path]:
    """Train what is missing of the networks asked for.

    Args:
        data: folder that ``headct-train dataset`` wrote.
        run: folder of the run.
        config: file of settings, or ``None`` for the defaults.
        seed: one seed's networks alone.
        fold: one fold's networks alone.
        final: the networks that ship alone.
        jobs: networks trained at the same time, each by a process of its own.
        threads: of each process; 0 leaves it to TensorFlow.
        start: folder of an earlier run, whose networks give the first weights.

    Yields:
        The folder of each network, when it is finished.

    Raises:
        TrainingError: a training failed.
    """
    wanted = networks(
        TrainingConfig.read(config), Manifest.read(data).folds, seed=seed, fold=fold, final=final
    )
    # Says after each epoch how long its checkpoint took.
    logging.getLogger("absl").setLevel(logging.WARNING)
    if jobs == 1:
        # Before anything is computed: afterwards TensorFlow takes neither threads nor hosts.
        if threads:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        replicas = strategy()
        for each, number in wanted:
            settings = TrainingConfig.read(config)
            yield train(data, run, settings, seed=each, fold=number, start=start, strategy=replicas)
        return
    options = {"--data": data, "--run": run, "--config": config, "--start": start, "--threads": threads}
    command = [str(Path(sys.executable).with_name("headct-train")), "train"]
    for option, value in options.items():
        command += [] if value is None else [option, str(value)]
    missing = [network for network in wanted if not (run_folder(run, *network) / WEIGHTS).exists()]
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(partial(_by_itself, command, run), missing)


def _by_itself(command: Sequence[str], run: Path, network: tuple[int, int | None]) -> Path:
    """Train one network in a process of its own."""
    seed, fold = network
    which = ["--final"] if fold is None else ["--fold", str(fold)]
    status = subprocess.run([*command, "--seed", str(seed), *which], check=False).returncode
    folder = run_folder(run, seed, fold)
    if status:
        raise TrainingError(f"training of {folder} ended with status {status}")
    return folder
