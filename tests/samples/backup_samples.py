"""A data folder as ``headct up`` leaves it, with a store and Orthanc's index and files."""

import atexit
import hashlib
import json
import shutil
import sqlite3
import tempfile
import uuid
from collections.abc import Mapping
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

from model_samples import own_model
from store_samples import MEMORY, arrive_and_judge, open_store
from store_samples import settings as store_settings

from orthanc_plugin.settings import Settings
from orthanc_plugin.stack.credentials import write_private

CT, SR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.88.34"
SCHEMA = """
CREATE TABLE GlobalProperties(property INTEGER PRIMARY KEY, value TEXT);
CREATE TABLE Resources(internalId INTEGER PRIMARY KEY AUTOINCREMENT, resourceType INTEGER, publicId TEXT,
  parentId INTEGER);
CREATE TABLE MainDicomTags(id INTEGER, tagGroup INTEGER, tagElement INTEGER, value TEXT,
  PRIMARY KEY(id, tagGroup, tagElement));
CREATE TABLE Metadata(id INTEGER, type INTEGER, value TEXT, PRIMARY KEY(id, type));
CREATE TABLE AttachedFiles(id INTEGER, fileType INTEGER, uuid TEXT, compressedSize INTEGER,
  uncompressedSize INTEGER, compressionType INTEGER, uncompressedMD5 TEXT, compressedMD5 TEXT,
  PRIMARY KEY(id, fileType));
CREATE TABLE Changes(seq INTEGER PRIMARY KEY AUTOINCREMENT, changeType INTEGER, internalId INTEGER,
  resourceType INTEGER, date TEXT);
"""
"""Of Orthanc's index, version 6, the tables that are read."""


@cache
def _databases() -> tuple[Path, Path]:
    """A store with one alert, and an index that is empty; made once a process."""
    folder = Path(tempfile.mkdtemp(prefix="backup-template-", dir=MEMORY))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    database = open_store(folder)
    with database.writing() as session:
        arrive_and_judge(session, store_settings(folder))
    database.close()
    with closing(sqlite3.connect(folder / "index")) as index:
        index.executescript(SCHEMA)
        index.execute("PRAGMA journal_mode=WAL")
        index.commit()
    return folder / "triage.sqlite", folder / "index"


class FakeStack:
    """The data folder, and Orthanc's side of it."""

    def __init__(self, folder: Path, local: Mapping[str, Any] | None = None) -> None:
        self.data = folder
        self.orthanc = folder / "orthanc"
        self.triage = self.orthanc / "headct-triage"
        self.triage.mkdir(parents=True)
        local = local or {}
        configuration = {
            "StorageDirectory": str(self.orthanc),
            "IndexDirectory": str(self.orthanc),
            "HttpPort": 8042,
            "HeadCTTriage": {"MinimumFreeGigabytes": 0.1},
            **local,
        }
        (folder / "orthanc.json").write_text(json.dumps(configuration))
        (folder / "orthanc.local.json").write_text(json.dumps(local))
        write_private(folder / "credentials", "user: someone\npassword: secret\n")
        for name in ("lock", "loopback.lua"):
            (folder / name).write_text("")
        (folder / "logs").mkdir()
        (folder / "logs" / "orthanc.log").write_text("a line")
        (self.triage / "previews").mkdir()
        (self.triage / "previews" / "slice.png").write_bytes(b"png")
        self.options: Settings = store_settings(self.triage)
        store, index = _databases()
        shutil.copy(store, self.store)
        shutil.copy(index, self.index)

    @property
    def index(self) -> Path:
        """Orthanc's database."""
        return self.orthanc / "index"

    @property
    def store(self) -> Path:
        """The store."""
        return self.triage / "triage.sqlite"

    def own_model(self) -> Path:
        """A model of the hospital's own."""
        return own_model(self.options, "9.0").folder

    def add(self, series: str, content: bytes, sop_class: str = CT) -> Path:
        """An object that Orthanc stored; its file."""
        name = str(uuid.uuid4())
        path = self.orthanc / name[:2] / name[2:4] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        with closing(sqlite3.connect(self.index)) as index:
            found = index.execute("SELECT internalId FROM Resources WHERE publicId = ?", (series,)).fetchone()
            parent = found[0] if found else self._resource(index, 3, series, None)
            if not found:
                modality = "SR" if sop_class == SR else "CT"
                index.execute("INSERT INTO MainDicomTags VALUES (?, 8, 96, ?)", (parent, modality))
            instance = self._resource(index, 4, f"instance-{name}", parent)
            index.execute("INSERT INTO Metadata VALUES (?, 10, ?)", (instance, sop_class))
            size = len(content)
            file = (instance, 1, name, size, size, 1, md5, md5)
            index.execute("INSERT INTO AttachedFiles VALUES (?, ?, ?, ?, ?, ?, ?, ?)", file)
            index.execute("INSERT INTO Changes VALUES (NULL, 2, ?, 4, '')", (instance,))
            index.commit()
        return path

    def delete(self, path: Path) -> None:
        """Orthanc deletes an object: out of its index first."""
        with closing(sqlite3.connect(self.index)) as index:
            index.execute("DELETE FROM AttachedFiles WHERE uuid = ?", (path.name,))
            index.commit()
        path.unlink()

    def _resource(self, index: sqlite3.Connection, kind: int, name: str, parent: int | None) -> int:
        made = index.execute("INSERT INTO Resources VALUES (NULL, ?, ?, ?)", (kind, name, parent))
        assert made.lastrowid is not None
        return made.lastrowid


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
