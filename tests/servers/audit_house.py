"""A store with its keys, on which Orthanc's process is started again and again."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import select
from store_samples import open_store
from store_samples import settings as plain

from headct.reports.seals import KeyRing
from orthanc_plugin.audit import beside, chain
from orthanc_plugin.audit.beside import END_FILE
from orthanc_plugin.audit.chain import Head
from orthanc_plugin.audit.keeping import Auditor
from orthanc_plugin.audit.notes import Notes
from orthanc_plugin.audit.starts import Start
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import queue
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.tables import AuditEntry

PEOPLE = {"sato": {"Name": "Sato^Hanako", "Organisation": "Minato", "Role": "administrator"}}
USERS = {"sato": "correct horse", "headct": "battery staple"}


class House:
    """The store, the keys, and a clock that a test puts forward."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database: Database = open_store(folder)
        self.now = 1_000.0
        self.notes = Notes(lambda: self.now)
        self.ring = KeyRing.read_or_make(self.settings().key_file)

    def settings(self, **changes: object) -> Settings:
        return plain(self.folder, **{"people": PEOPLE, **changes})

    def start(self, configuration: dict[str, Any] | None = None, **changes: object) -> Auditor:
        options = self.settings(**changes)
        said = {"RegisteredUsers": USERS, "DicomPort": 4242, **(configuration or {})}
        return Auditor(
            self.database,
            options,
            KeyRing.read(options.key_file),
            notes=self.notes,
            start=Start.of(options, said, "1.10.1"),
            clock=lambda: self.now,
        )

    def run(self, auditor: Auditor, seconds: int = 10) -> None:
        for _ in range(seconds):
            auditor.keep()
            self.now += 1

    def entries(self, event: str | None = None) -> list[AuditEntry]:
        with self.database.reading() as session:
            found = session.scalars(select(AuditEntry).order_by(AuditEntry.number)).all()
        return [entry for entry in found if event in (None, entry.event)]

    def write(self, statement: str) -> None:
        with closing(sqlite3.connect(self.folder / "triage.sqlite")) as connection:
            connection.execute(statement)
            connection.commit()

    @property
    def end(self) -> Head | None:
        return beside.read(self.folder / "secrets" / END_FILE, self.ring)


def review(house: House, *events: str) -> None:
    with house.database.writing() as session:
        for event in events or ("reviewed",):
            chain.add(session, event, queue.utcnow(), actor="sato")
