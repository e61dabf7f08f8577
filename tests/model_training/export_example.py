"""``export.json`` and ``judging.json`` as ``headct-train export`` writes them, of made-up measurements.

from tests.model_training.export_example import export_example, judging_example
"""

from typing import Any

PRECISIONS = ("float32", "float16", "dynamic_int8", "full_int8")
STEPS = {"read": 6.5, "decode": 81.5, "prepare": 171.5, "infer": 106.5, "measure": 33.5}


def figure(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.0311, "high": value + 0.0311}


def row(number: int, precision: str) -> dict[str, Any]:
    worse = 0.0013 * number
    accuracy = {
        "auc_haemorrhage": 0.9521,
        "auc_alert": 0.9417,
        "sensitivity": 0.9333,
        "specificity": 0.8788,
        "mean_dice": 0.5512,
    }
    return {
        "precision": precision,
        "megabytes": 2.466 / (1, 2, 4, 3.9)[number],
        "agreement": {
            "patients": 12,
            "mask_dice": 1.0 - worse,
            "largest_difference": 0.0411 * number,
            "mean_difference": 0.000123 * number,
            "largest_score_difference": 0.0117 * number,
        },
        "accuracy": {name: figure(value - worse) for name, value in accuracy.items()},
        "loss": {name: figure(worse) for name in accuracy},
        "milliseconds": {"1": 340.5 - 70 * number, "2": 200.5 - 40 * number},
        "refused": "",
        "as_good": True,
    }


def export_example() -> dict[str, Any]:
    """The whole of ``export.json``."""
    return {
        "shipped": "dynamic_int8",
        "by_rule": "dynamic_int8",
        "chosen_by": "table",
        "rule": {
            "mask_agreement": 0.95,
            "score_difference": 0.15,
            "auc_loss": 0.0052,
            "rate_loss": 0.0213,
            "same_speed": 0.12,
            "largest_megabytes": 10.0,
        },
        "precisions": [row(i, p) for i, p in enumerate(PRECISIONS)],
    }


def judging_example() -> dict[str, Any]:
    """The whole of ``judging.json``."""
    return {
        "series": {
            "kind": "generated: epidural",
            "slices": 33,
            "rows": 512,
            "columns": 512,
            "transfer_syntax": "JPEG Lossless",
        },
        "machine": {"cores": 2, "architecture": "x86_64", "load": 0.35},
        "repeats": 9,
        "milliseconds": {
            p: {threads: {**STEPS, "total": sum(STEPS.values())} for threads in ("1", "2")}
            for p in PRECISIONS
        },
        "shipped": "dynamic_int8",
        "steps": [
            {"step": step, "words": f"what {step} does", "gave_away": f"what {step} gave away"}
            for step in STEPS
        ],
    }
