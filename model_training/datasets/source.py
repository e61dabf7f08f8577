"""What every source of data offers: which files, whose they are, and what its readers said of each series.

A source only describes. Reading pixels, judging eligibility and choosing among series is the same for all and
done elsewhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from headct.images.series import CTSeries

FINDINGS = ("ivh", "iph", "sah", "edh", "sdh", "fracture")
"""Intraventricular, intraparenchymal, subarachnoid, epidural, subdural blood; skull fracture."""
BLEEDS = FINDINGS[:5]
ANY = "any"
SLICE_LABELS = (ANY, *BLEEDS)
"""What is said of single slices: blood of any kind, and each kind."""


@dataclass(frozen=True, slots=True)
class FoundSeries:
    """One series as its headers describe it; no pixel has been read."""

    person: str
    study: str
    series: str
    """SeriesInstanceUID; empty for files that are no readable DICOM."""
    patient_id: str
    when: str
    """StudyDate and StudyTime as written, empty when absent."""
    study_description: str
    thickness_mm: float | None
    original: bool
    """ImageType says ORIGINAL, or nothing."""
    files: tuple[Path, ...]
    images: tuple[str, ...]
    """SOPInstanceUID of each file."""
    stamp: str
    """Digest of names, sizes and times of the files."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A series that is not learnt from, of which the source need not have the images."""

    person: str
    study: str
    series: str
    reason: str


class Masks(Protocol):
    """Where the blood is; sent to other processes, so it holds paths and no images."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files it reads, which decide whether a sample is still up to date."""

    def __call__(self, series: CTSeries) -> NDArray[np.float32]:
        """Share of each voxel that is blood, shape of ``series.hu``.

        Raises:
            headct.errors.UnusableInputError: a mask cannot be read or does not fit the series.
        """


@dataclass(frozen=True, slots=True)
class Truth:
    """What the source's readers said of one series."""

    bleeding: bool
    labels: dict[str, bool] = field(default_factory=dict)
    """Of :data:`FINDINGS`, those somebody looked for."""
    slices: dict[str, dict[str, bool]] = field(default_factory=dict)
    """SOPInstanceUID to what was said of that slice alone, of :data:`SLICE_LABELS`."""
    masks: Masks | None = None
    bleed_ml: float | None = None
    """As the source states it; measured on the mask when it does not."""
    age_years: float | None = None
    """As the source states it, else the headers'."""
    sex: str | None = None
    urgency: str | None = None
    """A specialist's, by the name of :class:`headct.terms.urgency.Urgency`."""
    postoperative: bool = False
    doubtful: str = ""


class Source(Protocol):
    """A layout in which data come."""

    name: str
    licence: str
    """Terms of use, in words that go into the manifest."""
    trainable: bool
    """Whether the licence lets any product be trained on it; others are measured on, unless asked for."""
    root: Path

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """Series that the source itself leaves out, with the reason."""

    def images(self) -> Iterator[Path]:
        """Files that should be DICOM images, in any order, one at a time."""

    def person(self, file: Path, patient_id: str) -> str:
        """Whose file it is, as a name fit for files and reports: letters, digits, ``.``, ``_`` and ``-``."""

    def truth(self, series: FoundSeries) -> Truth | str:
        """What the readers said of the series, or in a few words why nothing is known."""
