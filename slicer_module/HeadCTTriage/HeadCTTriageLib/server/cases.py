"""What the server says of cases, as the panel shows it. Fields that a newer server adds are ignored.

Words that only describe (states, kinds of findings) are kept as written, so that a new one is shown and does
not hide the worklist; an urgency is one of four, or the answer is refused.
"""

from __future__ import annotations

import enum
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Optional

from .reading import REQUIRED

# Optional and not "| None": the types are looked at when an answer is read, in Python 3.9 too.

LONGEST_COMMENT = 2000
"""Characters; the server refuses more."""
FINDINGS = (
    "haemorrhage",
    "intraparenchymal",
    "intraventricular",
    "subarachnoid",
    "epidural",
    "subdural",
    "old_collection",
    "midline_shift",
    "fracture",
)
"""What a reader may say is there or is not."""
BLEED_TYPES = FINDINGS[1:6]
"""Each of them is a haemorrhage."""
EXCLUSIONS = ("post_operative", "repeat", "poor_quality", "wrong_series", "other")
"""Why a series is not to be learnt from; ``other`` is said in the comment."""


class Urgency(str, enum.Enum):
    """How soon a specialist is needed; the machine's GREEN means nothing flagged, never normal."""

    GREEN = "GREEN"
    YELLOW = "YELLOW"
    RED = "RED"
    BLACK = "BLACK"


@dataclass(frozen=True)
class Words:
    """One sentence in both languages."""

    en: str
    ja: str

    def of(self, language: str) -> str:
        """Japanese for ``ja`` and ``ja_JP``, else English."""
        return self.ja if language.startswith("ja") else self.en


@dataclass(frozen=True)
class Reason:
    """Why a series is not analysed, or failed."""

    code: str
    sentence: Words


@dataclass(frozen=True)
class Caution:
    """A visible caution about an assessment, such as ``child``."""

    code: str
    sentence: Words


@dataclass(frozen=True)
class Finding:
    """A finding with its figures and in words. A figure that was not measured is ``None``."""

    kind: str
    sentence: Words
    location: Optional[str] = None
    slices: tuple[int, ...] = ()
    """Numbers, 0 at the feet."""
    volume_ml: Optional[float] = None
    thickness_mm: Optional[float] = None
    mean_hu: Optional[float] = None
    offset_mm: Optional[float] = None
    """Positive towards the patient's left."""


@dataclass(frozen=True)
class KeySlice:
    """A slice worth opening first."""

    number: int
    """0 at the feet."""
    sop_instance_uid: str
    frame: Optional[int] = None
    """From 1 on, where the image has several."""


@dataclass(frozen=True)
class Bundle:
    """A model."""

    name: str
    version: str
    digest: str
    """SHA-256 of its description, hex."""


@dataclass(frozen=True)
class Assessment:
    """What a model said of one series, and when."""

    urgency: Urgency
    alert_probability: float
    haemorrhage_probability: float
    findings: tuple[Finding, ...]
    key_slices: tuple[KeySlice, ...]
    rubric_version: str
    bundle: Bundle
    judged_at: datetime
    preliminary: bool = False
    """Made on a series still incomplete."""
    current: bool = True
    cautions: tuple[Caution, ...] = ()
    unsure: bool = False
    """There is doubt; the urgency stays what it is."""
    doubts: tuple[Caution, ...] = ()
    """Why it is not sure."""
    rules: tuple[str, ...] = ()
    """Rules of the rubric that fired, worst first."""
    seconds: float = 0.0
    withdrawn_at: Optional[datetime] = None


@dataclass(frozen=True)
class GivenReview:
    """What a person said of a series."""

    action: str
    urgency: Optional[Urgency]
    """``None`` of an exclusion."""
    findings: dict[str, bool]
    reason: Optional[str]
    comment: str
    login: str
    reader: str
    """DICOM person name (PS3.5 section 6.2.1)."""
    organisation: str
    at: datetime
    blind: bool = False
    machine: Optional[Urgency] = None
    """What the machine said at that time."""


@dataclass(frozen=True)
class Verdict:
    """What counts of all reviews of a series."""

    standing: str
    """``unreviewed``, ``reviewed``, ``disputed`` or ``settled``."""
    urgency: Optional[Urgency] = None
    label: Optional[Urgency] = None


@dataclass(frozen=True)
class Document:
    """A DICOM result written for a series."""

    kind: str
    sop_instance_uid: str
    created_at: datetime
    orthanc_id: Optional[str] = None
    """The instance in Orthanc, once sent."""
    withdrawn: bool = False


@dataclass(frozen=True)
class SeriesSummary:
    """One series of a worklist row."""

    id: str
    """Orthanc's."""
    series_instance_uid: str
    images: int
    state: str
    """``arriving``, ``waiting``, ``judging``, ``assessed``, ``not_analysed``, ``failed`` or ``withdrawn``."""
    number: str = ""
    description: str = ""
    modality: str = ""
    reason: Optional[Reason] = None
    urgency: Optional[Urgency] = None
    unsure: bool = False
    """The machine is not sure of that urgency."""
    preliminary: bool = False


@dataclass(frozen=True)
class Series(SeriesSummary):
    """One series in full."""

    # Always said by the server; behind fields with a default Python wants one too.
    study_id: str = field(default="", metadata=REQUIRED)
    based_on: str = field(default="", metadata=REQUIRED)
    """To be sent with a review."""
    assessment: Optional[Assessment] = None
    """The current one."""
    reviews: tuple[GivenReview, ...] = ()
    """In the order in which they were given."""
    verdict: Verdict = Verdict("unreviewed")
    history: tuple[Assessment, ...] = ()
    """Earlier ones, newest first."""
    documents: tuple[Document, ...] = ()


@dataclass(frozen=True)
class PersonName:
    """The three component groups of a DICOM person name, as written (PS3.5 section 6.2.1)."""

    alphabetic: str = ""
    ideographic: str = ""
    phonetic: str = ""

    @property
    def shown(self) -> str:
        """As Japanese doctors read it where it is written so, else in the alphabet; parts apart by spaces."""
        name = self.ideographic or self.alphabetic or self.phonetic
        return " ".join(part for part in name.split("^") if part.strip())


@dataclass(frozen=True)
class Unverified:
    """A report that says it is a review, for which nobody vouches: the study is to be read again."""

    sentence: Words
    """Why nobody does."""
    urgency: Optional[Urgency] = None
    """Which it gives, as far as it can be read."""


@dataclass(frozen=True)
class Case:
    """One study, a row of the worklist."""

    id: str
    """Orthanc's."""
    study_instance_uid: str
    first_arrival: datetime
    waiting_seconds: float
    """Since first arrival, on the server's clock."""
    state: str
    """``pending``, ``assessed``, ``not_analysed`` or ``failed``."""
    patient_name: PersonName = PersonName()
    patient_id: str = ""
    birth_date: str = ""
    """As written in the images, like all demographics: perhaps no date at all."""
    sex: str = ""
    age: str = ""
    accession_number: str = ""
    study_date: str = ""
    study_time: str = ""
    study_description: str = ""
    urgency: Optional[Urgency] = None
    """Worst of the persons' words; without any, of the current assessments."""
    by_person: Optional[bool] = None
    """Whether that urgency is a person's word; a server of an earlier release does not say."""
    unsure: bool = False
    """The urgency is the machine's, and it is not sure of it."""
    doubts: tuple[Caution, ...] = ()
    """Why."""
    preliminary: bool = False
    discordant: bool = False
    """Current assessments differ in urgency."""
    reason: Optional[Reason] = None
    findings: tuple[Finding, ...] = ()
    cautions: tuple[Caution, ...] = ()
    judged_at: Optional[datetime] = None
    series: tuple[SeriesSummary, ...] = ()
    """The best first."""
    reviewed: bool = False
    """Persons have read it, no two differ, and nothing worse came after."""
    disputed: bool = False
    """Two readers differ; a third is to settle it."""
    reviews: tuple[GivenReview, ...] = ()
    """Each reader's last word on each series, in the order of time."""
    reopened: bool = False
    """Images came after the review; what they show may be worse."""
    unverified: tuple[Unverified, ...] = ()


@dataclass(frozen=True)
class Worklist:
    """All studies: the queue, worst first, and earlier ones that are assessed and not queued."""

    generated_at: datetime
    rows: tuple[Case, ...]
    earlier: tuple[Case, ...] = ()
    next: Optional[int] = None
    """How many studies come before those that are not here; none: these are all."""
    total: int = 0
    """Of the queue, those too that are not here; a server of an earlier release does not say."""
    total_earlier: int = 0


@dataclass(frozen=True)
class Study:
    """One study in full."""

    case: Case
    series: tuple[Series, ...]
    """The best first."""


@dataclass(frozen=True)
class Status:
    """Is the machine alive, and what is it doing?"""

    now: datetime
    version: str
    running: bool
    authentication: bool
    """Whether Orthanc asks for a user and a password; without, reviews are refused."""
    reason: Optional[Words] = None
    """Why triage is stopped."""
    bundle: Optional[Bundle] = None
    """The model in service."""
    model_problem: Optional[Words] = None
    """The chosen model does not judge, and why."""


@dataclass(frozen=True)
class PreviousSeries:
    """A CT series of another study of the same patient."""

    id: str
    """Orthanc's."""
    study_id: str
    study_date: str
    """As written, like the rest of the words."""
    study_time: str
    study_description: str
    number: str
    description: str
    images: int
    urgency: Optional[Urgency] = None
    """What counts of the study, where triage knows it."""


@dataclass(frozen=True)
class Review:
    """What a reader says of a series, as it is sent."""

    action: str
    """``confirm``, ``relabel`` or ``exclude``."""
    based_on: str
    """As the series gave it when it was shown."""
    urgency: Optional[Urgency] = None
    """The reader's; of a confirmation the machine's; ``None`` of an exclusion."""
    findings: dict[str, bool] = field(default_factory=dict)
    """Of :data:`FINDINGS`, present or absent; what is left out was not looked for."""
    reason: Optional[str] = None
    """Of :data:`EXCLUSIONS`."""
    comment: str = ""
    request_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    """Made when the review is given and kept however often it is sent: the server records it once."""


@dataclass(frozen=True)
class ReviewAnswer:
    """A review as recorded, and what counted after it."""

    review: GivenReview
    verdict: Verdict
