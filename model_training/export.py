"""A trained network to LiteRT, checked against its original, and to a bundle with its model card."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from headct.bundle import (
    Bundle,
    BundleContents,
    Calibration,
    Cuts,
    InputContract,
    TrainingData,
    write_bundle,
)
from headct.classifier import LiteRTRuntime
from headct.errors import ExportError, UnusableInputError
from headct.preprocessing import CROP_COLUMNS, CROP_ROWS
from model_training.config import TrainingConfig
from model_training.dataset import Manifest, Sample, sample_path
from model_training.evaluate import EVALUATION
from model_training.model_card import model_card
from model_training.network import CONTEXT
from model_training.train import stacked, trained

NAME = "headct-bleed"
LICENCE = (
    "Apache-2.0; trained on ct_ich (CC BY 4.0): Hssayeni et al., Intracranial Hemorrhage Segmentation Using a"
    " Deep Convolutional Model, Data 2020, 5(1):14"
)
BATCH = 3
"""Slabs one call takes: enough to keep two cores busy, few enough to stay in their caches."""
CHECKED_PATIENTS = 8
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


def export(
    data: Path, run: Path, models: Path, *, version: str, config: TrainingConfig, precision: Precision
) -> Bundle:
    """Write the bundle of a run that was evaluated.

    Raises:
        UnusableInputError: the run was not evaluated, or on other data.
        ExportError: the exported network has the wrong size or does not agree with its original.
    """
    manifest = Manifest.read(data)
    try:
        figures = json.loads((run / EVALUATION).read_text(encoding="utf-8"))
    except OSError as error:
        raise UnusableInputError(f"{run} was not evaluated: run headct-train evaluate") from error
    if figures["manifest_sha256"] != manifest.sha256:
        raise UnusableInputError(f"{run} was evaluated on other data than {data}")
    cuts = Cuts(**figures["cuts"])
    network = trained(run / "final", config, BATCH)
    exported = convert(network, precision)
    most_blood = sorted(manifest.training, key=lambda p: -(p.bleed_ml or 0.0))[:CHECKED_PATIENTS]
    slabs = np.concatenate([stacked(Sample.read(sample_path(data, p)).volume.hu) for p in most_blood])
    agreement = check(exported, network, slabs, cuts.voxel, precision)
    contents = BundleContents(
        name=NAME,
        version=version,
        cuts=cuts,
        haemorrhage=Calibration(**figures["calibration"]["haemorrhage"]),
        alert=Calibration(**figures["calibration"]["alert"]),
        rubric_version=figures["rubric"],
        data=TrainingData(manifest.sha256, len(manifest.training), tuple(figures["sources"])),
        licence=LICENCE,
        input=InputContract(context=CONTEXT),
        figures={
            **{key: figures[key] for key in ("patients", "haemorrhage", "alert", "colours", "external")},
            "export": asdict(agreement),
            "training": figures["config"],
        },
    )
    return write_bundle(models / f"{NAME}-{version}", contents, exported, model_card(contents, manifest))


def convert(network: Any, precision: Precision) -> bytes:
    """A Keras network of fixed batch to a ``.tflite`` file, by way of a SavedModel.

    The shorter way from a concrete function writes a file without weights, and says nothing.
    """
    with tempfile.TemporaryDirectory() as folder:
        network.export(folder, verbose=False)
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
    batch = network.input_shape[0]
    slabs = slabs[: len(slabs) // batch * batch]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.tflite"
        path.write_bytes(exported)
        runtime = LiteRTRuntime(path, (CROP_ROWS, CROP_COLUMNS, 2 * CONTEXT + 1))
        started = perf_counter()
        found = _in_batches(runtime, slabs, batch)
        seconds = perf_counter() - started
    original = _in_batches(network.predict_on_batch, slabs, batch)
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


def _in_batches(run: Any, slabs: NDArray[np.float32], batch: int) -> NDArray[np.float32]:
    parts: Sequence[NDArray[np.float32]] = [run(slabs[i : i + batch]) for i in range(0, len(slabs), batch)]
    return np.concatenate(parts)
