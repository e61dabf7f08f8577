"""What a run's networks say of patients they were not trained on; kept beside their weights."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from tqdm import tqdm

from headct.errors import UnusableInputError
from headct.network.classifier import LiteRTRuntime
from headct.network.preprocessing import Missing, stacked
from model_training.datasets.manifest import Entry
from model_training.datasets.sample import Sample, sample_path

if TYPE_CHECKING:  # brings TensorFlow, which is not needed where all outputs are kept
    from model_training.learning.config import TrainingConfig

WEIGHTS = "network.weights.h5"
FINAL = "final"


@dataclass(frozen=True, slots=True)
class Judged:
    """A patient with the output of a network that never saw it."""

    patient: Entry
    sample: Sample
    probabilities: NDArray[np.float32]
    """Shape of ``sample.volume.hu``."""


@dataclass(frozen=True, slots=True)
class Change:
    """Another image of the same patients, to see what a network goes by."""

    name: str
    """Names the folder its outputs are kept in."""
    hu: Callable[[Entry, Sample], NDArray[np.int16]]
    """The changed Hounsfield values, shape of ``sample.volume.hu``."""


class Judges:
    """The networks of a run folder, by name: ``seed-1/fold-0``, ``seed-1/final``."""

    def __init__(self, data: Path, run: Path, config: "TrainingConfig") -> None:
        self.data, self.run, self.config = data, run, config
        self._loaded: dict[str, LiteRTRuntime] = {}

    def has(self, network: str) -> bool:
        """Whether that network's training is finished."""
        return (self.run / network / WEIGHTS).exists()

    def judge(
        self, network: str, patients: Iterable[Entry], change: Change | None = None
    ) -> Iterator[Judged]:
        """One patient at a time, so that memory does not grow with the data.

        Inference only where nothing is kept that is newer than weights and sample.

        Raises:
            UnusableInputError: the network or a sample is not there.
        """
        if not self.has(network):
            raise UnusableInputError(f"{self.run / network} holds no trained network: run headct-train train")
        what = f"{network} {change.name}" if change else network
        for patient in tqdm(list(patients), desc=what, unit="patient", leave=False):
            path = sample_path(self.data, patient)
            if not path.exists():
                raise UnusableInputError(f"{path} is missing: run headct-train dataset")
            sample = Sample.read(path)
            probabilities = self._kept(network, patient, sample, change)
            yield Judged(patient, sample, probabilities.astype(np.float32))

    def _kept(
        self, network: str, patient: Entry, sample: Sample, change: Change | None
    ) -> NDArray[np.float16]:
        folder = self.run / network / (f"outputs-{change.name}" if change else "outputs")
        path = folder / f"{patient.patient}.npy"
        sources = (self.run / network / WEIGHTS, sample_path(self.data, patient))
        if path.exists() and path.stat().st_mtime >= max(p.stat().st_mtime for p in sources):
            kept: NDArray[np.float16] = np.load(path)
            return kept
        if change is None:
            outputs = self._infer(network, sample.volume.hu, np.ones(len(sample.volume.hu), bool))
        else:
            hu = change.hu(patient, sample)
            outputs = self._kept(network, patient, sample, None)
            changed = (hu != sample.volume.hu).any(axis=(1, 2))
            # A slab's neighbours see it too.
            changed = ndimage.binary_dilation(changed, iterations=1) if changed.any() else changed
            outputs[changed] = self._infer(network, hu, changed)
        folder.mkdir(exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}.part")  # two evaluations may be at it
        with draft.open("wb") as file:
            np.save(file, outputs)
        draft.replace(path)
        return outputs

    def _infer(self, network: str, hu: NDArray[np.int16], slabs: NDArray[np.bool_]) -> NDArray[np.float16]:
        from model_training.learning.conversion import in_batches

        if not slabs.any():
            return np.zeros((0, *hu.shape[1:]), np.float16)
        if network not in self._loaded:
            self._loaded[network] = litert(self.run / network, self.config)
        shown = stacked(hu, np.flatnonzero(slabs), missing=Missing(self.config.missing))
        return in_batches(self._loaded[network], shown)[..., 0].astype(np.float16)


def litert(folder: Path, config: "TrainingConfig") -> LiteRTRuntime:
    """A trained network as the product runs it, in float32; several times faster than Keras on a CPU."""
    from model_training.learning.conversion import Precision, convert, runtime
    from model_training.learning.train import trained

    return runtime(convert(trained(folder, config), Precision.FLOAT32))
