"""Does the network look at the blood? Two tests on images from which one thing was taken away.

Erasing the bleed must make the patient look bleed-free; blanking everything outside the skull must change
nothing. The out-of-fold networks judge, at thresholds and calibrations chosen without the patient's fold.
"""

from collections.abc import Sequence
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from headct.images.anatomy import BONE_HU
from model_training.datasets.manifest import Entry
from model_training.datasets.sample import Sample, sample_path
from model_training.evaluation.cohort import Cohort, Flags
from model_training.evaluation.decisions import bleed_score, each
from model_training.evaluation.figures import sensitivity_and_specificity
from model_training.evaluation.judging import Change, Judges
from model_training.evaluation.operating_points import OperatingPoint
from model_training.evaluation.skull import inside_skull
from model_training.evaluation.statistics import Array, auc, interval, median, resampled, share

REACH = 3.0
"""How far beyond the mask is erased, in crop pixels of about a millimetre; a slab counts as this many."""
BRAIN_HU = (15, 50)
"""What a hole is filled from: brain, without fluid, fat, calcium and fresh blood."""
SCALES = (3.0, 8.0, 20.0)
"""Widths of the averages a hole is filled from, the narrowest that finds enough tissue; crop pixels."""
GRAIN = 0.6
"""Width of the noise's grain, crop pixels: resampling to the crop smooths it by about that."""
SHELL = 6.0
"""Thickness of the uniform skull put around what is kept, crop pixels."""
SHELL_HU, AIR_HU = 500, -1000

Mask = NDArray[np.bool_]


def cheating(
    judges: Judges,
    cohort: Cohort,
    scores: Array,
    points: Sequence[Sequence[OperatingPoint]],
    seeds: Sequence[int],
) -> dict[str, Any]:
    """Both tests.

    Args:
        judges: the networks.
        cohort: all patients.
        scores: on the unchanged images, shape (seeds, patients).
        points: operating points chosen without the patient's fold, for each seed and patient.
        seeds: their numbers.
    """
    return {
        "erased": _erased(judges, cohort, scores, points, seeds),
        "outside_blanked": _blanked(judges, cohort, scores, points, seeds),
    }


def erase(hu: NDArray[np.int16], hole: Mask, seed: int) -> NDArray[np.int16]:
    """Fill a hole with what brain around it looks like: local mean, and noise of the slab's strength.

    Bone in the hole stays. No sharp edge is made: there the local mean goes over into the image.

    Args:
        hu: shape (slabs, rows, columns).
        hole: the same shape.
        seed: of the noise.
    """
    random = np.random.default_rng(seed)
    filled = hu.copy()
    soft = hole & (hu <= BONE_HU)
    for slab in np.flatnonzero(soft.any(axis=(1, 2))):
        level = hu[slab].astype(float)
        brain = (level > BRAIN_HU[0]) & (level < BRAIN_HU[1]) & ~hole[slab] & inside_skull(hu[slab][None])[0]
        known = brain.astype(float)
        smooth = np.full(level.shape, float(np.median(level[brain])) if brain.any() else np.mean(BRAIN_HU))
        for width in reversed(SCALES):
            enough = ndimage.gaussian_filter(known, width)
            mean = ndimage.gaussian_filter(known * level, width) / np.maximum(enough, 1e-6)
            smooth = np.where(enough > 0.1, mean, smooth)
        spread = float((level - smooth)[brain].std()) if brain.any() else 0.0
        grain = ndimage.gaussian_filter(random.normal(size=level.shape), GRAIN)
        filled[slab][soft[slab]] = np.round(smooth + spread * grain / grain.std())[soft[slab]]
    return filled


def around(mask: Mask) -> Mask:
    """The mask and all within :data:`REACH` of it, the next slabs included."""
    if not mask.any():
        return mask.copy()
    near: Mask = ndimage.distance_transform_edt(~mask, sampling=(REACH, 1.0, 1.0)) <= REACH
    return near


def blank_outside(hu: NDArray[np.int16]) -> NDArray[np.int16]:
    """Keep what lies inside the inner table; around it a uniform skull, and air beyond.

    A skull stays because brain that borders on air is nothing any network has seen; it is the same for
    everyone, without fracture, scalp, face or headrest.
    """
    inside = inside_skull(hu)
    blanked = np.full_like(hu, AIR_HU)
    for slab, kept in enumerate(inside):
        if kept.any():
            blanked[slab][ndimage.distance_transform_edt(~kept) <= SHELL] = SHELL_HU
    blanked[inside] = hu[inside]
    return blanked


def _erased(
    judges: Judges,
    cohort: Cohort,
    scores: Array,
    points: Sequence[Sequence[OperatingPoint]],
    seeds: Sequence[int],
) -> dict[str, Any]:
    marked = cohort.bleeding & np.array([p.masked and _mask(judges, p).any() for p in cohort.patients], bool)
    donors = [cohort.patients[i] for i in np.flatnonzero(marked)]
    free = [p for p in cohort.patients if not p.bleeding]
    donor_of = {p.patient: donors[n % len(donors)] for n, p in enumerate(free)}

    def bleed(patient: Entry, sample: Sample) -> NDArray[np.int16]:
        return erase(sample.volume.hu, around(sample.mask), crc32(patient.patient.encode()))

    def elsewhere(patient: Entry, sample: Sample) -> NDArray[np.int16]:
        """A bleed's place where there is none: another patient's, or the same patient's other side."""
        if patient.bleeding:
            hole = around(sample.mask[:, :, ::-1]) & ~around(sample.mask)
        else:
            hole = around(_moved(_mask(judges, donor_of[patient.patient]), len(sample.mask)))
        return erase(sample.volume.hu, hole, crc32(patient.patient.encode()))

    change, control = Change("erased", bleed), Change("erased-elsewhere", elsewhere)
    after, moved = scores.copy(), scores.copy()
    who = np.flatnonzero(marked)
    for s, i, judged in each(judges, donors, seeds, change):
        after[s, who[i]] = bleed_score(judged)
    controls = np.flatnonzero(marked | ~cohort.bleeding)
    for s, i, judged in each(judges, [cohort.patients[i] for i in controls], seeds, control):
        moved[s, controls[i]] = bleed_score(judged)
    before_p, after_p, moved_p = (_probabilities(x, points) for x in (scores, after, moved))
    before, below, flagged = (_flagged(x, points) for x in (scores, after, moved))
    weights = resampled(np.ones(len(donors)))
    judged_truth = marked | ~cohort.bleeding
    return {
        "patients": {
            cohort.patients[i].patient: {"before": before_p[:, i].tolist(), "after": after_p[:, i].tolist()}
            for i in who
        },
        "median_probability_before": interval(median(before_p[:, marked]), weights),
        "median_probability_after": interval(median(after_p[:, marked]), weights),
        "below_cut_before": share(~before[:, marked]),
        "below_cut": share(~below[:, marked]),
        # What still tells these patients from the bleed-free ones is not the blood that was marked.
        "auc_after": interval(
            auc(cohort.bleeding[judged_truth], after[:, judged_truth]),
            resampled(cohort.bleeding[judged_truth]),
        ),
        "control": {
            **_control(before_p, moved_p, ~cohort.bleeding),
            "newly_flagged": share((flagged & ~before)[:, ~cohort.bleeding]),
            "other_side_of_bleeding_patients": {
                **_control(before_p, moved_p, marked),
                "no_longer_flagged": share((before & ~flagged)[:, marked]),
            },
        },
    }


def _control(before: Array, after: Array, among: Flags) -> dict[str, Any]:
    change = (after - before)[:, among]
    return {"median_change_of_probability": interval(median(change), resampled(np.ones(change.shape[1])))}


def _blanked(
    judges: Judges,
    cohort: Cohort,
    scores: Array,
    points: Sequence[Sequence[OperatingPoint]],
    seeds: Sequence[int],
) -> dict[str, Any]:
    after, kept = scores.copy(), []
    change = Change("outside-blanked", lambda _, sample: blank_outside(sample.volume.hu))
    for s, i, judged in each(judges, cohort.patients, seeds, change):
        after[s, i] = bleed_score(judged)
        blood = judged.sample.mask & (judged.sample.volume.hu <= BONE_HU)
        if s == 0 and blood.any():
            kept.append(float(inside_skull(judged.sample.volume.hu)[blood].mean()))
    truth, weights = cohort.bleeding, resampled(cohort.bleeding)
    old, new = auc(truth, scores), auc(truth, after)
    before, now = interval(old, weights), interval(new, weights)
    return {
        "auc_before": before,
        "auc": now,
        "difference": interval(lambda drawn: new(drawn) - old(drawn), weights),
        "within_interval": before["low"] <= now["value"] <= before["high"],
        **sensitivity_and_specificity(truth, _flagged(after, points)),
        "least_blood_kept": min(kept, default=None),
    }


def _mask(judges: Judges, patient: Entry) -> Mask:
    return Sample.read(sample_path(judges.data, patient)).mask


def _moved(mask: Mask, slabs: int) -> Mask:
    """The same place in a head of another number of slabs; crops are scaled to the head already."""
    return np.array(mask[((np.arange(slabs) + 0.5) / slabs * len(mask)).astype(int)])


def _probabilities(scores: Array, points: Sequence[Sequence[OperatingPoint]]) -> Array:
    return np.array(
        [
            [point.haemorrhage(float(x)) for point, x in zip(row, of_seed, strict=True)]
            for row, of_seed in zip(points, scores, strict=True)
        ]
    )


def _flagged(scores: Array, points: Sequence[Sequence[OperatingPoint]]) -> Flags:
    thresholds = np.array([[point.thresholds.haemorrhage for point in row] for row in points])
    return np.array(scores >= thresholds)
