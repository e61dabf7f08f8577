"""A labelled folder: any tree of DICOM files with a ``labels.csv``, as a hospital gives it.

Columns of ``labels.csv``; one of the first three is needed, the others may be absent or a value empty:

``series``, ``study``, ``patient``
    SeriesInstanceUID, StudyInstanceUID or PatientID as in the headers: what the row is about. A row about a
    series counts before one about its study, and that before one about the patient.
``urgency``
    ``GREEN``, ``YELLOW``, ``RED`` or ``BLACK``: a specialist's judgement, which wins over any rubric.
``bleeding``
    1 or 0: is there blood in the head? May be left empty where the kinds of blood say it.
``ivh``, ``iph``, ``sah``, ``edh``, ``sdh``, ``fracture``
    1 or 0: blood in the ventricles, in the brain, subarachnoid, epidural, subdural; fracture of the skull.
``postoperative``
    1 for a head that was operated on; the study is left out.
``mask``
    Where all blood is marked: path from the table's folder to a DICOM segmentation, or to a folder of PNG
    images ``SOPInstanceUID.png`` of the slices with blood.
``doubtful``
    Why the label is open to question; the patient is reported apart.
``excluded``
    Why the series is not learnt from; it is listed with this reason, whether or not its images are there.
``comment``
    Not read.

Patients appear in manifest and reports under names made from their PatientID with a key, ``pseudonyms.key``
beside the table. It is made when there is none; with the same key the same patient keeps the name. In a
folder that ``dataset orthanc`` wrote, known by its ``version.json``, PatientIDs are such names and stay.
"""

import hmac
import os
import secrets
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile

from headct.errors import UnusableInputError
from headct.terms.urgency import Urgency
from model_training.datasets.masks import PngMasks, SegMasks
from model_training.datasets.source import BLEEDS, FINDINGS, FoundSeries, LeftOut, Masks, Truth
from model_training.datasets.sources.tables import rows_of

TABLE, KEY = "labels.csv", "pseudonyms.key"
VERSION = "version.json"
"""Beside a table whose images were de-identified."""
ABOUT = ("series", "study", "patient")
COLUMNS = (
    *ABOUT,
    "urgency",
    "bleeding",
    *FINDINGS,
    "postoperative",
    "mask",
    "doubtful",
    "excluded",
    "comment",
)
_SUFFIXES = {"", ".dcm", ".dicom", ".ima"}
_KEY_BYTES = 32


class Labelled:
    """A folder with ``labels.csv`` and DICOM files anywhere below."""

    name = "labelled"
    licence = "the hospital's own data, for use inside the hospital"
    trainable = True

    def __init__(self, root: Path, work: Path) -> None:
        self.root = root
        self._rows: dict[tuple[str, str], Truth | str] = {}
        self._masks: set[Path] = set()
        excluded: list[dict[str, str]] = []
        for line, row in enumerate(rows_of(root / TABLE), start=2):
            if unknown := sorted(set(row) - set(COLUMNS)):
                raise UnusableInputError(f"{root / TABLE} has a column {unknown[0]!r}, which is not known")
            about = next(((column, row[column]) for column in ABOUT if row.get(column)), None)
            if about is None:
                raise self._wrong(line, "says neither series nor study nor patient")
            truth = self._row(line, row)
            if self._rows.setdefault(about, truth) != truth:
                raise self._wrong(line, f"contradicts an earlier one about the same {about[0]}")
            if row.get("excluded") and row.get("series"):
                excluded.append(row)
        if (root / VERSION).exists():
            self._name: Callable[[str], str] = str
        else:
            key = _key(root / KEY)
            # Asked once a file, and a patient has hundreds.
            self._name = cache(lambda told: f"P-{hmac.new(key, told.encode(), 'sha256').hexdigest()[:12]}")
        self.left_out = tuple(
            LeftOut(
                self._name(row.get("patient") or f"series {row['series']}"),
                row.get("study", ""),
                row["series"],
                row["excluded"],
            )
            for row in excluded
        )

    def images(self) -> Iterator[Path]:
        """Files of the tree that may be DICOM by their suffix, masks left out."""
        for folder, _, names in os.walk(self.root):
            for name in names:
                file = Path(folder, name)
                known = file.suffix.lower() in _SUFFIXES and not name.startswith(".") and name != "DICOMDIR"
                if known and file not in self._masks and file.is_file():
                    yield file

    def person(self, file: Path, patient_id: str) -> str:
        """A name made from the PatientID; files without one are told apart by their folder."""
        return str(self._name(patient_id or f"folder {file.parent.relative_to(self.root).as_posix()}"))

    def truth(self, series: FoundSeries) -> Truth | str:
        """The nearest row that is about the series."""
        about = (("series", series.series), ("study", series.study), ("patient", series.patient_id))
        return next((self._rows[key] for key in about if key in self._rows), "no label")

    def _row(self, line: int, row: dict[str, str]) -> Truth | str:
        said: dict[str, bool] = {}
        for column in ("bleeding", *FINDINGS, "postoperative"):
            if value := row.get(column):
                if value not in {"0", "1"}:
                    raise self._wrong(line, f"has {value!r} for {column}, not 0 or 1")
                said[column] = value == "1"
        urgency = row.get("urgency", "").upper() or None
        if urgency is not None and urgency not in Urgency.__members__:
            raise self._wrong(
                line, f"has {urgency!r} for urgency, not one of {', '.join(Urgency.__members__)}"
            )
        if row.get("excluded"):
            return row["excluded"]
        kinds = [said[kind] for kind in BLEEDS if kind in said]
        if said.get("bleeding") is False and any(kinds):
            raise self._wrong(line, "says that there is no blood and of which kind it is")
        bleeding = said.get("bleeding", True if any(kinds) else False if len(kinds) == len(BLEEDS) else None)
        if bleeding is None and not said.get("postoperative"):
            return "not said whether there is blood"
        return Truth(
            bleeding=bool(bleeding),
            labels={name: said[name] for name in FINDINGS if name in said},
            masks=self._mask(line, row["mask"]) if row.get("mask") else None,
            urgency=urgency,
            postoperative=said.get("postoperative", False),
            doubtful=row.get("doubtful", ""),
        )

    def _mask(self, line: int, told: str) -> Masks:
        path = (self.root / told).resolve()
        if not path.is_relative_to(self.root):
            raise self._wrong(line, "has a mask outside the folder")
        if path.is_file():
            self._masks.add(path)
            return SegMasks(path)
        if images := sorted(path.glob("*.png")):
            return PngMasks(tuple((image.stem, image) for image in images))
        raise self._wrong(line, "has a mask that is neither a file nor a folder of PNG images")

    def _wrong(self, line: int, what: str) -> UnusableInputError:
        return UnusableInputError(f"{self.root / TABLE}: line {line} {what}")


def _key(path: Path) -> bytes:
    """The key of the names, made on first use and readable by its owner alone."""
    if not path.exists():
        try:
            # Renamed when whole: half a key would give other names.
            with NamedTemporaryFile(dir=path.parent, prefix=".key-", delete=False) as file:
                file.write(secrets.token_bytes(_KEY_BYTES))
            Path(file.name).rename(path)
        except OSError as error:
            raise UnusableInputError(f"{path} cannot be made; it keeps the patients' names secret") from error
    key = path.read_bytes()
    if len(key) < _KEY_BYTES:
        raise UnusableInputError(f"{path} is damaged: {len(key)} bytes instead of {_KEY_BYTES}")
    return key
