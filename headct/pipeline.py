"""DICOM sources of one series to its outcome; one call, used by ``headct assess`` and by the worker."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from headct.eligibility.cautions import age_years, cautions
from headct.eligibility.gate import Admission, Admitted, admit_passes
from headct.errors import NotAnalysedError
from headct.findings.looks import Answer, answer
from headct.findings.measurement import measured
from headct.findings.region import Region
from headct.images.coverage import Coverage
from headct.images.frames import frame_number
from headct.images.series import CTSeries, Sources
from headct.memory import ran_out
from headct.network.acquisition import input_quantities
from headct.network.classifier import Classifier
from headct.network.preprocessing import HeadVolume, head_volume
from headct.reasons import Reason, ReasonCode
from headct.safe_log import failure
from headct.terms.assessment import FIRST_LOOK, Assessment, Finding, KeySlice, Outcome, State, Timings
from headct.terms.quantities import Quantity
from headct.terms.urgency import Urgency
from headct.triage.learned_urgency import LEARNED
from headct.triage.rubric import Rubric, default_rubric

MAX_KEY_SLICES = 5
MAX_KEY_SLICES_UNFLAGGED = 3

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one series, with what else the worker wants to know about it."""

    outcome: Outcome
    series: CTSeries | None = None
    """The stack, when it could be read; of several passes of a scan the one that counts."""
    coverage: Coverage | None = None
    """How far the head is covered, when that could be judged. An incomplete one is not final while
    images may still arrive."""
    region: Region | None = None
    """Where the bleeds among the findings lie; ``None`` where there is none."""


def assess(
    sources: Sources,
    classifier: Classifier,
    *,
    rubric: Rubric | None = None,
    allow_partial: bool = False,
    series_instance_uid: str | None = None,
    on_alert: Callable[[Result], None] | None = None,
) -> Result:
    """Judge one series. Never raises: what cannot be judged comes back as a state with its reason.

    Args:
        sources: the images of one series, in any order.
        classifier: the network, loaded once and kept.
        rubric: the hospital's own, else the one that ships.
        allow_partial: judge a head that is not fully covered, with the caution ``partial``; for an alert
            while images still arrive. Otherwise such a series is not analysed.
        series_instance_uid: what the outcome is filed under, else the UID in the first readable header.
        on_alert: is told at once of an alert of the first of several networks, with the caution
            ``first_look``. What is said in the end is an alert too. It raises nothing.
    """
    admission = Admission()
    assessment: Assessment | None = None
    region: Region | None = None
    reason: Reason | None = None

    def tell(judged: "_Judged") -> None:
        if on_alert is not None:
            uid = series_instance_uid or admission.series_instance_uid
            outcome = Outcome(uid, State.ASSESSED, judged.assessment)
            on_alert(Result(outcome, judged.admitted.series, judged.admitted.coverage, judged.region))

    judge = _Judge(classifier, rubric or default_rubric(), tell)
    try:
        assessment, region = _judge(sources, admission, judge, allow_partial)
        state = State.ASSESSED
    except NotAnalysedError as error:
        state, reason = State.NOT_ANALYSED, error.reason
    except Exception as error:  # this series is failed, the next one goes on
        _log.error("assessment failed: %s", failure(error))
        if ran_out(error):
            state, reason = State.NOT_ANALYSED, Reason(ReasonCode.TOO_LARGE)
            admission.series = admission.coverage = None  # what is left has to do for saying so
        else:
            state, reason = State.FAILED, Reason(ReasonCode.INTERNAL_ERROR, type(error).__name__)
    uid = series_instance_uid or admission.series_instance_uid
    outcome = Outcome(uid, state, assessment, reason)
    return Result(outcome, admission.series, admission.coverage, region)


@dataclass(frozen=True, slots=True)
class _Judged:
    """What is said of one pass of a scan."""

    admitted: Admitted
    assessment: Assessment
    region: Region | None

    @property
    def severity(self) -> tuple[Urgency, float]:
        """The worst counts."""
        return self.assessment.urgency, self.assessment.alert_probability


@dataclass(frozen=True, slots=True)
class _Judge:
    """By what a series is judged, and who is told of an early alert."""

    classifier: Classifier
    rubric: Rubric
    tell: Callable[[_Judged], None]


def _judge(
    sources: Sources, admission: Admission, judge: _Judge, allow_partial: bool
) -> tuple[Assessment, Region | None]:
    clock = _Clock()
    found = admit_passes(sources, admission, allow_partial=allow_partial)
    timings = Timings(admission.read_seconds, admission.decode_seconds)
    timings = replace(timings, prepare=clock.lap() - timings.total)
    judged = []
    for one in found:
        judged.append(_judge_pass(one, judge, timings, clock))
        timings = judged[-1].assessment.timings
    worst = max(judged, key=lambda j: j.severity)
    admission.series, admission.coverage = worst.admitted.series, worst.admitted.coverage
    admission.levels = worst.admitted.levels
    return replace(worst.assessment, timings=timings), worst.region


def _judge_pass(admitted: Admitted, judge: _Judge, timings: Timings, clock: "_Clock") -> _Judged:
    volume = head_volume(admitted.series)
    timings = replace(timings, prepare=timings.prepare + clock.lap())

    def looks() -> Iterator[NDArray[np.float32]]:
        nonlocal timings
        for look in judge.classifier.looks(volume):
            timings = replace(timings, infer=timings.infer + clock.lap())
            yield look
            timings = replace(timings, measure=timings.measure + clock.lap())

    def early(first: Answer) -> None:
        seen = replace(timings, measure=timings.measure + clock.lap())
        judged = _judged(admitted, volume, first, judge, seen)
        cautioned = (FIRST_LOOK, *judged.assessment.cautions)
        judge.tell(replace(judged, assessment=replace(judged.assessment, cautions=cautioned)))
        clock.lap()  # what others did with it is no part of judging

    found = answer(volume, looks(), judge.classifier.bundle.contents, judge.rubric, on_alert=early)
    judged = _judged(admitted, volume, found, judge, timings)
    timings = replace(timings, measure=timings.measure + clock.lap())
    return replace(judged, assessment=replace(judged.assessment, timings=timings))


def _judged(
    admitted: Admitted, volume: HeadVolume, found: Answer, judge: _Judge, timings: Timings
) -> _Judged:
    """All that is said of a pass but how long the rest of it took."""
    said, series = found.conclusion, admitted.series
    partial = () if admitted.coverage.complete else ("partial",)
    learned = () if said.urgency is said.by_rubric.urgency else (LEARNED,)
    assessment = Assessment(
        urgency=said.urgency,
        alert_probability=said.alert_probability,
        haemorrhage_probability=said.haemorrhage_probability,
        findings=said.findings,
        key_slices=_key_slices(series, volume, said.bleeding.mask, found.probabilities, said.findings),
        bundle=judge.classifier.bundle.identity,
        rubric_version=judge.rubric.version,
        rules=said.by_rubric.rules,
        cautions=partial + learned + cautions(series, admitted.levels),
        doubts=found.doubts,
        timings=timings,
        inputs=_inputs(series, volume),
    )
    return _Judged(admitted, assessment, _region(volume, said.bleeding.mask, judge.rubric))


def _region(volume: HeadVolume, mask: NDArray[np.bool_], rubric: Rubric) -> Region | None:
    """What the findings' figures are of; where a bleed has none, all that flagged it."""
    counted = measured(volume, mask, rubric.limits)
    drawn = counted if counted.any() else mask
    return Region(drawn, volume.to_source) if drawn.any() else None


def _inputs(series: CTSeries, volume: HeadVolume) -> dict[Quantity, float]:
    """How the head was scanned, without what the headers do not say and was assumed."""
    pixel_mm = None if "pixel_spacing" in series.assumed else series.spacing_mm[0]
    age = age_years(series.headers[0])
    found = input_quantities(volume, age_years=age, pixel_mm=pixel_mm)
    if "slice_positions" in series.assumed:
        del found[Quantity.SLICE_DISTANCE_MM]
    return found


def _key_slices(
    series: CTSeries,
    volume: HeadVolume,
    mask: NDArray[np.bool_],
    probabilities: NDArray[np.float32],
    findings: tuple[Finding, ...],
) -> tuple[KeySlice, ...]:
    """Slices to open first: of each finding the one with most blood, then those with most blood.

    Where nothing was flagged, the slices the network found least unsuspicious, so that a reader sees where
    a miss would be. A slab of several thin slices is represented by its middle one.
    """
    blood_ml = mask.sum(axis=(1, 2)) * volume.voxel_ml
    if blood_ml.any():
        limit, weight = MAX_KEY_SLICES, blood_ml
    else:
        limit, weight = MAX_KEY_SLICES_UNFLAGGED, probabilities.sum(axis=(1, 2)) * volume.voxel_ml
    worst_first = np.argsort(-weight, kind="stable").tolist()
    wanted = [
        next(slab for slab in worst_first if set(volume.slabs[slab]) <= set(finding.slices))
        for finding in findings
        if finding.slices
    ]
    wanted += [slab for slab in worst_first if weight[slab] > 0 or not wanted]
    numbers = [volume.slabs[slab][len(volume.slabs[slab]) // 2] for slab in dict.fromkeys(wanted)][:limit]
    return tuple(KeySlice(n, series.sop_instance_uids[n], frame_number(series.headers[n])) for n in numbers)


class _Clock:
    def __init__(self) -> None:
        self._last = perf_counter()

    def lap(self) -> float:
        """Seconds since the last lap."""
        now = perf_counter()
        seconds, self._last = now - self._last, now
        return seconds
