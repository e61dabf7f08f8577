"""May a candidate bundle replace the one in service? A verdict with its reasons, and what it cannot see."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from headct.errors import InferenceError, UnusableInputError
from headct.network.bundle import Bundle, load_bundle
from headct.network.classifier import Classifier
from headct.network.preprocessing import HeadVolume
from headct.triage.rubric import default_rubric
from model_training.datasets.manifest import PROVISIONAL, Manifest
from model_training.datasets.sample import Sample, sample_path
from model_training.gate.endpoints import Endpoint
from model_training.gate.judging import Answer, Case, Selection, choose, endpoints, judge
from model_training.gate.paired import Settled
from model_training.gate.rules import Limits, Rules

_TIMINGS = 7
"""Each bundle judges the same head this often, in turn; the fastest counts, as others share the machine."""


@dataclass(frozen=True, slots=True)
class Check:
    """Something a candidate has to be beside good: whether it is, in words."""

    name: str
    passed: bool
    words: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says, with everything it says so for."""

    passed: bool
    in_service: Bundle
    candidate: Bundle
    manifest_sha256: str
    selection: Selection
    cases: tuple[Case, ...]
    checks: tuple[Check, ...]
    endpoints: tuple[Endpoint, ...]
    rules: Rules
    seed: int

    @property
    def reasons(self) -> list[str]:
        """Why the candidate is stopped; empty when it passes."""
        return [c.words for c in self.checks if not c.passed] + [
            f"{e.name} is {e.settled}" + (" as seen" if e.settled is Settled.CANNOT_TELL else "")
            for e in self.endpoints
            if e.stops
        ]

    @property
    def untold(self) -> list[str]:
        """Endpoints on which these patients cannot tell."""
        return [e.name for e in self.endpoints if e.settled is Settled.CANNOT_TELL]

    @property
    def provisional(self) -> int:
        """Patients whose colour is the rubric's over true masks, not a specialist's."""
        return sum(c.patient.urgency_by == PROVISIONAL for c in self.cases)

    @property
    def equal_stopped(self) -> tuple[float, float]:
        """Between which bounds the probability lies that an equally good candidate is stopped by any.

        Endpoints share patients: at best they all stop the same candidates, at worst (Bonferroni) none of
        them.
        """
        each = [e.stated_power["equal"] or 0.0 for e in self.endpoints]
        return max(each, default=0.0), min(1.0, sum(each))

    def json(self) -> dict[str, Any]:
        """Plain JSON types."""
        low, high = self.equal_stopped
        return {
            "verdict": "pass" if self.passed else "stopped",
            "reasons": self.reasons,
            "cannot_tell": self.untold,
            "candidate": _identity(self.candidate),
            "in_service": _identity(self.in_service),
            "data": {
                "manifest_sha256": self.manifest_sha256,
                "patients": len(self.cases),
                "bleeding": sum(c.patient.bleeding for c in self.cases),
                "provisional_colours": self.provisional,
                "left_out": self.selection.left_out,
            },
            "checks": [{"name": c.name, "passed": c.passed, "words": c.words} for c in self.checks],
            "endpoints": [e.json() for e in self.endpoints],
            "multiplicity": {"endpoints": len(self.endpoints), "equal_candidate_stopped": [low, high]},
            "rules": self.rules.json(),
            "seed": self.seed,
            "patients": {
                c.patient.patient: {"in_service": _said(c.in_service), "candidate": _said(c.candidate)}
                for c in self.cases
            },
        }


def gate(candidate: Path, in_service: Path, data: Path, rules: Rules, seed: int = 1) -> Verdict:
    """Compare two bundles on the patients of ``data`` that neither was trained on.

    Args:
        candidate: folder of the bundle that wants to go live.
        in_service: folder of the one that is.
        data: folder that ``headct-train dataset`` wrote.
        rules: margins and limits.
        seed: of simulated power.

    Raises:
        BundleError: a bundle is altered, incomplete or made for another input than this program's.
        UnusableInputError: no prepared data, or nobody is left to compare on.
    """
    old, new = load_bundle(in_service), load_bundle(candidate)
    manifest = Manifest.read(data)
    selection = choose(manifest, old, new)
    if not selection.patients:
        why = "; ".join(f"{n} left out as {reason}" for reason, n in selection.left_out.items())
        raise UnusableInputError(f"nobody is left to compare on in {data}: {why or 'no test patients'}")
    old_classifier, new_classifier = Classifier(old), Classifier(new)
    cases = judge(data, selection.patients, old_classifier, new_classifier, default_rubric())
    # A head of middling height stands for all.
    middling = sorted(selection.patients, key=lambda p: p.slices)[len(selection.patients) // 2]
    volume = Sample.read(sample_path(data, middling)).volume
    checks = (
        _size(new, rules.limits),
        _speed(old_classifier, new_classifier, volume, rules.limits),
        _own_figures(new, rules.limits),
        _answers(cases),
        _learned_urgency(old, new),
    )
    compared = endpoints(cases, rules, seed)
    return Verdict(
        passed=all(c.passed for c in checks) and not any(e.stops for e in compared),
        in_service=old,
        candidate=new,
        manifest_sha256=manifest.sha256,
        selection=selection,
        cases=tuple(cases),
        checks=checks,
        endpoints=tuple(compared),
        rules=rules,
        seed=seed,
    )


def _size(bundle: Bundle, limits: Limits) -> Check:
    megabytes = sum(file.stat().st_size for file in bundle.networks) / 1e6
    words = f"its network has {megabytes:.2f} MB; at most {limits.megabytes:g} MB are allowed"
    return Check("size", megabytes <= limits.megabytes, words)


def _speed(old: Classifier, new: Classifier, volume: HeadVolume, limits: Limits) -> Check:
    """Side by side on one head, in turn, so that whatever else the machine does hits both."""
    fastest = {"old": float("inf"), "new": float("inf")}
    for _ in range(_TIMINGS):
        for name, classifier in (("old", old), ("new", new)):
            start = perf_counter()
            with suppress(InferenceError):  # counted among the answers; the time is spent all the same
                classifier.predict(volume)
            fastest[name] = min(fastest[name], perf_counter() - start)
    allowed = limits.slower * fastest["old"] + limits.slack_seconds
    words = (
        f"a head of {len(volume.hu)} slabs takes it {fastest['new']:.3f} s, the one in service"
        f" {fastest['old']:.3f} s; at most {allowed:.3f} s are allowed"
    )
    return Check("speed", fastest["new"] <= allowed, words)


def _own_figures(bundle: Bundle, limits: Limits) -> Check:
    """A network that learnt nothing says so in its own cross-validation, on more patients than are here."""
    figures = bundle.contents.figures.get("haemorrhage")
    area = figures.get("auc") if isinstance(figures, dict) else None
    low = area.get("low") if isinstance(area, dict) else None
    if not isinstance(low, int | float):
        return Check("own figures", True, "it brings no out-of-fold area under the curve of its own")
    words = (
        f"the lower bound of its own out-of-fold area under the curve is {low:.3f}; it has to lie above"
        f" {limits.own_auc:g}"
    )
    return Check("own figures", low > limits.own_auc, words)


def _answers(cases: Sequence[Case]) -> Check:
    failed = sum(c.candidate.urgency is None for c in cases)
    return Check("answers", not failed, f"it gives no usable answer for {failed} of {len(cases)} patients")


def _learned_urgency(old: Bundle, new: Bundle) -> Check:
    """Specialists' labels that are in service are not lost unnoticed."""
    brings, has = (
        "no learned urgency" if bundle.contents.learned_urgency is None else "a learned urgency"
        for bundle in (new, old)
    )
    lost = new.contents.learned_urgency is None and old.contents.learned_urgency is not None
    return Check("learned urgency", not lost, f"it brings {brings}, the one in service has {has}")


def _identity(bundle: Bundle) -> dict[str, Any]:
    identity, data = bundle.identity, bundle.contents.data
    return {
        "name": identity.name,
        "version": identity.version,
        "digest": identity.digest,
        "trained_on": data.patients,
        "says_on_whom": bool(data.pixel_digests),
    }


def _said(answer: Answer) -> dict[str, Any] | None:
    if answer.urgency is None:
        return None
    return {
        "flagged": answer.flagged,
        "urgency": answer.urgency.name,
        "score": answer.score,
        "alert_probability": answer.alert_probability,
    }
