import numpy as np
import pytest

from headct.terms.urgency import Urgency
from model_training.datasets.manifest import Entry
from model_training.evaluation.cohort import Cohort
from model_training.evaluation.operating_points import (
    VOXEL_THRESHOLDS,
    Scores,
    choose,
    nested,
    nested_decisions,
    shipped,
)

FOLDS, PATIENTS, SEEDS = 4, 48, 2


def made(flip_fold: int | None = None, seed: int = 0) -> tuple[Cohort, Scores]:
    """Patients with scores; those of one fold, when asked, with other labels, scores and Dice."""
    random = np.random.default_rng(seed)
    fold, bleeding = np.arange(PATIENTS) % FOLDS, np.arange(PATIENTS) // FOLDS % 2 == 0
    score = bleeding * 1.5 + random.normal(0, 1, (SEEDS, PATIENTS))
    dice = np.where(bleeding[:, None], random.uniform(0, 1, (SEEDS, PATIENTS, len(VOXEL_THRESHOLDS))), np.nan)
    if flip_fold is not None:
        changed = fold == flip_fold
        bleeding = np.where(changed, ~bleeding, bleeding)
        score[:, changed] = 10 * random.normal(0, 1, (SEEDS, changed.sum()))
        dice[:, changed] = random.uniform(0, 1, (SEEDS, changed.sum(), len(VOXEL_THRESHOLDS)))
        dice[:, ~bleeding] = np.nan
    patients = tuple(
        Entry(f"P{i}", "made", bool(b), fold=int(f))
        for i, (b, f) in enumerate(zip(bleeding, fold, strict=True))
    )
    colours = tuple(Urgency.RED if p.bleeding else Urgency.GREEN for p in patients)
    return Cohort(patients, colours), Scores(score, dice)


@pytest.mark.parametrize("held_out", range(FOLDS))
def test_nothing_of_a_held_out_fold_has_a_part_in_its_own_cut(held_out):
    """Other labels, scores and masks there: its own cuts and calibrations stay, the other folds' move."""
    before, after = (nested(*made(flip), specificity=0.85) for flip in (None, held_out))
    for seed in range(SEEDS):
        for i in range(PATIENTS):
            same = before[seed][i] == after[seed][i]
            assert same is (i % FOLDS == held_out)


def test_a_seed_chooses_by_its_own_networks():
    cohort, scores = made()
    other = Scores(np.stack([scores.score[0], scores.score[1] * 3 + 1]), scores.dice)
    before, after = nested(cohort, scores, 0.85), nested(cohort, other, 0.85)
    assert before[0] == after[0]
    assert all(a != b for a, b in zip(before[1], after[1], strict=True))


def test_decisions_of_any_score_are_nested_too():
    cohort, scores = made()
    flipped, changed = made(flip_fold=1)
    before = nested_decisions(cohort.bleeding, cohort.fold, scores.score, 0.85)
    # Its own decisions change with its scores alone; with the old scores they are the old ones.
    mixed = changed.score.copy()
    mixed[:, cohort.fold == 1] = scores.score[:, cohort.fold == 1]
    after = nested_decisions(flipped.bleeding, flipped.fold, mixed, 0.85)
    assert (before[:, cohort.fold == 1] == after[:, cohort.fold == 1]).all()
    point = nested(cohort, scores, 0.85)
    by_point = scores.score >= [[p.thresholds.haemorrhage for p in row] for row in point]
    assert (before == by_point).all()


def test_cuts_that_ship_leave_the_wanted_share_of_bleed_free_patients_of_all_seeds():
    cohort, scores = made()
    point = shipped(cohort, scores, 0.85)
    free = scores.score[:, ~cohort.bleeding]
    assert 0.85 <= (free < point.thresholds.haemorrhage).mean() < 0.90
    everybody = np.ones(PATIENTS, bool)
    assert point == choose(cohort, scores, everybody, range(SEEDS), 0.85)
    assert point.haemorrhage(3.0) > 0.5 > point.haemorrhage(-3.0)


def test_voxel_cut_is_the_highest_of_the_plateau():
    cohort, scores = made()
    dice = np.full_like(scores.dice, np.nan)
    dice[:, cohort.bleeding] = np.where(np.array(VOXEL_THRESHOLDS) <= 0.6, 0.59, 0.2)
    dice[:, cohort.bleeding, VOXEL_THRESHOLDS.index(0.3)] = 0.6
    assert shipped(cohort, Scores(scores.score, dice), 0.85).thresholds.voxel == 0.6


def test_unknown_colours_do_not_count_as_no_alert():
    cohort, scores = made()
    unknown = Cohort(cohort.patients, tuple(None if i % 5 == 0 else c for i, c in enumerate(cohort.colours)))
    known = cohort.only(unknown.known)
    kept = Scores(scores.score[:, unknown.known], scores.dice[:, unknown.known])
    assert shipped(unknown, scores, 0.85).alert == shipped(known, kept, 0.85).alert
