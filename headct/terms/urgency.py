"""The four colours of the disaster triage tag, their order, labels and words."""

from enum import IntEnum


class Urgency(IntEnum):
    """Urgency of a case; a larger value is worse, so ``max`` gives the worst."""

    GREEN = 0
    """Nothing flagged. Never *normal*."""
    YELLOW = 1
    """Specialist treatment needed but not urgent."""
    RED = 2
    """Urgent, needs specialist treatment at once."""
    BLACK = 3
    """Machine: suspected extreme severity. Person: treatment is not expected to change the outcome."""

    @property
    def alert(self) -> bool:
        """RED and BLACK are alerts."""
        return self >= Urgency.RED

    def machine_labels(self) -> tuple[str, ...]:
        """Orthanc labels for a machine's result; only a person sets ``triage-black``."""
        if self is Urgency.BLACK:
            return ("triage-red", "triage-extreme")
        return (f"triage-{self.name.lower()}",)

    def person_labels(self) -> tuple[str, ...]:
        """Orthanc labels for a person's word."""
        return (f"triage-{self.name.lower()}",)
