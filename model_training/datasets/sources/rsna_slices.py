"""Single slices of RSNA 2019 as pictures: ``labels.csv`` and the PNG files it names.

One row a slice: ``file``, ``image_id``, ``epidural`` to ``subdural`` and ``any`` (one radiologist a study),
``patient_id`` where known, ``window_width`` of the window the picture was made by, ``brain_fraction``. A
slice without blood says nothing of its patient. The same slices come as DICOM in the published archive
(:mod:`model_training.datasets.sources.rsna`), with their neighbours; a patient has the same name in both.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from headct.errors import UnusableInputError
from model_training.datasets.pictures import Picture
from model_training.datasets.source import ANY
from model_training.datasets.sources.rsna import LICENCE, NAMES, person_name
from model_training.datasets.sources.tables import rows_of

TABLE = "labels.csv"
LEAST_BRAIN = 0.05
"""Share of the picture below which it shows air, or bone at the vertex."""
LITTLE_BRAIN = "hardly any brain in the slice"
_COLUMNS = ("file", "image_id", "patient_id", "window_width", "brain_fraction", ANY, *NAMES)


class RsnaSlices:
    """A folder of pictures with their table."""

    name = "rsna_slices"
    licence = LICENCE
    trainable = False

    def __init__(self, root: Path) -> None:
        self.root = root

    def pictures(self) -> Iterator[Picture]:
        """Every row of the table.

        Raises:
            UnusableInputError: no table, or a row that cannot be.
        """
        table = self.root / TABLE
        for line, row in enumerate(rows_of(table, _COLUMNS), start=2):
            try:
                width, brain = float(row["window_width"]), float(row["brain_fraction"])
            except ValueError as error:
                raise UnusableInputError(f"{table}: line {line} has no number where one belongs") from error
            said = {short: row[name] for name, short in ((ANY, ANY), *NAMES.items())}
            if width <= 0 or not set(said.values()) <= {"0", "1"}:
                raise UnusableInputError(f"{table}: line {line} is no label of a slice")
            name = f"RSNA-slice-{row['image_id'].removeprefix('ID_')}"
            yield Picture(
                name=name,
                person=person_name(row["patient_id"]) if row["patient_id"] else name,
                file=inside(self.root, row["file"], table, line),
                labels={short: value == "1" for short, value in said.items()},
                window_width=width,
                brain_fraction=brain,
                exclusion="" if brain >= LEAST_BRAIN else LITTLE_BRAIN,
            )


def inside(root: Path, told: str, table: Path, line: int) -> Path:
    """A file that a table names by a path from its folder, which may hold links.

    Raises:
        UnusableInputError: the path leads out of the folder.
    """
    path = PurePosixPath(told)
    if not told or path.is_absolute() or ".." in path.parts:
        raise UnusableInputError(f"{table}: line {line} names a file outside the folder")
    return root / path
