"""Which slabs a network is shown: drawn endlessly, the same ones from the same generator."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from model_training.datasets.manifest import Patient
from model_training.datasets.sample import Sample
from model_training.networks.bleed import CONTEXT

BLOOD_MAX_HU = 100
"""Mask voxels denser than this lie in bone, where the marking is not to be trusted: they get no weight."""
BLOODY_SHARE = 0.4
"""Share of the slabs drawn that hold blood; in whole stacks it is a tenth, and one false alarm is enough."""


def slabs(
    samples: Sequence[Sample], patients: Sequence[Patient], random: np.random.Generator
) -> Iterator[tuple[NDArray[np.float32], ...]]:
    """Endless draws, BLOODY_SHARE of them with blood; first the patient, then the slab, so none dominates.

    Yields:
        A slab with its neighbours in Hounsfield units (rows, columns, 2 * CONTEXT + 1), its mask and the
        weight of each pixel (rows, columns, 1), all float32.
    """
    bloody = [np.flatnonzero(s.mask.any(axis=(1, 2))) for s in samples]
    bleeding = [i for i, where in enumerate(bloody) if len(where)]
    bleed_free = [i for i, p in enumerate(patients) if not p.bleeding]
    while True:
        if random.random() < BLOODY_SHARE:
            i = random.choice(bleeding)
            yield _slab(samples[i], int(random.choice(bloody[i])))
            continue
        # A third of the slabs without blood come from bleeding patients, so that blood is what differs.
        i = random.choice(bleeding if random.random() < 1 / 3 else bleed_free)
        clear = np.setdiff1d(np.arange(len(samples[i].mask)), bloody[i])
        yield _slab(samples[i], int(random.choice(clear)))


def _slab(sample: Sample, slab: int) -> tuple[NDArray[np.float32], ...]:
    hu = sample.volume.hu
    index = np.clip(np.arange(slab - CONTEXT, slab + CONTEXT + 1), 0, len(hu) - 1)
    mask = sample.mask[slab, :, :, None]
    weight = 1.0 - (mask & (hu[slab, :, :, None] > BLOOD_MAX_HU))
    return (
        np.moveaxis(hu[index], 0, -1).astype(np.float32),
        mask.astype(np.float32),
        weight.astype(np.float32),
    )
