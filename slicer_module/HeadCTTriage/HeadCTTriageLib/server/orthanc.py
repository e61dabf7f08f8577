"""Studies and series as Orthanc's own REST interface describes them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OrthancStudy:
    """A study."""

    ID: str
    ParentPatient: str
    MainDicomTags: dict[str, str]


@dataclass(frozen=True)
class OrthancSeries:
    """A series."""

    ID: str
    Instances: tuple[str, ...]
    MainDicomTags: dict[str, str]
