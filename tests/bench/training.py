"""(e) Training of the main network: slabs a second and the share of time spent waiting for input.

Side by side with batches that already lie in memory.
"""

import os
import statistics
import sys
from pathlib import Path

ROUNDS, STEPS = 4, 30
HEADS, SLABS = 8, 30


def training(work: Path) -> list[tuple[str, str]]:
    """Rows of the report: medians over epochs that take turns, one with its input made, one from memory."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    import keras
    import tensorflow as tf

    from model_training.learning.config import TrainingConfig
    from model_training.learning.fitting import Batches, fit, read_log
    from model_training.learning.input_pipeline import training_batches
    from model_training.learning.losses import training_loss
    from model_training.learning.networks import build
    from model_training.learning.networks.verdicts import with_verdicts
    from tests.model_training.made_heads import made_head

    config = TrainingConfig.read()
    patients, samples = zip(*(made_head(n, SLABS) for n in range(HEADS)), strict=True)
    made = training_batches(samples, patients, config, (1, 0))
    kept = list(made.of_epoch(0, tf.distribute.InputContext()).take(STEPS))
    inputs, targets = tf.nest.map_structure(lambda *parts: tf.stack(parts), *kept)
    in_memory = tf.data.Dataset.from_tensor_slices((inputs, targets)).prefetch(2)

    def of_epoch(epoch: int, shares: object) -> object:
        return made.of_epoch(epoch, shares) if epoch % 2 else in_memory

    network = with_verdicts(build(config, *config.augmentation.window))
    fit(
        network,
        keras.optimizers.Adam(1e-4),
        training_loss(config.verdict_share, config.kind_share),
        Batches(of_epoch, STEPS),
        work / "training",
        epochs=2 + 2 * ROUNDS,
    )
    epochs = read_log(work / "training")[2:]  # the first two warm up
    with_input, without = epochs[::2], epochs[1::2]
    slabs = STEPS * config.batch
    seconds, ideal = (statistics.median(e["seconds"] for e in part) for part in (with_input, without))
    waiting = statistics.median(e["waiting"] for e in with_input)
    return [
        (f"training, batches of {config.batch} slabs, float32", f"{slabs / seconds:.1f} slabs/s"),
        ("- share of time spent waiting for input", f"{waiting:.1%}"),
        ("- batches already in memory", f"{slabs / ideal:.1f} slabs/s"),
        ("- ratio of both", f"{ideal / seconds:.2f}"),
    ]
