"""Several networks look at one head: what is said of it, and whether that is sure.

The mean of their outputs, voxel by voxel, decides: score, mask, findings and colour are of one picture, which
a mean of scores or of colours would not have. An alert of the first network goes out before the others have
looked, so it stands: then all that is said is what the first one saw, and that the networks divide.

Doubt never changes a colour. An answer is one of three: nothing flagged, flagged, an alert. It is not sure

- where the networks *divide*: one of them, or their mean, would give another one;
- where a small disturbance *turns* it: the haemorrhage threshold moved by the bundle's margin, which is how
  far the score of a head moves when it is disturbed a little.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from headct.findings.conclusion import Conclusion, conclude
from headct.findings.measurement import midline
from headct.network.classifier import mean_of
from headct.network.contents import BundleContents
from headct.network.preprocessing import HeadVolume
from headct.terms.assessment import Unsure
from headct.terms.urgency import Urgency
from headct.triage.rubric import Rubric


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said of one head."""

    conclusion: Conclusion
    probabilities: NDArray[np.float32]
    """Of the voxels, from which that was concluded."""
    doubts: tuple[Unsure, ...] = ()
    """Why it is not sure; empty where it is, or where one network alone looked."""


def answer(
    volume: HeadVolume,
    looks: Iterable[NDArray[np.float32]],
    contents: BundleContents,
    rubric: Rubric,
    *,
    on_alert: Callable[[Answer], None] | None = None,
) -> Answer:
    """Judge one head by all networks of a bundle.

    Args:
        volume: the head.
        looks: what each network gives, :meth:`headct.network.classifier.Classifier.looks`; at least one.
        contents: of the bundle.
        rubric: findings to urgency.
        on_alert: is told of an alert of the first of several networks, before the others look.
    """
    offset = midline(volume, rubric.limits)

    def said(of: NDArray[np.float32], by: BundleContents = contents) -> Conclusion:
        return conclude(volume, of, by, rubric, offset=offset)

    seen, each = list[NDArray[np.float32]](), list[Conclusion]()
    for look in looks:
        seen.append(look)
        each.append(said(look))
        first = Answer(each[0], seen[0])
        if len(seen) == 1 < len(contents.networks) and on_alert and each[0].urgency.alert:
            on_alert(first)
    several = len(seen) > 1
    together = Answer(said(mean := mean_of(seen)), mean) if several else first
    doubts = [Unsure.DIVIDED] if len({_kind(one) for one in (*each, together.conclusion)}) > 1 else []
    if first.conclusion.urgency.alert and first.conclusion.urgency > together.conclusion.urgency:
        return replace(_with_chances(first, together.conclusion), doubts=tuple(doubts))
    margin, threshold = contents.thresholds.margin, contents.thresholds.haemorrhage
    if together.conclusion.bleeding.nearest <= margin > 0:
        moved = (replace(contents.thresholds, haemorrhage=threshold + by) for by in (-margin, margin))
        turned = {_kind(said(together.probabilities, replace(contents, thresholds=t))) for t in moved}
        if turned != {_kind(together.conclusion)}:
            doubts.append(Unsure.TURNED)
    return replace(together, doubts=tuple(doubts))


def _kind(said: Conclusion) -> Urgency:
    """Which of the three answers: RED and BLACK are one."""
    return min(said.urgency, Urgency.RED)


def _with_chances(said: Answer, together: Conclusion) -> Answer:
    """Probabilities are calibrated on the mean alone, and stay the mean's."""
    conclusion = replace(
        said.conclusion,
        haemorrhage_probability=together.haemorrhage_probability,
        alert_probability=together.alert_probability,
    )
    return replace(said, conclusion=conclusion)
