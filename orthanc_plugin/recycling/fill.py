"""How near Orthanc is to deleting patients by itself, and what is said of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headct.language import Phrase, _
from orthanc_plugin.answer import Words
from orthanc_plugin.recycling.views import RecyclingView

NEARLY_FULL = 0.9
"""Of a limit."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What Orthanc may hold; 0: as much as there is room for."""

    patients: int = 0
    size: int = 0
    """Bytes."""
    recycles: bool = True
    """Otherwise it refuses what goes beyond (``MaximumStorageMode``, Orthanc 1.11.3)."""

    @classmethod
    def of(cls, configuration: Mapping[str, Any]) -> "Limits":
        """From Orthanc's own options."""
        return cls(
            patients=int(configuration.get("MaximumPatientCount", 0)),
            size=int(configuration.get("MaximumStorageSize", 0)) * 2**20,
            recycles=configuration.get("MaximumStorageMode", "Recycle") != "Reject",
        )

    def __bool__(self) -> bool:
        return bool(self.patients or self.size)


@dataclass(frozen=True, slots=True)
class Fill:
    """How full Orthanc is, and what that means for unread cases."""

    limits: Limits = Limits()
    patients: int = 0
    size: int = 0
    protected: int = 0
    """Patients that we protect."""
    unprotected: int = 0
    """Unread alerts beyond half of the limit."""
    endangered: int = 0
    """Unread cases without a result among the oldest that Orthanc has."""

    @property
    def nearly_full(self) -> bool:
        """Whether one of the limits is near."""
        return any(
            limit and there >= NEARLY_FULL * limit
            for there, limit in ((self.patients, self.limits.patients), (self.size, self.limits.size))
        )

    @property
    def problem(self) -> Phrase | None:
        """What is said of it on the page, the worst first."""
        if self.unprotected and self.nearly_full:
            return _(
                "Orthanc is nearly full and deletes the oldest patients. Unread alerts that may be deleted: "
                "{count}.",
                count=self.unprotected,
            )
        if self.unprotected:
            return _(
                "There are more unread alerts than can be kept when Orthanc is full. Beyond that: {count}.",
                count=self.unprotected,
            )
        if not self.nearly_full:
            return None
        if not self.limits.recycles:
            return _("Orthanc is nearly full; then it refuses new images.")
        if self.endangered:
            return _(
                "Orthanc is nearly full and deletes the oldest patients. Unread cases without a result among "
                "them: {count}.",
                count=self.endangered,
            )
        return None

    def view(self) -> RecyclingView | None:
        """For the status; ``None`` where Orthanc has no limits."""
        if not self.limits:
            return None
        problem = self.problem
        return RecyclingView(
            patients=self.patients,
            maximum_patients=self.limits.patients or None,
            size_bytes=self.size,
            maximum_size_bytes=self.limits.size or None,
            protected=self.protected,
            unprotected_alerts=self.unprotected,
            problem=Words.of(problem) if problem is not None else None,
        )
