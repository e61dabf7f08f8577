"""What a model may be used for: as far as the licences of the data that it learnt from let it."""

from dataclasses import dataclass
from enum import StrEnum


class Use(StrEnum):
    """What a licence allows."""

    ANY = "any"
    RESEARCH = "research"
    """Research and teaching alone: something that it learnt from may not serve patients or business."""


@dataclass(frozen=True, slots=True)
class Licence:
    """Under which terms a model may be used."""

    text: str
    """In words. What stands before the first semicolon says the most."""
    use: Use

    @property
    def headline(self) -> str:
        """What is said of it where there is one line."""
        return self.text.partition(";")[0].strip()
