"""Patients' volumes to batches: drawn, augmented and put together while the network computes."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from headct.network.preprocessing import CONTEXT, Missing, stacked
from model_training.datasets.manifest import Entry
from model_training.datasets.sample import UNSAID, Sample
from model_training.datasets.source import SLICE_LABELS
from model_training.learning.augmentation import augment
from model_training.learning.config import TrainingConfig
from model_training.learning.fitting import Batches
from model_training.learning.sampling import BLOOD_MAX_HU, Draws

Slabs = Iterator[tuple[NDArray[np.float32], ...]]


def training_batches(
    samples: Sequence[Sample], patients: Sequence[Entry], config: TrainingConfig, seed: Sequence[int]
) -> Batches:
    """Slabs drawn anew for each epoch; every host draws the same ones and keeps its share.

    What an epoch shows depends on ``seed`` and the epoch's number alone.
    """
    draws = Draws(samples, patients, config.sampling, Missing(config.missing))

    def of_epoch(epoch: int, shares: Any) -> Any:
        def endless() -> Slabs:
            random = np.random.default_rng([*seed, epoch])
            for turn in itertools.count():
                # Of every host's share alike.
                yield draws.draw(random, turn // shares.num_input_pipelines)

        number = seed_number([*seed, epoch, shares.input_pipeline_id])

        def varied(hu: Any, mask: Any, weight: Any, said: Any) -> Any:
            # Of this graph alone: TensorFlow's global seed would have the training step optimised anew.
            tf.compat.v1.set_random_seed(number)
            # What was said of a slice is true of all of it, so all of it is shown.
            hu, pixels = augment(hu, mask, weight, said[:, 0] >= 0, config.augmentation)
            return hu, {"pixels": pixels, "said": said}

        return (
            _dataset(endless, samples, shares)
            .batch(shares.get_per_replica_batch_size(config.batch), drop_remainder=True)
            .map(varied)
            .prefetch(2)
        )

    return Batches(of_epoch, config.steps)


def validation_batches(
    samples: Sequence[Sample], patients: Sequence[Entry], config: TrainingConfig
) -> Batches:
    """Every slab of these samples once, the middle window of each, nothing varied.

    The last batch is filled up from the first slabs.
    """

    def of_epoch(epoch: int, shares: Any) -> Any:
        def endless() -> Slabs:
            for sample, patient in itertools.cycle(zip(samples, patients, strict=True)):
                hu, mask = sample.volume.hu, sample.mask
                weight = ~(mask & (hu > BLOOD_MAX_HU))
                said = np.full((len(hu), len(SLICE_LABELS) + 1), UNSAID)
                if sample.labels is not None:
                    said[:, :-1] = sample.labels
                said[:, -1] = mask.any() if patient.single else patient.masked or patient.masked_by_network
                slabs = stacked(hu, missing=Missing(config.missing))
                parts = (slabs, mask[..., None], weight[..., None], said)
                yield from zip(*(part.astype(np.float32) for part in parts), strict=True)

        rows, columns = config.augmentation.window

        def middle(hu: Any, mask: Any, weight: Any, said: Any) -> Any:
            hu, mask, weight = (
                tf.image.resize_with_crop_or_pad(part, rows, columns) for part in (hu, mask, weight)
            )
            return hu, {"pixels": tf.concat([mask, weight], axis=-1), "said": said}

        return (
            _dataset(endless, samples, shares)
            .map(middle)
            .batch(shares.get_per_replica_batch_size(config.batch), drop_remainder=True)
            .prefetch(2)
        )

    return Batches(of_epoch, -(-sum(len(s.mask) for s in samples) // config.batch))


def _dataset(endless: Callable[[], Slabs], samples: Sequence[Sample], shares: Any) -> Any:
    """Slabs as :data:`Slab` in TensorFlow's types, of which every host takes its share in turn."""
    shape = samples[0].mask.shape[1:]
    channels = (2 * CONTEXT + 1, 1, 1)
    return tf.data.Dataset.from_generator(
        lambda: itertools.islice(endless(), shares.input_pipeline_id, None, shares.num_input_pipelines),
        output_signature=(
            *(tf.TensorSpec((*shape, n), tf.float32) for n in channels),
            tf.TensorSpec((len(SLICE_LABELS) + 1,), tf.float32),
        ),
    )


def seed_number(seed: Sequence[int]) -> int:
    """One number of several, as TensorFlow wants its seeds."""
    return int(np.random.SeedSequence(seed).generate_state(1)[0])
