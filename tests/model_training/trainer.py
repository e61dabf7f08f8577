"""Trains a tiny network with one thread, as a process of its own: ``trainer.py DATA CONFIG WHOLE CUT``.

Two runs one after the other: the second run of a process must not know of the first. The second ends like a
process that is killed, after its first epoch.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import tensorflow as tf

from model_training.learning.config import TrainingConfig
from model_training.learning.train import train


class Killed(tf.train.CheckpointManager):
    """Ends the process as soon as an epoch is kept."""

    def save(self, *arguments: Any, **options: Any) -> None:
        super().save(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """The first seed's first fold of each run."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    data, file, whole, cut = map(Path, sys.argv[1:])
    config = TrainingConfig.read(file)
    train(data, whole, config, seed=1, fold=0)
    tf.train.CheckpointManager = Killed
    train(data, cut, config, seed=1, fold=0)


if __name__ == "__main__":
    main()
