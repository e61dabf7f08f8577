"""An ``evaluation.json`` as ``headct-train evaluate`` writes it, of made-up scores: for tests of its readers.

Every figure is ``{"value", "low", "high"}`` with a 95 % interval, ``value`` is ``None`` where nobody counts;
shares of patients have ``"count"`` (mean over seeds, may be fractional) and ``"of"`` besides.

    from tests.model_training.evaluation_example import evaluation_example
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import precision_recall_curve, roc_auc_score, roc_curve

COLOURS = ("GREEN", "YELLOW", "RED", "BLACK")
SEEDS = (1, 2, 3)


def figure(value: float | None, half: float = 0.06) -> dict[str, Any]:
    if value is None:
        return {"value": None, "low": 0.0, "high": 1.0}
    return {"value": value, "low": max(0.0, value - half), "high": min(1.0, value + half)}


def share(count: float, of: int) -> dict[str, Any]:
    return {**figure(count / of if of else None, 0.1), "count": count, "of": of}


def task(truth: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
    """Figures of one question, haemorrhage or alert; ``scores`` has shape (seeds, patients)."""
    positives, negatives = int(truth.sum()), int((~truth).sum())
    areas = [float(roc_auc_score(truth, s)) for s in scores]
    curves = [roc_curve(truth, s) for s in scores]
    recalls = [precision_recall_curve(truth, s) for s in scores]
    rates = {
        "sensitivity": share(positives - 1.667, positives),
        "specificity": share(negatives - 4.333, negatives),
        "sensitivity_5_ml_and_more": share(positives - 5.333, positives - 5),
        "sensitivity_under_5_ml": share(3.667, 5),
        "under_18": {"sensitivity": share(5.0, 5), "specificity": share(9.333, 11)},
        "doubtful": {"sensitivity": share(2.0, 3), "specificity": share(0.0, 0)},
        "without_doubtful": {
            "sensitivity": share(positives - 2.0, positives - 1),
            "specificity": share(9.0, 10),
        },
    }
    return {
        "positives": positives,
        "negatives": negatives,
        "auc": figure(float(np.mean(areas))),
        "auc_per_seed": areas,
        "average_precision": figure(0.94),
        "auc_without_doubtful": {**figure(float(np.mean(areas))), "left_out": 4},
        "auc_5_ml_and_more": figure(0.97),
        "auc_under_5_ml": figure(0.81),
        "roc": [
            {"seed": seed, "fpr": c[0].tolist(), "tpr": c[1].tolist()}
            for seed, c in zip(SEEDS, curves, strict=True)
        ],
        "precision_recall": [
            {"seed": seed, "precision": c[0].tolist(), "recall": c[1].tolist()}
            for seed, c in zip(SEEDS, recalls, strict=True)
        ],
        "at_nested_cuts": rates,
        "at_shipped_cuts_in_sample": rates,
        "at_prevalence": [
            {
                "prevalence": p,
                "ppv": figure(0.94 * p / (0.94 * p + 0.12 * (1 - p))),
                "npv": figure(0.88 * (1 - p) / (0.88 * (1 - p) + 0.06 * p), 0.02),
                "false_alarms_per_100": {"value": 12.0 * (1 - p), "low": 5.0, "high": 21.0},
            }
            for p in (0.05, 0.10, 0.20)
        ],
        "reliability": {
            "brier": figure(0.09, 0.03),
            "slope": {"value": 0.93, "low": 0.6, "high": 1.5},
            "intercept": {"value": -0.04, "low": -0.7, "high": 0.6},
            # Patients in bins of equal size by nested probability, the seeds taken together.
            "bins": [
                {"predicted": p, "observed": share(round(13 * p, 2), 13)}
                for p in (0.05, 0.15, 0.4, 0.8, 0.97)
            ],
        },
    }


@dataclass(frozen=True)
class Made:
    """Patients with blood or without, and what networks of three seeds say of them."""

    bleeds: np.ndarray
    ml: np.ndarray
    true: list[str]
    scores: np.ndarray
    cut: float

    @classmethod
    def of(cls, patients: int, bleeding: int) -> "Made":
        random = np.random.default_rng(5)
        bleeds = np.arange(patients) < bleeding
        ml = np.where(bleeds, np.exp(random.normal(2.0, 1.4, patients)), 0.0)
        true = [
            COLOURS[0] if not b else COLOURS[1 if v < 10 else 2 if v < 100 else 3]
            for b, v in zip(bleeds, ml, strict=True)
        ]
        # Decimal logarithm of ml: about -3 where the network sees nothing.
        scores = np.log10(ml + 0.05) + random.normal(0, 0.45, (len(SEEDS), patients))
        return cls(bleeds, ml, true, scores, float(np.quantile(scores[:, ~bleeds], 0.88)))

    @property
    def patients(self) -> int:
        return len(self.bleeds)

    @property
    def bleeding(self) -> int:
        return int(self.bleeds.sum())

    @property
    def names(self) -> list[str]:
        return [f"PATIENT-{n:03d}" for n in range(self.patients)]

    @property
    def alert(self) -> np.ndarray:
        return np.array([c in ("RED", "BLACK") for c in self.true])

    @property
    def flagged(self) -> np.ndarray:
        return self.scores >= self.cut

    @property
    def colours(self) -> np.ndarray:
        return np.where(self.flagged, np.where(self.scores >= 1.0, "RED", "YELLOW"), "GREEN")


def evaluation_example(patients: int = 64, bleeding: int = 27) -> dict[str, Any]:
    """The whole of ``evaluation.json``; the same on every call."""
    made = Made.of(patients, bleeding)
    haemorrhage, alerts = task(made.bleeds, made.scores), task(made.alert, made.scores)
    return {
        "manifest_sha256": "0" * 64,
        "rubric": "1",
        "config": {"seeds": list(SEEDS), "widths": [24, 48, 96, 128], "epochs": 36, "specificity": 0.85},
        "seeds": list(SEEDS),
        "folds": 5,
        "patients": patients,
        "bleeding": bleeding,
        "sources": ["ct_ich"],
        "cuts": {"voxel": 0.6, "haemorrhage": made.cut, "power": 2.0, "margin": 0.0},
        "calibration": {
            "haemorrhage": {"slope": 2.3, "intercept": 0.4},
            "alert": {"slope": 1.8, "intercept": -1.4},
        },
        "haemorrhage": haemorrhage,
        "alert": alerts,
        "colours": agreement(made),
        "volumes": volumes(made),
        "external": external(),
        "false_alarms": false_alarms(made),
        "baselines": baselines(),
        "alert_table": alert_table(made, alerts["auc"]["value"]),
        "cheating": cheating(made, haemorrhage["auc"]),
        "scores": scores(made),
    }


def agreement(made: Made) -> dict[str, Any]:
    table = {
        a: {
            b: sum(float(np.mean(made.colours[:, i] == b)) for i in range(made.patients) if made.true[i] == a)
            for b in COLOURS
        }
        for a in COLOURS
    }
    agree = sum(table[c][c] for c in COLOURS)
    return {
        "table": table,
        "agreement": share(agree, made.patients),
        "weighted_kappa": figure(0.82, 0.1),
    }


def volumes(made: Made) -> dict[str, Any]:
    return {
        "patients": made.bleeding,
        "mean_dice": figure(0.55),
        "dice_5_ml_and_more": figure(0.66),
        # Found minus true; low and high are the limits of agreement, bias the middle between them.
        "error_ml": {
            "median": figure(0.0),
            "median_absolute": figure(1.1),
            "bias": -1.2,
            "low": -14.0,
            "high": 11.6,
        },
        "points": [
            {
                "patient": made.names[i],
                "true_ml": float(made.ml[i]),
                "found_ml": [float(made.ml[i]) * s for s in (0.8, 0.9, 1.1)],
            }
            for i in range(made.bleeding)
        ],
    }


def external() -> dict[str, Any]:
    return {
        "source": "phe_sich",
        "patients": 40,
        "sensitivity": share(38, 40),
        "sensitivity_of_fold_networks": [
            {"seed": seed, "fold": fold, **share(37, 40)} for seed in SEEDS for fold in range(5)
        ],
        "mean_sensitivity_of_fold_networks": share(37.0, 40),
        "final_minus_fold_score_median": 0.04,
    }


def false_alarms(made: Made) -> dict[str, Any]:
    clear = made.patients - made.bleeding

    def row(specificity: float, found: float, alarms: float) -> dict[str, Any]:
        return {
            "specificity": specificity,
            "ships": specificity < 0.9,
            "threshold": made.cut + specificity - 0.85,
            "sensitivity": share(found, made.bleeding),
            "sensitivity_5_ml_and_more": share(16.0, 17),
            "sensitivity_under_5_ml": share(found - 16.0, 10),
            "specificity_reached": share(clear - alarms, clear),
            "false_alarms_per_100": {"value": 100 * alarms / clear, "low": 0.7, "high": 28.1},
            "budget": "not shown",
            "sensitivity_against_shipped": {
                "value": (found - 21.3) / made.bleeding,
                "low": -0.2,
                "high": 0.0,
            },
            "external_sensitivity": share(found + 12.0, 40),
        }

    return {
        "bleed_free": clear,
        "most_if_none_seen_per_100": 9.5,
        "needed_to_show": 72,
        "rows": [row(0.85, 21.3, 4.7), row(0.95, 18.7, 1.3)],
    }


def baselines() -> dict[str, Any]:
    def baseline(features: list[str], auc: float) -> dict[str, Any]:
        area = {"auc": figure(auc, 0.1), "main_minus_baseline": {"value": 0.15, "low": 0.04, "high": 0.27}}
        return {"features": features, "haemorrhage": area, "alert": area}

    plain = ["age", "sex", "slices", "pixel size"]
    return {
        "no_brain": baseline(plain, 0.78),
        "no_brain_with_fracture": baseline([*plain, "fracture"], 0.86),
        "no_brain_with_scalp": baseline([*plain, "scalp"], 0.80),
        "no_brain_with_fracture_and_scalp": baseline([*plain, "fracture", "scalp"], 0.87),
    }


def alert_table(made: Made, area: float) -> list[dict[str, Any]]:
    positives, negatives = int(made.alert.sum()), int((~made.alert).sum())

    def row(name: str, auc: float) -> dict[str, Any]:
        return {
            "name": name,
            "auc": figure(auc),
            "accuracy": share(made.patients * 0.84, made.patients),
            "sensitivity": share(positives * 0.8, positives),
            "specificity": share(negatives * 0.86, negatives),
        }

    return [
        row("AlexNet, split by image", 0.97),
        row("AlexNet, split by patient", 0.70),
        row("main network, by score", area),
        {**row("main network, by colour", area), "auc": None},
        row("no_brain", 0.74),
        row("no_brain_with_fracture", 0.8),
        row("no_brain_with_scalp", 0.75),
        row("no_brain_with_fracture_and_scalp", 0.8),
    ]


def cheating(made: Made, area: dict[str, Any]) -> dict[str, Any]:
    bleeding, clear = made.bleeding, made.patients - made.bleeding
    moved = {
        name: {
            "before": [float(v) for v in 1 / (1 + np.exp(-3 * made.scores[:, i]))],
            "after": [0.05, 0.08, 0.04],
        }
        for i, name in enumerate(made.names)
    }
    return {
        "erased": {
            "patients": {name: moved[name] for name in made.names[:bleeding]},
            "median_probability_before": figure(0.97),
            "median_probability_after": figure(0.08),
            "below_cut": share(25.333, bleeding),
            "below_cut_before": share(1.667, bleeding),
            "auc_after": figure(0.55, 0.12),
            # The same operator at a bleed's place in patients without one.
            "control": {
                "median_change_of_probability": figure(0.0, 0.01),
                "newly_flagged": share(0.333, clear),
                "other_side_of_bleeding_patients": {
                    "median_change_of_probability": figure(0.0, 0.01),
                    "no_longer_flagged": share(0.667, bleeding),
                },
            },
        },
        "outside_blanked": {
            "auc_before": area,
            "auc": area,
            "difference": {"value": -0.004, "low": -0.02, "high": 0.01},
            "within_interval": True,
            "sensitivity": share(25.0, bleeding),
            "specificity": share(32.0, clear),
            "least_blood_kept": 0.99,
        },
    }


def scores(made: Made) -> dict[str, Any]:
    return {
        made.names[i]: {
            "bleeding": bool(made.bleeds[i]),
            "bleed_ml": float(made.ml[i]),
            "scores": [float(s) for s in made.scores[:, i]],
            "flagged": [bool(f) for f in made.flagged[:, i]],
            "rubric_colour": made.true[i],
            "colours": [str(c) for c in made.colours[:, i]],
            "under_18": i % 4 == 0,
            "doubtful": "old bleed" if i == 2 else "",
            "fold": i % 5,
        }
        for i in range(made.patients)
    }
