"""Which slabs a network is shown, how often, and with what drawn in."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from headct.network.preprocessing import CONTEXT, neighbours
from model_training.datasets.manifest import Entry
from model_training.datasets.sample import Sample
from model_training.learning.grafts import BLEEDS, MIMICS, Head, draw, inner_depth, one_of

BLOOD_MAX_HU = 100
"""Mask voxels denser than this lie in bone, where the marking is not to be trusted: they get no weight."""
OLD_MAX_HU = 30
"""A marked component of a lower median is an old collection (the rubric's limit). Learnt as blood, it would
teach that wide sulci bleed: slabs that show one are not drawn, and the network does not know old blood."""
_DEPTHS_KEPT = 4096
"""Slabs whose depth map is kept, 61 kB each."""

Slab = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""Hounsfield units (rows, columns, 3), mask and weight (rows, columns, 1)."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """What is drawn; shares of all draws, the rest being bleed-free patients as they are."""

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


class Draws:
    """Endless draws from a set of patients: first the source, then the patient, then the slab."""

    def __init__(self, samples: Sequence[Sample], patients: Sequence[Entry], how: Sampling) -> None:
        self._samples, self._how = samples, how
        self._bloody, self._clear = [], []
        for sample, patient in zip(samples, patients, strict=True):
            marked, old = (m.any(axis=(1, 2)) for m in (sample.mask, _old(sample)))
            self._bloody.append(np.flatnonzero(marked & ~old))
            # Of a patient with blood on every slab none is clear; nor is one where a network found nothing.
            none_clear = marked.all() or patient.masked_by_network
            self._clear.append(self._bloody[-1] if none_clear else np.flatnonzero(~marked))
        bleeding = [i for i, slabs in enumerate(self._bloody) if len(slabs)]
        bleed_free = [i for i, p in enumerate(patients) if not p.bleeding]
        self._bleeding, self._bleed_free = (_by_source(patients, who) for who in (bleeding, bleed_free))
        self._depth = lru_cache(_DEPTHS_KEPT)(self._depth_of)

    def draw(self, random: np.random.Generator) -> Slab:
        """One slab with its neighbours."""
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
        index = self._neighbours(slab, len(sample.mask), random)
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
        return _finished(hu, mask)

    def _drawn(self, i: int, slab: int, random: np.random.Generator, *, graft: bool, mimic: bool) -> Slab:
        sample = self._samples[i]
        index = self._neighbours(slab, len(sample.mask), random)
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
        return _finished(hu, mask)

    def _neighbours(self, slab: int, count: int, random: np.random.Generator) -> NDArray[np.intp]:
        index = neighbours(slab, count)
        if random.random() < self._how.ends:
            half = slice(None, CONTEXT) if random.random() < 0.5 else slice(CONTEXT + 1, None)
            index[half] = slab
        return index

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
    while True:
        yield draws.draw(random)


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


def _finished(hu: NDArray[np.float32], mask: NDArray[np.bool_]) -> Slab:
    weight = ~(mask & (hu[CONTEXT] > BLOOD_MAX_HU))
    return (
        np.moveaxis(hu, 0, -1).astype(np.float32),
        mask[..., None].astype(np.float32),
        weight[..., None].astype(np.float32),
    )
