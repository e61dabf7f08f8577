"""What a finished network said of pictures it was not trained on, in a file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

ANSWERS = "answers.npz"


@dataclass(frozen=True, slots=True)
class Answers:
    """All that is kept of a network besides its log: 230 MB of weights are not worth their room."""

    pictures: NDArray[np.intp]
    """Their numbers, shape (n,)."""
    probabilities: NDArray[np.float32]
    """Of each class, shape (n, classes)."""
    parameters: int
    """Weights of the network."""

    def write(self, folder: Path) -> None:
        """Write ``answers.npz``, as a whole or not at all; :meth:`read` reads it back."""
        unfinished = folder / f"unfinished-{ANSWERS}"
        np.savez(
            unfinished,
            pictures=self.pictures,
            probabilities=self.probabilities,
            parameters=np.array(self.parameters),
        )
        unfinished.replace(folder / ANSWERS)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read what :meth:`write` wrote."""
        with np.load(folder / ANSWERS) as file:
            return cls(file["pictures"], file["probabilities"], int(file["parameters"]))
