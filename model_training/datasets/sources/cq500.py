"""CQ500 (headct.qure.ai): 491 scans of Indian centres, read by three radiologists.

``CQ500CT0 CQ500CT0/Unknown Study/CT Plain/CT000000.dcm`` and so on, several series a patient, the patients'
folders at any depth below the root; and ``reads.csv`` with ``name`` (``CQ500-CT-0``), ``Category`` and for
each reader ``R1`` to ``R3`` columns such as ``R1:ICH``, 0 or 1. What two of three say counts.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from model_training.datasets.source import FoundSeries, Truth
from model_training.datasets.sources.tables import rows_of

TABLE = "reads.csv"
READERS = ("R1", "R2", "R3")
NAMES = {"IPH": "iph", "IVH": "ivh", "SDH": "sdh", "EDH": "edh", "SAH": "sah", "Fracture": "fracture"}
_FOLDER = re.compile(r"CQ500-?CT-?(\d+)\b")


class Cq500:
    """The unpacked archives in one folder, with the table beside them."""

    name = "cq500"
    licence = (
        "CC BY-NC-SA 4.0 (non-commercial); Chilamkurthy et al., Deep learning algorithms for detection of"
        " critical findings in head CT scans, Lancet 2018;392:2388-2396"
    )
    trainable = False
    left_out = ()

    def __init__(self, root: Path, work: Path) -> None:
        self.root = root
        columns = ["name", *(f"{reader}:{finding}" for reader in READERS for finding in ("ICH", *NAMES))]
        self._reads = {row["name"]: row for row in rows_of(root / TABLE, columns)}

    def images(self) -> Iterator[Path]:
        """Files of all patients' folders."""
        return self.root.rglob("*.dcm")

    def person(self, file: Path, patient_id: str) -> str:
        """From the patient's folder, in the table's spelling."""
        for part in file.relative_to(self.root).parts:
            if found := _FOLDER.match(part):
                return f"CQ500-CT-{found[1]}"
        return "CQ500-unknown"

    def truth(self, series: FoundSeries) -> Truth | str:
        """The majority's reading; of the whole study, so equal for all its series."""
        row = self._reads.get(series.person)
        if row is None:
            return "no label"
        reads = {f: [row[f"{reader}:{f}"] for reader in READERS] for f in ("ICH", *NAMES)}
        if not all(value in {"0", "1"} for values in reads.values() for value in values):
            return "readings are incomplete"
        said = {finding: values.count("1") for finding, values in reads.items()}
        return Truth(
            bleeding=said["ICH"] >= 2,
            labels={short: said[finding] >= 2 for finding, short in NAMES.items()},
            doubtful="" if said["ICH"] in {0, 3} else "one of three readers disagrees on haemorrhage",
        )
