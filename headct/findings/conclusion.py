"""The network's output for one head to what is said of it: findings, urgency, probabilities."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headct.findings.measurement import measure
from headct.findings.scoring import Bleeding, score
from headct.network.contents import BundleContents, Thresholds
from headct.network.preprocessing import HeadVolume
from headct.terms.assessment import Finding, FindingKind
from headct.terms.urgency import Urgency
from headct.triage.learned_urgency import features
from headct.triage.rubric import Judgement, Rubric


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What a bundle says of one head."""

    bleeding: Bleeding
    findings: tuple[Finding, ...]
    by_rubric: Judgement
    urgency: Urgency
    """The rubric's, or the one learned, where the bundle brings that."""
    haemorrhage_probability: float
    alert_probability: float


def conclude(
    volume: HeadVolume,
    probabilities: NDArray[np.float32],
    contents: BundleContents,
    rubric: Rubric,
    *,
    offset: Finding | None = None,
) -> Conclusion:
    """Judge one head by a bundle's thresholds, calibrations and, where it brings one, learned urgency.

    It was fitted beside one version of the rubric. With another one, a hospital's own, that rubric
    decides alone.

    Args:
        volume: the head.
        probabilities: the network's output for it, shape of ``volume.hu``.
        contents: of the bundle whose network that was.
        rubric: findings to urgency.
        offset: the midline's, where it was measured already: it is the head's, whatever the output.
    """
    bleeding, findings = find(volume, probabilities, contents.thresholds, rubric, offset=offset)
    judgement = rubric.judge(findings)
    urgency, alert = judgement.urgency, contents.alert(bleeding.score)
    learned = contents.learned_urgency
    if learned and rubric.version == contents.rubric_version:
        values = features(findings, bleeding.score)
        urgency, alert = learned.judge(values, judgement), learned.alert(values)
    return Conclusion(bleeding, findings, judgement, urgency, contents.haemorrhage(bleeding.score), alert)


def find(
    volume: HeadVolume,
    probabilities: NDArray[np.float32],
    thresholds: Thresholds,
    rubric: Rubric,
    *,
    offset: Finding | None = None,
) -> tuple[Bleeding, tuple[Finding, ...]]:
    """Score and findings of one head; arguments as of :func:`conclude`."""
    bleeding = score(volume, probabilities, thresholds)
    found = measure(volume, bleeding.mask, rubric.limits, offset)
    return bleeding, _with_bleed(found, volume, bleeding.mask)


def _with_bleed(
    findings: tuple[Finding, ...], volume: HeadVolume, mask: NDArray[np.bool_]
) -> tuple[Finding, ...]:
    """A flagged patient always has a bleed among the findings.

    It is without figures where it is too small or too dense to be measured: the haemorrhage threshold decides
    that there is one, the measure only how large it is.
    """
    if not mask.any() or any(f.kind is not FindingKind.MIDLINE_OFFSET for f in findings):
        return findings
    slices = sorted({n for slab in np.flatnonzero(mask.any(axis=(1, 2))) for n in volume.slabs[slab]})
    return (Finding(FindingKind.HAEMORRHAGE, slices=tuple(slices)), *findings)
