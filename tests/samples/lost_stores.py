"""A hospital in small: an Orthanc with images and documents, and a store that is lost."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import pytest
from pydicom import dcmread
from report_cases import header
from sqlalchemy.orm import Session
from store_samples import START, judgement, open_store, settings

from headct.reports.seals import KeyRing
from headct.terms.review import Action, Exclusion, Person, Review
from headct.terms.urgency import Urgency
from orthanc_plugin.cases import records, worklist
from orthanc_plugin.states import SeriesState
from orthanc_plugin.store import outbox, queue, results, review_documents, reviews, withdrawal
from orthanc_plugin.store.clock import Clocks, observe
from orthanc_plugin.store.queue import Seen
from orthanc_plugin.store.tables import Document, Series
from orthanc_plugin.vouching import found
from orthanc_plugin.worker.orthanc_client import OrthancClient
from orthanc_plugin.worker.verifying import Verifier

STEP = 100.0
"""Seconds between two things that happen: longer than any pause of the queue."""


@dataclass
class Images:
    """A series in Orthanc."""

    seen: Seen
    patient: str
    pixels: str
    machine: Urgency


@dataclass
class FakeOrthanc:
    """What a worker asks of Orthanc, with series and documents that tests put there."""

    series: dict[str, Images] = field(default_factory=dict)
    documents: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """The study and the bytes of each, by Orthanc's identifier."""
    received_at: datetime | None = None

    def store(self, study_id: str, content: bytes) -> str:
        """Put a document there; identified like Orthanc does by what it is."""
        said = dcmread(BytesIO(content))
        instance = f"{said.PatientID}-{said.SOPInstanceUID}"
        self.documents[instance] = study_id, content
        return instance

    def reports_of(self, study_id: str) -> tuple[str, ...]:
        return tuple(i for i, (study, _content) in self.documents.items() if study == study_id)

    def file(self, instance_id: str) -> bytes | None:
        return self.documents[instance_id][1] if instance_id in self.documents else None

    def received(self, _instance_id: str) -> datetime | None:
        return self.received_at

    def refuses(self, _error: Exception) -> bool:
        return True


class Hospital:
    """One Orthanc with triage, without the processes. Between two things that happen all work is done."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *, list_kept: bool = True) -> None:
        self.folder = folder
        self.orthanc = FakeOrthanc()
        self.options = settings(folder, secrets=folder / "secrets")
        self.list_kept = list_kept
        self.time = self.set_by = 0.0
        self.requests = 0
        monkeypatch.setattr(queue, "utcnow", lambda: self.now)
        self._open("0")

    def _open(self, name: str) -> None:
        (self.folder / name).mkdir()
        self.database = open_store(self.folder / name)
        self.verifier = Verifier(cast(OrthancClient, self.orthanc), self.database, self.options)
        self.stores = int(name)

    @property
    def now(self) -> datetime:
        return START + timedelta(seconds=self.time)

    @property
    def ring(self) -> KeyRing:
        assert self.verifier.keys.ring is not None
        return self.verifier.keys.ring

    def set_clock(self, by: timedelta, *, seen: bool) -> None:
        """The clock jumps; times of the store go with it where a process of ours sees it."""
        shown = []
        for jump in (0.0, by.total_seconds()):
            self.time += jump
            self.set_by += jump
            shown.append(Clocks(self.now, self.time - self.set_by, "boot"))
        if seen:
            with self.database.writing() as session:
                for clocks in shown:
                    observe(session, clocks)

    def arrive(
        self,
        name: str,
        *,
        count: int = 3,
        patient: str = "P-1",
        machine: Urgency | None = None,
        **changes: Any,
    ) -> str:
        """Images come: a new series, or more of one. ``changes`` as :class:`Seen` names them."""
        study = changes.pop("study", f"1.3.{len(name)}")
        values = {
            "series_id": f"{patient}/{study}/{name}",
            "study_id": f"{patient}/{study}",
            "series_instance_uid": f"1.2.{''.join(str(ord(c)) for c in name)}",
            "study_instance_uid": study,
            "modality": "CT",
            "instance_count": count,
        }
        pixels = str(changes.pop("pixels", f"{name}/{count}"))
        seen = Seen(**{**values, **changes})
        says = machine if machine is not None else list(Urgency)[sum(pixels.encode()) % len(Urgency)]
        self.orthanc.series[seen.series_id] = Images(seen, patient, pixels, says)
        with self.database.writing() as session:
            queue.arrive(session, seen, self.now, self.options)
        self.work()
        return seen.series_id

    def delete(self, series_id: str) -> None:
        """Images are deleted from Orthanc."""
        del self.orthanc.series[series_id]
        with self.database.writing() as session:
            withdrawal.withdraw(session, series_id, self.now)
            # Images under their first patient count again: the next sweep sees them.
            for other in self.orthanc.series.values():
                row = session.get_one(Series, other.seen.series_id)
                if row.state is SeriesState.WITHDRAWN and row.superseded_by is None:
                    queue.arrive(session, other.seen, self.now, self.options)
        self.work()

    def review(self, series_id: str, login: str, urgency: Urgency | None) -> bool:
        """A reader speaks; false where the series cannot be reviewed."""
        exclude = urgency is None
        said = Review(
            Person(login, f"{login.title()}^Hanako", "St. Elsewhere"),
            self.now,
            Action.EXCLUDE if exclude else Action.RELABEL,
            urgency,
            reason=Exclusion.POOR_QUALITY if exclude else None,
        )
        self.requests += 1
        with self.database.writing() as session:
            row = session.get(Series, series_id)
            if row is None or row.state is SeriesState.WITHDRAWN:
                return False
            seen, name = reviews.based_on(row), f"r{self.requests}"
            reviews.record(session, series_id, said, seen=seen, request_id=name, asked=name, now=self.now)
        self.work()
        return True

    def upload(self, study_id: str, content: bytes) -> str:
        """Anybody puts a report into Orthanc."""
        instance = self.orthanc.store(study_id, content)
        with self.database.writing() as session:
            found.note(session, study_id, [instance], self.now)
        self.work()
        return instance

    def work(self) -> None:
        """Everything that is to be done."""
        self.time += STEP
        while self._judge() or self.verifier.look_next() or self._report() or self.verifier.list_next():
            pass
        self._publish()
        self.time += STEP

    def _judge(self) -> bool:
        with self.database.writing() as session:
            claim = queue.claim(session, "w", self.now, self.options)
        if claim is None:
            return False
        self.verifier.seek(claim.series_id)
        images = self.orthanc.series[claim.series_id]
        said = judgement(images.machine, f"{images.patient}/{images.pixels}", series=claim.series_id)
        said = replace(said, pixel_digest=images.pixels, documents=())
        with self.database.writing() as session:
            assert results.record_assessed(session, claim, said, self.now, self.options, files_digest="all")
        self.time += 1
        return True

    def _report(self) -> bool:
        with self.database.reading() as session:
            due = review_documents.next_due(session)
        if due is None:
            return False
        images = self.orthanc.series[due.series_id]
        headers = [
            header(
                number,
                PatientID=images.patient,
                StudyInstanceUID=images.seen.study_instance_uid,
                SeriesInstanceUID=images.seen.series_instance_uid,
                SOPInstanceUID=f"{images.seen.series_instance_uid}.{number}",
            )
            for number in range(images.seen.instance_count)
        ]
        report = review_documents.write(due, lambda: headers, self.now, "en", self.ring)
        with self.database.writing() as session:
            review_documents.record(session, due, report, self.now)
        return True

    def _publish(self) -> None:
        for _ in range(100):
            with self.database.writing() as session:
                wish = outbox.claim_publication(session, self.now)
                if wish is None:
                    return
                wanted = outbox.publication(session, wish[0])
                for uid in wanted.send:
                    content = session.get_one(Document, uid).content
                    outbox.document_sent(session, uid, self.orthanc.store(wanted.study_id, content), self.now)
                for uid, instance in wanted.remove:
                    self.orthanc.documents.pop(instance, None)
                    outbox.document_removed(session, uid, instance, self.now)
                outbox.published(session, *wish, self.now)

    def lose_store(self) -> None:
        """The next start finds an empty store beside the same Orthanc and the same keys."""
        self.database.close()
        if not self.list_kept:
            self.options.list_file.unlink(missing_ok=True)
        self._open(str(self.stores + 1))
        self.sweep()

    def sweep(self) -> None:
        """The store learns what Orthanc has."""
        for images in self.orthanc.series.values():
            with self.database.writing() as session:
                queue.arrive(session, images.seen, self.now, self.options)
            self.time += 1
        self.work()

    def reading(self, what: Callable[[Session], Any]) -> Any:
        with self.database.reading() as session:
            return what(session)

    def shown(self) -> dict[str, Any]:
        """What counts of every series and study, as Orthanc and the page have it."""
        found: dict[str, Any] = {}
        with self.database.reading() as session:
            for series_id in sorted(self.orthanc.series):
                row = session.get_one(Series, series_id)
                if row.state is SeriesState.WITHDRAWN:
                    continue
                held, wanted = row.verdict, outbox.publication(session, series_id)
                readers = sorted({r.login for r in row.reviews})
                found[series_id] = held.standing, held.urgency, held.label, held.excluded, readers
                found[f"labels of {series_id}"] = wanted.series_labels, wanted.study_labels
            studies = [study for study in records.studies(session) if study.shown]
            for case in (worklist.row(study, self.now) for study in studies):
                found[f"row of {case.id}"] = (
                    case.urgency,
                    case.by_person,
                    case.reviewed,
                    case.disputed,
                    case.reopened,
                )
        return found


HAPPENINGS = "arrive", "more", "review", "review", "review", "clock", "correct", "copy", "anonymise", "delete"


def live(hospital: Hospital, chance: random.Random, steps: int) -> None:
    """A random history: images come, are copied, corrected and deleted, and readers speak of them."""
    for _ in range(steps):
        here = sorted(hospital.orthanc.series)
        which = hospital.orthanc.series[chance.choice(here)] if here else None
        match chance.choice(HAPPENINGS):
            case "arrive":
                hospital.arrive(chance.choice("abcdef"), study=chance.choice(["1.3.1", "1.3.2"]))
            case "more" if which is not None:
                count = which.seen.instance_count + 1
                _again(hospital, which, count=count, pixels=f"{which.pixels}+")
            case "review" if which is not None:
                hospital.review(
                    which.seen.series_id,
                    chance.choice(["sato", "ito", "abe"]),
                    chance.choice([*Urgency, None]),
                )
            case "clock":
                hospital.set_clock(timedelta(days=chance.choice([-1, 1])), seen=chance.choice([True, False]))
            case "correct" if which is not None and which.patient == "P-1":
                _again(hospital, which, patient="P-2")
            case "copy" if which is not None and not which.seen.anonymised:
                _copy(hospital, which, f"{len(here)}m")
            case "anonymise" if which is not None:
                _copy(hospital, which, f"{len(here)}n", anonymised=True)
            case "delete" if which is not None:
                hospital.delete(which.seen.series_id)


def _again(
    hospital: Hospital, images: Images, *, patient: str = "", count: int = 0, pixels: str = ""
) -> None:
    patient = patient or images.patient
    study = images.seen.study_instance_uid
    seen = replace(
        images.seen,
        series_id=f"{patient}/{study}/{images.seen.series_id.rpartition('/')[2]}",
        study_id=f"{patient}/{study}",
        instance_count=count or images.seen.instance_count,
        copied_from=None if patient != images.patient else images.seen.copied_from,
    )
    changes = {name: getattr(seen, name) for name in Seen.__slots__ if name != "instance_count"}
    hospital.arrive(
        "again",
        count=seen.instance_count,
        patient=patient,
        machine=images.machine,
        pixels=pixels or images.pixels,
        **changes,
    )


def _copy(hospital: Hospital, images: Images, name: str, *, anonymised: bool = False) -> None:
    hospital.arrive(
        name,
        count=images.seen.instance_count,
        patient="anonymous" if anonymised else images.patient,
        study=f"1.4.{sum(map(ord, name))}",
        machine=images.machine,
        pixels=images.pixels,
        copied_from=images.seen.series_id,
        anonymised=anonymised or images.seen.anonymised,
    )
