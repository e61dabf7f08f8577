"""Who is in the data, from where, under which licence, in which part of the split, and who was left out."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from headct.errors import UnusableInputError
from headct.network.preprocessing import CROP_COLUMNS, CROP_ROWS
from headct.terms.urgency import Urgency

MANIFEST = "manifest.json"
FOLDS = 5
SPLIT_SEED = 2020

TRAIN, VALIDATION, TEST, EXTERNAL = "train", "validation", "test", "external"
SPECIALIST, PROVISIONAL = "specialist", "provisional"


@dataclass(frozen=True, slots=True)
class Entry:
    """One series, or one slice that came alone, in the manifest, in use or left out.

    Of each patient one series is in use, and more only where repeats after a chosen interval were asked for;
    of single slices every one.
    """

    patient: str
    """Name of the entry, of the sample and in every result: the patient's own for the first series in use,
    followed by a number for the others. No hospital's PatientID: those are replaced."""
    source: str
    bleeding: bool
    """False for series that were left out before anybody's label was known, too."""
    series: str = ""
    """SeriesInstanceUID."""
    study: str = ""
    """StudyInstanceUID."""
    labels: dict[str, bool] = field(default_factory=dict)
    """What the source's readers saw: ivh, iph, sah, edh, sdh, fracture...; absent where nobody looked."""
    masked: bool = True
    """True where every pixel with blood is marked, so also where there is none; a bleeding patient without
    masks can be measured on, not learnt from."""
    bleed_ml: float | None = None
    """True volume where masks exist and the pixel spacing can be trusted."""
    urgency: str | None = None
    """Name of the :class:`headct.terms.urgency.Urgency` that counts for training."""
    urgency_by: str | None = None
    """``SPECIALIST``, or ``PROVISIONAL`` for the rubric over measured findings."""
    age_years: float | None = None
    sex: str | None = None
    """``M``, ``F`` or ``O``, as in DICOM."""
    slices: int = 0
    pixel_mm: float | None = None
    """In-plane spacing as the header has it: for the no-brain baseline alone, never an input."""
    doubtful: str = ""
    """Why the label is open to question; reported apart."""
    exclusion: str = ""
    """Why the series is in no part of the split and no sample was written; empty for those in use."""
    split: str | None = None
    """``TRAIN``, ``VALIDATION``, ``TEST``, or ``EXTERNAL`` for sources that are only measured on."""
    fold: int | None = None
    """Held out in this fold of the cross-validation; ``None`` for external and excluded patients."""
    pixel_digest: str = ""
    masked_by_network: bool = False
    """A reader saw the bleed and nobody marked it: the sample's mask is what a network found. Learnt from,
    never measured against; ``masked`` stays false."""
    single: bool = False
    """A slice that came alone: ``bleeding`` and ``labels`` say nothing of its patient, and it counts as no
    patient anywhere."""
    slice_labels: bool = False
    """The sample has labels of its slices."""
    person: str = ""
    """Name of the patient, equal for all series of one; empty where it is ``patient``. Parts of the split and
    folds are dealt by it."""

    @property
    def who(self) -> str:
        """The patient behind the entry."""
        return self.person or self.patient

    @property
    def teaches(self) -> bool:
        """Whether a network can learn from the sample's mask or from the labels of its slices."""
        return self.masked or self.masked_by_network or self.slice_labels

    @property
    def under_18(self) -> bool | None:
        """Whether a child; ``None`` where the age is unknown."""
        return None if self.age_years is None else self.age_years < 18

    @property
    def colour(self) -> Urgency | None:
        """The urgency as the domain's type."""
        return None if self.urgency is None else Urgency[self.urgency]


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everybody who was found, those in use and those left out with the reason."""

    patients: tuple[Entry, ...]
    crop: tuple[int, int] = (CROP_ROWS, CROP_COLUMNS)
    split_seed: int = SPLIT_SEED
    licences: dict[str, str] = field(default_factory=dict)
    rubric: str = ""
    """Version of the rubric behind provisional urgencies."""
    selection: dict[str, Any] = field(default_factory=dict)
    """The rules by which series were left out; see :class:`model_training.datasets.selection.Selection`."""

    @property
    def excluded(self) -> tuple[Entry, ...]:
        """Series that were found and left out, each with its reason."""
        return tuple(p for p in self.patients if p.exclusion)

    @property
    def sha256(self) -> str:
        """Digest of the whole manifest."""
        return hashlib.sha256(json.dumps(self._body(), sort_keys=True).encode()).hexdigest()

    @property
    def in_folds(self) -> tuple[Entry, ...]:
        """Patients of the cross-validation, single slices not among them."""
        return tuple(p for p in self.patients if p.fold is not None and not p.single)

    @property
    def single_slices(self) -> tuple[Entry, ...]:
        """Slices that came alone and are in use."""
        return tuple(p for p in self.patients if p.single and not p.exclusion)

    def taught(self, fold: int | None) -> tuple[Entry, ...]:
        """What a network is trained on, series and single slices, whether or not they can be learnt from.

        Args:
            fold: the fold that is held out; ``None`` for the network that ships, which learns from the
                training and validation parts of the split.
        """
        if fold is None:
            return tuple(p for p in self.patients if p.split in (TRAIN, VALIDATION))
        return tuple(p for p in self.patients if p.fold is not None and p.fold != fold)

    @property
    def external(self) -> tuple[Entry, ...]:
        """Patients that are only measured on."""
        return self.part(EXTERNAL)

    @property
    def folds(self) -> tuple[int, ...]:
        """Numbers of the folds."""
        return tuple(sorted({p.fold for p in self.patients if p.fold is not None}))

    def part(self, *splits: str) -> tuple[Entry, ...]:
        """Patients in these parts of the split, single slices not among them."""
        return tuple(p for p in self.patients if p.split in splits and not p.single)

    def write(self, folder: Path) -> None:
        """Write ``manifest.json``, as a whole or not at all; :meth:`read` reads it back."""
        body = {"sha256": self.sha256, **self._body()}
        unfinished = folder / f".unfinished-{MANIFEST}"
        unfinished.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
        unfinished.replace(folder / MANIFEST)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read ``manifest.json``.

        Raises:
            UnusableInputError: there is none, or it was changed by hand.
        """
        try:
            body: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        except OSError as error:
            raise UnusableInputError(f"{folder} holds no prepared data: run headct-train dataset") from error
        digest = body.pop("sha256")
        patients = tuple(Entry(**p) for p in body.pop("patients"))
        manifest = cls(patients=patients, **{**body, "crop": tuple(body["crop"])})
        if manifest.sha256 != digest:
            raise UnusableInputError(f"{folder / MANIFEST} does not have the hash that was recorded in it")
        return manifest

    def _body(self) -> dict[str, Any]:
        body = asdict(self)
        for patient in body["patients"]:
            # Only where they say something: manifests from before they existed keep their hash.
            for added in ("masked_by_network", "single", "slice_labels"):
                if not patient[added]:
                    del patient[added]
        return body
