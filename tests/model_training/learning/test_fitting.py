"""The loop on a network of one number, where every loss can be told beforehand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from headct.errors import TrainingError
from model_training.learning.fitting import Batches, fit, read_log


def one_number(start=0.0, dropout=0.0):
    """``output = w * input``, the input dropped out now and then."""
    network = keras.Sequential(
        [
            keras.Input((1,)),
            layers.Dropout(dropout, seed=3),
            layers.Dense(1, use_bias=False, kernel_initializer=keras.initializers.Constant(start)),
        ]
    )
    return network, keras.optimizers.SGD(0.25)


def always(target, steps=1):
    """Batches of ones that should become ``target``."""
    ones = np.ones((4, 1), np.float32)
    return Batches(lambda epoch, shares: tf.data.Dataset.from_tensors((ones, target * ones)).repeat(), steps)


def distance(target, output):
    return tf.reduce_mean((output - target) ** 2) / 2


def weight(network):
    return float(network.trainable_variables[0].numpy().squeeze())


def test_early_stopping_keeps_the_best_epoch_also_when_resumed(tmp_path):
    # w goes 0.25, 0.44, 0.58, 0.68, 0.76 towards 1; 0.5 is what the validation wants.
    network, optimizer = one_number()
    wanted = {"validation": always(0.5), "metrics": {"output": lambda target, output: output[0, 0]}}
    fit(network, optimizer, distance, always(1.0), tmp_path, epochs=9, patience=2, **wanted)
    rows = read_log(tmp_path)
    assert [r["epoch"] for r in rows] == [1, 2, 3, 4]
    assert [r["validation_output"] for r in rows] == pytest.approx([1 - 0.75**n for n in (1, 2, 3, 4)])
    assert [r["loss"] for r in rows] == pytest.approx([0.75 ** (2 * n) / 2 for n in (0, 1, 2, 3)])
    assert weight(network) == pytest.approx(1 - 0.75**2)
    again, optimizer = one_number()
    fit(again, optimizer, distance, always(1.0), tmp_path, epochs=9, patience=2, **wanted)
    assert weight(again) == weight(network) and read_log(tmp_path) == rows


def test_dropout_and_momentum_go_on_where_they_were(tmp_path):
    straight, optimizer = one_number(dropout=0.5)
    fit(straight, optimizer, distance, always(1.0, 3), tmp_path / "straight", epochs=3)
    for epochs in (1, 2, 3):
        halting, optimizer = one_number(dropout=0.5)
        fit(halting, optimizer, distance, always(1.0, 3), tmp_path / "halting", epochs=epochs)
    assert weight(halting) == weight(straight)
    for a, b in zip(read_log(tmp_path / "halting"), read_log(tmp_path / "straight"), strict=True):
        assert a["loss"] == b["loss"]


def test_an_epoch_whose_checkpoint_was_not_written_is_not_logged_twice(tmp_path):
    network, optimizer = one_number()
    fit(network, optimizer, distance, always(1.0), tmp_path, epochs=2)
    log = (tmp_path / "log.csv").read_text()
    (tmp_path / "log.csv").write_text(log + log.splitlines()[-1].replace("2,", "3,", 1) + "\n")
    network, optimizer = one_number()
    fit(network, optimizer, distance, always(1.0), tmp_path, epochs=3)
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", "1", "2", "3"]
    assert weight(network) == pytest.approx(1 - 0.75**3)


def test_a_loss_that_is_no_number_ends_the_training(tmp_path):
    network, optimizer = one_number()
    with pytest.raises(TrainingError, match="learning rate"):
        fit(network, optimizer, distance, always(np.inf), tmp_path, epochs=1)


def test_tensorboard_has_what_the_log_has(tmp_path):
    network, optimizer = one_number()
    fit(network, optimizer, distance, always(1.0), tmp_path, epochs=2)
    (events,) = (tmp_path / "tensorboard").iterdir()
    shown = {
        (value.tag, event.step): float(tf.make_ndarray(value.tensor))
        for event in tf.compat.v1.train.summary_iterator(str(events))
        for value in event.summary.value
    }
    rows = read_log(tmp_path)
    logged = {(name, int(row["epoch"])): row[name] for row in rows for name in row if name != "epoch"}
    assert shown == pytest.approx(logged, rel=1e-6)
