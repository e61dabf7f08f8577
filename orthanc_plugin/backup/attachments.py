"""Orthanc's files as its index lists them: each is written once, under a name of its own."""

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from headct.images.sop_classes import shows_nothing
from orthanc_plugin.backup import databases

_DICOM = 1
"""Orthanc's number of the content type of DICOM files (FileContentType)."""
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LISTED = """
SELECT file.uuid, file.compressedSize, file.compressedMD5, file.fileType, series.publicId,
  (SELECT value FROM Metadata WHERE id = file.id AND type = 10),
  (SELECT value FROM MainDicomTags WHERE id = series.internalId AND tagGroup = 8 AND tagElement = 96)
FROM AttachedFiles AS file
JOIN Resources AS instance ON instance.internalId = file.id
LEFT JOIN Resources AS series ON series.internalId = instance.parentId AND instance.resourceType = 4
"""
"""Metadata 10 is the SOP class, tag (0008,0060) the modality, resource type 4 an instance."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """One of Orthanc's files."""

    place: str
    """In Orthanc's folder."""
    bytes: int
    md5: str
    """Empty where Orthanc keeps none."""
    is_image: bool
    """Neither a report nor another object that shows nothing."""
    is_dicom: bool
    series: str
    """Orthanc's identifier, empty where it belongs to no series."""


def listed(index: Path) -> Iterator[Attachment]:
    """All files that a copy of Orthanc's index lists.

    Raises:
        sqlite3.Error: it is no index of Orthanc's.
        ValueError: it names a file as Orthanc does not.
    """
    with closing(databases.read_only(index)) as connection:
        for uuid, size, md5, kind, series, sop_class, modality in connection.execute(_LISTED):
            if not _UUID.fullmatch(uuid):
                raise ValueError("the name of a file in Orthanc's index is none")
            yield Attachment(
                f"{uuid[:2]}/{uuid[2:4]}/{uuid}",
                bytes=size,
                md5=md5 or "",
                is_image=bool(series)
                and not shows_nothing(sop_class or "", (modality or "").strip().upper()),
                is_dicom=kind == _DICOM,
                series=series or "",
            )


def last_change(index: Path) -> int:
    """Number of the last entry that a copy of Orthanc's index ever wrote into its log of changes."""
    with closing(databases.read_only(index)) as connection:
        row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'Changes'").fetchone()
        return int(row[0]) if row else 0


def series_without_files(index: Path, images: Path) -> set[str]:
    """Series of which an image that the index lists has no file."""
    return {
        attachment.series
        for attachment in listed(index)
        if attachment.is_dicom and attachment.series and not (images / attachment.place).is_file()
    }
