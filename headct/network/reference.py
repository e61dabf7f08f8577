"""What a bundle's network was trained on, as distributions: the measure of what it is given later.

Counts over fixed classes, so that nothing of a single patient is in a bundle that is passed on.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Self

from headct.terms.quantities import Quantity

EDGES: Mapping[Quantity, tuple[float, ...]] = {
    Quantity.HAEMORRHAGE_PROBABILITY: (0.05, 0.2, 0.5, 0.8, 0.95),
    Quantity.AGE_YEARS: (2, 18, 40, 65, 80),
    Quantity.SLICES: (24, 32, 40, 64, 160),
    Quantity.SLICE_DISTANCE_MM: (1.5, 3.5, 4.5, 5.5, 7.5),
    Quantity.PIXEL_MM: (0.4, 0.5, 0.65, 0.8, 0.95),
    Quantity.NOISE_HU: (2.0, 2.75, 3.5, 4.5, 7.0),
    Quantity.NOISE_CORRELATION: (0.25, 0.4, 0.5, 0.6, 0.75),
}
"""Limits of the classes of new references. Chosen by hand, before any hospital's data were seen: ages of the
usual subgroups, slices and pixels of the usual protocols, noise around that of the soft kernels measured for
:mod:`headct.eligibility`."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often values fell into each class."""

    edges: tuple[float, ...]
    """Rising. The first class lies below the first edge, the last from the last edge on; an edge itself
    belongs to the class above it."""
    counts: tuple[int, ...]
    """One more than there are edges."""

    def __post_init__(self) -> None:
        """Refuse what is no histogram.

        Raises:
            ValueError: a value that cannot be.
        """
        for edge in self.edges:
            if isinstance(edge, bool) or not isinstance(edge, int | float) or not isfinite(edge):
                raise ValueError("a class has finite limits")
        if not self.edges or any(a >= b for a, b in zip(self.edges, self.edges[1:], strict=False)):
            raise ValueError("limits of classes rise")
        if len(self.counts) != len(self.edges) + 1:
            raise ValueError("there is one class more than limits")
        if any(isinstance(n, bool) or not isinstance(n, int) or n < 0 for n in self.counts):
            raise ValueError("a count is a whole number from 0 on")

    @classmethod
    def of(cls, values: Iterable[float], edges: tuple[float, ...]) -> Self:
        """Count values."""
        counts = [0] * (len(edges) + 1)
        for value in values:
            counts[bisect_right(edges, value)] += 1
        return cls(edges, tuple(counts))

    @property
    def total(self) -> int:
        """Number of values."""
        return sum(self.counts)

    def class_of(self, value: float) -> int:
        """Number of the class a value falls into, from 0."""
        return bisect_right(self.edges, value)


@dataclass(frozen=True, slots=True)
class Reference:
    """Distributions over the patients trained on."""

    histograms: Mapping[Quantity, Histogram]
    """Of each quantity that was known of any of them; the scores are out of fold."""

    def __post_init__(self) -> None:
        """Refuse a distribution of nobody.

        Raises:
            ValueError: a histogram without values.
        """
        if any(histogram.total == 0 for histogram in self.histograms.values()):
            raise ValueError("a reference was measured on patients")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; :meth:`from_json` reads them back."""
        return {
            quantity.value: {"edges": list(histogram.edges), "counts": list(histogram.counts)}
            for quantity, histogram in self.histograms.items()
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of :meth:`to_json`.

        Raises:
            KeyError, TypeError, ValueError: incomplete, or a value that cannot be.
        """
        return cls(
            {
                Quantity(name): Histogram(tuple(body["edges"]), tuple(body["counts"]))
                for name, body in data.items()
            }
        )


def reference(values: Iterable[Mapping[Quantity, float]]) -> Reference:
    """Distributions of what is known of each of several patients."""
    found: dict[Quantity, list[float]] = {quantity: [] for quantity in EDGES}
    for of_patient in values:
        for quantity, value in of_patient.items():
            found[quantity].append(value)
    return Reference({q: Histogram.of(known, EDGES[q]) for q, known in found.items() if known})
