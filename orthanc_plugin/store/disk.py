"""Free disk, and what is deleted to keep it."""

import shutil
from datetime import timedelta

from sqlalchemy import select

from headct.terms.urgency import Urgency
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import SeriesState
from orthanc_plugin.store import queue
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.preview_files import Folder
from orthanc_plugin.store.tables import Assessment, Series


def free_bytes(settings: Settings) -> int:
    """Free space where the store lies."""
    return shutil.disk_usage(settings.storage).free


def is_low(settings: Settings) -> bool:
    """Whether triage has to stop until there is room again.

    Asked anew each time, never stored: on a full disk nothing can be.
    """
    return free_bytes(settings) < settings.minimum_free_gigabytes * 2**30


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
