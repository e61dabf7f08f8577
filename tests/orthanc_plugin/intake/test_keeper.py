"""Unread alerts are protected in a real Orthanc without the plugin, and receiving goes on."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from orthanc_process import ORTHANC, OrthancProcess
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from store_samples import judgement, seen

from headct.terms.review import Action, Person, Review
from headct.terms.urgency import Urgency
from orthanc_plugin.intake.keeper import Keeper
from orthanc_plugin.recycling import unread
from orthanc_plugin.recycling.fill import Limits
from orthanc_plugin.recycling.tables import Protection
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import queue, results, reviews, withdrawal
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.tables.cases import Series

pytestmark = pytest.mark.skipif(not ORTHANC.exists(), reason="Orthanc is not installed")
SIZE = 200_000
"""Bytes of an image, about."""
LIMIT = 4


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[OrthancProcess]:
    one = OrthancProcess(tmp_path / "orthanc", {})
    one.configuration["Plugins"] = []
    yield one
    one.stop()
    one.http.close()


class Hospital:
    """An Orthanc with limits, a store, and a keeper between them."""

    def __init__(self, orthanc: OrthancProcess, database: Database, options: Settings, **limits: int) -> None:
        orthanc.configuration.update(limits)
        self.orthanc, self.database, self.options = orthanc.start(), database, options
        self.keeper = Keeper(self.get, self.put, database, options, Limits.of(orthanc.configuration))
        self.patients: dict[str, str] = {}

    def get(self, path: str) -> Any:
        answer = self.orthanc.http.get(path)
        return answer.json() if answer.status_code == 200 else None

    def put(self, path: str, body: str) -> None:
        self.orthanc.http.put(path, content=body).raise_for_status()

    def receive(self, name: str, urgency: Urgency = Urgency.RED) -> None:
        """An image is stored, judged, and the keeper looks."""
        image = Dataset()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.SOPClassUID, image.Modality, image.PatientID = CTImageStorage, "CT", name
        for uid in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
            setattr(image, uid, generate_uid())
        image.add_new("PixelData", "OW", np.zeros(SIZE, np.uint8).tobytes())
        buffer = BytesIO()
        image.save_as(buffer, enforce_file_format=True)
        answer = self.orthanc.http.post("/instances", content=buffer.getvalue())
        answer.raise_for_status()  # receiving goes on
        stored = answer.json()
        self.patients[stored["ParentPatient"]] = name
        with self.database.writing() as session:
            for series in session.query(Series).all():  # what Orthanc deleted for it
                if self.get(f"/series/{series.id}") is None:
                    withdrawal.withdraw(session, series.id, queue.utcnow())
            found = seen(stored["ParentSeries"], stored["ParentStudy"], 1)
            quiet = queue.utcnow()
            queue.arrive(session, found, quiet, self.options)
            later = session.get_one(Series, found.series_id).not_before
            claim = queue.claim(session, "w", later, self.options)
            assert claim is not None
            said = judgement(urgency, series=found.series_id)
            assert results.record_assessed(session, claim, said, later, self.options)
        self.keeper.step()

    def read(self, name: str) -> None:
        """A person confirms the alert."""
        with self.database.writing() as session:
            series = next(
                s
                for s in session.query(Series).all()
                if (found := self.get(f"/studies/{s.study_id}"))
                and self.patients[found["ParentPatient"]] == name
            )
            now = queue.utcnow()
            reviews.record(
                session,
                series.id,
                Review(Person("sato", "Sato^Hanako", "Hospital"), now, Action.CONFIRM, Urgency.RED),
                seen=reviews.based_on(series),
                request_id=f"read-{name}",
                asked=name,
                now=now,
            )
        self.keeper.step()

    def protected(self) -> set[str]:
        return {name for p, name in self.patients.items() if self.get(f"/patients/{p}/protected") in (1, "1")}

    def there(self) -> set[str]:
        return {self.patients[p] for p in self.get("/patients")}

    def lost(self) -> int:
        with self.database.reading() as session:
            return len(unread.lost(session))


def test_at_most_half_of_the_patients_the_longest_waiting_and_the_rest_is_said(
    orthanc: OrthancProcess, database: Database, options: Settings
) -> None:
    hospital = Hospital(orthanc, database, options, MaximumPatientCount=LIMIT)
    for name in "ABCDEF":
        hospital.receive(name)
    assert hospital.protected() == {"A", "B"}
    assert hospital.there() == {"A", "B", "E", "F"}
    assert (hospital.keeper.fill.protected, hospital.keeper.fill.unprotected) == (2, 2)
    assert hospital.lost() == 2  # C and D
    hospital.keeper._next_count = 0
    hospital.keeper.step()
    assert hospital.keeper.fill.patients == LIMIT
    assert hospital.keeper.fill.problem is not None
    hospital.read("A")
    assert hospital.protected() == {"B", "E"}
    hospital.read("B")
    assert hospital.protected() == {"E", "F"}
    hospital.receive("G")
    assert hospital.there() == {"B", "E", "F", "G"}
    assert hospital.lost() == 2


def test_half_of_the_size(orthanc: OrthancProcess, database: Database, options: Settings) -> None:
    hospital = Hospital(orthanc, database, options, MaximumStorageSize=1)
    for name in "ABCDEF":
        hospital.receive(name)
    assert hospital.protected() == {"A", "B"}  # 400 kB of 1 MB
    assert "F" in hospital.there()
    hospital.read("A")
    hospital.read("B")
    assert not hospital.protected() & {"A", "B"}


def test_what_a_person_protects_stays_so_and_takes_its_place(
    orthanc: OrthancProcess, database: Database, options: Settings
) -> None:
    hospital = Hospital(orthanc, database, options, MaximumPatientCount=2 * LIMIT)
    hospital.receive("A", Urgency.GREEN)
    (person,) = hospital.patients
    hospital.put(f"/patients/{person}/protected", "1")
    hospital.receive("B")
    with database.reading() as session:
        assert session.query(Protection).count() == 1
    hospital.read("B")
    assert hospital.protected() == {"A"}


def test_a_persons_own_protection_of_an_alert_outlives_its_reading(
    orthanc: OrthancProcess, database: Database, options: Settings
) -> None:
    hospital = Hospital(orthanc, database, options, MaximumPatientCount=LIMIT)
    look, hospital.keeper.step = hospital.keeper.step, lambda: None  # type: ignore[method-assign]
    hospital.receive("A")
    (person,) = hospital.patients
    hospital.put(f"/patients/{person}/protected", "1")
    hospital.keeper.step = look  # type: ignore[method-assign]
    hospital.keeper.step()
    hospital.read("A")
    assert hospital.protected() == {"A"}


def test_without_limits_nobody_is_protected_and_who_was_is_released(
    orthanc: OrthancProcess, database: Database, options: Settings
) -> None:
    hospital = Hospital(orthanc, database, options, MaximumPatientCount=LIMIT)
    hospital.receive("A")
    assert hospital.protected() == {"A"}
    for limits in (Limits(), Limits(patients=LIMIT, recycles=False)):
        Keeper(hospital.get, hospital.put, database, options, limits).step()
        assert hospital.protected() == set()


def test_a_keeper_that_was_killed_before_it_protected_does_so(
    orthanc: OrthancProcess, database: Database, options: Settings
) -> None:
    hospital = Hospital(orthanc, database, options, MaximumPatientCount=LIMIT)
    hospital.receive("A")
    (patient,) = hospital.patients
    hospital.put(f"/patients/{patient}/protected", "0")  # noted in the store, and not done
    Keeper(hospital.get, hospital.put, database, options, Limits(patients=LIMIT)).step()
    assert hospital.protected() == {"A"}
    hospital.orthanc.http.delete(f"/patients/{patient}")
    with database.writing() as session:
        for series in session.query(Series).all():
            withdrawal.withdraw(session, series.id, queue.utcnow())
    hospital.keeper.step()
    with database.reading() as session:
        assert session.query(Protection).count() == 0
