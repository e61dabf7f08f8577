"""Trains a tiny run with one thread, as a process of its own: ``trainer.py DATA CONFIG RUN [RUN...]``."""

import sys
from pathlib import Path

import tensorflow as tf

from model_training.learning.config import TrainingConfig
from model_training.learning.train import train


def main() -> None:
    """The first seed's first fold of each run, one after the other."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    data, config, *runs = map(Path, sys.argv[1:])
    for run in runs:
        train(data, run, TrainingConfig.read(config), seed=1, fold=0)


if __name__ == "__main__":
    main()
