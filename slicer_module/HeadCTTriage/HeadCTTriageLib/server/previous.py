"""CT series of the same patient's other studies: of the same person, not only of the same number."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any, Optional, Protocol

from ..errors import RefusedError
from .cases import PreviousSeries, Study, Urgency
from .orthanc import OrthancSeries, OrthancStudy
from .reading import read, read_all

MOST_STUDIES = 20
"""The newest are looked at; of who has been scanned more often the rest is looked up in the archive."""
_DATE = re.compile(r"\d{8}")


class Archive(Protocol):
    """Where studies are looked up, such as :class:`client.TriageClient`."""

    def orthanc(self, route: str) -> Any:
        """An answer of Orthanc's own REST interface, parsed."""

    def study(self, study_id: str) -> Study:
        """One study in full, as triage knows it."""


@dataclass(frozen=True)
class Person:
    """Who a patient is, as an image says."""

    PatientID: str = ""
    PatientName: str = ""
    """PS3.5 section 6.2.1."""
    PatientBirthDate: str = ""

    def is_surely(self, other: Person) -> bool:
        """Whether both are one person: the same number and birth date, and no part of the name that differs.

        Numbers are given twice, by two hospitals or to whoever comes without one. What is not said proves
        nothing: without a birth date, or with names in different scripts alone, nobody is taken for another.
        """
        number, born = self.PatientID.strip(), self.PatientBirthDate.strip()
        if not number or number != other.PatientID.strip():
            return False
        if not _DATE.fullmatch(born) or born != other.PatientBirthDate.strip():
            return False
        both = [(a, b) for a, b in zip(_groups(self.PatientName), _groups(other.PatientName)) if a and b]
        return bool(both) and all(a == b for a, b in both)


def previous_series(archive: Archive, study_id: str) -> list[PreviousSeries]:
    """The newest study first, in each the series by their numbers.

    Raises:
        TriageError: as every call of the archive.
    """
    this = read(OrthancStudy, archive.orthanc(f"/studies/{study_id}"))
    here = _person(archive, _ct_series(archive, study_id))
    if here is None or not here.is_surely(here):
        return []
    studies = read_all(OrthancStudy, archive.orthanc(f"/patients/{this.ParentPatient}/studies"))
    others = [one for one in studies if study_id != one.ID]
    others.sort(key=_when, reverse=True)
    found: list[PreviousSeries] = []
    for study in others[:MOST_STUDIES]:
        try:
            images = _ct_series(archive, study.ID)
            person = _person(archive, images)
            if person is not None and here.is_surely(person):
                urgency = _urgency(archive, study.ID)
                found += [_described(one, study, urgency) for one in images]
        except RefusedError as error:
            if error.code != RefusedError.GONE:  # deleted meanwhile
                raise
    return found


def _ct_series(archive: Archive, study_id: str) -> list[OrthancSeries]:
    every = read_all(OrthancSeries, archive.orthanc(f"/studies/{study_id}/series"))
    images = [one for one in every if one.MainDicomTags.get("Modality", "").upper() == "CT"]
    return sorted(images, key=lambda one: (one.MainDicomTags.get("SeriesNumber", "").zfill(12), one.ID))


def _person(archive: Archive, images: list[OrthancSeries]) -> Optional[Person]:
    """As an image says: Orthanc has one record of all studies under a number, that of the first image."""
    instances = [instance for one in images for instance in one.Instances]
    if not instances:
        return None
    return read(Person, archive.orthanc(f"/instances/{instances[0]}/simplified-tags"))


def _urgency(archive: Archive, study_id: str) -> Optional[Urgency]:
    try:
        return archive.study(study_id).case.urgency
    except RefusedError as error:
        if error.code != RefusedError.GONE:
            raise
        return None  # triage does not know the study


def _described(one: OrthancSeries, study: OrthancStudy, urgency: Optional[Urgency]) -> PreviousSeries:
    return PreviousSeries(
        id=one.ID,
        study_id=study.ID,
        study_date=study.MainDicomTags.get("StudyDate", ""),
        study_time=study.MainDicomTags.get("StudyTime", ""),
        study_description=study.MainDicomTags.get("StudyDescription", ""),
        number=one.MainDicomTags.get("SeriesNumber", ""),
        description=one.MainDicomTags.get("SeriesDescription", ""),
        images=len(one.Instances),
        urgency=urgency,
    )


def _when(study: OrthancStudy) -> str:
    return study.MainDicomTags.get("StudyDate", "") + study.MainDicomTags.get("StudyTime", "")


def _groups(name: str) -> list[str]:
    """The component groups, without what only the way of writing makes different."""
    return [
        " ".join(unicodedata.normalize("NFKC", group).casefold().replace("^", " ").split())
        for group in name.split("=")
    ]
