"""Free disk, and what is deleted to keep it."""

import os
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from headct.language import Phrase, _
from headct.terms.urgency import Urgency
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import SeriesState
from orthanc_plugin.store import queue
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.preview_files import Folder
from orthanc_plugin.store.tables import Assessment, Series

FULL_BYTES = 2**20
"""Less than this takes no more than an image, which Orthanc then refuses by itself."""
FEW_FILES = 16
"""So many more files and the disk has room for no other, however many bytes are free."""


@dataclass(frozen=True, slots=True)
class Disk:
    """What can be written where the store lies, at this moment."""

    free: int
    files: int | None
    """That can still be made; ``None`` where there is no such limit."""
    read_only: bool

    @classmethod
    def of(cls, settings: Settings) -> "Disk":
        """Asked anew each time, never stored: on a full disk nothing can be."""
        found = os.statvfs(settings.storage)
        return cls(
            free=found.f_bavail * found.f_frsize,
            files=found.f_favail if found.f_files else None,
            read_only=bool(found.f_flag & os.ST_RDONLY),
        )

    @property
    def is_full(self) -> bool:
        """Whether not even Orthanc can store an image."""
        return self.read_only or self.free < FULL_BYTES or (self.files is not None and self.files < FEW_FILES)

    def trouble(self, settings: Settings) -> Phrase | None:
        """Why triage has to stop until that has changed."""
        if self.read_only:
            return _("The disk can only be read: Orthanc refuses new images until it can be written again.")
        if self.is_full:
            return _("The disk is full: Orthanc refuses new images until there is room again.")
        if self.free < settings.minimum_free_gigabytes * 2**30:
            return _("The disk is nearly full ({free:.1f} GB free).", free=self.free / 2**30)
        return None


def free_bytes(settings: Settings) -> int:
    """Free space where the store lies."""
    return Disk.of(settings).free


def is_low(settings: Settings) -> bool:
    """Whether triage has to stop until there is room again."""
    return Disk.of(settings).trouble(settings) is not None


def remove_old_previews(database: Database, settings: Settings) -> int:
    """Delete previews of withdrawn series and, with ``RetentionDays``, old ones that are no alert.

    What was said, and the documents written of it, are never deleted here.
    """
    root = settings.previews_folder
    if not root.is_dir():
        return 0
    old = queue.utcnow() - timedelta(days=settings.retention_days)
    with database.reading() as session:
        alerts = select(Assessment.series_id).where(
            Assessment.withdrawn_at.is_(None), Assessment.urgency.in_((Urgency.RED, Urgency.BLACK))
        )
        keep = select(Series.id).where(Series.state != SeriesState.WITHDRAWN)
        if settings.retention_days:
            keep = keep.where((Series.last_arrival >= old) | Series.id.in_(alerts))
        kept = set(session.scalars(keep))
    removed = [folder for folder in root.iterdir() if folder.name not in kept]
    for folder in removed:
        Folder(folder).remove()
    return len(removed)
