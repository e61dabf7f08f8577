"""Which pictures train a network and which judge it, dealt by picture or by patient."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from headct.network.preprocessing import BASELINE_SLICES
from headct.terms.urgency import Urgency
from model_training.datasets.manifest import SPLIT_SEED, TEST, TRAIN, VALIDATION, Entry

SHARES = {TRAIN: 0.8, VALIDATION: 0.1, TEST: 0.1}


class Dealing(StrEnum):
    """What is dealt out to folds and parts as one."""

    BY_IMAGE = "by_image"
    """Each picture for itself, so pictures of one patient fall on both sides."""
    BY_PATIENT = "by_patient"


@dataclass(frozen=True, slots=True)
class Task:
    """What a network is to tell from a picture."""

    classes: tuple[str, ...]
    of: Callable[[Entry], int]
    """The class that every picture of the patient carries."""


TASKS = {
    "alert": Task(("no alert", "alert"), lambda p: int(_colour(p).alert)),
    "haemorrhage": Task(("none", "haemorrhage"), lambda p: int(p.bleeding)),
    "colours": Task(tuple(u.name for u in Urgency), lambda p: int(_colour(p))),
}


def folds(dealing: Dealing, patients: Sequence[Entry]) -> NDArray[np.int_]:
    """The fold in which each picture is held out, shape (pictures,).

    By patient these are the manifest's folds; by image as many of equal size, at random.
    """
    own = np.repeat([-1 if p.fold is None else p.fold for p in patients], BASELINE_SLICES)
    if dealing is Dealing.BY_PATIENT:
        return own
    numbers = np.unique(own)
    return np.random.default_rng(SPLIT_SEED).permutation(numbers[np.arange(len(own)) % len(numbers)])


def parts(dealing: Dealing, patients: Sequence[Entry]) -> NDArray[np.str_]:
    """The part of the frozen split each picture is in, shape (pictures,)."""
    own = np.repeat([p.split or "" for p in patients], BASELINE_SLICES)
    if dealing is Dealing.BY_PATIENT:
        return own
    ends = np.round(np.cumsum(list(SHARES.values())) * len(own)).astype(int)
    names = np.repeat(list(SHARES), np.diff(ends, prepend=0))
    return np.random.default_rng(SPLIT_SEED).permutation(names)


def seen_before(patients: Sequence[Entry], train: NDArray[np.intp], held: NDArray[np.intp]) -> float | None:
    """Share of the held pictures whose patient has others among those trained on; ``None`` of no picture."""
    who = np.repeat([p.who for p in patients], BASELINE_SLICES)
    return float(np.isin(who[held], who[train]).mean()) if len(held) else None


def _colour(patient: Entry) -> Urgency:
    assert patient.colour is not None, "checked when the manifest was read"
    return patient.colour
