"""A house that has been running for long: its store, filled through the tables, the same each time.

Forty heads a day up to now, as one series and as five in turns; a third was read. For measurements, and for
tests that nothing grows with the past.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha1, sha256
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from headct.network.reference import EDGES, Histogram, Reference
from headct.reasons import ReasonCode
from headct.terms.assessment import (
    Assessment,
    BundleIdentity,
    Finding,
    FindingKind,
    KeySlice,
    Location,
    Timings,
)
from headct.terms.quantities import Quantity
from headct.terms.review import Action, Person, Review, ReviewFinding
from headct.terms.urgency import Urgency
from orthanc_plugin.forwarding.tables import Delivery, Receiver
from orthanc_plugin.states import DocumentKind, ModelEvent, SeriesState
from orthanc_plugin.store import tables
from orthanc_plugin.store.base import Base
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.standing import tallies

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
A_DAY = 40
"""Heads: a large hospital."""
LEFT_UNREAD = 300
MODEL, SHADOW = (BundleIdentity("net", v, f"2.25.{n}", str(n) * 64) for n, v in enumerate(("1.0", "2.0"), 1))
RECEIVER = "ARCHIVE"
READERS = tuple(
    Person(login, name, "St. Elsewhere") for login, name in (("sato", "Sato^Hanako"), ("ito", "Ito^Ken"))
)
_AT_ONCE = 500
"""Studies in one go: all rows of the largest house would not fit into memory."""
_REFERENCE = Reference({q: Histogram(edges, (10,) * (len(edges) + 1)) for q, edges in EDGES.items()})

Row = dict[str, Any]
Rows = Iterator[tuple[type[Base], Row]]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A series as it is in Orthanc and in the store."""

    patient: str
    study_uid: str
    uid: str
    name: str
    reason: ReasonCode | None = None

    @property
    def study_id(self) -> str:
        """Orthanc's identifier."""
        return orthanc_id(self.patient, self.study_uid)

    @property
    def id(self) -> str:
        """Orthanc's identifier."""
        return orthanc_id(self.patient, self.study_uid, self.uid)

    @property
    def state(self) -> SeriesState:
        """Where it stands."""
        if self.reason is None:
            return SeriesState.ASSESSED
        failed = self.reason is ReasonCode.INTERNAL_ERROR
        return SeriesState.FAILED if failed else SeriesState.NOT_ANALYSED


@dataclass(frozen=True, slots=True)
class House:
    """What is in the store."""

    studies: int
    unread: int | None = LEFT_UNREAD
    """Of the queue; what else nobody read are earlier studies. ``None``: all that nobody read is queued."""
    now: datetime = NOW
    images: int = 33
    """Of each series."""
    document: bytes = bytes(4096)
    """Stands for each report; real ones have 10 to 20 KB."""

    def move_in(self, database: Database) -> None:
        """Fill an empty store as if all had come day by day; figures of the weeks are still to be made."""
        with database.writing() as session:
            self._fill(session)
            tallies.recount(session.connection())
        database.complete()

    def _fill(self, session: Session) -> None:
        self._put_models_in_service(session)
        receiver = Receiver(name=RECEIVER, misses=0, not_before=self.now, delivered=0)
        session.add(receiver)
        session.flush()
        for first in range(0, self.studies, _AT_ONCE):
            found: dict[type[Base], list[Row]] = {}
            for number in range(first, min(first + _AT_ONCE, self.studies)):
                for table, row in self._rows(number):
                    found.setdefault(table, []).append(row)
            receiver.delivered += len(found[Delivery])
            for table, rows in found.items():
                session.execute(insert(table.__table__), rows)  # type: ignore[arg-type]

    def arrived(self, number: int) -> datetime:
        """When a study came; 0 is the oldest."""
        return self.now - timedelta(days=(self.studies - number) / A_DAY)

    def read(self, number: int) -> bool:
        """Whether somebody spoke of a study."""
        return number % 3 == 0

    def earlier(self, number: int) -> bool:
        """Whether a study stands among the earlier ones."""
        left = self.studies if self.unread is None else self.unread
        return not self.read(number) and (self.studies - number) * 2 > left * 3

    def series(self, number: int) -> tuple[Drawn, ...]:
        """The series of a study."""
        patient, study = f"P{number}", f"1.2.826.0.{number}"
        odd = {17: ReasonCode.HEAD_NOT_COVERED, 71: ReasonCode.INTERNAL_ERROR}.get(number % 100)
        kinds = (
            ("HEAD 5.0 H31s", odd),
            ("HEAD 1.0 H31s", None),
            ("HEAD 5.0 H60s", ReasonCode.BONE_KERNEL),
            ("TOPOGRAM", ReasonCode.LOCALIZER),
            ("CORONAL", ReasonCode.NOT_AXIAL),
        )[: 5 if number % 2 else 1]
        return tuple(Drawn(patient, study, f"{study}.{n}", *kind) for n, kind in enumerate(kinds, start=1))

    def _put_models_in_service(self, session: Session) -> None:
        since = self.arrived(0)
        for number, (event, model) in enumerate(
            ((ModelEvent.SHIPPED, MODEL), (ModelEvent.SHADOW_BEGAN, SHADOW)), start=1
        ):
            session.add(
                tables.Bundle(
                    digest=model.digest,
                    name=model.name,
                    version=model.version,
                    device_uid=model.device_uid,
                    first_used=since,
                    reference=_REFERENCE.to_json(),
                )
            )
            session.flush()
            session.add(
                tables.ModelChange(id=number, at=since, event=event, digest=model.digest, actor="triage")
            )

    def _rows(self, number: int) -> Rows:
        at = self.arrived(number)
        series = self.series(number)
        yield (
            tables.Study,
            {
                "id": series[0].study_id,
                "study_instance_uid": series[0].study_uid,
                "first_arrival": at,
                "earlier": self.earlier(number),
                "described": True,
                "patient_id": series[0].patient,
                "patient_name": f"Yamada^{number}",
                "birth_date": "19530607",
                "sex": "F",
                "age": "072Y",
                "accession_number": f"A{number}",
                "study_date": f"{at:%Y%m%d}",
                "study_time": f"{at:%H%M%S}",
                "description": "CT HEAD PLAIN",
            },
        )
        if self.earlier(number) and number % 4 == 0:
            row = {"study_instance_uid": series[0].study_uid, "earlier": True, "announced_at": at}
            yield tables.Import, {**row, "actor": "sato"}
        for place, one in enumerate(series):
            yield from self._of_series(number, place, one, at)
        if self.read(number):
            yield from self._reviews(number, series[0], at + timedelta(hours=1))

    def _of_series(self, number: int, place: int, series: Drawn, at: datetime) -> Rows:
        judged = at + timedelta(seconds=30)
        yield (
            tables.Series,
            {
                "id": series.id,
                "study_id": series.study_id,
                "series_instance_uid": series.uid,
                "modality": "CT",
                "number": str(place + 1),
                "description": series.name,
                "instance_count": self.images,
                "first_arrival": at,
                "last_arrival": at + timedelta(seconds=20),
                "state": series.state,
                "reason_code": series.reason.value if series.reason is not None else None,
                "changed_at": judged,
                "not_before": at,
                "publish_wanted": 1,
                "publish_done": 1,
                "publish_not_before": judged,
                "checked_at": self.now,
                "preview_slices": self.images,
                "files_digest": sha256(series.uid.encode()).hexdigest(),
            },
        )
        for event, when in (("arrived", at), (series.state.value, judged)):
            detail = {"reason": series.reason.value} if series.reason is not None and when is judged else {}
            yield tables.AuditEntry, _audit(when, event, series.id, detail)
        if series.reason is None:
            yield from self._assessment(number, place, series, judged)

    def _assessment(self, number: int, place: int, series: Drawn, at: datetime) -> Rows:
        said, key = _said(number, series.uid), number * 5 + place + 1
        yield (
            tables.Assessment,
            {
                "id": key,
                "series_id": series.id,
                "generation": 1,
                "case_identity": sha256(series.uid.encode()).hexdigest(),
                "pixel_digest": sha256(series.id.encode()).hexdigest(),
                "judged_by": said.judged_by,
                "urgency": said.urgency,
                "content": said.to_json(),
                "created_at": at,
                "seconds": said.timings.total,
                "arrival_to_result_seconds": 10.0,
            },
        )
        for kind, suffix in ((DocumentKind.STRUCTURED_REPORT, "8"), (DocumentKind.KEY_OBJECTS, "9")):
            yield from self._document(f"{series.uid}.{suffix}", series, kind, at, assessment_id=key)
        beside = Urgency.RED if number % 50 == 0 else said.urgency
        yield (
            tables.ShadowAssessment,
            {
                "assessment_id": key,
                "series_id": series.id,
                "bundle": SHADOW.digest,
                "owner": "w",
                "begun_at": at,
                "ended_at": at,
                "urgency": beside,
                "content": said.to_json(),
                "seconds": 2.0,
            },
        )

    def _reviews(self, number: int, series: Drawn, at: datetime) -> Rows:
        """Every tenth reader differs from the machine, and of every fiftieth study two from each other."""
        machine = _said(number, series.uid).urgency if series.reason is None else None
        other = Urgency.YELLOW if machine is not Urgency.YELLOW else Urgency.RED
        words = [other if number % 30 == 0 or machine is None else machine]
        words += [Urgency.BLACK] if number % 150 == 0 else []
        for turn, (reader, urgency) in enumerate(zip(READERS, words, strict=False)):
            uid = f"{series.uid}.{10 + turn}"
            action = Action.CONFIRM if urgency is machine else Action.RELABEL
            bleed = {ReviewFinding.HAEMORRHAGE: urgency is not Urgency.GREEN}
            review = Review(reader, at + timedelta(hours=turn), action, urgency, bleed)
            yield from self._document(uid, series, DocumentKind.REVIEW, review.at)
            yield (
                tables.Review,
                {
                    "id": number * 2 + turn + 1,
                    "series_id": series.id,
                    "assessment_id": number * 5 + 1 if machine is not None else None,
                    "login": reader.login,
                    "request_id": uid,
                    "request_digest": sha256(uid.encode()).hexdigest(),
                    "at": review.at,
                    "urgency": urgency,
                    "content": review.to_json(),
                    "report_uid": uid,
                },
            )
            yield tables.AuditEntry, _audit(review.at, "reviewed", series.id, {}, actor=reader.login)

    def _document(
        self, uid: str, series: Drawn, kind: DocumentKind, at: datetime, assessment_id: int | None = None
    ) -> Rows:
        yield (
            tables.Document,
            {
                "sop_instance_uid": uid,
                "series_id": series.id,
                "assessment_id": assessment_id,
                "kind": kind,
                "content": self.document,
                "created_at": at,
                "orthanc_id": orthanc_id(uid),
                "sent_at": at,
            },
        )
        yield Delivery, {"sop_instance_uid": uid, "receiver": RECEIVER, "delivered_at": at}


def orthanc_id(*identifiers: str) -> str:
    """As Orthanc makes its own of those in the images."""
    digest = sha1("|".join(identifiers).encode(), usedforsecurity=False).hexdigest()
    return "-".join(digest[n : n + 8] for n in range(0, 40, 8))


def _audit(at: datetime, event: str, series_id: str, detail: Row, actor: str = "triage") -> Row:
    return {"at": at, "event": event, "actor": actor, "series_id": series_id, "detail": detail}


def _said(number: int, series_uid: str) -> Assessment:
    """Of a hundred heads 15 are alerts, as many bleed less; the probabilities go round."""
    urgency = (
        {0: Urgency.BLACK, 1: Urgency.BLACK}
        | dict.fromkeys(range(2, 15), Urgency.RED)
        | dict.fromkeys(range(15, 30), Urgency.YELLOW)
    ).get(number * 7 % 100, Urgency.GREEN)
    spread = number * 37 % 100 / 100
    bleeds = urgency is not Urgency.GREEN
    ml = {Urgency.GREEN: 0.0, Urgency.YELLOW: 6.0, Urgency.RED: 35.0, Urgency.BLACK: 120.0}[urgency]
    bleed = Finding(FindingKind.HAEMORRHAGE, (11, 12, 13, 14), ml, 9.5, Location.DEEP, 62.0)
    midline = Finding(FindingKind.MIDLINE_OFFSET, offset_mm=1.5)
    keys = tuple(KeySlice(n, f"{series_uid}.1.{n}") for n in (12, 11, 13))
    return Assessment(
        urgency=urgency,
        alert_probability=0.8 if urgency.alert else 0.1 * spread,
        haemorrhage_probability=0.75 + 0.25 * spread if bleeds else 0.55 * spread,
        findings=(bleed, midline) if bleeds else (midline,),
        key_slices=keys if bleeds else (),
        bundle=MODEL,
        rubric_version="1",
        rules=("deep_volume",) if bleeds else (),
        timings=Timings(read=0.5, infer=1.5),
        inputs={
            Quantity.AGE_YEARS: 20 + 60 * spread,
            Quantity.SLICES: 33.0,
            Quantity.SLICE_DISTANCE_MM: 5.0,
            Quantity.PIXEL_MM: 0.45,
            Quantity.NOISE_HU: 3.0 + spread,
            Quantity.NOISE_CORRELATION: 0.5,
        },
    )
