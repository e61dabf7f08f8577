"""The networks of a bundle: loaded once, kept, and asked for the bleed probability of every voxel."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from headct.errors import BundleError, InferenceError
from headct.language import pgettext
from headct.network.bundle import Bundle
from headct.network.preprocessing import HeadVolume, stacked

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

THREADS = 2
"""The small boxes this is made for have two to four cores, and Orthanc needs one."""


_ROUNDING = 1e-3


class Runtime(Protocol):
    """What runs a network; LiteRT here, others may follow."""

    batch: int
    """Slabs one call takes."""

    def __call__(self, slabs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Network input of shape (batch, rows, columns, channels) to output (batch, rows, columns, 1)."""
        ...


class LiteRTRuntime:
    """A ``.tflite`` network on the CPU."""

    def __init__(self, network: Path, input_shape: tuple[int, int, int], threads: int = THREADS) -> None:
        """Load a network and run it once, so that the first patient does not wait for its set-up.

        Raises:
            BundleError: not a network, or one for another input or output than ``input_shape`` (rows,
                columns, channels) and a probability for each pixel.
        """
        from ai_edge_litert.interpreter import Interpreter

        try:
            # Its bytes, not its path: a file that stays mapped would change answers when it is changed.
            content = network.read_bytes()
            # Several of one thread each, for slabs side by side: one of several threads is half idle.
            self._interpreters = [Interpreter(model_content=content, num_threads=1) for _ in range(threads)]
            for interpreter in self._interpreters:
                interpreter.allocate_tensors()
        except (ValueError, RuntimeError, OSError) as error:
            raise BundleError(
                pgettext(
                    "detail",
                    "{folder}/{name} is not a network LiteRT can run",
                    folder=network.parent,
                    name=network.name,
                )
            ) from error
        first = self._interpreters[0]
        inputs, outputs = first.get_input_details(), first.get_output_details()
        self._each = int(inputs[0]["shape"][0])
        self.batch = self._each * threads
        rows, columns, _ = input_shape
        if (
            [len(inputs), len(outputs)] != [1, 1]
            or any(detail["dtype"] != np.float32 for detail in (inputs[0], outputs[0]))
            or tuple(inputs[0]["shape"][1:]) != input_shape
            or tuple(outputs[0]["shape"]) != (self._each, rows, columns, 1)
        ):
            raise BundleError(
                pgettext(
                    "detail",
                    "{folder}/{name} does not read and write what its bundle says",
                    folder=network.parent,
                    name=network.name,
                )
            )
        self._input, self._output = inputs[0]["index"], outputs[0]["index"]
        self._pool = ThreadPoolExecutor(threads)
        self(np.zeros((self.batch, *input_shape), np.float32))

    def __call__(self, slabs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run one batch, or less: as many slabs as the network takes at a time, or several times that.

        Raises:
            ValueError: more than a batch.
        """
        if len(slabs) > self.batch:
            raise ValueError(f"{len(slabs)} slabs for a batch of {self.batch}")
        parts = [slabs[start : start + self._each] for start in range(0, len(slabs), self._each)]
        running = zip(self._interpreters, parts, strict=False)  # some may have nothing to do
        return np.concatenate(list(self._pool.map(lambda pair: self._run(*pair), running)))

    def _run(self, interpreter: "Interpreter", slabs: NDArray[np.float32]) -> NDArray[np.float32]:
        interpreter.set_tensor(self._input, slabs)
        interpreter.invoke()
        return np.array(interpreter.get_tensor(self._output), np.float32)


class Classifier:
    """A bundle ready to judge. Not for several threads at once."""

    def __init__(self, bundle: Bundle, *runtimes: Runtime, threads: int = THREADS) -> None:
        """Load the bundle's networks, with LiteRT unless told otherwise.

        Args:
            bundle: whose networks.
            runtimes: what runs them, in their order.
            threads: of LiteRT.

        Raises:
            BundleError: a network does not fit its bundle.
        """
        contract = bundle.contents.input
        shape = (contract.rows, contract.columns, 2 * contract.context + 1)
        self.bundle = bundle
        self._runtimes = runtimes or tuple(LiteRTRuntime(file, shape, threads) for file in bundle.networks)

    def predict(self, volume: HeadVolume) -> NDArray[np.float32]:
        """Bleed probability of every voxel, shape of ``volume.hu``: the mean of the networks'.

        Raises:
            InferenceError: as of :meth:`looks`.
        """
        return mean_of(list(self.looks(volume)))

    def looks(self, volume: HeadVolume) -> Iterator[NDArray[np.float32]]:
        """What each network gives, one after the other: whoever asks for the first waits for that alone.

        Raises:
            InferenceError: a network gave something that is no probability; never a silent GREEN.
        """
        return (self._look(runtime, volume) for runtime in self._runtimes)

    def _look(self, runtime: Runtime, volume: HeadVolume) -> NDArray[np.float32]:
        slabs = len(volume.hu)
        contract, batch = self.bundle.contents.input, runtime.batch
        probabilities = np.empty(volume.hu.shape, np.float32)
        for start in range(0, slabs, batch):
            # The last batch is filled up with the top slab; what it gives for that is dropped.
            numbers = np.arange(start, start + batch)
            stack = stacked(volume.hu, numbers, contract.context, contract.missing)
            probabilities[start : start + batch] = runtime(stack)[: slabs - start, :, :, 0]
        # NaN fails this comparison too. Fast sigmoids overshoot by a rounding error, which is clipped.
        if not (probabilities.min() >= -_ROUNDING and probabilities.max() <= 1 + _ROUNDING):
            raise InferenceError("the network's output is no probability")
        return np.clip(probabilities, 0.0, 1.0, out=probabilities)


def mean_of(looks: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The mean of what several networks say of one head, voxel by voxel.

    Of the voxels and not of the scores, so that score, mask and findings are of one and the same picture.
    """
    every = list(looks)
    return every[0] if len(every) == 1 else np.mean(every, axis=0, dtype=np.float32)
