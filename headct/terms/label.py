"""The row of the table of labels: what persons said of one series, told alike wherever it is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from headct.terms.review import Exclusion, ReviewFinding, Standing, Verdict
from headct.terms.urgency import Urgency


@dataclass(frozen=True, slots=True)
class Label:
    """What counts of all that persons said of one series. Their comments and names do not come here."""

    series_instance_uid: str
    study_instance_uid: str
    standing: Standing
    urgency: Urgency | None
    """Shown; the worse while two readers differ."""
    label: Urgency | None
    """What may be learnt from; ``None`` while readers differ, and for excluded cases."""
    excluded: bool
    findings: Mapping[ReviewFinding, bool]
    """Present or absent; what is not named was not looked for."""
    reason: Exclusion | None
    """Of an exclusion."""
    readers: int
    reviewed_at: datetime

    @classmethod
    def of(cls, verdict: Verdict, readers: int, **where: Any) -> Self:
        """A row from what counts of the reviews, of which there is at least one.

        Args:
            verdict: what counts.
            readers: persons who spoke.
            where: the fields that tell which series it is.
        """
        by = verdict.by
        assert by is not None
        return cls(
            standing=verdict.standing,
            urgency=verdict.urgency,
            label=verdict.label,
            excluded=verdict.excluded,
            findings=dict(verdict.findings),
            reason=by.reason,
            readers=readers,
            reviewed_at=by.at,
            **where,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "series_instance_uid": self.series_instance_uid,
            "study_instance_uid": self.study_instance_uid,
            "verdict": {
                "standing": self.standing.value,
                "urgency": self.urgency.name if self.urgency is not None else None,
                "label": self.label.name if self.label is not None else None,
                "excluded": self.excluded,
            },
            "findings": {finding.value: present for finding, present in self.findings.items()},
            "reason": self.reason.value if self.reason is not None else None,
            "readers": self.readers,
            "reviewed_at": self.reviewed_at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class StoredLabel(Label):
    """The row of a series that Orthanc has."""

    series_id: str
    """Orthanc's identifier."""
    study_id: str
    """Orthanc's identifier."""
    unseen: bool
    """Images arrived after the review."""
    unverified: bool = False
    """A review was found that nobody vouches for, and nobody has read the case again since."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types, as in the REST interface; :meth:`from_json` reads them back."""
        place = {"series_id": self.series_id, "study_id": self.study_id}
        return Label.to_json(self) | place | {"unseen": self.unseen, "unverified": self.unverified}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Self:
        """Inverse of :meth:`to_json`.

        Raises:
            KeyError, TypeError, ValueError: it is no such row.
        """
        verdict, reason = row["verdict"], row["reason"]
        urgency, label = (
            None if verdict[name] is None else Urgency[verdict[name]] for name in ("urgency", "label")
        )
        return cls(
            series_id=str(row["series_id"]),
            study_id=str(row["study_id"]),
            series_instance_uid=str(row["series_instance_uid"]),
            study_instance_uid=str(row["study_instance_uid"]),
            standing=Standing(verdict["standing"]),
            urgency=urgency,
            label=label,
            excluded=bool(verdict["excluded"]),
            findings={ReviewFinding(name): bool(there) for name, there in row["findings"].items()},
            reason=None if reason is None else Exclusion(reason),
            readers=int(row["readers"]),
            reviewed_at=datetime.fromisoformat(row["reviewed_at"]),
            unseen=bool(row["unseen"]),
            unverified=bool(row.get("unverified", False)),  # servers before 0.2 do not say
        )
