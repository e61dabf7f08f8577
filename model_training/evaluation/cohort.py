"""The patients of the cross-validation as arrays, and what is true of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headct.terms.urgency import Urgency
from model_training.datasets.manifest import Entry

LARGE_ML = 5.0
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Cohort:
    """Patients with their true colours: a specialist's, else the rubric's over the true mask."""

    patients: tuple[Entry, ...]
    colours: tuple[Urgency | None, ...]
    """``None`` where neither urgency nor mask is known."""

    def only(self, chosen: Flags) -> "Cohort":
        """Some of the patients."""
        index = np.flatnonzero(chosen)
        return Cohort(tuple(self.patients[i] for i in index), tuple(self.colours[i] for i in index))

    @property
    def bleeding(self) -> Flags:
        """Shape (patients,), as all of these."""
        return np.array([p.bleeding for p in self.patients], bool)

    @property
    def known(self) -> Flags:
        """Whose colour is known."""
        return np.array([c is not None for c in self.colours], bool)

    @property
    def alert(self) -> Flags:
        """RED or BLACK; false where the colour is not known."""
        return np.array([c is not None and c.alert for c in self.colours], bool)

    @property
    def fold(self) -> NDArray[np.int_]:
        """In which fold each is held out."""
        return np.array([p.fold for p in self.patients], int)

    @property
    def large(self) -> Flags:
        """Bleeds of 5 ml and more."""
        return np.array([(p.bleed_ml or 0.0) >= LARGE_ML for p in self.patients], bool)

    @property
    def small(self) -> Flags:
        """Bleeds of a known volume under 5 ml."""
        return np.array(
            [p.bleeding and p.bleed_ml is not None and p.bleed_ml < LARGE_ML for p in self.patients], bool
        )

    @property
    def under_18(self) -> Flags:
        """Children; false where the age is not known."""
        return np.array([bool(p.under_18) for p in self.patients], bool)

    @property
    def doubtful(self) -> Flags:
        """Whose label is open to question."""
        return np.array([bool(p.doubtful) for p in self.patients], bool)
