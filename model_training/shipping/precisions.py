"""What each precision of the exported network gains and costs, and which one ships by that.

Three questions to each: is it still the same network (size, answers on the same heads), is it as good on
patients it was not trained on (out of fold), and how fast is it
(:mod:`model_training.shipping.judging_time`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from headct.errors import ExportError
from headct.findings.scoring import score
from headct.network.contents import Thresholds
from headct.network.preprocessing import Missing, stacked
from model_training.datasets.manifest import Entry, Manifest
from model_training.datasets.sample import Sample, sample_path
from model_training.evaluation.decisions import dice
from model_training.evaluation.judging import Judged
from model_training.evaluation.statistics import Figure, Statistic, auc, interval, mean, resampled
from model_training.learning.config import TrainingConfig
from model_training.learning.conversion import Precision, convert_all, in_batches, runtime
from model_training.learning.train import run_folder, trained

MASK_AGREEMENT = 0.95
"""Least Dice between an exported network's masks and its original's, over all checked voxels."""
SCORE_DIFFERENCE = 0.1
"""Largest change of a patient's score (decimal logarithm of ml): a quarter of the volume."""
LARGEST_MB = 10.0
"""Largest network that ships."""
AUC_LOSS = 0.005
"""Largest loss of area under the curve, haemorrhage or alert, against float32."""
RATE_LOSS = 0.02
"""Largest loss of sensitivity or specificity at the shipped threshold, against float32: one patient in 50."""
SAME_SPEED = 0.1
"""Times that differ by less than this share count as equal; the smaller file then ships."""

REPRESENTATIVE_SLABS = 160
"""Slabs that fix the ranges of 8-bit activations; ranges no longer move from about a hundred on."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How an exported network's answers differ from its Keras original's on the same heads."""

    patients: int
    mask_dice: float
    """Over all voxels that either puts above the voxel threshold."""
    largest_difference: float
    """Of a voxel's probability."""
    mean_difference: float
    largest_score_difference: float
    """Of a patient's score, decimal logarithm of ml."""


def representative(
    data: Path, patients: Sequence[Entry], missing: Missing = Missing.REPEATED
) -> NDArray[np.float32]:
    """Slabs spread over patients and over the height of their heads, those with most blood among them.

    Returns shape (n, rows, columns, 3), Hounsfield units.
    """
    of_each = max(1, -(-REPRESENTATIVE_SLABS // len(patients)))
    chosen = []
    for patient in patients:
        sample = Sample.read(sample_path(data, patient))
        blood = sample.mask.sum(axis=(1, 2))
        levels = set(np.linspace(0, len(blood) - 1, of_each + 2).round().astype(int)[1:-1].tolist())
        if blood.any():
            levels.add(int(blood.argmax()))
        chosen.append(stacked(sample.volume.hu, sorted(levels), missing=missing))
    return np.concatenate(chosen)


def agreement(
    exported: bytes,
    network: Any,
    samples: Sequence[Sample],
    thresholds: Thresholds,
    missing: Missing = Missing.REPEATED,
) -> Agreement:
    """Run both networks on the same heads, as the product runs them."""
    run = runtime(exported)
    both = total = 0
    largest, differences, scores = 0.0, [], []
    for sample in samples:
        slabs = stacked(sample.volume.hu, missing=missing)
        found, original = (in_batches(f, slabs)[..., 0] for f in (run, network.predict_on_batch))
        mask, original_mask = found >= thresholds.voxel, original >= thresholds.voxel
        both += int((mask & original_mask).sum())
        total += int(mask.sum()) + int(original_mask.sum())
        difference = np.abs(found - original)
        largest = max(largest, float(difference.max()))
        differences.append(float(difference.mean()))
        ours, theirs = (score(sample.volume, p, thresholds).score for p in (found, original))
        scores.append(abs(ours - theirs))
    if not total:
        raise ExportError("neither network marks anything in the heads they are compared on")
    return Agreement(len(samples), 2 * both / total, largest, float(np.mean(differences)), max(scores))


def refusal(exported: bytes, weights: int, precision: Precision, found: Agreement) -> str:
    """Why an exported network is not its original any more or cannot ship; empty where it is and can.

    Args:
        exported: the ``.tflite`` file.
        weights: how many weights the original has.
        precision: how they should be stored.
        found: its answers beside the original's.
    """
    least = weights * precision.bytes_a_weight
    # Normalisation folds into the convolutions, so a few weights are gone; the graph itself adds some.
    if not 0.9 * least < len(exported) < 1.1 * least + 50_000:
        return f"the {precision} network has {len(exported)} bytes for {least} of weights"
    if len(exported) > LARGEST_MB * 1e6:
        return f"the {precision} network has {len(exported) / 1e6:.1f} MB, over {LARGEST_MB:g}"
    if not found.mask_dice >= MASK_AGREEMENT:
        return (
            f"masks of the {precision} network agree with its original's to Dice {found.mask_dice:.3f} only"
        )
    if not found.largest_score_difference <= SCORE_DIFFERENCE:
        return f"a patient's score moves by {found.largest_score_difference:.2f} with the {precision} network"
    return ""


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """What one precision says of the patients of the cross-validation, by networks that never saw them."""

    scores: NDArray[np.float64]
    """Shape (seeds, patients)."""
    dice: NDArray[np.float64]
    """The same shape; NaN without blood or without a mask."""


def out_of_fold(
    data: Path, run: Path, config: TrainingConfig, seeds: Sequence[int], voxel_threshold: float
) -> dict[Precision, OutOfFold]:
    """Convert every fold's network in every precision and judge the patients it was not trained on."""
    manifest, missing = Manifest.read(data), Missing(config.missing)
    patients = manifest.in_folds
    said = {
        p: OutOfFold(*(np.full((len(seeds), len(patients)), np.nan) for _ in range(2))) for p in Precision
    }
    for s, fold in tqdm(list(product(range(len(seeds)), manifest.folds)), desc="precisions", unit="network"):
        network = trained(run_folder(run, seeds[s], fold), config)
        others = [p for p in patients if p.fold != fold]
        exported = convert_all(network, representative(data, others, missing))
        judges = {precision: runtime(file) for precision, file in exported.items()}
        for i, patient in enumerate(patients):
            if patient.fold != fold:
                continue
            sample = Sample.read(sample_path(data, patient))
            slabs = stacked(sample.volume.hu, missing=missing)
            for precision, judge in judges.items():
                found = in_batches(judge, slabs)[..., 0]
                said[precision].scores[s, i] = score(
                    sample.volume, found, Thresholds(voxel_threshold, 0.0)
                ).score
                if patient.bleeding and patient.masked:
                    said[precision].dice[s, i] = dice(Judged(patient, sample, found), voxel_threshold)
    return said


def accuracy(
    said: Mapping[Precision, OutOfFold],
    bleeding: NDArray[np.bool_],
    alert: NDArray[np.bool_],
    haemorrhage_threshold: float,
) -> dict[Precision, dict[str, dict[str, Figure]]]:
    """Figures of each precision and what it loses against float32, patient by patient (paired intervals).

    Args:
        said: of every precision.
        bleeding: truth, shape (patients,).
        alert: truth of the alert, the same shape.
        haemorrhage_threshold: the one that ships; chosen on float32 scores of the same patients, so the rates
            compare precisions and are no estimate of what the bundle is worth.

    Returns:
        For each precision ``accuracy`` and ``loss``, both with ``auc_haemorrhage``, ``auc_alert``,
        ``sensitivity``, ``specificity`` and ``mean_dice``.
    """
    masked = ~np.isnan(said[Precision.FLOAT32].dice).any(axis=0)

    def statistics(one: OutOfFold) -> dict[str, tuple[Statistic, NDArray[np.bool_]]]:
        """Each with the strata its patients are drawn from."""
        flagged = one.scores >= haemorrhage_threshold
        return {
            "auc_haemorrhage": (auc(bleeding, one.scores), bleeding),
            "auc_alert": (auc(alert, one.scores), alert),
            "sensitivity": (mean(flagged, bleeding), bleeding),
            "specificity": (mean(~flagged, ~bleeding), bleeding),
            "mean_dice": (mean(np.nan_to_num(one.dice), masked), bleeding),
        }

    reference = statistics(said[Precision.FLOAT32])
    figures: dict[Precision, dict[str, dict[str, Figure]]] = {}
    for precision, one in said.items():
        figures[precision] = {"accuracy": {}, "loss": {}}
        for name, (own, strata) in statistics(one).items():
            weights = resampled(strata)
            figures[precision]["accuracy"][name] = interval(own, weights)
            figures[precision]["loss"][name] = interval(_difference(reference[name][0], own), weights)
    return figures


def _difference(a: Statistic, b: Statistic) -> Statistic:
    return lambda weights: a(weights) - b(weights)


@dataclass(frozen=True, slots=True)
class Row:
    """One precision in the table."""

    precision: Precision
    megabytes: float
    agreement: Agreement
    accuracy: Mapping[str, Figure]
    loss: Mapping[str, Figure]
    """Of each figure of ``accuracy`` against float32."""
    milliseconds: Mapping[str, float]
    """A whole series through the network, by number of threads."""
    refused: str
    """Why it is not the same network any more; empty where it is."""

    @property
    def as_good(self) -> bool:
        """Whether it loses no more than the tolerances."""
        loss = {name: figure["value"] or 0.0 for name, figure in self.loss.items()}
        return (
            max(loss["auc_haemorrhage"], loss["auc_alert"]) <= AUC_LOSS
            and max(loss["sensitivity"], loss["specificity"]) <= RATE_LOSS
        )


RULE = {
    "mask_agreement": MASK_AGREEMENT,
    "score_difference": SCORE_DIFFERENCE,
    "auc_loss": AUC_LOSS,
    "rate_loss": RATE_LOSS,
    "same_speed": SAME_SPEED,
    "largest_megabytes": LARGEST_MB,
}
"""The limits of :func:`choose`, as the model card gives them."""


def choose(rows: Sequence[Row], threads: str) -> Precision:
    """The fastest one that is the same network and as good; of equally fast ones the smallest.

    Raises:
        ExportError: none is.
    """
    fit = [r for r in rows if not r.refused and r.as_good]
    if not fit:
        raise ExportError("; ".join(r.refused or f"{r.precision} is less accurate" for r in rows))
    fastest = min(r.milliseconds[threads] for r in fit)
    equal = [r for r in fit if r.milliseconds[threads] <= fastest * (1 + SAME_SPEED)]
    return min(equal, key=lambda r: r.megabytes).precision
