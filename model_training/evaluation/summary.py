"""The figures of ``evaluation.json`` that come first, as a table of text."""

from collections.abc import Iterator, Mapping
from typing import Any


def summary(evaluation: Mapping[str, Any]) -> str:
    """What ``headct-train evaluate`` prints: value, 95 % interval and number of patients of each figure."""
    seeds = ", ".join(str(seed) for seed in evaluation["seeds"])
    rows = [("", "value", "95 % interval", "patients"), *_rows(evaluation)]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    head = (
        f"{evaluation['patients']} patients, {evaluation['bleeding']} bleeding, judged by networks that never"
        f" saw them: {evaluation['folds']} folds, mean over seeds {seeds}.\nAlert and colours are those of"
        f" rubric {evaluation['rubric']} over true masks unless a specialist labelled."
    )
    return "\n".join([head, *(line.rstrip() for line in lines)])


def _rows(evaluation: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name in ("haemorrhage", "alert"):
        task = evaluation[name]
        yield _row(f"{name}: area under the curve", task["auc"])
        yield _row("  doubtful labels left out", task["auc_without_doubtful"])
        yield _row("  bleeds of 5 ml and more", task["auc_5_ml_and_more"])
        yield _row("  bleeds under 5 ml", task["auc_under_5_ml"])
        yield _row("  average precision", task["average_precision"])
        for rate in ("sensitivity", "sensitivity_5_ml_and_more", "sensitivity_under_5_ml", "specificity"):
            yield _row(f"  {rate.replace('_', ' ')} at nested cuts", task["at_nested_cuts"][rate])
        yield _row("  Brier score", task["reliability"]["brier"])
        yield _row("  slope of calibration", task["reliability"]["slope"])
    yield _row("colours: weighted kappa", evaluation["colours"]["weighted_kappa"])
    yield _row("  same colour", evaluation["colours"]["agreement"])
    yield _row("Dice", evaluation["volumes"]["mean_dice"])
    yield _row("  5 ml and more", evaluation["volumes"]["dice_5_ml_and_more"])
    if external := evaluation["external"]:
        if external["sensitivity"]:
            yield _row(f"{external['source']}: sensitivity", external["sensitivity"])
        yield _row(
            f"{external['source']}: networks of the folds", external["mean_sensitivity_of_fold_networks"]
        )
    for row in evaluation["false_alarms"]["rows"]:
        ships = " (ships)" if row["ships"] else ""
        yield _row(
            f"threshold for specificity {row['specificity']:.2f}{ships}: sensitivity", row["sensitivity"]
        )
        yield _row("  specificity reached", row["specificity_reached"])
    for name, baseline in evaluation["baselines"].items():
        for task in ("haemorrhage", "alert"):
            words = f"{name.replace('_', ' ')}, {task}"
            yield _row(f"{words}: area under the curve", baseline[task]["auc"])
            yield _row("  network minus that", baseline[task]["main_minus_baseline"])
    erased, blanked = evaluation["cheating"]["erased"], evaluation["cheating"]["outside_blanked"]
    yield _row("bleed erased: patients below the threshold", erased["below_cut"])
    yield _row("  area under the curve left", erased["auc_after"])
    yield _row("outside blanked: area under the curve", blanked["auc"])
    yield _row("  change", blanked["difference"])


def _row(name: str, figure: Mapping[str, Any]) -> tuple[str, ...]:
    if figure["value"] is None:
        return name, "none", "", ""
    of = f"{round(figure['count'], 2):g} of {figure['of']:g}" if "of" in figure else ""
    return name, f"{figure['value']:.3f}", f"{figure['low']:.3f} to {figure['high']:.3f}", of
