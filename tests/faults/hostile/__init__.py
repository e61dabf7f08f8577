"""A corpus of what is made to do harm, or does it by accident: written by generators, so that it can grow.

To add a case, add a function to the list at the end of its module: the tests of that module's kind and the
soak take it from there. :mod:`hostile.streams` compressed images, :mod:`hostile.headers` DICOM files,
:mod:`hostile.bodies` JSON, :mod:`hostile.archives` ZIPs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Hostile(Generic[Made]):
    """One case of the corpus."""

    name: str
    make: Callable[[], Made]
    """The same each time."""

    def __repr__(self) -> str:
        return self.name
