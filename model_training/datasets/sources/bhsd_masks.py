"""``bhsd_masks``: single slices with blood, every type marked (BHSD), pictures of 0 to 255 HU.

``labels.csv`` names pictures and masks and counts each type's pixels; ``mbh25/`` lies upside down. A scan
(``volume``) is taken for one patient, in both folders. The patients are of the same origin as RSNA's, which
of them is not known: these slices are no stranger to a network that was trained on those.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from headct.errors import UnusableInputError
from model_training.datasets.pictures import Picture
from model_training.datasets.source import ANY
from model_training.datasets.sources.rsna import NAMES
from model_training.datasets.sources.rsna_slices import TABLE, inside
from model_training.datasets.sources.tables import rows_of

UPSIDE_DOWN = "mbh25"
_COLUMNS = ("file", "mask", "volume", "slice", ANY, *(f"{name}_px" for name in NAMES))


class BhsdMasks:
    """Folders of pictures and masks with their table."""

    name = "bhsd_masks"
    licence = "BHSD, MIT; Wu et al., BHSD: A 3D Multi-class Brain Hemorrhage Segmentation Dataset, MLMI 2023"
    trainable = True

    def __init__(self, root: Path) -> None:
        self.root = root

    def pictures(self) -> Iterator[Picture]:
        """Every row of the table.

        Raises:
            UnusableInputError: no table, or a row that cannot be.
        """
        table = self.root / TABLE
        for line, row in enumerate(rows_of(table, _COLUMNS), start=2):
            counts = {short: row[f"{name}_px"] for name, short in NAMES.items()}
            if not all(count.isdecimal() for count in counts.values()):
                raise UnusableInputError(f"{table}: line {line} has no number where one belongs")
            folder = PurePosixPath(row["file"]).parts[0]
            yield Picture(
                name=f"BHSD-{folder}-{PurePosixPath(row['file']).stem}",
                person=f"BHSD-{row['volume']}",
                file=inside(self.root, row["file"], table, line),
                labels={ANY: row[ANY] == "1", **{short: int(n) > 0 for short, n in counts.items()}},
                window_width=None,
                mask=inside(self.root, row["mask"], table, line),
                upside_down=folder == UPSIDE_DOWN,
            )
