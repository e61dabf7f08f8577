"""Slices of a folder like ``rsna_slices``, each with a score of networks that never saw it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from headct.errors import UnusableInputError
from headct.findings.slice_score import slice_scores
from headct.network.classifier import Classifier
from headct.network.preprocessing import HeadVolume, Missing, stacked
from headct.network.single_slices import brain_shift
from model_training.datasets.manifest import Manifest
from model_training.datasets.pictures import Picture
from model_training.datasets.sample import Sample, sample_path
from model_training.datasets.sources.rsna_slices import RsnaSlices
from model_training.evaluation.decisions import network_name
from model_training.evaluation.judging import WEIGHTS, litert

if TYPE_CHECKING:
    from model_training.learning.config import TrainingConfig

Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]
Judge = Callable[[HeadVolume], NDArray[np.float32]]
"""A slice to the bleed probability of each pixel, shape of its ``hu``."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One slice with its score (:mod:`headct.findings.slice_score`), the mean of it and its mirror image."""

    picture: Picture
    score: float


def by_bundle(folder: Path, classifier: Classifier) -> Iterator[Scored]:
    """Every slice of a folder that shows some brain, judged by a bundle.

    One whose networks learnt without single slices gets the slice as its own neighbours, the brain's median
    where a picture's is put: what its contract asks for.

    Raises:
        UnusableInputError: no table, or a picture that cannot be read.
    """
    repeated = classifier.bundle.contents.input.missing is Missing.REPEATED
    for picture in tqdm(_shown(folder), desc="slices", unit="slice", disable=None):
        volume, _ = picture.read()
        if repeated:
            moved = np.round(volume.hu + brain_shift(volume.hu[0])).astype(np.int16)
            volume = replace(volume, hu=moved)
        yield Scored(picture, _score(volume, classifier.predict))


def out_of_fold(
    folder: Path, data: Path, run: Path, config: "TrainingConfig", folds: Sequence[int] = ()
) -> Iterator[Scored]:
    """Slices of the cross-validation, each judged by the run's networks that never saw its patient.

    Folds no network of which is trained are left out; of several seeds the mean counts.

    Args:
        folder: the pictures, for what their table says.
        data: folder of prepared data they are in.
        run: the networks.
        config: settings they were trained with.
        folds: those wanted; all when empty.

    Raises:
        UnusableInputError: none of the slices is in a fold with a trained network.
    """
    entries = {p.patient: p for p in Manifest.read(data).single_slices}
    pictures = {picture.name: picture for picture in _shown(folder)}
    judged = 0
    for fold in sorted({p.fold for p in entries.values() if p.fold is not None}):
        networks = [f for s in config.seeds if (f := run / network_name(s, fold) / WEIGHTS).exists()]
        if not networks or (folds and fold not in folds):
            continue
        judge = _mean([litert(path.parent, config) for path in networks], Missing(config.missing))
        held_out = [p for p in entries.values() if p.fold == fold and p.patient in pictures]
        for entry in tqdm(held_out, desc=f"fold {fold}", unit="slice", disable=None):
            judged += 1
            volume = Sample.read(sample_path(data, entry)).volume
            yield Scored(pictures[entry.patient], _score(volume, judge))
    if not judged:
        raise UnusableInputError(f"{run} has no trained network that slices of {folder} were held out from")


def _shown(folder: Path) -> list[Picture]:
    return [picture for picture in RsnaSlices(folder).pictures() if not picture.exclusion]


def _score(volume: HeadVolume, judge: Judge) -> float:
    mirrored = replace(volume, hu=np.ascontiguousarray(volume.hu[..., ::-1]))
    return float(np.mean([slice_scores(judge(seen))[0] for seen in (volume, mirrored)]))


def _mean(networks: Sequence[Network], missing: Missing) -> Judge:
    from model_training.learning.conversion import in_batches

    def judge(volume: HeadVolume) -> NDArray[np.float32]:
        shown = stacked(volume.hu, missing=missing)
        every = [in_batches(network, shown)[..., 0] for network in networks]
        mean: NDArray[np.float32] = np.mean(every, axis=0)
        return mean

    return judge
