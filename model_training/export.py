"""A run that was trained and evaluated to a bundle with its model card."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from headct.bundle import (
    Bundle,
    BundleContents,
    Calibration,
    Cuts,
    InputContract,
    TrainingData,
    write_bundle,
)
from headct.errors import UnusableInputError
from model_training.config import TrainingConfig
from model_training.conversion import Precision, check, convert
from model_training.datasets.manifest import Manifest
from model_training.datasets.sample import Sample, sample_path
from model_training.evaluation.evaluate import EVALUATION
from model_training.model_card import model_card
from model_training.networks.bleed import CONTEXT
from model_training.train import stacked, trained

NAME = "headct-bleed"
LICENCE = (
    "Apache-2.0; trained on ct_ich (CC BY 4.0): Hssayeni et al., Intracranial Hemorrhage Segmentation Using a"
    " Deep Convolutional Model, Data 2020, 5(1):14"
)
CHECKED_PATIENTS = 8


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
    network = trained(run / "final", config)
    exported = convert(network, precision)
    most_blood = sorted(manifest.in_folds, key=lambda p: -(p.bleed_ml or 0.0))[:CHECKED_PATIENTS]
    slabs = np.concatenate([stacked(Sample.read(sample_path(data, p)).volume.hu) for p in most_blood])
    agreement = check(exported, network, slabs, cuts.voxel, precision)
    contents = BundleContents(
        name=NAME,
        version=version,
        cuts=cuts,
        haemorrhage=Calibration(**figures["calibration"]["haemorrhage"]),
        alert=Calibration(**figures["calibration"]["alert"]),
        rubric_version=figures["rubric"],
        data=TrainingData(manifest.sha256, len(manifest.in_folds), tuple(figures["sources"])),
        licence=LICENCE,
        input=InputContract(context=CONTEXT),
        figures={
            **{key: figures[key] for key in ("patients", "haemorrhage", "alert", "colours", "external")},
            "export": asdict(agreement),
            "training": figures["config"],
        },
    )
    return write_bundle(models / f"{NAME}-{version}", contents, exported, model_card(contents, manifest))
