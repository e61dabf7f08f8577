"""A series' files out of Orthanc: in memory, or on disk where there are many."""

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock

from headct.images.series import DicomSource
from orthanc_plugin.housekeeping import work_folders
from orthanc_plugin.settings import Settings
from orthanc_plugin.worker.orthanc_client import OrthancClient

FETCH_THREADS = 4
SPOOL_FROM = 150
"""Images from which on a series is kept on disk while it is judged, not in memory."""
IN_MEMORY_BYTES = 2**28
"""What is kept in memory of a smaller one: 120 images of 1024 by 1024, no multi-frame file of a gigabyte."""

_MEGABYTE = 2**20


@dataclass(frozen=True, slots=True)
class Fetched:
    """A series' files, as bytes or on disk."""

    sources: Sequence[DicomSource]
    folder: Path | None = None

    def remove(self) -> None:
        """Delete what lies on disk."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def fetch(client: OrthancClient, instances: Sequence[str], settings: Settings) -> Fetched | None:
    """The files of some instances, without those deleted meanwhile; ``None`` when they are too large.

    Args:
        client: to ask.
        instances: Orthanc's identifiers.
        settings: what is too large, and where files may lie.

    Raises:
        OrthancError: Orthanc does not give one of them.
        OSError: there is no room for them.
    """
    place = _Place(settings, spooled=len(instances) > SPOOL_FROM)
    sources: list[DicomSource] = []
    try:
        with ThreadPoolExecutor(FETCH_THREADS) as pool:
            step = 4 * FETCH_THREADS  # in groups, so that only a few files are in memory at once
            for start in range(0, len(instances), step):
                group = instances[start : start + step]
                found = pool.map(partial(_one, client, place), group, range(start, start + len(group)))
                # Those deleted meanwhile are left out: the series will be looked at again.
                sources += [source for source in found if source is not None]
    except _TooLargeError:
        Fetched((), place.folder).remove()
        return None
    except BaseException:
        Fetched((), place.folder).remove()
        raise
    return Fetched(sources, place.folder)


class _TooLargeError(Exception):
    """The files together are larger than may be fetched."""


class _Place:
    """Where the files of a series go, and how much more of them may come."""

    def __init__(self, settings: Settings, *, spooled: bool) -> None:
        self.folder: Path | None = None
        self.spooled = spooled
        self._own = work_folders.of_this_process(settings)
        self._left = settings.max_series_megabytes * _MEGABYTE
        self._in_memory = IN_MEMORY_BYTES
        self._lock = Lock()

    def take(self, size: int, *, in_memory: bool) -> bool:
        """Count what came; false when it is too much for memory.

        Raises:
            _TooLargeError: it is too much altogether.
        """
        with self._lock:
            self._left -= size
            self._in_memory -= size if in_memory else 0
            if self._left < 0:
                raise _TooLargeError
            return self._in_memory >= 0

    def path(self, number: int) -> Path:
        """Where a file lies that is not kept in memory."""
        with self._lock:
            if self.folder is None:
                self.folder = Path(tempfile.mkdtemp(prefix="series-", dir=self._own.path()))
            return self.folder / f"{number:05d}.dcm"


def _one(client: OrthancClient, place: _Place, instance: str, number: int) -> DicomSource | None:
    with client.reading(instance) as pieces:
        if pieces is None:
            return None
        kept: list[bytes] = []
        fits = not place.spooled
        while fits and (piece := next(pieces, None)) is not None:
            kept.append(piece)
            fits = place.take(len(piece), in_memory=True)
        if fits:
            return b"".join(kept)
        path = place.path(number)
        with path.open("wb") as file:
            file.writelines(kept)
            for piece in pieces:
                place.take(len(piece), in_memory=False)
                file.write(piece)
        return path


def digest(sources: Sequence[DicomSource]) -> str:
    """SHA-256, hex, of the data sets of some files, in whatever order they come.

    Without the file meta information, which names who sent them and how.
    """
    each = sorted(
        hashlib.sha256(_data_set(source if isinstance(source, bytes) else Path(source).read_bytes())).digest()
        for source in sources
    )
    return hashlib.sha256(b"".join(each)).hexdigest()


def _data_set(file: bytes) -> memoryview:
    """What follows the file meta information (PS3.10 section 7.1), all of it where that has no length."""
    if file[128:132] != b"DICM" or file[132:140] != b"\x02\x00\x00\x00UL\x04\x00":
        return memoryview(file)
    return memoryview(file)[144 + int.from_bytes(file[140:144], "little") :]


def fetch_series(client: OrthancClient, series_id: str, settings: Settings) -> Fetched | None:
    """All files of a series, none where Orthanc has it no longer; ``None`` when they are too large.

    Raises:
        OrthancError: Orthanc does not give one of them.
        OSError: there is no room for them.
    """
    return fetch(client, client.instances(series_id) or (), settings)
