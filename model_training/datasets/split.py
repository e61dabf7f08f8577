"""Who goes into which part of the split and which fold: by patient, stratified, and never moved again."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from model_training.datasets.manifest import EXTERNAL, FOLDS, SPLIT_SEED, TEST, TRAIN, VALIDATION, Entry

SHARES = {TRAIN: 8, VALIDATION: 1, TEST: 1}
"""Tenths of the patients."""
TRAINED_ON = "the patient is trained on by another source"
_SEEN: dict[str | None, int] = {TRAIN: 0, VALIDATION: 1, TEST: 2}

P = TypeVar("P", bound=Hashable)


def split(
    patients: Sequence[Entry],
    measured_only: Iterable[str] = (),
    previous: Iterable[Entry] = (),
    folds: int = FOLDS,
) -> tuple[Entry, ...]:
    """Deal patients out to train, validation and test, and to folds; excluded ones to none.

    Whole heads come first, single slices after them: how heads are dealt does not change with what is added.

    Args:
        patients: all entries of a manifest, in any order; all entries of one patient go together.
        measured_only: sources whose patients are external and in no fold.
        previous: earlier entries; whose patients keep their part and fold, known again by their name or, as
            names are corrected, by their images. The later entry of a name counts.
        folds: number of folds of the cross-validation.
    """
    outside = set(measured_only)
    dealt = [p for p in patients if not p.exclusion and p.source not in outside]
    before = _known_again(dealt, [p for p in previous if p.split is not None])
    part_of: dict[str, str] = {w: p.split for w, p in before.items() if p.split in SHARES}
    fold_of = {w: p.fold for w, p in before.items() if p.fold is not None and p.fold < folds}
    for single in (False, True):
        ranked = _ranked([p for p in dealt if p.single is single])
        part_of |= deal(ranked, SHARES, part_of, seed=SPLIT_SEED)
        fold_of |= deal(ranked, dict.fromkeys(range(folds), 1), fold_of, seed=SPLIT_SEED + 1)
    return tuple(
        replace(p, split=None, fold=None)
        if p.exclusion
        else replace(p, split=None, fold=None, exclusion=TRAINED_ON)
        if p.source in outside and p.who in part_of
        else replace(p, split=EXTERNAL, fold=None)
        if p.source in outside
        else replace(p, split=part_of[p.who], fold=fold_of[p.who])
        for p in patients
    )


def _known_again(patients: Sequence[Entry], previous: Sequence[Entry]) -> dict[str, Entry]:
    """Each patient's earlier entry. Of several, the one that training saw: it must not come into a test."""
    names = {p.who: p for p in previous}
    by_image = {p.pixel_digest: p for p in previous if p.pixel_digest}
    known: dict[str, Entry] = {}
    for p in sorted(patients, key=lambda p: p.patient):
        found = (known.get(p.who), names.get(p.who), by_image.get(p.pixel_digest))
        if places := [one for one in found if one is not None]:
            known[p.who] = min(places, key=lambda one: _SEEN.get(one.split, len(_SEEN)))
    return known


def deal(ranked: Sequence[str], shares: Mapping[P, int], kept: Mapping[str, P], seed: int) -> dict[str, P]:
    """Give each of the ranked a part so that every stretch of the ranking is divided by the shares.

    Going down the ranking, each is drawn from the parts that are behind their share of those seen so far.
    Those that have a part already keep it, and the others make up for it.

    Args:
        ranked: names, those alike next to each other.
        shares: parts with their weights, whole numbers.
        kept: parts given earlier.
        seed: of the draws.
    """
    random = np.random.default_rng(seed)
    parts, whole = list(shares), sum(shares.values())
    had: Counter[P] = Counter()
    given: dict[str, P] = {}
    for seen, name in enumerate(ranked, start=1):
        behind = np.array([max(0, shares[part] * seen - whole * had[part]) for part in parts])
        drawn = parts[int(random.choice(len(parts), p=behind / behind.sum()))]
        given[name] = kept.get(name, drawn)
        had[given[name]] += 1
    return given


def _ranked(patients: Sequence[Entry]) -> list[str]:
    """Names of patients, those who bleed first, then by source, child or not, and volume; equals shuffled."""
    first: dict[str, Entry] = {}
    for p in sorted(patients, key=lambda p: (not p.bleeding, p.patient)):
        first.setdefault(p.who, p)
    everybody = [first[name] for name in sorted(first)]
    order = np.random.default_rng(SPLIT_SEED).permutation(len(everybody))
    return [
        p.who
        for p in sorted(
            (everybody[i] for i in order),
            key=lambda p: (not p.bleeding, p.source, not p.under_18, -(p.bleed_ml or 0.0)),
        )
    ]
