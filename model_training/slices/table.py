"""Figures on single slices, as plain JSON and to read: any blood, each kind, and what needs no network.

The unit is the slice, the interval is over patients as far as they are known. A kind is held against slices
without any blood, by the one score there is: how well slices with that kind are found. Nothing here is about
patients.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from model_training.datasets.source import ANY
from model_training.datasets.sources.rsna import NAMES
from model_training.evaluation.statistics import Array, Figure, Statistic, auc, interval, resampled
from model_training.slices.judging import Scored

SPECIFICITY = 0.90
NARROW = (60.0, 86.0)
"""Window widths apart: wide windows were chosen for heads that bleed, so the width alone tells much."""
FEWEST = 5
"""Slices of a kind, with and without, below which there is no figure."""
_GROUPS = 5

UNIT = (
    "slices; a figure on slices says nothing of patients. Kinds of blood are held against slices without any."
    " Intervals (95 %, bootstrap) draw patients where they are known, slices where not."
)


def table(scored: Sequence[Scored]) -> dict[str, Any]:
    """All figures of some slices."""
    said = {name: _said(scored, short) for name, short in ((ANY, ANY), *NAMES.items())}
    scores = np.array([one.score for one in scored])
    patients = np.unique([one.picture.person for one in scored], return_inverse=True)[1]
    narrow = np.array([NARROW[0] <= _width(one) <= NARROW[1] for one in scored])
    known = sum(one.picture.person != one.picture.name for one in scored)
    trivial = _trivial(scored, said[ANY], patients)
    return {
        "unit": UNIT,
        "slices": len(scored),
        "with_blood": int(said[ANY].sum()),
        "of_known_patients": known,
        "specificity": SPECIFICITY,
        "any": _figures(said[ANY], scores, patients),
        "kinds": {
            name: _figures(of_kind[either], scores[either], patients[either])
            for name, of_kind in said.items()
            if name != ANY and (either := of_kind | ~said[ANY]).any()
        },
        "windows_60_to_86": _figures(said[ANY][narrow], scores[narrow], patients[narrow]),
        "other_windows": _figures(said[ANY][~narrow], scores[~narrow], patients[~narrow]),
        "width_and_brain_share_alone": None
        if trivial is None
        else {
            **_figures(said[ANY], trivial, patients),
            "windows_60_to_86": _figures(said[ANY][narrow], trivial[narrow], patients[narrow]),
            "network_minus_it": _difference(said[ANY], scores, trivial, patients),
        },
    }


def in_words(figures: Mapping[str, Any]) -> str:
    """The table to read."""
    rows = [
        ("any blood", figures["any"]),
        *((f"- {name}", row) for name, row in figures["kinds"].items()),
        ("windows of 60 to 86 HU", figures["windows_60_to_86"]),
        ("other windows", figures["other_windows"]),
    ]
    if trivial := figures["width_and_brain_share_alone"]:
        rows += [("no network: window width, brain share", trivial)]
        rows += [("- windows of 60 to 86 HU", trivial["windows_60_to_86"])]
    lines = [
        f"{'':38} {'with':>5} {'without':>7}  {'area under the curve':24} sensitivity at {SPECIFICITY:.2f}"
    ]
    for name, row in rows:
        auc_, hits = (_words(row[key]) for key in ("auc", "sensitivity"))
        lines.append(f"{name:38} {row['with']:5} {row['without']:7}  {auc_:24} {hits}")
    if trivial:
        lines.append(f"network minus no network: {_words(trivial['network_minus_it'])}")
    lines.append(
        f"{figures['slices']} slices, {figures['of_known_patients']} of known patients. Unit: {UNIT}"
    )
    return "\n".join(lines)


def sensitivity_at(truth: NDArray[np.bool_], scores: Array, specificity: float) -> Statistic:
    """Share of slices with blood above the threshold that leaves this share of the others alone."""
    clear, blood = np.sort(scores[~truth]), scores[truth]
    order = np.argsort(scores[~truth], kind="stable")

    def statistic(weights: Array) -> Array:
        left_alone = np.cumsum(weights[:, ~truth][:, order], axis=1)
        last = (left_alone >= specificity * left_alone[:, -1:]).argmax(axis=1)
        flagged = blood[None] > clear[last][:, None]
        of_blood = weights[:, truth]
        hits: Array = (of_blood * flagged).sum(axis=1) / np.maximum(of_blood.sum(axis=1), 1e-9)
        return hits

    return statistic


def by_patient(truth: NDArray[np.bool_], patients: NDArray[np.intp]) -> Array:
    """Bootstrap weights of slices, all of a patient drawn together, patients with and without blood apart."""
    _, index = np.unique(patients, return_inverse=True)
    bleeds = np.zeros(index.max() + 1, bool)
    np.logical_or.at(bleeds, index, truth)
    return resampled(bleeds)[:, index]


def _figures(truth: NDArray[np.bool_], scores: Array, patients: NDArray[np.intp]) -> dict[str, Any]:
    counts = {"with": int(truth.sum()), "without": int((~truth).sum())}
    if min(counts.values()) < FEWEST:
        nothing: Figure = {"value": None, "low": None, "high": None}
        return {**counts, "auc": nothing, "sensitivity": dict(nothing)}
    weights = by_patient(truth, patients)
    return {
        **counts,
        "auc": interval(auc(truth, scores), weights),
        "sensitivity": interval(sensitivity_at(truth, scores, SPECIFICITY), weights),
    }


def _difference(
    truth: NDArray[np.bool_], scores: Array, trivial: Array, patients: NDArray[np.intp]
) -> Figure:
    network, without = auc(truth, scores), auc(truth, trivial)
    return interval(lambda weights: network(weights) - without(weights), by_patient(truth, patients))


def _trivial(scored: Sequence[Scored], truth: NDArray[np.bool_], patients: NDArray[np.intp]) -> Array | None:
    """Out-of-fold judgement by what is known without a look; ``None`` where there is too little."""
    if len(np.unique(patients)) < _GROUPS or min(truth.sum(), (~truth).sum()) < _GROUPS * FEWEST:
        return None
    width = np.array([_width(one) for one in scored])
    brain = np.array([one.picture.brain_fraction or 0.0 for one in scored])
    seen = np.column_stack([width, width > NARROW[1], width < NARROW[0], brain, brain**2])
    judge = make_pipeline(StandardScaler(), LogisticRegression())
    folds = GroupKFold(_GROUPS)
    found: Array = cross_val_predict(
        judge, seen, truth, groups=patients, cv=folds, method="decision_function"
    )
    return found


def _said(scored: Sequence[Scored], label: str) -> NDArray[np.bool_]:
    return np.array([one.picture.labels[label] for one in scored], bool)


def _width(one: Scored) -> float:
    assert one.picture.window_width is not None
    return one.picture.window_width


def _words(figure: Figure) -> str:
    if figure["value"] is None:
        return "too few slices"
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"
