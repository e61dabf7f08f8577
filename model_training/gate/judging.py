"""Every patient of the frozen test set judged by both bundles, as the product does; and what is compared."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from headct.errors import InferenceError
from headct.findings import looks
from headct.network.bundle import Bundle
from headct.network.classifier import Classifier
from headct.terms.urgency import Urgency
from headct.triage.rubric import Rubric
from model_training.datasets.manifest import EXTERNAL, TEST, Entry, Manifest
from model_training.datasets.sample import Sample, sample_path
from model_training.gate.endpoints import Area, Endpoint, Share
from model_training.gate.rules import Rules

LARGE_ML = 5.0
_TYPES = ("ivh", "iph", "sah", "edh", "sdh")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a bundle says of one patient; ``urgency`` is ``None`` where its network failed."""

    flagged: bool = False
    urgency: Urgency | None = None
    score: float = float("-inf")
    alert_probability: float = float("-inf")


@dataclass(frozen=True, slots=True)
class Case:
    """One patient of the test set with both answers."""

    patient: Entry
    in_service: Answer
    candidate: Answer


@dataclass(frozen=True, slots=True)
class Selection:
    """Who is judged, and why others are not."""

    patients: tuple[Entry, ...]
    left_out: dict[str, int]
    """Reason to number of patients."""


_Right = Callable[[Entry, Answer], bool]
"""Whether an answer is right for a patient."""


def choose(manifest: Manifest, in_service: Bundle, candidate: Bundle) -> Selection:
    """Test and external patients that neither bundle was trained on, one series of each.

    A bundle from before training patients were recorded is taken to know everybody from its sources. A
    patient counts as known when any series is.
    """
    series = manifest.part(TEST, EXTERNAL)
    reasons: dict[str, str] = {}
    for role, bundle in (("in service", in_service), ("candidate", candidate)):
        for who, why in trained_on(bundle, manifest, role).items():
            reasons.setdefault(who, why)
    chosen: dict[str, Entry] = {}
    left_out: dict[str, set[str]] = {}
    for p in series:
        if reason := reasons.get(p.who):
            left_out.setdefault(reason, set()).add(p.who)
        else:
            chosen.setdefault(p.who, p)
    return Selection(tuple(chosen.values()), {reason: len(who) for reason, who in left_out.items()})


def trained_on(bundle: Bundle, manifest: Manifest, role: str) -> dict[str, str]:
    """Patients that a bundle knows or may know, each with the reason to say so.

    Args:
        bundle: whose network it is about.
        manifest: the patients.
        role: of the bundle, in words: ``in service``, ``candidate``.
    """
    data, known = bundle.contents.data, dict[str, str]()
    digests, sources = set(data.pixel_digests), () if data.pixel_digests else data.sources
    for p in manifest.patients:
        if p.pixel_digest in digests:
            known.setdefault(p.who, f"the bundle {role} was trained on them")
        elif p.source in sources:
            known.setdefault(p.who, f"the bundle {role} does not say on whom of {p.source} it was trained")
        elif not p.pixel_digest and not p.exclusion:  # what is left out was never read
            known.setdefault(p.who, "no pixel digest tells whether a bundle was trained on them")
    return known


def judge(
    data: Path, patients: Sequence[Entry], in_service: Classifier, candidate: Classifier, rubric: Rubric
) -> list[Case]:
    """Both bundles' answers for each patient, at each bundle's own thresholds."""
    cases = []
    for patient in tqdm(patients, desc="gate", unit="patient"):
        sample = Sample.read(sample_path(data, patient))
        cases.append(Case(patient, _answer(in_service, sample, rubric), _answer(candidate, sample, rubric)))
    return cases


def _answer(classifier: Classifier, sample: Sample, rubric: Rubric) -> Answer:
    contents, seen = classifier.bundle.contents, classifier.looks(sample.volume)
    try:
        found = looks.answer(sample.volume, seen, contents, rubric).conclusion
    except InferenceError:
        return Answer()
    return Answer(
        bool(found.bleeding.mask.any()), found.urgency, found.bleeding.score, found.alert_probability
    )


def endpoints(cases: Sequence[Case], rules: Rules, seed: int) -> list[Endpoint]:
    """Everything that is compared. Who could not be judged is judged wrongly.

    One source or one type of bleed is an endpoint only with as many patients as the rules ask for.
    """
    bleeding = [c for c in cases if c.patient.bleeding]
    clear = [c for c in cases if not c.patient.bleeding]
    measured = [c for c in bleeding if c.patient.bleed_ml is not None]
    coloured = [c for c in cases if c.patient.colour is not None]
    alerts = [c for c in coloured if _is_alert(c.patient)]
    chosen: list[tuple[str, str, list[Case], _Right]] = [
        ("sensitivity", "", bleeding, _flagged),
        ("sensitivity_5_ml_and_more", "", [c for c in measured if _ml(c) >= LARGE_ML], _flagged),
        ("sensitivity_under_5_ml", "", [c for c in measured if _ml(c) < LARGE_ML], _flagged),
        ("specificity", "", clear, _spared),
        ("sensitivity_under_18", "", [c for c in bleeding if c.patient.under_18], _flagged),
        ("specificity_under_18", "", [c for c in clear if c.patient.under_18], _spared),
        ("alert_sensitivity", "", alerts, _alert),
        ("alert_specificity", "", [c for c in coloured if not _is_alert(c.patient)], _no_alert),
        ("alert_not_green", "", alerts, _not_green),
        ("colour", "", coloured, _colour_right),
    ]
    groups = [
        ("sensitivity_by_label", t, [c for c in bleeding if c.patient.labels.get(t)], _flagged)
        for t in _TYPES
    ]
    sources = sorted({c.patient.source for c in cases})
    if len(sources) > 1:
        for s in sources:
            of = [c for c in bleeding if c.patient.source == s], [c for c in clear if c.patient.source == s]
            groups.append(("sensitivity_by_source", s, of[0], _flagged))
            groups.append(("specificity_by_source", s, of[1], _spared))
    chosen += [g for g in groups if len(g[2]) >= rules.fewest]
    shares = [
        Share(
            f"{family}: {group}" if group else family,
            rules.endpoints[family],
            rules,
            seed,
            np.array([right(c.patient, c.in_service) for c in members], bool),
            np.array([right(c.patient, c.candidate) for c in members], bool),
        )
        for family, group, members, right in chosen
    ]
    score, alert = attrgetter("score"), attrgetter("alert_probability")
    return [
        *shares,
        _area("auc", [(c, c.patient.bleeding) for c in cases], score, rules, seed),
        _area("alert_auc", [(c, _is_alert(c.patient)) for c in coloured], alert, rules, seed),
    ]


def _area(
    name: str, truth: Sequence[tuple[Case, bool]], value: Callable[[Answer], float], rules: Rules, seed: int
) -> Area:
    """Within sources that have both kinds of patients: between hospitals it would compare scanners."""
    both = {c.patient.source for c, true in truth if true} & {
        c.patient.source for c, true in truth if not true
    }

    def scores(kind: bool) -> NDArray[np.float64]:
        of = [c for c, true in truth if true is kind and c.patient.source in both]
        return np.array([[value(c.in_service), value(c.candidate)] for c in of], float).reshape(-1, 2).T

    return Area(name, rules.endpoints[name], rules, seed, scores(True), scores(False))


def _ml(case: Case) -> float:
    return case.patient.bleed_ml or 0.0


def _is_alert(patient: Entry) -> bool:
    return patient.colour is not None and patient.colour.alert


def _flagged(_: Entry, answer: Answer) -> bool:
    return answer.flagged


def _spared(_: Entry, answer: Answer) -> bool:
    return answer.urgency is not None and not answer.flagged


def _alert(_: Entry, answer: Answer) -> bool:
    return answer.urgency is not None and answer.urgency.alert


def _no_alert(_: Entry, answer: Answer) -> bool:
    return answer.urgency is not None and not answer.urgency.alert


def _not_green(_: Entry, answer: Answer) -> bool:
    return answer.urgency is not None and answer.urgency is not Urgency.GREEN


def _colour_right(patient: Entry, answer: Answer) -> bool:
    return answer.urgency is patient.colour
