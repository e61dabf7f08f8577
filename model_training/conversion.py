"""A Keras network to LiteRT, and the proof that it is still the same network."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from headct.classifier import LiteRTRuntime
from headct.errors import ExportError
from headct.preprocessing import CROP_COLUMNS, CROP_ROWS
from model_training.networks.bleed import CONTEXT

BATCH = 1
"""Slabs one call takes; a slab's layers then stay in the caches, and no batch is padded."""
MASK_AGREEMENT = 0.95
"""Least Dice between the exported network's masks and its original's, over all checked voxels."""


class Precision(StrEnum):
    """How weights are stored."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    INT8 = "int8"
    """Weights in 8 bits, activations quantised as they come (dynamic range)."""


_BYTES_A_WEIGHT = {Precision.FLOAT32: 4, Precision.FLOAT16: 2, Precision.INT8: 1}


@dataclass(frozen=True, slots=True)
class Agreement:
    """How an exported network compares with its original, measured on real head volumes."""

    precision: str
    megabytes: float
    mask_dice: float
    largest_difference: float
    milliseconds_a_slab: float
    """On the machine that exported, two threads."""


def convert(network: Any, precision: Precision) -> bytes:
    """A Keras network of fixed batch to a ``.tflite`` file, by way of a SavedModel.

    The shorter way from a concrete function writes a file without weights, and says nothing.
    """
    with tempfile.TemporaryDirectory() as folder:
        signature = tf.TensorSpec((BATCH, *network.input_shape[1:]), tf.float32)
        network.export(folder, verbose=False, input_signature=[signature])
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if precision is not Precision.FLOAT32:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision is Precision.FLOAT16:
            converter.target_spec.supported_types = [tf.float16]
        exported: bytes = converter.convert()
    return exported


def check(
    exported: bytes,
    network: Any,
    slabs: NDArray[np.float32],
    voxel_cut: float,
    precision: Precision,
) -> Agreement:
    """Run both networks on the same slabs, shape (n, rows, columns, 3).

    Raises:
        ExportError: weights are missing, or masks or probabilities differ.
    """
    least = network.count_params() * _BYTES_A_WEIGHT[precision]
    # Normalisation folds into the convolutions, so a few weights are gone; the graph itself adds some.
    if not 0.9 * least < len(exported) < 2 * least + 200_000:
        raise ExportError(f"the exported network has {len(exported)} bytes for {least} of weights")
    run = runtime(exported)
    started = perf_counter()
    found = in_batches(run, slabs)
    seconds = perf_counter() - started
    original = in_batches(network.predict_on_batch, slabs)
    mask, original_mask = found >= voxel_cut, original >= voxel_cut
    total = int(mask.sum()) + int(original_mask.sum())
    dice = 2 * int((mask & original_mask).sum()) / total if total else 1.0
    if not dice >= MASK_AGREEMENT:
        raise ExportError(f"masks of the exported network agree with its original to Dice {dice:.3f} only")
    return Agreement(
        precision=precision.value,
        megabytes=round(len(exported) / 1e6, 3),
        mask_dice=dice,
        largest_difference=float(np.abs(found - original).max()),
        milliseconds_a_slab=round(1000 * seconds / len(slabs), 2),
    )


def runtime(exported: bytes) -> LiteRTRuntime:
    """An exported network, ready to run as the product runs it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.tflite"
        path.write_bytes(exported)
        return LiteRTRuntime(path, (CROP_ROWS, CROP_COLUMNS, 2 * CONTEXT + 1))


def in_batches(run: Callable[[NDArray[np.float32]], Any], slabs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Outputs for all slabs, shape (n, rows, columns, 1)."""
    return np.concatenate([run(slabs[i : i + BATCH]) for i in range(0, len(slabs), BATCH)])
