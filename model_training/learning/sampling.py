"""Which slabs a network is shown, how often, and with what drawn in."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from headct.network.preprocessing import ABSENT_HU, CONTEXT, Missing, neighbours
from headct.network.single_slices import as_picture
from model_training.datasets.manifest import Entry
from model_training.datasets.sample import UNSAID, Sample
from model_training.datasets.source import SLICE_LABELS
from model_training.learning.grafts import BLEEDS, MIMICS, Head, draw, inner_depth, one_of

BLOOD_MAX_HU = 100
"""Mask voxels denser than this lie in bone, where the marking is not to be trusted: they get no weight."""
OLD_MAX_HU = 30
"""A marked component of a lower median is an old collection (the rubric's limit). Learnt as blood, it would
teach that wide sulci bleed: slabs that show one are not drawn, and the network does not know old blood."""
_DEPTHS_KEPT = 4096
"""Slabs whose depth map is kept, 61 kB each."""
_PICTURES_KEPT = 8192
"""Slabs that are kept as they are shown alone, 31 kB each."""

Slab = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""Hounsfield units (rows, columns, 3), mask and weight (rows, columns, 1), and what was said of the slab: a
number for each of :data:`SLICE_LABELS`, then 1 where the mask is to be learnt, 0 where it says nothing."""
_MASK_ALONE = (*[UNSAID] * len(SLICE_LABELS), 1)
"""Said of a slab whose mask tells all there is to tell."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """What is drawn; shares of all draws of stacks, the rest being bleed-free patients as they are."""

    labelled: float = 0.5
    """Of all draws, slices of which readers said what they show, where there are any; the others are slabs of
    stacks with masks. Every batch has its share of both, or batch normalisation would tell them apart."""
    labelled_bloody: float = 0.5
    """Of these, slices with blood."""
    alone: float = 0.33
    """Share of the stacks' slabs that are shown without neighbours: having none must not name the source."""
    bloody: float = 0.35
    """Slabs with blood, of bleeding patients. In whole stacks it is a tenth."""
    clear: float = 0.15
    """Slabs without blood, of bleeding patients: so that blood is what differs, not the patient."""
    grafted: float = 0.1
    """Bleed-free slabs with a grafted bleed."""
    mimics: float = 0.25
    """Of the slabs of bleed-free patients, share with a mimic drawn in, grafted bleeds too."""
    tilt_slabs: float = 3.0
    """Largest tilt: slabs between front and middle of the head."""
    tilted: float = 0.12
    """Share of the slabs without graft that are tilted: it blurs, so that small bleeds pale."""
    thick: float = 0.1
    """Share of them whose slabs are blended with their neighbours, as thicker slices would be."""
    ends: float = 0.05
    """Share whose neighbour above or below is missing, as at the end of a partly covered head."""


class Labelled:
    """Slabs of which readers said whether they show blood, and of which no mask says more."""

    def __init__(self, samples: Sequence[Sample], patients: Sequence[Entry]) -> None:
        self._slabs: dict[bool, list[NDArray[np.intp]]] = {}
        self._who: dict[bool, list[list[int]]] = {}
        for blood in (False, True):
            self._slabs[blood] = [
                np.zeros(0, np.intp)
                if sample.labels is None or _by_mask(patient)
                else np.flatnonzero(sample.labels[:, 0] == blood)
                for sample, patient in zip(samples, patients, strict=True)
            ]
            who = [i for i, slabs in enumerate(self._slabs[blood]) if len(slabs)]
            self._who[blood] = _by_source(patients, who)

    @property
    def any(self) -> bool:
        """Whether there are slabs of both kinds, or the kind would be all there is to learn."""
        return bool(self._who[True] and self._who[False])

    def draw(self, random: np.random.Generator, bloody: float) -> tuple[int, int]:
        """Number of a patient and of one of their slabs, with blood in this share of the draws."""
        blood = bool(random.random() < bloody)
        i = _one(self._who[blood], random)
        return i, int(random.choice(self._slabs[blood][i]))


class Draws:
    """Endless draws from a set of patients: first the source, then the patient, then the slab."""

    def __init__(
        self,
        samples: Sequence[Sample],
        patients: Sequence[Entry],
        how: Sampling,
        missing: Missing = Missing.AIR,
    ) -> None:
        # What is its own neighbour when alone cannot be told from what has equal ones.
        alone = missing is Missing.AIR
        self._samples, self._missing = samples, missing
        self._how = how if alone else replace(how, alone=0.0)
        self._said = Labelled(samples, patients) if alone else Labelled((), ())
        self._bloody, self._clear = [], []
        for sample, patient in zip(samples, patients, strict=True):
            if not _by_mask(patient):
                self._bloody.append(np.zeros(0, np.intp))
                self._clear.append(self._bloody[-1])
                continue
            marked, old = (m.any(axis=(1, 2)) for m in (sample.mask, _old(sample)))
            self._bloody.append(np.flatnonzero(marked & ~old))
            # Of a patient with blood on every slab none is clear; nor is one where a network found nothing.
            none_clear = marked.all() or patient.masked_by_network
            self._clear.append(self._bloody[-1] if none_clear else np.flatnonzero(~marked))
        bleeding = [i for i, slabs in enumerate(self._bloody) if len(slabs)]
        bleed_free = [i for i, p in enumerate(patients) if not p.bleeding and _by_mask(p)]
        self._bleeding, self._bleed_free = (_by_source(patients, who) for who in (bleeding, bleed_free))
        self._depth = lru_cache(_DEPTHS_KEPT)(self._depth_of)
        self._picture = lru_cache(_PICTURES_KEPT)(self._picture_of)

    def draw(self, random: np.random.Generator, turn: int) -> Slab:
        """One slab, with its neighbours or alone.

        Args:
            random: what decides.
            turn: number of the draw, from 0: labelled slices come in turn, so that every batch has some.
        """
        share = self._how.labelled if self._bleed_free else 1.0
        if self._said.any and int((turn + 1) * share) > int(turn * share):
            return self._labelled(*self._said.draw(random, self._how.labelled_bloody), random)
        return self._masked(random)

    def _labelled(self, i: int, slab: int, random: np.random.Generator) -> Slab:
        sample = self._samples[i]
        assert sample.labels is not None
        if len(sample.mask) == 1 or random.random() < self._how.alone:
            hu = _alone(self._picture(i, slab))
        else:
            index, absent = self._around(i, slab, random)
            hu = self._without(sample.volume.hu[index].astype(np.float32), absent)
        learnt = bool(sample.mask.any())
        return _finished(hu, sample.mask[slab], (*sample.labels[slab], learnt))

    def _masked(self, random: np.random.Generator) -> Slab:
        how = self._how
        kind = random.random()
        if kind < how.bloody:
            i = _one(self._bleeding, random)
            slab = int(random.choice(self._bloody[i]))
        elif kind < how.bloody + how.clear:
            i = _one(self._bleeding, random)
            slab = int(random.choice(self._clear[i]))
        else:
            i = _one(self._bleed_free, random)
            slab = int(random.integers(len(self._samples[i].mask)))
            graft = kind < how.bloody + how.clear + how.grafted
            mimic = random.random() < how.mimics
            if graft or mimic:
                return self._drawn(i, slab, random, graft=graft, mimic=mimic)
        return self._as_is(i, slab, random)

    def _as_is(self, i: int, slab: int, random: np.random.Generator) -> Slab:
        sample, how = self._samples[i], self._how
        if random.random() < how.alone:
            return _finished(_alone(self._picture(i, slab)), sample.mask[slab])
        index, absent = self._around(i, slab, random)
        kind = random.random()
        if kind < how.tilted:
            slope = random.uniform(-how.tilt_slabs, how.tilt_slabs)
            hu = np.stack([_tilted(sample.volume.hu, n, slope) for n in index])
            mask = _tilted(sample.mask, slab, slope) >= 0.5
        elif kind < how.tilted + how.thick:
            share = random.uniform(0, 2 / 3)
            hu = np.stack([_thickened(sample.volume.hu, n, share) for n in index])
            mask = _thickened(sample.mask, slab, share) >= 0.5
        else:
            hu, mask = sample.volume.hu[index].astype(np.float32), sample.mask[slab]
        return _finished(self._without(hu, absent), mask)

    def _drawn(self, i: int, slab: int, random: np.random.Generator, *, graft: bool, mimic: bool) -> Slab:
        sample = self._samples[i]
        index, absent = self._around(i, slab, random)
        hu = sample.volume.hu[index].astype(np.float32)
        depth = np.stack([self._depth(i, n) for n in index])
        mask = np.zeros(hu.shape[1:], bool)
        for wanted, kinds in ((mimic, MIMICS), (graft, BLEEDS)):
            head = Head.of(hu, depth, CONTEXT) if wanted else None
            drawn = one_of(kinds, head, random) if head else None
            if head and drawn:
                hu = draw(head, drawn)
                if kinds is BLEEDS:
                    mask = drawn.share[CONTEXT] * (depth[CONTEXT] > 0) >= 0.5
        if random.random() < self._how.alone:
            return _finished(_alone(as_picture(hu[CONTEXT].astype(np.int16))), mask)
        return _finished(self._without(hu, absent), mask)

    def _around(
        self, i: int, slab: int, random: np.random.Generator
    ) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Numbers of a slab with its neighbours, and which of them are not there."""
        count = len(self._samples[i].mask)
        index = neighbours(slab, count)
        absent = slab + np.arange(-CONTEXT, CONTEXT + 1) != index
        if random.random() < self._how.ends:
            half = slice(None, CONTEXT) if random.random() < 0.5 else slice(CONTEXT + 1, None)
            index[half], absent[half] = slab, True
        return index, absent

    def _without(self, hu: NDArray[np.float32], absent: NDArray[np.bool_]) -> NDArray[np.float32]:
        if self._missing is Missing.AIR:
            hu[absent] = ABSENT_HU
        return hu

    def _picture_of(self, i: int, slab: int) -> NDArray[np.uint8]:
        return as_picture(self._samples[i].volume.hu[slab]).astype(np.uint8)

    def _depth_of(self, i: int, slab: int) -> NDArray[np.float32]:
        return inner_depth(self._samples[i].volume.hu[slab])


def slabs(
    samples: Sequence[Sample],
    patients: Sequence[Entry],
    random: np.random.Generator,
    how: Sampling | None = None,
) -> Iterator[Slab]:
    """Endless draws, the same ones from the same generator."""
    draws = Draws(samples, patients, how or Sampling())
    for turn in itertools.count():
        yield draws.draw(random, turn)


def _alone(picture: NDArray[np.generic]) -> NDArray[np.float32]:
    """A slab with nothing beside it, shape (3, rows, columns)."""
    hu = np.full((2 * CONTEXT + 1, *picture.shape), ABSENT_HU, np.float32)
    hu[CONTEXT] = picture
    return hu


def _by_mask(patient: Entry) -> bool:
    """Whether a network learns from the masks of a whole stack."""
    return not patient.single and (patient.masked or patient.masked_by_network)


def _by_source(patients: Sequence[Entry], who: Sequence[int]) -> list[list[int]]:
    sources = sorted({patients[i].source for i in who})
    return [[i for i in who if patients[i].source == source] for source in sources]


def _one(sources: list[list[int]], random: np.random.Generator) -> int:
    """A patient, every source as likely as any other: a large one must not drown a small one."""
    return int(random.choice(sources[int(random.integers(len(sources)))]))


def _tilted(stack: NDArray[np.int16] | NDArray[np.bool_], slab: int, slope: float) -> NDArray[np.float32]:
    """A slab cut at a slant: rows towards the front from lower slabs, or higher, linear in between."""
    rows = stack.shape[1]
    at = np.clip(slab + slope * np.linspace(-1, 1, rows), 0, len(stack) - 1)
    low = np.minimum(at.astype(np.intp), max(len(stack) - 2, 0))
    high = np.minimum(low + 1, len(stack) - 1)
    part = (at - low).astype(np.float32)[:, None]
    row = np.arange(rows)
    cut: NDArray[np.float32] = stack[low, row] * (1 - part) + stack[high, row] * part
    return cut


def _thickened(stack: NDArray[np.int16] | NDArray[np.bool_], slab: int, share: float) -> NDArray[np.float32]:
    """A slab that takes this share of itself from the two beside it: three times as thick at two thirds."""
    below, above = max(slab - 1, 0), min(slab + 1, len(stack) - 1)
    own = stack[slab].astype(np.float32)
    thick: NDArray[np.float32] = (1 - share) * own + share / 2 * (stack[below] + 1.0 * stack[above])
    return thick.astype(np.float32)


def _old(sample: Sample) -> NDArray[np.bool_]:
    """Voxels of old collections, shape of the mask."""
    if not sample.mask.any():
        return np.zeros(sample.mask.shape, bool)
    labels, count = ndimage.label(sample.mask, np.ones((3, 3, 3)))
    numbers = np.arange(1, count + 1)
    medians = np.asarray(ndimage.median(sample.volume.hu, labels, numbers))
    old: NDArray[np.bool_] = np.isin(labels, numbers[medians < OLD_MAX_HU])
    return old


def _finished(hu: NDArray[np.float32], mask: NDArray[np.bool_], said: Sequence[float] = _MASK_ALONE) -> Slab:
    weight = ~(mask & (hu[CONTEXT] > BLOOD_MAX_HU))
    return (
        np.moveaxis(hu, 0, -1).astype(np.float32),
        mask[..., None].astype(np.float32),
        weight[..., None].astype(np.float32),
        np.array(said, np.float32),
    )
