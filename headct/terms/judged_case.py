"""One case as a model judged it, and what those said who read it blind: what a promise is counted from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from headct.terms.review import BLEED_TYPES, Exclusion, ReviewFinding
from headct.terms.urgency import Urgency


@dataclass(frozen=True, slots=True)
class BlindReading:
    """A reader's first word on a case, given before the machine's answer was shown to them."""

    urgency: Urgency | None
    """``None`` where they excluded the case."""
    findings: Mapping[ReviewFinding, bool]
    reason: Exclusion | None
    """Of an exclusion."""

    @property
    def bleeds(self) -> bool:
        """Whether the reader saw a bleed: what they say of blood, else any colour above GREEN."""
        if any(self.findings.get(kind) for kind in (ReviewFinding.HAEMORRHAGE, *BLEED_TYPES)):
            return True
        if self.findings.get(ReviewFinding.HAEMORRHAGE) is False or self.urgency is None:
            return False
        return self.urgency is not Urgency.GREEN


@dataclass(frozen=True, slots=True)
class JudgedCase:
    """A study of the queue whose series one model judged, all of them that were judged."""

    study_id: str
    """Orthanc's identifier."""
    patient_id: str
    """As written in the images; empty where they do not say."""
    first_arrival: datetime
    urgency: Urgency
    """The worst of its series."""
    unsure: bool
    """Some series that says so is not sure."""
    readings: tuple[BlindReading, ...]
    """One a reader; none where nobody read it blind, or images came after they had."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; :meth:`from_json` reads them back."""
        return {
            "study_id": self.study_id,
            "patient_id": self.patient_id,
            "first_arrival": self.first_arrival.isoformat(),
            "urgency": self.urgency.name,
            "unsure": self.unsure,
            "readings": [
                {
                    "urgency": one.urgency.name if one.urgency is not None else None,
                    "findings": {finding.value: present for finding, present in one.findings.items()},
                    "reason": one.reason.value if one.reason is not None else None,
                }
                for one in self.readings
            ],
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Self:
        """Inverse of :meth:`to_json`.

        Raises:
            KeyError, TypeError, ValueError: it is no such row.
        """
        return cls(
            study_id=str(row["study_id"]),
            patient_id=str(row["patient_id"]),
            first_arrival=datetime.fromisoformat(row["first_arrival"]),
            urgency=Urgency[row["urgency"]],
            unsure=bool(row["unsure"]),
            readings=tuple(
                BlindReading(
                    urgency=None if one["urgency"] is None else Urgency[one["urgency"]],
                    findings={ReviewFinding(name): bool(there) for name, there in one["findings"].items()},
                    reason=None if one["reason"] is None else Exclusion(one["reason"]),
                )
                for one in row["readings"]
            ),
        )
