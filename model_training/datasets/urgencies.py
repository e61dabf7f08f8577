"""The urgency that counts for training: a specialist's where there is one, else a provisional one."""

import numpy as np
from numpy.typing import NDArray

from headct.findings.measurement import measure
from headct.network.preprocessing import HeadVolume
from headct.triage.rubric import Rubric
from model_training.datasets.manifest import PROVISIONAL, SPECIALIST
from model_training.datasets.source import Truth


def urgency(
    truth: Truth, volume: HeadVolume, mask: NDArray[np.bool_], rubric: Rubric
) -> tuple[str | None, str | None]:
    """Name of the urgency, and by whom.

    A provisional urgency is the rubric over the true mask: sizes alone, without the patient's state or
    course. It exists only where all blood is marked; a bleeding patient without a mask has none.
    """
    if truth.urgency is not None:
        return truth.urgency, SPECIALIST
    if truth.bleeding and truth.masks is None:
        return None, None
    return rubric.judge(measure(volume, mask, rubric.limits)).urgency.name, PROVISIONAL
