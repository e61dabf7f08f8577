"""Unread alerts are kept from Orthanc's recycling: at its limits it deletes the oldest patients, read or not.

Runs inside Orthanc. At most half of what Orthanc may hold is protected: with all of it protected it would
refuse new images. What lies beyond that half is said on the page, and receiving goes on. Only what we
protected is released again; which that is stands in the store.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from sqlalchemy import select

from headct.language import Phrase
from orthanc_plugin.housekeeping import disk
from orthanc_plugin.intake.contents import Get
from orthanc_plugin.recycling import unread
from orthanc_plugin.recycling.fill import Fill, Limits
from orthanc_plugin.recycling.tables import Protection
from orthanc_plugin.rounds import Rounds, all_of
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import queue
from orthanc_plugin.store.database import Database

Put = Callable[[str, str], None]
"""PUT of a body at a path of Orthanc's REST interface."""

STOP_SECONDS = 10.0
LOOK_SECONDS = 2.0
"""Between two looks at the unread alerts: a few seconds after its judgement one is safe."""
COUNT_SECONDS = 30.0
"""Between two looks at how full Orthanc is, for which it counts all it has."""


class Keeper:
    """Protects patients in Orthanc; one instance, one thread."""

    def __init__(self, get: Get, put: Put, database: Database, settings: Settings, limits: Limits) -> None:
        self._get = get
        self._put = put
        self._database = database
        self._settings = settings
        self.rounds = Rounds("keeper", self._round)
        self._next_count = 0.0
        self._patients: dict[str, str | None] = {}
        self._sure: set[str] = set()
        """Patients that we made sure of since start."""
        self.fill = Fill(limits)

    @property
    def trouble(self) -> Phrase | None:
        """What keeps it from its work, while that is so."""
        return self.rounds.trouble

    def start(self) -> None:
        """Begin to protect."""
        self.rounds.start()

    def stop(self) -> None:
        """End; what is protected stays so."""
        self.rounds.stop(STOP_SECONDS)

    def _round(self) -> float:
        if not disk.is_low(self._settings):
            self.step()
        return LOOK_SECONDS

    def step(self) -> None:
        """Protect and release, and count when it is time."""
        all_of(self._protect, self._count_in_time)

    def _protect(self) -> None:
        with self._database.reading() as session:
            ours = set(session.scalars(select(Protection.patient_id)))
            alerts = unread.unread_alerts(session) if self.fill.limits else []
        patients = [p for alert in alerts if (p := self._patient_of(alert.study_id)) is not None]
        wanted = self._within_half(list(dict.fromkeys(patients)))
        for patient in sorted(ours - wanted):
            self._release(patient)
        kept = {patient for patient in wanted if self._is_ours(patient, ours)}
        beyond = len(set(patients) - wanted) if self.fill.limits.recycles else 0
        self.fill = replace(self.fill, protected=len(kept), unprotected=beyond)

    def _within_half(self, patients: Sequence[str]) -> set[str]:
        """Those that fit into half of the limits, the first first."""
        limits, found, size = self.fill.limits, set[str](), 0
        if not limits.recycles:
            return found
        for patient in patients:
            if limits.patients and len(found) + 1 > limits.patients // 2:
                break
            its = int(self._get(f"/patients/{patient}/statistics")["DiskSize"]) if limits.size else 0
            if not limits.size or size + its <= limits.size // 2:
                found.add(patient)
                size += its
        return found

    def _is_ours(self, patient: str, ours: set[str]) -> bool:
        """Make sure that the patient is protected, and say whether it is we who do it."""
        if patient in self._sure:
            return patient in ours
        protected = self._get(f"/patients/{patient}/protected")
        if protected and patient not in ours:
            return False  # by a person, who alone ends it
        if patient not in ours:
            # Noted first: of what is protected and not noted nobody would know that it is ours.
            with self._database.writing() as session:
                session.add(Protection(patient_id=patient, since=queue.utcnow()))
        if not protected:
            self._put(f"/patients/{patient}/protected", "1")
        self._sure.add(patient)
        return True

    def _release(self, patient: str) -> None:
        if self._get(f"/patients/{patient}") is not None:
            self._put(f"/patients/{patient}/protected", "0")
        with self._database.writing() as session:
            if (row := session.get(Protection, patient)) is not None:
                session.delete(row)
        self._sure.discard(patient)

    def _patient_of(self, study_id: str) -> str | None:
        """Orthanc's patient of a study, which never changes."""
        if self._patients.get(study_id) is None:
            study = self._get(f"/studies/{study_id}")
            self._patients[study_id] = str(study["ParentPatient"]) if study is not None else None
        return self._patients[study_id]

    def _count_in_time(self) -> None:
        if self.fill.limits and time.monotonic() >= self._next_count:
            self._next_count = time.monotonic() + COUNT_SECONDS
            self._count()

    def _count(self) -> None:
        there = self._get("/statistics")
        with self._database.reading() as session:
            endangered = unread.endangered(session)
        self.fill = replace(
            self.fill,
            patients=int(there["CountPatients"]),
            size=int(there["TotalDiskSize"]),
            endangered=endangered,
        )
