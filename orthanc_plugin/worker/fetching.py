"""A series' files out of Orthanc: in memory, or on disk where there are many."""

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from headct.images.series import DicomSource
from orthanc_plugin.housekeeping import work_folders
from orthanc_plugin.settings import Settings
from orthanc_plugin.worker.orthanc_client import OrthancClient

FETCH_THREADS = 4
SPOOL_FROM = 150
"""Images from which on a series is kept on disk while it is judged, not in memory."""


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
    folder = None
    if len(instances) > SPOOL_FROM:
        folder = Path(tempfile.mkdtemp(prefix="series-", dir=work_folders.of_this_process(settings).path()))
    sources: list[DicomSource] = []
    total = 0
    try:
        with ThreadPoolExecutor(FETCH_THREADS) as pool:
            step = 4 * FETCH_THREADS  # in groups, so that only a few files are in memory at once
            for start in range(0, len(instances), step):
                for data in pool.map(client.file, instances[start : start + step]):
                    if data is None:
                        continue  # deleted meanwhile: the series will be looked at again
                    total += len(data)
                    if total > settings.max_series_megabytes * 2**20:
                        Fetched((), folder).remove()
                        return None
                    sources.append(_kept(data, folder, len(sources)))
    except BaseException:
        Fetched((), folder).remove()
        raise
    return Fetched(sources, folder)


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


def _kept(data: bytes, folder: Path | None, number: int) -> DicomSource:
    if folder is None:
        return data
    path = folder / f"{number:05d}.dcm"
    path.write_bytes(data)
    return path
