"""What is said of one series: findings, key slices, and the outcome with its state."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Self

from headct.reasons import Reason
from headct.terms.quantities import Quantity
from headct.terms.urgency import Urgency

FIRST_LOOK = "first_look"
"""Caution of an alert that the first of several networks gives before the others have looked."""


class FindingKind(StrEnum):
    """What a finding is about."""

    HAEMORRHAGE = "haemorrhage"
    """One connected bleed."""
    OLD_COLLECTION = "old_collection"
    """A collection under about 30 HU."""
    INTRAVENTRICULAR_BLOOD = "intraventricular_blood"
    MIDLINE_OFFSET = "midline_offset"


class Location(StrEnum):
    """Where a bleed lies; epidural, subdural and contusion cannot be told apart and are not claimed."""

    PERIPHERAL = "peripheral"
    DEEP = "deep"


@dataclass(frozen=True, slots=True)
class Finding:
    """A coded observation with its figures. A figure that was not measured is ``None``."""

    kind: FindingKind
    slices: tuple[int, ...] = ()
    """Numbers of the source slices involved, 0 at the feet."""
    volume_ml: float | None = None
    thickness_mm: float | None = None
    location: Location | None = None
    mean_hu: float | None = None
    offset_mm: float | None = None
    """Midline offset, positive towards the patient's left."""


class Unsure(StrEnum):
    """Why an answer is not sure; words in :mod:`headct.wording`."""

    DIVIDED = "divided"
    """Several networks looked, and they do not agree."""
    TURNED = "turned"
    """A small disturbance turns it."""


@dataclass(frozen=True, slots=True)
class KeySlice:
    """A slice worth opening first."""

    number: int
    """0 at the feet, after geometric sorting."""
    sop_instance_uid: str
    frame: int | None = None
    """From 1 on, where the image has several."""


@dataclass(frozen=True, slots=True)
class BundleIdentity:
    """Which model spoke."""

    name: str
    version: str
    device_uid: str
    digest: str
    """SHA-256 of bundle.json, hex."""


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds spent in each step."""

    read: float = 0.0
    decode: float = 0.0
    prepare: float = 0.0
    infer: float = 0.0
    measure: float = 0.0

    @property
    def total(self) -> float:
        """Sum of all steps."""
        return self.read + self.decode + self.prepare + self.infer + self.measure


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a model says of one series."""

    urgency: Urgency
    alert_probability: float
    haemorrhage_probability: float
    findings: tuple[Finding, ...]
    key_slices: tuple[KeySlice, ...]
    bundle: BundleIdentity
    rubric_version: str
    rules: tuple[str, ...] = ()
    """Names of the rubric's rules that fired, worst first."""
    cautions: tuple[str, ...] = ()
    """Codes of visible cautions, such as ``child``; words in :mod:`headct.wording`."""
    timings: Timings = field(default_factory=Timings)
    inputs: Mapping[Quantity, float] = field(default_factory=dict)
    """How the head was scanned, :func:`headct.network.acquisition.input_quantities`; empty in assessments
    from before this was kept."""
    doubts: tuple[Unsure, ...] = ()
    """Why the answer is not sure. Doubt never changes the urgency."""

    @property
    def unsure(self) -> bool:
        """Whether there is any doubt. With GREEN that is the third answer: *GREEN, unsure*."""
        return bool(self.doubts)

    @property
    def judged_by(self) -> str:
        """Bundle and rubric: what decides, beside the images, what is said. Part of every result's UID."""
        return f"{self.bundle.digest}+rubric-{self.rubric_version}"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; :meth:`from_json` reads them back."""
        data = asdict(self)
        data["urgency"] = self.urgency.name
        data["inputs"] = {quantity.value: value for quantity, value in self.inputs.items()}
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_json`."""
        findings = tuple(
            Finding(
                **{
                    **f,
                    "kind": FindingKind(f["kind"]),
                    "slices": tuple(f["slices"]),
                    "location": Location(f["location"]) if f["location"] else None,
                }
            )
            for f in data["findings"]
        )
        return cls(
            **{
                **data,
                "urgency": Urgency[data["urgency"]],
                "findings": findings,
                "key_slices": tuple(KeySlice(**k) for k in data["key_slices"]),
                "bundle": BundleIdentity(**data["bundle"]),
                "rules": tuple(data["rules"]),
                "cautions": tuple(data["cautions"]),
                "doubts": tuple(Unsure(code) for code in data.get("doubts", ())),
                "timings": Timings(**data["timings"]),
                "inputs": {Quantity(name): value for name, value in data.get("inputs", {}).items()},
            }
        )


class State(StrEnum):
    """Final state of one series."""

    ASSESSED = "assessed"
    NOT_ANALYSED = "not_analysed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Final state of one series: exactly one of ``assessment`` and ``reason`` is set."""

    series_instance_uid: str
    state: State
    assessment: Assessment | None = None
    reason: Reason | None = None

    def __post_init__(self) -> None:
        """Refuse an outcome that says both or neither."""
        if (self.assessment is None) == (self.reason is None):
            raise ValueError("an outcome has either an assessment or a reason")
        if (self.state is State.ASSESSED) != (self.assessment is not None):
            raise ValueError(f"state {self.state} does not fit its content")

    def to_json(self) -> dict[str, Any]:
        """The object printed by ``headct assess --json``."""
        a = self.assessment.to_json() if self.assessment else {}
        return {
            "series_instance_uid": self.series_instance_uid,
            "state": self.state.value,
            "reason": self.reason.sentence() if self.reason else None,
            "reason_code": self.reason.code.value if self.reason else None,
            "urgency": a.get("urgency"),
            "unsure": self.assessment.unsure if self.assessment else None,
            "doubts": a.get("doubts", []),
            "alert_probability": a.get("alert_probability"),
            "haemorrhage_probability": a.get("haemorrhage_probability"),
            "findings": a.get("findings", []),
            "key_slices": a.get("key_slices", []),
            "cautions": a.get("cautions", []),
            "rules": a.get("rules", []),
            "bundle": a.get("bundle"),
            "seconds": self.assessment.timings.total if self.assessment else None,
        }
