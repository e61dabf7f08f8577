"""One reviewed series from Orthanc to a folder of images that name nobody, whole or not at all.

Originals stay in memory and are never written. What becomes of a series is kept in ``series.json`` beside its
images, so that an unchanged series is not asked for again.
"""

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Self

from headct.eligibility.by_headers import check_headers
from headct.errors import DeidentificationError, NotAnalysedError, UnusableInputError
from headct.images.headers import text
from headct.images.reading import read_headers
from headct.reasons import Reason, ReasonCode
from headct.terms.label import StoredLabel
from model_training.datasets.orthanc import Pacs, StoredImage
from model_training.datasets.selection import POSTOPERATIVE, Selection
from model_training.deidentification.audit import audit, files_below
from model_training.deidentification.identifiers import Identifiers
from model_training.deidentification.profile import deidentify
from model_training.deidentification.pseudonyms import Key

RECORD = "series.json"
FORMAT = 2
"""Of images and records: raised when a change of this package makes earlier ones out of date."""
REFUSED_BY_AUDIT = "something that identifies was left"
_UNFINISHED = ".unfinished-"
_REFUSALS = """
bits burnt cannot captures colour damaged differ different file frame frames have identified impossible
instance into missing more multi-frame modalities padding page people picture pixel same says secondary size
taken text than that would written
"""
"""Words of what ``deidentify`` says."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """What became of one series."""

    patient: str
    """Pseudonym."""
    study: str
    series: str
    """New UIDs."""
    images: int = 0
    left_out: str = ""
    """Why there are no images; empty too where none were wanted."""

    def write(self, folder: Path) -> None:
        """Write ``series.json``; :meth:`read` reads it back."""
        (folder / RECORD).write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """What is known of a series, ``None`` when nothing."""
        try:
            return cls(**json.loads((folder / RECORD).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None


OWN_WORDS = frozenset({
    *(one.name for one in fields(Pulled)),
    *(word for code in ReasonCode for word in re.findall(r"\w+", Reason(code).sentence())),
    *(word for said in (POSTOPERATIVE, _REFUSALS) for word in re.findall(r"[\w-]+", said)),
    RECORD,
})  # fmt: skip
"""That a record may use; never words of the record itself, which may quote a header."""


@dataclass(frozen=True, slots=True)
class Puller:
    """Fetches from one Orthanc, with one key and one set of rules."""

    pacs: Pacs
    key: Key
    selection: Selection

    def content_name(self, images: Sequence[StoredImage], *, wanted: bool) -> str:
        """The folder's name: another when an image comes, goes or is stored again, or the rules change."""
        stored = (part for image in images for part in (image.id, image.file))
        return self.key.mark(f"{FORMAT} {wanted}", *self.selection.postoperative, "images", *stored)

    def pull(
        self, series: StoredLabel, images: Sequence[StoredImage], folder: Path, *, wanted: bool
    ) -> Pulled:
        """Fetch a series, or one image of it to know whose it is, and write the folder.

        A series that the program would not judge by its headers, post-operative ones and those that cannot
        be de-identified are left out with the reason. Descriptions, by which that is known, do not come out.

        Raises:
            PacsError: Orthanc does not answer.
            UnusableInputError: it no longer has all images.
            DeidentificationError: the audit found something that identifies; nothing is kept.
        """
        originals = [self.pacs.file(image) for image in (images if wanted else images[:1])]
        unfinished = folder.with_name(f"{_UNFINISHED}{folder.name}")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        try:
            pulled = self._deidentified(originals, series, unfinished, wanted)
            pulled.write(unfinished)
            audit(files_below(unfinished), Identifiers.of(originals), OWN_WORDS)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return pulled

    def _deidentified(
        self, originals: list[bytes], series: StoredLabel, folder: Path, wanted: bool
    ) -> Pulled:
        """Images into a folder, unless something speaks against it."""
        try:
            headers = read_headers(originals)
        except NotAnalysedError:
            raise UnusableInputError("an image is no DICOM") from None
        patient = self.key.pseudonym(text(headers[0], "PatientID"))
        about = Pulled(
            patient, self.key.uid(series.study_instance_uid), self.key.uid(series.series_instance_uid)
        )
        if not wanted:
            return about
        if any(self.selection.says_postoperative(text(header, "StudyDescription")) for header in headers):
            return replace(about, left_out=POSTOPERATIVE)
        try:
            check_headers(headers)
        except NotAnalysedError as error:
            # Without the details, which quote the header.
            return replace(about, left_out=Reason(error.reason.code).sentence())
        try:
            for image in deidentify(originals, self.key):
                (folder / image.name).write_bytes(image.data)
        except DeidentificationError as error:
            for file in folder.iterdir():
                file.unlink()
            return replace(about, left_out=f"cannot be de-identified: {error}")
        return replace(about, images=len(originals))
