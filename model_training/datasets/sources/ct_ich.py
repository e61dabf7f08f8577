"""``ct_ich``: head trauma patients of one hospital, masks by two radiologists in consensus."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from model_training.datasets.masks import PngMasks
from model_training.datasets.source import FINDINGS, FoundSeries, Truth
from model_training.datasets.sources.tables import rows_of

DOUBTFUL = {
    "CTICH-058": "at most 0.3 ml, nearly isodense",
    "CTICH-070": "old bleed, median 15 HU",
    "CTICH-078": "an opposite contusion seems unmarked",
    "CTICH-079": "at most 0.3 ml, nearly isodense",
    "CTICH-085": "newborn",
}
"""Patients whose label is open to question or who are unlike the rest; reported apart."""


class CtIch:
    """``series/PATIENT/*.dcm``, ``patients.csv``, ``slices.csv`` and ``masks/``."""

    name = "ct_ich"
    licence = (
        "CC BY 4.0; Hssayeni et al., Intracranial Hemorrhage Segmentation Using a Deep Convolutional Model,"
        " Data 2020, 5(1):14"
    )
    trainable = True
    left_out = ()

    def __init__(self, root: Path, work: Path) -> None:
        self.root = root
        self._masks: dict[str, list[tuple[str, Path]]] = defaultdict(list)
        for row in rows_of(root / "slices.csv", ("patient", "slice", "mask")):
            if row["mask"]:
                self._masks[row["patient"]].append((row["slice"], root / row["mask"]))
        columns = ("patient", "age_years", "sex", "any_ich", "bleed_ml", *FINDINGS)
        self._patients = {row["patient"]: row for row in rows_of(root / "patients.csv", columns)}

    def images(self) -> Iterator[Path]:
        """Files of every folder under ``series``."""
        return (self.root / "series").glob("*/*.dcm")

    def person(self, file: Path, patient_id: str) -> str:
        """The folder's name."""
        return file.parent.name

    def truth(self, series: FoundSeries) -> Truth | str:
        """The patient's row; masks belong to slices by their instance numbers."""
        row = self._patients.get(series.person)
        if row is None:
            return "no label"
        return Truth(
            bleeding=row["any_ich"] == "1",
            labels={name: row[name] == "1" for name in FINDINGS},
            masks=PngMasks(tuple(self._masks.get(series.person, ())), "InstanceNumber"),
            bleed_ml=float(row["bleed_ml"]),
            age_years=float(row["age_years"]),
            sex=row["sex"][:1],
            doubtful=DOUBTFUL.get(series.person, ""),
        )
