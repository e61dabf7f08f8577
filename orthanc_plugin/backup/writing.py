"""All of a backup written into a folder, and read again."""

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import headct
from orthanc_plugin.backup import attachments, copying, databases, manifest
from orthanc_plugin.backup.attachments import Attachment
from orthanc_plugin.backup.copying import UnreadableError
from orthanc_plugin.backup.coverage import Coverage
from orthanc_plugin.backup.errors import BackupError
from orthanc_plugin.backup.manifest import DATA, About

_ROUNDS = 10
"""How often databases are copied anew because images were deleted while theirs were; twice always."""


@dataclass(frozen=True, slots=True)
class Made:
    """A finished backup."""

    folder: Path
    about: About
    files: int
    bytes: int
    said: dict[str, int]
    """How many studies, series and reviews the store has; empty where a server keeps it."""
    sums: str
    """SHA-256 of the list of digests."""


@dataclass(slots=True)
class Writer:
    """Writes a backup into a folder that is not called one yet."""

    coverage: Coverage
    place: Path
    now: datetime
    images: bool
    sums: dict[str, str] = field(default_factory=dict)
    bytes: int = 0
    _copied: set[str] = field(default_factory=set)
    """Orthanc's files."""
    _missing: set[str] = field(default_factory=set)
    _damaged: set[str] = field(default_factory=set)

    def write(self, target: Path) -> Made:
        """Write all of it and read it again."""
        covered = self.coverage
        found = list(covered.files())
        sources = [one.path for one in found]
        sources += [] if covered.index_elsewhere else [covered.index]
        sources += [covered.settings.database_path] if covered.settings.database_path else []
        self._require_room(sum(path.stat().st_size for path in sources if path.exists()))
        store = covered.settings.database_path
        store_place = f"{DATA}/{covered.place(store)}" if store is not None else ""
        index_place = f"{DATA}/{covered.place(covered.index)}" if not covered.index_elsewhere else ""
        self._copy_databases(store, store_place, index_place)
        for one in found:  # after the store, whose reviews a list of reviews beside it must not lack
            try:
                self._copy(one.path, f"{DATA}/{one.place}")
            except FileNotFoundError:
                continue  # deleted meanwhile
        about = About(
            made_at=self.now,
            program=headct.__version__,
            host=socket.gethostname(),
            data=str(covered.data),
            images=self.images,
            store=store_place,
            index=index_place,
            images_folder=f"{DATA}/{covered.place(covered.images)}",
            places={str(path): str(place) for path, place in covered.places.items()},
            missing_files=len(self._missing),
            damaged_files=len(self._damaged),
            skipped=covered.skipped,
        )
        self.sums[manifest.ABOUT] = about.write(self.place)
        os.sync()
        manifest.check_files(self.place, self.sums)
        manifest.write_sums(self.place, self.sums)
        sums = copying.digest(self.place / manifest.SUMS)
        return Made(target, about, len(self.sums), self.bytes, self._said(store_place), sums)

    def _copy_databases(self, store: Path | None, store_place: str, index_place: str) -> None:
        """The store first: what it does not know yet of a later index, it finds in Orthanc's log of changes.

        Orthanc's files are copied as the index lists them, most of them the first time. Those that come
        while this goes on are listed by the next copy of the index; those deleted are not. When a round
        misses no other files than the one before, these are not there at all.
        """
        for number in range(_ROUNDS):
            before = set(self._missing)
            if store is not None:
                copying.make_folders((self.place / store_place).parent)
                (self.place / store_place).unlink(missing_ok=True)
                databases.copy_store(store, self.place / store_place)
            if not index_place:
                break
            copying.make_folders((self.place / index_place).parent)
            databases.copy_index(self.coverage.index, self.place / index_place)
            self._copy_attachments(self.place / index_place)
            if number and self._missing == before:
                break
        else:
            raise BackupError("images are deleted faster than they are copied: run the backup later")
        for place, name in ((store_place, "the store of triage"), (index_place, "Orthanc's index")):
            if place:
                (self.place / place).chmod(copying.PRIVATE_FILE)
                if damage := databases.damage(self.place / place):
                    raise BackupError(f"{name} is damaged ({damage}): keep the backups made before")
                self.sums[place] = copying.digest(self.place / place)
                self.bytes += (self.place / place).stat().st_size

    def _copy_attachments(self, index: Path) -> None:
        """Copy what is listed and not copied yet; forget what is not listed any more."""
        root = f"{DATA}/{self.coverage.place(self.coverage.images)}"
        gone, needed = set(self._copied), 0
        for attachment in self._listed(index):
            gone.discard(attachment.place)
            needed += attachment.bytes if attachment.place not in self._copied else 0
        for place in gone:
            (self.place / root / place).unlink()
            del self.sums[f"{root}/{place}"]
        self._copied -= gone
        self._require_room(needed)
        self._missing.clear()
        for attachment in self._listed(index):
            place = attachment.place
            if place in self._copied:
                continue
            try:
                md5 = self._copy(self.coverage.images / place, f"{root}/{place}")
            except (FileNotFoundError, UnreadableError):
                (self.place / root / place).unlink(missing_ok=True)
                self._missing.add(place)
                continue
            self._copied.add(place)
            if attachment.md5 not in ("", md5):
                self._damaged.add(place)
        self._damaged &= self._copied
        if self._missing and not any(self.coverage.images.glob("??/??/*")):
            raise BackupError(
                f"{self.coverage.images} has no files of Orthanc's: what a storage plugin keeps elsewhere "
                "is to be backed up by its own means"
            )

    def _listed(self, index: Path) -> Iterator[Attachment]:
        return (one for one in attachments.listed(index) if self.images or not one.is_image)

    def _copy(self, source: Path, place: str) -> str:
        self.sums[place], md5 = copying.copy(source, self.place / place)
        self.bytes += (self.place / place).stat().st_size
        return md5

    def _require_room(self, needed: int) -> None:
        """On the disk of the stack itself, triage would stop below what it needs free."""
        settings = self.coverage.settings
        shared = self.place.stat().st_dev == settings.storage.stat().st_dev
        kept = int(settings.minimum_free_gigabytes * 2**30) if shared else 0
        copying.require_room(self.place.parent, needed, kept)

    def _said(self, store: str) -> dict[str, int]:
        if not store:
            return {}
        with closing(databases.read_only(self.place / store)) as connection:
            return {
                table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for table in ("studies", "series", "reviews")
            }
