"""A training that is killed, and goes on by a command: ``trainer.py DATA CONFIG WHOLE CUT COMMAND...``.

The first process trains a tiny network twice with one thread: the second run of a process must not know of
the first. It is killed after the second run's first epoch. The second process, which trained nothing yet, is
given the command, what ``headct-train`` is told. The first is forked from the second, which has
TensorFlow imported and nothing begun: importing it is long.
"""

import os
import signal
import sys
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import tensorflow as tf

from model_training.cli import main as headct_train
from model_training.learning.config import TrainingConfig
from model_training.learning.fitting import read_log
from model_training.learning.train import WEIGHTS, run_folder, train


class Killed(tf.train.CheckpointManager):
    """Ends the process as soon as an epoch is kept."""

    def save(self, *arguments: Any, **options: Any) -> None:
        super().save(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)


def killed(data: Path, file: Path, whole: Path, cut: Path) -> None:
    """The first seed's first fold of each run."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    config = TrainingConfig.read(file)
    train(data, whole, config, seed=1, fold=0)
    tf.train.CheckpointManager = Killed
    train(data, cut, config, seed=1, fold=0)


def main() -> None:
    """One after the other."""
    data, file, whole, cut = map(Path, sys.argv[1:5])
    first = get_context("fork").Process(target=killed, args=(data, file, whole, cut))
    first.start()
    first.join()
    assert first.exitcode == -signal.SIGKILL, first.exitcode
    folder = run_folder(cut, 1, 0)
    assert [row["epoch"] for row in read_log(folder)] == [1] and not (folder / WEIGHTS).exists()
    headct_train(sys.argv[5:])


if __name__ == "__main__":
    main()
