"""What the network is worth: out of fold on patients it was not trained on, cuts chosen the same way."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from headct.bundle import Cuts
from headct.measurement import measure
from headct.rubric import default_rubric
from headct.scoring import score
from headct.urgency import Urgency
from model_training.config import TrainingConfig
from model_training.conversion import Precision, convert, in_batches, runtime
from model_training.datasets.manifest import Manifest, Patient
from model_training.datasets.sample import Sample, sample_path
from model_training.evaluation.statistics import auc_interval, cut_at_specificity, logistic, share
from model_training.train import BLOOD_MAX_HU, stacked, trained

EVALUATION = "evaluation.json"
VOXEL_CUTS: tuple[float, ...] = tuple(np.round(np.arange(0.1, 0.95, 0.05), 2).tolist())
LARGE_ML = 5.0
DICE_PLATEAU = 0.02
"""Mean Dice hardly changes over a wide range of cuts; the highest within this of the best marks least
blood that is not there, and volumes decide the colour."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A patient with the output of a network that never saw it."""

    patient: Patient
    sample: Sample
    probabilities: NDArray[np.float32]

    def score(self) -> float:
        """The patient's bleed score, which needs no cut."""
        return score(self.sample.volume, self.probabilities, Cuts(0.5, 0.0)).score

    def urgency(self, mask: NDArray[np.bool_]) -> Urgency:
        """Colour by the rubric over a mask, true or predicted."""
        rubric = default_rubric()
        return rubric.judge(measure(self.sample.volume, mask, rubric.limits)).urgency


def evaluate(data: Path, run: Path, config: TrainingConfig) -> dict[str, Any]:
    """Judge every patient out of fold, choose cuts and calibrations, and write ``evaluation.json``."""
    manifest = Manifest.read(data)
    folds = sorted({p.fold for p in manifest.in_folds if p.fold is not None})
    judged, external_by_fold = [], []
    for fold in folds:
        name = f"fold-{fold}"
        judged += _judge(data, run, name, config, [p for p in manifest.in_folds if p.fold == fold])
        external_by_fold.append(_judge(data, run, name, config, manifest.external))
    external = _judge(data, run, "final", config, manifest.external)

    truth = np.array([j.patient.bleeding for j in judged])
    fold_of = np.array([j.patient.fold for j in judged])
    scores = np.array([j.score() for j in judged])
    cuts = _cuts(judged, truth, scores, config)
    # Nested: each fold is judged at cuts that its own patients had no part in choosing.
    nested = np.zeros(len(judged), bool)
    colours = [Urgency.GREEN] * len(judged)
    for fold in folds:
        others = np.flatnonzero(fold_of != fold)
        fold_cuts = _cuts([judged[i] for i in others], truth[others], scores[others], config)
        for i in np.flatnonzero(fold_of == fold):
            nested[i] = scores[i] >= fold_cuts.haemorrhage
            found = score(judged[i].sample.volume, judged[i].probabilities, fold_cuts)
            colours[i] = judged[i].urgency(found.mask)
    true_colours = [j.urgency(j.sample.mask) for j in judged]
    alert = np.array([c.alert for c in true_colours])
    result = {
        "manifest_sha256": manifest.sha256,
        "patients": len(judged),
        "sources": sorted({j.patient.source for j in judged}),
        "config": asdict(config),
        "cuts": asdict(cuts),
        "calibration": {
            "haemorrhage": asdict(logistic(truth, scores)),
            "alert": asdict(logistic(alert, scores)),
        },
        "rubric": default_rubric().version,
        "haemorrhage": {
            "out_of_fold": auc_interval(truth, scores),
            "at_nested_cuts": _rates(judged, truth, nested),
            "at_shipped_cuts": _rates(judged, truth, scores >= cuts.haemorrhage),
            "doubtful_left_out": _without_doubtful(judged, truth, scores),
            "mean_dice": float(np.mean([_dice(j, cuts.voxel) for j in judged if j.patient.bleeding])),
        },
        "alert": {
            "patients": int(alert.sum()),
            "out_of_fold": auc_interval(alert, scores),
            "by_colour": _alert_rates(true_colours, colours),
        },
        "colours": _table(true_colours, colours),
        "external": _external(external, external_by_fold, cuts),
        "scores": {
            j.patient.patient: {
                "bleeding": j.patient.bleeding,
                "score": float(s),
                "rubric_colour": true.name,
                "colour": colour.name,
            }
            for j, s, true, colour in zip(judged, scores, true_colours, colours, strict=True)
        },
    }
    (run / EVALUATION).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return result


def _judge(
    data: Path, run: Path, name: str, config: TrainingConfig, patients: Sequence[Patient]
) -> list[Judged]:
    """Outputs of one network for patients it was not trained on; kept beside its weights."""
    kept = run / name / "outputs"
    kept.mkdir(exist_ok=True)
    network, judged = None, []
    for patient in tqdm(patients, desc=name, unit="patient"):
        sample = Sample.read(sample_path(data, patient))
        path = kept / f"{patient.patient}.npy"
        if not path.exists():
            network = network or runtime(convert(trained(run / name, config), Precision.FLOAT32))
            np.save(path, in_batches(network, stacked(sample.volume.hu))[..., 0].astype(np.float16))
        judged.append(Judged(patient, sample, np.load(path).astype(np.float32)))
    return judged


def _cuts(
    judged: Sequence[Judged], truth: NDArray[np.bool_], scores: NDArray[np.float64], config: TrainingConfig
) -> Cuts:
    bleeding = [j for j in judged if j.patient.bleeding]
    dice = np.array([np.mean([_dice(j, cut) for j in bleeding]) for cut in VOXEL_CUTS])
    voxel = VOXEL_CUTS[int(np.flatnonzero(dice >= dice.max() - DICE_PLATEAU)[-1])]
    return Cuts(voxel, cut_at_specificity(truth, scores, config.specificity))


def _dice(judged: Judged, cut: float) -> float:
    trusted = judged.sample.volume.hu <= BLOOD_MAX_HU
    true, found = judged.sample.mask & trusted, (judged.probabilities >= cut) & trusted
    total = int(true.sum()) + int(found.sum())
    return 2.0 * int((true & found).sum()) / total if total else 1.0


def _rates(judged: Sequence[Judged], truth: NDArray[np.bool_], flagged: NDArray[np.bool_]) -> dict[str, Any]:
    ml = np.array([j.patient.bleed_ml or 0.0 for j in judged])
    young = np.array([bool(j.patient.under_18) for j in judged])
    return {
        "sensitivity": share(flagged[truth]).json(),
        "sensitivity_5_ml_and_more": share(flagged[truth & (ml >= LARGE_ML)]).json(),
        "sensitivity_under_5_ml": share(flagged[truth & (ml < LARGE_ML)]).json(),
        "specificity": share(~flagged[~truth]).json(),
        "under_18": {
            "sensitivity": share(flagged[truth & young]).json(),
            "specificity": share(~flagged[~truth & young]).json(),
        },
    }


def _without_doubtful(
    judged: Sequence[Judged], truth: NDArray[np.bool_], scores: NDArray[np.float64]
) -> dict[str, Any]:
    sure = np.array([not j.patient.doubtful for j in judged])
    return {"left_out": int((~sure).sum()), **auc_interval(truth[sure], scores[sure])}


def _alert_rates(true: Sequence[Urgency], found: Sequence[Urgency]) -> dict[str, Any]:
    truth, said = np.array([c.alert for c in true]), np.array([c.alert for c in found])
    return {"sensitivity": share(said[truth]).json(), "specificity": share(~said[~truth]).json()}


def _table(true: Sequence[Urgency], found: Sequence[Urgency]) -> dict[str, dict[str, int]]:
    """Colour by the rubric over true masks, then over predicted masks: counts of patients."""
    pairs = list(zip(true, found, strict=True))
    return {a.name: {b.name: pairs.count((a, b)) for b in Urgency} for a in Urgency}


def _external(
    final: Sequence[Judged], by_fold: Sequence[Sequence[Judged]], cuts: Cuts
) -> dict[str, Any] | None:
    """Sensitivity where every patient bleeds, at the same cut; and how the final network's scores compare."""
    if not final:
        return None
    scores = np.array([j.score() for j in final])
    of_folds = np.array([[j.score() for j in judged] for judged in by_fold])
    return {
        "source": final[0].patient.source,
        "sensitivity": share(scores >= cuts.haemorrhage).json(),
        "sensitivity_of_fold_networks": [share(s >= cuts.haemorrhage).json() for s in of_folds],
        # Nobody here was trained on, so a difference is the networks', not the patients'.
        "final_minus_fold_score_median": float(np.median(scores - of_folds.mean(axis=0))),
    }
