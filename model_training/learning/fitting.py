"""The training loop of every network: epochs with a checkpoint each, under any ``tf.distribute`` strategy.

Keras' own ``fit`` does not run on several hosts; ``strategy.run`` around a step of ours does.
"""

import csv
import logging
import math
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from headct.errors import TrainingError
from model_training.learning.distribution import is_chief, total

LOG = "log.csv"
BEST = "best.weights.h5"

Loss = Callable[[Any, Any], Any]
"""Target and output of a replica's part of the batch to a float32 number. Parts are equally large, so a mean
over the part is right as it is; what is no mean (a batch's Dice) uses :func:`distribution.total`."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Batches:
    """What an epoch is shown."""

    of_epoch: Callable[[int, Any], Any]
    """Number of the epoch, from 1, and ``tf.distribute.InputContext`` to a ``tf.data.Dataset`` of at least
    ``steps`` batches (input, target), each of ``context.get_per_replica_batch_size(global batch)``.
    Whatever is random in it may depend on the epoch alone, or a resumed training would not be the same."""
    steps: int


# Long, for half of it says what its arguments are.
def fit(
    network: Any,
    optimizer: Any,
    loss: Loss,
    batches: Batches,
    folder: Path,
    *,
    epochs: int,
    strategy: Any = None,
    validation: Batches | None = None,
    metrics: Mapping[str, Loss] | None = None,
    patience: int = 0,
) -> None:
    """Train a network in place, or go on from the last finished epoch in ``folder``.

    Writes ``log.csv``, ``tensorboard/`` and ``checkpoint/`` to ``folder``; of several hosts the chief alone.

    Args:
        network: a ``keras.Model``, made in the scope of the strategy.
        optimizer: a ``keras.Optimizer``, made there too; a ``LossScaleOptimizer`` where float16 is used.
        loss: see :data:`Loss`.
        batches: of the training.
        folder: of this network alone.
        epochs: how many in all.
        strategy: a ``tf.distribute.Strategy``; TensorFlow's current one when ``None``.
        validation: loss and metrics are measured on these after each epoch.
        metrics: name to mean, like a loss, of a batch of the validation.
        patience: epochs without a lower validation loss after which training stops; 0 never stops. If above
            0, the network ends with the weights of the best epoch.

    Raises:
        TrainingError: the loss is no longer a number, or the hosts do not see the same checkpoint.
    """
    strategy = strategy or tf.distribute.get_strategy()
    step = _training_step(network, optimizer, loss, strategy)
    measure = _validation_step(network, {"loss": loss, **(metrics or {})}, strategy)
    with strategy.scope():
        optimizer.build(network.trainable_variables)
    # One by one: by their objects, the states of random layers would be left out.
    state = [variable.value for variable in network.variables + optimizer.variables]
    checkpoint = tf.train.Checkpoint(state=state)
    done = _restored(checkpoint, folder, strategy)
    rows = [row for row in read_log(folder) if row["epoch"] <= done]
    with written_to(folder, strategy) as own, logging_redirect_tqdm():
        manager = tf.train.CheckpointManager(checkpoint, own / "checkpoint", max_to_keep=1)
        board = tf.summary.create_file_writer(str(own / "tensorboard"))
        # No bar where nobody watches: in a log it is noise.
        with tqdm(
            total=epochs * batches.steps, initial=done * batches.steps, desc=_name(folder), disable=None
        ) as bar:
            for epoch in range(done + 1, epochs + 1):
                if patience and epoch - 1 - _best(rows) >= patience:
                    break
                row = {"epoch": epoch, **_epoch(step, batches, epoch, strategy, bar)}
                row["learning_rate"] = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
                if validation:
                    row |= _validated(measure, validation, epoch, strategy)
                rows.append(row)
                if patience and _best(rows) == epoch:
                    network.save_weights(own / BEST)
                _write_log(own, rows, board)
                manager.save(checkpoint_number=epoch)
                _log.info("%s: epoch %d of %d, %s", _name(folder), epoch, epochs, _said(row))
        if patience and rows and _best(rows) != rows[-1]["epoch"]:
            network.load_weights(folder / BEST)


def read_log(folder: Path) -> list[dict[str, float]]:
    """One row for each finished epoch.

    It has: epoch (from 1), loss, seconds, waiting (share of the seconds spent waiting for input),
    learning_rate after it, and where there is a validation its loss and metrics, each under ``validation_``
    and its name.
    """
    try:
        with (folder / LOG).open(encoding="utf-8", newline="") as file:
            return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    except FileNotFoundError:
        return []


def _write_log(folder: Path, rows: list[dict[str, float]], board: Any) -> None:
    """All rows to the table, the last one to TensorBoard."""
    partial = folder / (LOG + ".partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "epoch": int(row["epoch"])} for row in rows)
    partial.replace(folder / LOG)
    last = rows[-1]
    with board.as_default(step=int(last["epoch"])):
        for name in last.keys() - {"epoch"}:
            tf.summary.scalar(name, last[name])
    board.flush()


def _training_step(network: Any, optimizer: Any, loss: Loss, strategy: Any) -> Any:
    replicas = strategy.num_replicas_in_sync

    def on_replica(inputs: Any, target: Any) -> Any:
        with tf.GradientTape() as tape:
            value = tf.cast(loss(target, network(inputs, training=True)), tf.float32)
            # Optimizers sum gradients over replicas, so the replicas' parts must add up to the whole.
            part = tf.add_n([value, *network.losses]) / replicas
            scaled = optimizer.scale_loss(part)
        gradients = tape.gradient(scaled, network.trainable_variables)
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            gradients = _skipped_together(gradients)
        optimizer.apply(gradients, network.trainable_variables)
        return part

    @tf.function  # type: ignore[untyped-decorator]
    def step(inputs: Any, target: Any) -> Any:
        parts = strategy.run(on_replica, args=(inputs, target))
        return strategy.reduce(tf.distribute.ReduceOp.SUM, parts, axis=None)

    return step


def _skipped_together(gradients: list[Any]) -> list[Any]:
    """Where float16 overflowed on one replica the step is skipped; all must skip it or they would part."""
    overflowed = tf.add_n([tf.reduce_sum(tf.cast(~tf.math.is_finite(g), tf.float32)) for g in gradients])
    anywhere = total(overflowed) > 0
    return [tf.where(anywhere, tf.constant(math.inf, g.dtype), g) for g in gradients]


def _validation_step(network: Any, metrics: Mapping[str, Loss], strategy: Any) -> Any:
    def on_replica(inputs: Any, target: Any) -> Any:
        output = network(inputs, training=False)
        return {name: tf.cast(metric(target, output), tf.float32) for name, metric in metrics.items()}

    @tf.function  # type: ignore[untyped-decorator]
    def step(inputs: Any, target: Any) -> Any:
        measured = strategy.run(on_replica, args=(inputs, target))
        return {n: strategy.reduce(tf.distribute.ReduceOp.MEAN, v, axis=None) for n, v in measured.items()}

    return step


def _epoch(step: Any, batches: Batches, epoch: int, strategy: Any, bar: Any) -> dict[str, float]:
    start, waited, losses = time.perf_counter(), 0.0, 0.0
    iterator = _iterator(batches, epoch, strategy)
    for _ in range(batches.steps):
        asked = time.perf_counter()
        inputs, target = next(iterator)
        waited += time.perf_counter() - asked
        # Reading the loss waits for the step, so what the next batch is waited for is not the step's time.
        losses += float(step(inputs, target))
        if not math.isfinite(losses):
            raise TrainingError(f"the loss is no longer a number in epoch {epoch}: lower the learning rate")
        bar.update()
    seconds = time.perf_counter() - start
    return {"loss": losses / batches.steps, "seconds": seconds, "waiting": waited / seconds}


def _validated(measure: Any, validation: Batches, epoch: int, strategy: Any) -> dict[str, float]:
    iterator = _iterator(validation, epoch, strategy)
    measured = [measure(*next(iterator)) for _ in range(validation.steps)]
    return {f"validation_{n}": sum(float(m[n]) for m in measured) / len(measured) for n in measured[0]}


def _iterator(batches: Batches, epoch: int, strategy: Any) -> Iterator[Any]:
    def endless(context: Any) -> Any:
        # Without this every step would ask all hosts whether each still has a batch.
        endless = tf.data.experimental.assert_cardinality(tf.data.experimental.INFINITE_CARDINALITY)
        options = tf.data.Options()
        # Its thread sleeps for many seconds at a time, and the end of an epoch waits until it wakes.
        options.autotune.enabled = False
        return batches.of_epoch(epoch, context).apply(endless).with_options(options)

    return iter(strategy.distribute_datasets_from_function(endless))


def _restored(checkpoint: Any, folder: Path, strategy: Any) -> int:
    """The last finished epoch, whose state the network and optimizer now have; 0 when there is none."""
    latest = tf.train.latest_checkpoint(folder / "checkpoint")
    done = int(latest.rsplit("-", 1)[1]) if latest else 0
    if latest:
        checkpoint.restore(latest).assert_consumed()
    replicas = strategy.num_replicas_in_sync
    if replicas > 1 and _summed(done, strategy) != done * replicas:
        raise TrainingError(f"{folder} is not the same folder on every host")
    return done


def _summed(number: int, strategy: Any) -> int:
    """A number of this host's, summed over all replicas."""

    @tf.function  # type: ignore[untyped-decorator]
    def everywhere() -> Any:
        numbers = strategy.run(tf.constant, args=(number,))
        return strategy.reduce(tf.distribute.ReduceOp.SUM, numbers, axis=None)

    return int(everywhere())


@contextmanager
def written_to(folder: Path, strategy: Any) -> Iterator[Path]:
    """The folder, or a passing one for all but the chief: saving takes every host, keeping only one."""
    if is_chief(strategy):
        yield folder
    else:
        with tempfile.TemporaryDirectory() as passing:
            yield Path(passing)


def _best(rows: list[dict[str, float]]) -> int:
    """The epoch with the lowest validation loss, 0 before the first."""
    return int(min(rows, key=lambda row: row["validation_loss"])["epoch"]) if rows else 0


def _said(row: dict[str, float]) -> str:
    losses = ", ".join(f"{n.replace('_', ' ')} {v:.4f}" for n, v in row.items() if n.endswith("loss"))
    return f"{losses}, {row['seconds']:.0f} s, {row['waiting']:.1%} of it waiting for input"


def _name(folder: Path) -> str:
    return "/".join(folder.parts[-2:])
