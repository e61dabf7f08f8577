"""A learned urgency from specialists' labels: fitted, cross-validated, and kept in the run folder.

Without enough of them there is none and the rubric decides. Provisional colours are never fitted to: they
come from the rubric, and it would learn the rubric back.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from headct.errors import UnusableInputError
from headct.findings.conclusion import find
from headct.network.contents import Thresholds
from headct.terms.urgency import Urgency
from headct.triage.learned_urgency import FEATURES, LearnedUrgency, features
from headct.triage.rubric import Judgement, Rubric, default_rubric
from model_training.datasets.manifest import SPECIALIST, TEST, Manifest
from model_training.evaluation.evaluate import EVALUATION
from model_training.evaluation.judging import Judges
from model_training.evaluation.statistics import interval, resampled, weighted_kappa
from model_training.learning.config import TrainingConfig

LEARNED_URGENCY = "urgency_head.json"
FEWEST = 40
"""Labelled patients from which on one is fitted; ours. In simulation (the specialist of the tests) six
fitted to 40 labels each reached a weighted kappa of 0.68 to 0.73 and six from 300 labels 0.75 to 0.76, where
the specialist's own rule reached 0.76 and a rubric that goes by another criterion 0.63. What real labels were
worth is in the figures of each; see :func:`agreement`."""
FEWEST_OF_A_COLOUR = 5
"""GREEN, YELLOW, and RED with BLACK need as many; BLACK with fewer counts as RED, and such a one never
says BLACK."""
PENALTIES = (1.0, 5.0, 25.0)
"""Ridge penalties on coefficients of features in standard deviations; one is chosen by cross-validation."""
PROBABILITY_THRESHOLDS = tuple(np.round(np.arange(0.5, 0.04, -0.05), 2).tolist())
"""From which probability an urgency is given; the highest that misses no more alerts than the rubric."""
FOLDS = 5
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Case:
    """A patient with a specialist's urgency, as networks saw them that were not trained on them."""

    values: NDArray[np.float64]
    """Shape (len(FEATURES),), see :func:`headct.triage.learned_urgency.features`."""
    by_rubric: Judgement
    urgency: Urgency


def learn(data: Path, run: Path, config: TrainingConfig) -> LearnedUrgency:
    """Fit one to the specialists' labels of a run that was evaluated, and keep it in the run folder.

    Features come from the networks of the folds, so each patient's from one not trained on them. Patients of
    the test part stay out: the gate compares bundles on them.

    Raises:
        UnusableInputError: the run was not evaluated on this data, or there are too few labels.
    """
    manifest, rubric = Manifest.read(data), default_rubric()
    try:
        figures = json.loads((run / EVALUATION).read_text(encoding="utf-8"))
    except OSError as error:
        raise UnusableInputError(f"{run} was not evaluated: run headct-train evaluate") from error
    if figures["manifest_sha256"] != manifest.sha256 or figures["rubric"] != rubric.version:
        raise UnusableInputError(
            f"{run} was evaluated on other data or with another rubric: evaluate it again"
        )
    cases = list(
        _cases(manifest, Judges(data, run, config), config.seeds[0], Thresholds(**figures["cuts"]), rubric)
    )
    learned = replace(fit(cases), figures=agreement(cases))
    body = {"rubric": rubric.version, "manifest_sha256": manifest.sha256, **learned.to_json()}
    (run / LEARNED_URGENCY).write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    return learned


def load_learned_urgency(run: Path) -> LearnedUrgency | None:
    """That of a run; ``None`` where none was learnt.

    Raises:
        UnusableInputError: the file is damaged, or was learnt beside another version of the rubric.
    """
    path = run / LEARNED_URGENCY
    if not path.exists():
        return None
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        learned, rubric = LearnedUrgency.from_json(body), body["rubric"]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UnusableInputError(f"{path} holds no learned urgency: run headct-train urgency-head") from error
    if rubric != default_rubric().version:
        raise UnusableInputError(f"{path} was learnt beside another rubric: run headct-train urgency-head")
    return learned


def _cases(
    manifest: Manifest, judges: Judges, seed: int, thresholds: Thresholds, rubric: Rubric
) -> Iterator[Case]:
    labelled = [p for p in manifest.in_folds if p.urgency_by == SPECIALIST and p.split != TEST]
    enough(tuple(p.colour for p in labelled if p.colour is not None))
    for fold in sorted({p.fold for p in labelled if p.fold is not None}):
        members = [p for p in labelled if p.fold == fold]
        for judged in judges.judge(f"seed-{seed}/fold-{fold}", members):
            colour, volume = judged.patient.colour, judged.sample.volume
            if colour is not None:
                bleeding, findings = find(volume, judged.probabilities, thresholds, rubric)
                yield Case(features(findings, bleeding.score), rubric.judge(findings), colour)


def fit(cases: Sequence[Case]) -> LearnedUrgency:
    """Proportional odds by penalised maximum likelihood, no coefficient below 0.

    Penalty and threshold are chosen by cross-validation within ``cases``: the penalty by the likelihood of
    the patients left out, the threshold so that on them no more of the specialists' alerts are missed than by
    the rubric. The logarithm of the likelihood is concave (Pratt, J Am Stat Assoc 1981;76:103-106), so there
    is one maximum.

    Raises:
        UnusableInputError: too few patients, in all or of a colour.
    """
    enough([c.urgency for c in cases])
    return _chosen(cases, _levels(cases))


def agreement(cases: Sequence[Case], folds: int = FOLDS) -> dict[str, Any]:
    """Agreement with the specialists, fitted without the patient, and of the rubric on the same ones.

    Nested: penalty and threshold of each fold's are chosen without its patients. Quadratic weighted
    kappa with 95 % bootstrap intervals; ``difference`` is learned minus rubric, paired.
    """
    found, alert = np.zeros(len(cases), int), np.zeros(len(cases))
    for inside, others in _folds(cases, folds):
        learned = _chosen(others, _levels(cases))
        for i in inside:
            found[i] = learned.judge(cases[i].values, cases[i].by_rubric)
            alert[i] = learned.alert(cases[i].values)
    true = np.array([c.urgency for c in cases], int)
    rubric = np.array([c.by_rubric.urgency for c in cases], int)
    is_alert = true >= Urgency.RED
    weights = resampled(is_alert)
    by_learned, by_rubric = (weighted_kappa(true, said, len(Urgency)) for said in (found, rubric))
    return {
        "patients": len(cases),
        "labels": {u.name: int((true == u).sum()) for u in Urgency},
        "weighted_kappa": interval(by_learned, weights),
        "weighted_kappa_of_rubric": interval(by_rubric, weights),
        "difference": interval(lambda w: by_learned(w) - by_rubric(w), weights),
        "alerts_missed": int((is_alert & (found < Urgency.RED)).sum()),
        "alerts_missed_by_rubric": int((is_alert & (rubric < Urgency.RED)).sum()),
        "brier_of_alert": float(np.mean((alert - is_alert) ** 2)),
    }


def enough(labels: Sequence[Urgency]) -> None:
    """Refuse what none can be learnt from.

    Raises:
        UnusableInputError: too few labels, in all or of a colour.
    """
    if len(labels) < FEWEST:
        raise UnusableInputError(
            f"{len(labels)} patients are labelled by a specialist; a learned urgency needs {FEWEST}, and"
            " provisional colours do not count"
        )
    groups = {
        "GREEN": [Urgency.GREEN],
        "YELLOW": [Urgency.YELLOW],
        "RED or BLACK": [Urgency.RED, Urgency.BLACK],
    }
    for name, colours in groups.items():
        if (count := sum(label in colours for label in labels)) < FEWEST_OF_A_COLOUR:
            raise UnusableInputError(
                f"{count} patients are labelled {name} by a specialist; a learned urgency needs"
                f" {FEWEST_OF_A_COLOUR} of each"
            )


def _levels(cases: Sequence[Case]) -> int:
    """Thresholds that can be fitted: YELLOW, RED, and BLACK where there are enough."""
    return 3 if sum(c.urgency is Urgency.BLACK for c in cases) >= FEWEST_OF_A_COLOUR else 2


def _classes(cases: Sequence[Case], levels: int) -> NDArray[np.int_]:
    return np.array([min(c.urgency, levels) for c in cases], int)


def _folds(cases: Sequence[Case], folds: int) -> Iterator[tuple[list[int], list[Case]]]:
    """Who is left out, by number, and the others; each colour is dealt out evenly."""
    order = np.argsort(np.array([c.urgency for c in cases], int), kind="stable").tolist()
    for fold in range(folds):
        inside = order[fold::folds]
        yield inside, [c for i, c in enumerate(cases) if i not in inside]


def _chosen(cases: Sequence[Case], levels: int) -> LearnedUrgency:
    """The fit at the penalty and with the threshold that patients left out of fits choose."""
    rows, classes = np.arange(len(cases)), _classes(cases, levels)
    best, penalty, left_out = -np.inf, PENALTIES[-1], np.zeros((len(cases), len(Urgency)))
    for candidate in reversed(PENALTIES):
        at_least = np.zeros((len(cases), len(Urgency) + 1))
        for inside, others in _folds(cases, FOLDS):
            learned = _fit(others, candidate, levels)
            at_least[inside, :-1] = learned.at_least([cases[i].values for i in inside])
        told = at_least[rows, classes] - at_least[rows, classes + 1]
        likelihood = float(np.log(np.maximum(told, _TINY)).sum())
        if likelihood > best:
            best, penalty, left_out = likelihood, candidate, at_least
    return replace(
        _fit(cases, penalty, levels), probability_threshold=_probability_threshold(cases, left_out)
    )


def _probability_threshold(cases: Sequence[Case], at_least: NDArray[np.float64]) -> float:
    """The highest at which patients left out of the fit keep as many alerts as the rubric gives them."""
    alerts = [i for i, c in enumerate(cases) if c.urgency.alert]
    by_rubric = sum(cases[i].by_rubric.urgency.alert for i in alerts)
    for probability_threshold in PROBABILITY_THRESHOLDS:
        # As it judges: an alert needs something flagged, and the rubric's BLACK stays one.
        found = sum(
            cases[i].by_rubric.urgency is Urgency.BLACK
            or (
                cases[i].by_rubric.urgency > Urgency.GREEN
                and at_least[i, Urgency.RED] >= probability_threshold
            )
            for i in alerts
        )
        if found >= by_rubric:
            return float(probability_threshold)
    return float(PROBABILITY_THRESHOLDS[-1])


def _fit(cases: Sequence[Case], penalty: float, levels: int) -> LearnedUrgency:
    """One fit at one penalty; thresholds as the first one and steps of at least nothing."""
    values, classes = np.array([c.values for c in cases]), _classes(cases, levels)
    scale = values.std(axis=0)
    scale[scale < 1e-9] = 1.0
    centre = values.mean(axis=0)
    x = (values - centre) / scale

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        thresholds, weights = np.cumsum(parameters[:levels]), parameters[levels:]
        reached = special.expit((x @ weights)[:, None] - thresholds)
        ends = np.ones((len(x), 1)), np.zeros((len(x), 1))
        at_least = np.hstack([ends[0], reached, ends[1]])
        slope = np.hstack([ends[1], reached * (1 - reached), ends[1]])
        rows = np.arange(len(x))
        told = np.maximum(at_least[rows, classes] - at_least[rows, classes + 1], _TINY)
        value = -np.log(told).sum() + 0.5 * penalty * weights @ weights
        to_severity = -(slope[rows, classes] - slope[rows, classes + 1]) / told
        to_threshold = np.zeros((len(x), levels + 2))
        to_threshold[rows, classes] = slope[rows, classes] / told
        to_threshold[rows, classes + 1] -= slope[rows, classes + 1] / told
        per_threshold = to_threshold[:, 1 : levels + 1].sum(axis=0)
        to_steps = np.cumsum(per_threshold[::-1])[::-1]
        return float(value), np.concatenate([to_steps, to_severity @ x + penalty * weights])

    reached = np.array([np.mean(classes >= k) for k in range(1, levels + 1)]).clip(0.01, 0.99)
    first = np.log(1 / reached - 1)
    start = np.concatenate([[first[0]], np.diff(first), np.zeros(len(FEATURES))])
    bounds = [(None, None), *[(1e-6, None)] * (levels - 1), *[(0.0, None)] * len(FEATURES)]
    # L-BFGS-B ends as well, and waits ten times as long for BLAS threads on a busy machine.
    found = optimize.minimize(
        loss, start, jac=True, method="SLSQP", bounds=bounds, options={"maxiter": 500, "ftol": 1e-9}
    ).x
    found[1:] = np.maximum(found[1:], 0.0)  # a bound may be overstepped by a rounding error
    coefficients = found[levels:] / scale
    thresholds = np.cumsum(found[:levels]) + coefficients @ centre
    return LearnedUrgency(
        tuple(coefficients.tolist()), tuple(thresholds.tolist()), float(PROBABILITY_THRESHOLDS[0]), len(cases)
    )
