"""A candidate whose networks go on from an earlier run's of the same folds: few and gentle epochs.

The base data are trained on beside the hospital's, each source as often as any other
(:mod:`model_training.learning.sampling`), so that what was learnt before is not forgotten. Thresholds and
calibrations are chosen anew, out of fold: a fold's network and the one it goes on from never saw the patients
of the fold. A learned urgency is learnt anew where there are labels enough: one belongs to the network it was
learnt on.
"""

import json
import logging
from dataclasses import replace
from pathlib import Path

from headct.errors import BundleError, ExportError, UnusableInputError
from headct.network.bundle import Bundle
from headct.network.preprocessing import Missing
from model_training.datasets.manifest import SPECIALIST, TEST, Manifest
from model_training.evaluation.evaluate import EVALUATION, evaluate
from model_training.evaluation.report import write_report
from model_training.learning.config import TrainingConfig
from model_training.learning.conversion import Precision
from model_training.learning.run import train_run
from model_training.learning.train import SETTINGS, run_folder
from model_training.shipping.export import export
from model_training.shipping.learned_urgency import LEARNED_URGENCY, enough, learn

DEFAULT = Path(__file__).with_name("fine_tuning.toml")
CONFIG = "config.toml"
"""In the run's folder: every setting, as ``--config`` takes it."""
_log = logging.getLogger(__name__)


def fine_tuning_config(base: Path, base_run: Path, config: Path | None) -> TrainingConfig:
    """Settings of the fine-tuning; the network is the earlier run's.

    Args:
        base: folder of the data that the earlier run learnt from.
        base_run: folder of the earlier run.
        config: file of settings that goes over the defaults.

    Raises:
        UnusableInputError: the earlier run is not finished, or learnt from other data.
        SettingsError: the file is wrong.
    """
    settings = TrainingConfig.read(DEFAULT, config)
    path = run_folder(base_run, settings.seeds[0], None) / SETTINGS
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnusableInputError(f"{path.parent} holds no trained network: run headct-train train") from error
    if before["manifest"] != Manifest.read(base).sha256:
        raise UnusableInputError(f"{base_run} was trained on other data than {base}")
    return replace(
        settings,
        network=before["network"],
        widths=tuple(before["widths"]),
        normalisation=before["normalisation"],
        # Not said by runs from before there was a choice.
        missing=before.get("missing", Missing.REPEATED),
    )


def fine_tuned(
    data: Path,
    base_run: Path,
    run: Path,
    bundles: Path,
    version: str,
    *,
    precision: Precision | None,
    jobs: int,
    threads: int,
    repeats: int,
) -> Bundle:
    """Train, evaluate and export what is not there yet.

    Args:
        data: folder of prepared data, the base's and the hospital's.
        base_run: folder of the earlier run.
        run: folder of this one, with ``config.toml``.
        bundles: folder to write the bundle in.
        version: of the bundle.
        precision: overrides the choice by the measured table.
        jobs: networks trained at the same time.
        threads: of each training; 0 leaves it to TensorFlow.
        repeats: rounds of the measurement of the judging time.

    Raises:
        ExportError: what was learnt makes no bundle.
        TrainingError: a training failed.
        UnusableInputError: the earlier run lacks a network.
    """
    settings = run / CONFIG
    for network in train_run(
        data,
        run,
        settings,
        seed=None,
        fold=None,
        final=False,
        jobs=jobs,
        threads=threads,
        start=base_run,
    ):
        _log.info("cycle: %s is trained", network)
    config = TrainingConfig.read(settings)
    if not (run / EVALUATION).exists():
        _log.info("cycle: evaluation")
        evaluate(data, run, config)
    if not (run / LEARNED_URGENCY).exists() and _labels_enough(data):
        _log.info("cycle: learned urgency")
        learn(data, run, config)
    write_report(run)
    _log.info("cycle: bundle")
    try:
        return export(
            data, run, bundles, version=version, config=config, precision=precision, repeats=repeats
        )
    except BundleError as error:
        # One that would not be read back: a calibration falls where labels contradict the images.
        raise ExportError(str(error)) from error


def _labels_enough(data: Path) -> bool:
    labelled = [p for p in Manifest.read(data).in_folds if p.urgency_by == SPECIALIST and p.split != TEST]
    try:
        enough([p.colour for p in labelled if p.colour is not None])
    except UnusableInputError as error:
        _log.info("cycle: no learned urgency: %s", error)
        return False
    return True
