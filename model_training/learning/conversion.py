"""A Keras network to LiteRT, in each precision its weights and activations can be stored in."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from headct.network.classifier import THREADS, LiteRTRuntime
from headct.network.preprocessing import CONTEXT, CROP_COLUMNS, CROP_ROWS, HU_RANGE

BATCH = 1
"""Slabs one call takes; a slab's layers then stay in the caches, and no batch is padded."""


class Precision(StrEnum):
    """How numbers are stored. Input and output are float32 in all of them."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    """Weights in 16 bits, computed in 32."""
    DYNAMIC_INT8 = "dynamic_int8"
    """Weights in 8 bits, activations quantised as they come (dynamic range)."""
    FULL_INT8 = "full_int8"
    """Weights and activations in 8 bits, their ranges fixed beforehand on a representative dataset."""

    @property
    def bytes_a_weight(self) -> int:
        """Size of one stored weight."""
        return {Precision.FLOAT32: 4, Precision.FLOAT16: 2}.get(self, 1)


def convert(network: Any, precision: Precision, representative: NDArray[np.float32] | None = None) -> bytes:
    """A Keras network to a ``.tflite`` file that takes :data:`BATCH` slabs a call.

    Args:
        network: float32 (n, rows, columns, slabs) to (n, rows, columns, 1).
        precision: how numbers are stored.
        representative: slabs in Hounsfield units, shape (n, rows, columns, slabs), from patients the network
            was trained on; needed for ``FULL_INT8`` alone.
    """
    with _saved(network) as folder:
        return _converted(folder, precision, representative)


def convert_all(
    network: Any,
    representative: NDArray[np.float32],
    precisions: Iterable[Precision] = tuple(Precision),
) -> dict[Precision, bytes]:
    """The same network in several precisions."""
    with _saved(network) as folder:
        return {p: _converted(folder, p, representative) for p in precisions}


def runtime(exported: bytes, threads: int = THREADS) -> LiteRTRuntime:
    """An exported network, ready to run as the product runs it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.tflite"
        path.write_bytes(exported)
        return LiteRTRuntime(path, (CROP_ROWS, CROP_COLUMNS, 2 * CONTEXT + 1), threads)


def in_batches(run: Callable[[NDArray[np.float32]], Any], slabs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Outputs for all slabs, shape (n, rows, columns, 1)."""
    return np.concatenate([run(slabs[i : i + BATCH]) for i in range(0, len(slabs), BATCH)])


@contextmanager
def _saved(network: Any) -> Iterator[str]:
    """The network as a SavedModel of fixed batch.

    The shorter way from a concrete function writes a file without weights, and says nothing.
    """
    with tempfile.TemporaryDirectory() as folder:
        signature = tf.TensorSpec((BATCH, *network.input_shape[1:]), tf.float32)
        network.export(folder, verbose=False, input_signature=[signature])
        yield folder


def _converted(folder: str, precision: Precision, representative: NDArray[np.float32] | None) -> bytes:
    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    if precision is not Precision.FLOAT32:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision is Precision.FLOAT16:
        converter.target_spec.supported_types = [tf.float16]
    if precision is Precision.FULL_INT8:
        if representative is None:
            raise ValueError("full int8 needs a representative dataset")
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        # The input's 256 steps are laid over what it holds here. Cut to what the network looks at they are
        # 0.7 HU; over air and bone they would be 16 HU, as much as blood differs from brain. Whatever lies
        # outside saturates, which is what the network's own first layer would do with it.
        shown = np.clip(representative, *HU_RANGE).astype(np.float32)
        converter.representative_dataset = lambda: ([slab[None]] for slab in shown)
    exported: bytes = converter.convert()
    return exported
