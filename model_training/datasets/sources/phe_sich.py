"""``phe_sich``: spontaneous bleeds of the basal ganglia, another hospital; every patient bleeds."""

from collections.abc import Iterator
from pathlib import Path

from model_training.datasets.source import FoundSeries, Truth
from model_training.datasets.sources.tables import rows_of


class PheSich:
    """``series/PATIENT/*.dcm`` and ``slices.csv``; boxes, no masks."""

    name = "phe_sich"
    licence = "PHE-SICH-CT-IDS, non-commercial use"
    trainable = False
    left_out = ()

    def __init__(self, root: Path, work: Path) -> None:
        self.root = root
        self._patients = {row["patient"] for row in rows_of(root / "slices.csv", ("patient",))}

    def images(self) -> Iterator[Path]:
        """Files of every folder under ``series``."""
        return (self.root / "series").glob("*/*.dcm")

    def person(self, file: Path, patient_id: str) -> str:
        """The folder's name."""
        return file.parent.name

    def truth(self, series: FoundSeries) -> Truth | str:
        """Bleeding in every case; what the boxes leave out is not proof of no blood."""
        return Truth(bleeding=True) if series.person in self._patients else "no label"
