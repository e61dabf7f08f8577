"""RSNA 2019 (Kaggle ``rsna-intracranial-hemorrhage-detection``): one flat folder of anonymised images.

``stage_2_train/ID_*.dcm``, 750,000 files whose names say nothing of series or patient, and
``stage_2_train.csv`` with the columns ``ID,Label`` and six rows an image: ``ID_12cadc6af_epidural,0`` and so
on for intraparenchymal, intraventricular, subarachnoid, subdural and any. A few images have their rows twice.
Headers keep pseudonyms of patient, study and series (``ID_...``) and the geometry, no age, sex or date.
Labels are of slices, and each slice keeps its own; a series has what any of its slices has.
"""

import os
import sqlite3
from collections.abc import Iterator
from functools import reduce
from itertools import islice
from operator import or_
from pathlib import Path

from headct.errors import UnusableInputError
from model_training.datasets.source import ANY, FoundSeries, Truth
from model_training.datasets.sources.tables import rows_of

TABLE, IMAGES = "stage_2_train.csv", "stage_2_train"
NAMES = {
    "epidural": "edh",
    "intraparenchymal": "iph",
    "intraventricular": "ivh",
    "subarachnoid": "sah",
    "subdural": "sdh",
}
LICENCE = (
    "Brain CT Hemorrhage Dataset, Copyright RSNA, 2019: non-commercial purposes only, including academic"
    " research and education; no attempt to identify or contact anybody; cite Flanders AE et al.,"
    " Radiology: Artificial Intelligence 2020;2:3, 10.1148/ryai.2020190211"
)
_BIT = {name: 1 << k for k, name in enumerate((ANY, *NAMES))}
_ALL = sum(_BIT.values())
_ROWS = 50_000
_ASKED = 500


class Rsna:
    """The unpacked archive."""

    name = "rsna"
    licence = LICENCE
    trainable = False
    left_out = ()

    def __init__(self, root: Path, work: Path) -> None:
        self.root = root
        self._labels = _labels(root / TABLE, work / "rsna-labels.sqlite")

    def images(self) -> Iterator[Path]:
        """Files of the flat folder."""
        # Path.glob would hold the whole folder.
        try:
            entries = os.scandir(self.root / IMAGES)
        except OSError as error:
            raise UnusableInputError(f"there is no folder {self.root / IMAGES}") from error
        with entries:
            yield from (Path(entry.path) for entry in entries if entry.name.endswith(".dcm"))

    def person(self, file: Path, patient_id: str) -> str:
        """The pseudonym in the header."""
        return person_name(patient_id)

    def truth(self, series: FoundSeries) -> Truth | str:
        """What any slice has; nothing where rows of a slice are missing."""
        told: dict[str, int] = {}
        for k in range(0, len(series.files), _ASKED):
            names = [file.stem for file in series.files[k : k + _ASKED]]
            query = f"SELECT image, present, said FROM labels WHERE image IN ({', '.join('?' * len(names))})"
            found = self._labels.execute(query, names).fetchall()
            if len(found) < len(names) or any(said != _ALL for *_, said in found):
                return "no label"
            told |= {image: present for image, present, _ in found}
        anywhere = reduce(or_, told.values(), 0)
        return Truth(
            bleeding=bool(anywhere & _BIT[ANY]),
            labels=_said(anywhere),
            slices={image: {ANY: bool(bits & _BIT[ANY]), **_said(bits)} for image, bits in told.items()},
        )


def _said(bits: int) -> dict[str, bool]:
    return {short: bool(bits & _BIT[name]) for name, short in NAMES.items()}


def person_name(patient_id: str) -> str:
    """A patient's name, made from the pseudonym in headers and tables."""
    return f"RSNA-{patient_id.removeprefix('ID_') or 'unknown'}"


def _labels(table: Path, path: Path) -> sqlite3.Connection:
    """Bits of each image in a database beside the prepared data: 4.5 million rows need not fit in memory."""
    try:
        status = table.stat()
    except OSError as error:
        raise UnusableInputError(f"there is no {table}") from error
    stamp = f"{status.st_size} {status.st_mtime_ns}"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE IF NOT EXISTS done (stamp TEXT)")
    if database.execute("SELECT stamp FROM done").fetchall() == [(stamp,)]:
        return database
    # One transaction: a killed run leaves nothing.
    with database:
        database.execute("DROP TABLE IF EXISTS labels")
        database.execute(
            "CREATE TABLE labels (image TEXT PRIMARY KEY, present INTEGER, said INTEGER) WITHOUT ROWID"
        )
        rows = _bits(table)
        while batch := list(islice(rows, _ROWS)):
            database.executemany(
                "INSERT INTO labels VALUES (?, ?, ?) ON CONFLICT (image)"
                " DO UPDATE SET present = present | excluded.present, said = said | excluded.said",
                batch,
            )
        database.execute("DELETE FROM done")
        database.execute("INSERT INTO done VALUES (?)", (stamp,))
    return database


def _bits(table: Path) -> Iterator[tuple[str, int, int]]:
    """Image, its bit if the label is 1, its bit."""
    for row in rows_of(table, ("ID", "Label")):
        image, _, finding = row["ID"].rpartition("_")
        if finding not in _BIT or row["Label"] not in {"0", "1"}:
            raise UnusableInputError(f"{table} has a row {row['ID']},{row['Label']}, which is no label")
        yield image, _BIT[finding] * int(row["Label"]), _BIT[finding]
