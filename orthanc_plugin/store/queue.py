"""The truth: every change of a series' state, each a plain function inside one transaction.

A series *arrives*, is *claimed* by a worker with a lease, and ends *assessed*, *not analysed* or *failed*.
New images take it back to *arriving* from anywhere. What Orthanc shows is derived from here.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from headct.errors import HeadCTError
from headct.reasons import Reason, ReasonCode
from headct.terms.assessment import Assessment
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import UNCLAIMED, DocumentKind, SeriesState
from orthanc_plugin.store import imports, model_history, outbox, reviews, shadow, tables
from orthanc_plugin.store.tables import AuditEntry, Document, Position, Series, Study, Worker

S = SeriesState

TRANSITIONS: dict[SeriesState, frozenset[SeriesState]] = {
    S.ARRIVING: frozenset({S.ARRIVING, S.JUDGING, S.WITHDRAWN}),
    S.WAITING: frozenset({S.ARRIVING, S.JUDGING, S.WITHDRAWN}),
    S.JUDGING: frozenset({S.ARRIVING, S.WAITING, S.ASSESSED, S.NOT_ANALYSED, S.FAILED, S.WITHDRAWN}),
    S.ASSESSED: frozenset({S.ARRIVING, S.WITHDRAWN}),
    S.NOT_ANALYSED: frozenset({S.ARRIVING, S.WITHDRAWN}),
    S.FAILED: frozenset({S.ARRIVING, S.WITHDRAWN}),
    S.WITHDRAWN: frozenset({S.ARRIVING}),
}

PRIORITY_NEW, PRIORITY_RERUN = 0, 1
RETRY_SECONDS = (5, 30)
"""Pauses after the first and the later failed attempts."""


class TransitionError(HeadCTError):
    """A change of state that must not happen; a fault of the program."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A series as Orthanc lists it: identifiers and counts, no demographics."""

    series_id: str
    study_id: str
    series_instance_uid: str
    study_instance_uid: str
    modality: str
    instance_count: int
    first_stored: datetime | None = None
    """When Orthanc stored its first image, where known."""
    uploaded: bool = False
    """Stored through the REST interface, as imports are, not sent by a scanner."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's right to judge one generation of a series until the lease ends."""

    series_id: str
    generation: int
    owner: str
    modality: str
    instance_count: int
    quiet_seconds: float
    """Since the last image arrived."""


@dataclass(frozen=True, slots=True)
class Description:
    """Study and series as written in the images."""

    patient_id: str = ""
    patient_name: str = ""
    birth_date: str = ""
    sex: str = ""
    age: str = ""
    accession_number: str = ""
    study_date: str = ""
    study_time: str = ""
    description: str = ""
    series_number: str = ""
    series_description: str = ""
    earlier: bool = False


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A finished DICOM file."""

    sop_instance_uid: str
    kind: DocumentKind
    content: bytes
    predecessor_uid: str | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """An assessment with the identity of what was judged and the documents written of it."""

    assessment: Assessment
    case_identity: str
    pixel_digest: str
    preliminary: bool
    description: Description
    documents: tuple[NewDocument, ...] = ()
    slices: int = 0


def utcnow() -> datetime:
    """Now, with zone."""
    return datetime.now(UTC)


# --- Arrivals -------------------------------------------------------------------------------------


def arrive(session: Session, seen: Seen, now: datetime, settings: Settings) -> Series:
    """Images of a series arrived: whatever was said of it no longer counts until it is judged again."""
    stored = min(now, seen.first_stored or now)
    study = session.get(Study, seen.study_id)
    if study is None:
        study = Study(
            id=seen.study_id, study_instance_uid=seen.study_instance_uid, first_arrival=stored, earlier=False
        )
        session.add(study)
    imports.place(session, study, uploaded=seen.uploaded)
    series = session.get(Series, seen.series_id)
    if series is None:
        series = Series(
            id=seen.series_id,
            study_id=study.id,
            series_instance_uid=seen.series_instance_uid,
            modality=seen.modality,
            first_arrival=stored,
            last_arrival=now,
            state=S.ARRIVING,
            changed_at=now,
            not_before=now,
            generation=0,
            publish_wanted=0,
            publish_done=0,
            publish_not_before=now,
            checked_at=now,
        )
        session.add(series)
        session.flush()
        _log(session, "arrived", series.id, now, images=seen.instance_count)
        for other in _same_images(session, series, seen.study_instance_uid):
            # One case under a corrected patient: it has been waiting since it first came.
            series.first_arrival = min(series.first_arrival, other.first_arrival)
            study.first_arrival = min(study.first_arrival, other.study.first_arrival)
    if series.state is S.WITHDRAWN:
        # What persons said of it counts again; the machine's results are made anew.
        for document in series.documents:
            if document.kind is DocumentKind.REVIEW:
                _send_again(document)
    # An alert seen in a part of the series is not unseen by more images: it stays until they are judged.
    if series.current is not None and not series.current.preliminary:
        _withdraw_assessment(series, now)
        outbox.want(series, now)
    series.modality = seen.modality
    series.instance_count = seen.instance_count
    series.last_arrival = now
    series.superseded_by = None
    series.preview_pending = False
    _requeue(series, now, now + timedelta(seconds=settings.quiet_seconds))
    return series


def withdraw(session: Session, series_id: str, now: datetime, *, superseded_by: str | None = None) -> bool:
    """Orthanc no longer has the series, or has it under another patient: nothing of it counts any more."""
    series = session.get(Series, series_id)
    if series is None or series.state is S.WITHDRAWN:
        return False
    _move(series, S.WITHDRAWN, now)
    series.superseded_by = superseded_by
    series.preview_pending = False
    _withdraw_assessment(series, now)
    for document in series.documents:
        document.withdrawn_at = document.withdrawn_at or now
    outbox.want(series, now)
    # Images under their first patient count again when those under the corrected one are deleted.
    for other in session.scalars(select(Series).where(Series.superseded_by == series.id)):
        other.superseded_by = None
    _log(session, "withdrawn", series.id, now, superseded_by=superseded_by)
    return True


def position(session: Session, log: str) -> int:
    """How far a log was read; 0 at first."""
    row = session.get(Position, log)
    return row.sequence if row else 0


def set_position(session: Session, log: str, sequence: int) -> None:
    """Remember it, in the transaction of what was read."""
    session.merge(Position(log=log, sequence=sequence))


# --- Work -----------------------------------------------------------------------------------------


def claim(session: Session, owner: str, now: datetime, settings: Settings) -> Claim | None:
    """The next series to look at, or nothing."""
    expire_leases(session, now, settings)
    series = session.scalar(
        select(Series)
        .join(Study)
        .where(Series.state.in_(UNCLAIMED), Series.not_before <= now)
        # A whole CD of earlier studies never keeps the queue waiting.
        .order_by(Study.earlier, Series.priority, Series.modality != "CT", Series.first_arrival, Series.id)
        .limit(1)
        .with_for_update(of=Series, skip_locked=True)
    )
    if series is None:
        return None
    _move(series, S.JUDGING, now)
    series.lease_owner = owner
    series.lease_until = now + timedelta(seconds=settings.lease_seconds)
    series.attempts += 1
    return Claim(
        series_id=series.id,
        generation=series.generation,
        owner=owner,
        modality=series.modality,
        instance_count=series.instance_count,
        quiet_seconds=(now - series.last_arrival).total_seconds(),
    )


def renew(session: Session, claim: Claim, now: datetime, settings: Settings) -> bool:
    """Prolong the lease; false when it was lost."""
    series = _claimed(session, claim)
    if series is None:
        return False
    series.lease_until = now + timedelta(seconds=settings.lease_seconds)
    return True


def release(session: Session, claim: Claim, now: datetime) -> None:
    """Give a claim back unjudged, through no fault of the series."""
    series = _claimed(session, claim)
    if series is not None:
        _give_back(series, now)


def expire_leases(session: Session, now: datetime, settings: Settings) -> int:
    """Take up the series of workers that fell silent."""
    return _lose(session, Series.lease_until < now, now, settings)


def worker_lost(session: Session, owner: str, now: datetime, settings: Settings) -> int:
    """A worker died over its series: take it up without waiting for the lease to end."""
    if (worker := session.get(Worker, owner)) is not None:
        model_history.died_loading(session, worker, now)
        session.delete(worker)
        session.flush()
    shadow.worker_lost(session, owner, now)
    return _lose(session, Series.lease_owner == owner, now, settings)


def host_lost(session: Session, host: str, now: datetime) -> None:
    """All workers of a host ended with their Orthanc, through no fault of what they had in hand."""
    for worker in session.scalars(select(Worker).where(Worker.name.startswith(f"{host}/", autoescape=True))):
        for series in session.scalars(select(Series).where(Series.lease_owner == worker.name)):
            _give_back(series, now)
        shadow.host_lost(session, worker.name)
        session.delete(worker)
    session.flush()


def record_assessed(
    session: Session,
    claim: Claim,
    judgement: Judgement,
    now: datetime,
    settings: Settings,
) -> bool:
    """Record a judgement of the whole series or a part of it; false when the claim was lost meanwhile."""
    series = _claimed(session, claim)
    if series is None:
        return False
    assessment = _make_current(session, series, judgement, now)
    _describe(session, series, judgement.description)
    if judgement.preliminary:
        _wait(series, now, settings)
    else:
        _move(series, S.ASSESSED, now)
        _supersede_others(session, series, assessment.pixel_digest, now)
    series.attempts = 0
    series.preview_pending = True
    series.preview_slices = judgement.slices
    outbox.want(series, now)
    _log(
        session,
        "preliminary" if judgement.preliminary else "assessed",
        series.id,
        now,
        urgency=judgement.assessment.urgency.name,
        bundle=judgement.assessment.bundle.digest,
    )
    if not judgement.preliminary:
        _give_way(session, series, assessment.pixel_digest, now)
    return True


def record_not_analysed(
    session: Session,
    claim: Claim,
    reason: Reason,
    description: Description | None,
    now: datetime,
    *,
    slices: int = 0,
) -> bool:
    """Record why a series may not be judged; false when the claim was lost.

    ``slices`` is their number when they can at least be shown.
    """
    series = _claimed(session, claim)
    if series is None:
        return False
    _move(series, S.NOT_ANALYSED, now)
    _give_reason(series, reason)
    series.attempts = 0
    series.preview_slices, series.preview_pending = slices, slices > 0
    if description is not None:
        _describe(session, series, description)
    current = series.current
    # An alert seen in the part that came stays an alert when the rest never comes.
    if current is None or not (current.preliminary and reason.code is ReasonCode.HEAD_NOT_COVERED):
        _withdraw_assessment(series, now)
    _supersede_others(session, series, None, now)
    outbox.want(series, now)
    _log(session, "not_analysed", series.id, now, reason=reason.code.value)
    return True


def record_waiting(
    session: Session,
    claim: Claim,
    description: Description | None,
    now: datetime,
    settings: Settings,
    *,
    judged: bool,
) -> bool:
    """Not complete yet: wait for more images, or for the long quiet time to pass.

    ``judged`` says that the part that came was judged and gives no alert.
    """
    series = _claimed(session, claim)
    if series is None:
        return False
    if description is not None:
        _describe(session, series, description)
    current = series.current
    if current is not None and (judged or not current.preliminary):
        _withdraw_assessment(series, now)
        outbox.want(series, now)
    series.attempts = 0
    _wait(series, now, settings)
    return True


def record_failure(session: Session, claim: Claim, reason: Reason, now: datetime, settings: Settings) -> bool:
    """An attempt failed: try again later, or give the series up as *failed*."""
    series = _claimed(session, claim)
    if series is None:
        return False
    _attempt_failed(session, series, reason, now, settings)
    return True


def rerun(session: Session, series_id: str, actor: str, now: datetime) -> bool:
    """Judge a series again, as a person asked; its present result counts until the new one is there."""
    series = session.get(Series, series_id)
    if series is None or not series.state.final:
        return False
    _requeue(series, now, now)
    series.priority = PRIORITY_RERUN
    _log(session, "rerun", series.id, now, actor=actor)
    return True


# --- Workers --------------------------------------------------------------------------------------


def sign_of_life(session: Session, worker: str, now: datetime) -> None:
    """A worker lives."""
    row = session.get(Worker, worker)
    if row is None:
        session.add(Worker(name=worker, started_at=now, seen_at=now))
    else:
        row.seen_at = now


def last_structured_report(session: Session, series_id: str, but: str) -> str | None:
    """SOP instance UID of the series' latest report, other than ``but``: the predecessor of the next."""
    return session.scalar(
        select(Document.sop_instance_uid)
        .where(
            Document.series_id == series_id,
            Document.kind == DocumentKind.STRUCTURED_REPORT,
            Document.withdrawn_at.is_(None),
            Document.sop_instance_uid != but,
        )
        .order_by(Document.created_at.desc(), Document.assessment_id.desc())
        .limit(1)
    )


def reason_of(series: Series) -> Reason | None:
    """Why a series is not analysed or failed."""
    return Reason(ReasonCode(series.reason_code), series.reason_detail) if series.reason_code else None


# --- Inside ---------------------------------------------------------------------------------------


def _move(series: Series, state: SeriesState, now: datetime) -> None:
    if state not in TRANSITIONS[series.state]:
        raise TransitionError(f"a series cannot go from {series.state} to {state}")
    series.state = state
    series.changed_at = now
    series.reason_code, series.reason_detail = None, ""
    series.lease_owner, series.lease_until = None, None


def _requeue(series: Series, now: datetime, not_before: datetime) -> None:
    _move(series, S.ARRIVING, now)
    series.generation += 1
    series.attempts = 0
    series.priority = PRIORITY_NEW
    series.not_before = not_before


def _claimed(session: Session, claim: Claim) -> Series | None:
    series = session.get(Series, claim.series_id, with_for_update=True)
    if (
        series is not None
        and series.state is S.JUDGING
        and series.lease_owner == claim.owner
        and series.generation == claim.generation
    ):
        return series
    return None


def _give_back(series: Series, now: datetime) -> None:
    series.attempts -= 1
    _move(series, S.ARRIVING, now)
    series.not_before = now


def _lose(session: Session, which: ColumnElement[bool], now: datetime, settings: Settings) -> int:
    rows = session.scalars(
        select(Series).where(Series.state == S.JUDGING, which).with_for_update(skip_locked=True)
    ).all()
    for series in rows:
        lost = Reason(ReasonCode.INTERNAL_ERROR, "the judging process was lost")
        _attempt_failed(session, series, lost, now, settings)
    return len(rows)


def _attempt_failed(
    session: Session, series: Series, reason: Reason, now: datetime, settings: Settings
) -> None:
    _log(session, "attempt_failed", series.id, now, reason=reason.code.value, attempt=series.attempts)
    if series.attempts >= settings.max_attempts:
        _move(series, S.FAILED, now)
        _give_reason(series, reason)
        outbox.want(series, now)
        _log(session, "failed", series.id, now, reason=reason.code.value)
    else:
        pause = RETRY_SECONDS[min(series.attempts, len(RETRY_SECONDS)) - 1]
        _move(series, S.ARRIVING, now)
        series.not_before = now + timedelta(seconds=pause)


def _give_reason(series: Series, reason: Reason) -> None:
    series.reason_code, series.reason_detail = reason.code.value, reason.detail


def _make_current(session: Session, series: Series, judgement: Judgement, now: datetime) -> tables.Assessment:
    said = judgement.assessment
    known = session.scalars(
        select(tables.Assessment)
        .where(
            tables.Assessment.series_id == series.id,
            tables.Assessment.case_identity == judgement.case_identity,
            tables.Assessment.judged_by == said.judged_by,
            tables.Assessment.preliminary == judgement.preliminary,
        )
        .order_by(tables.Assessment.id.desc())
        .limit(1)
    ).first()
    if series.current is not known or known is None:
        _withdraw_assessment(series, now)
        session.flush()
    if known is None:
        known = tables.Assessment(
            series_id=series.id,
            generation=series.generation,
            case_identity=judgement.case_identity,
            pixel_digest=judgement.pixel_digest,
            judged_by=said.judged_by,
            urgency=said.urgency,
            content=said.to_json(),
            preliminary=judgement.preliminary,
            created_at=now,
            seconds=said.timings.total,
            arrival_to_result_seconds=(now - series.last_arrival).total_seconds(),
        )
        session.add(known)
        session.flush()
        session.expire(series, ["assessments"])
    else:
        # The same images as once before, for instance after others were deleted: what was said
        # in between was said of images that are gone.
        known.withdrawn_at = None
        for document in series.documents:
            if document.assessment_id is not None and document.assessment_id > known.id:
                document.withdrawn_at = document.withdrawn_at or now
    for new in judgement.documents:
        known_document = session.get(Document, new.sop_instance_uid)
        if known_document is None:
            session.add(
                Document(
                    sop_instance_uid=new.sop_instance_uid,
                    series_id=series.id,
                    assessment_id=known.id,
                    kind=new.kind,
                    content=new.content,
                    predecessor_uid=new.predecessor_uid,
                    created_at=now,
                )
            )
        elif known_document.withdrawn_at is not None:
            _send_again(known_document)
    # Judged again with the profile switched off since, the same result draws nothing.
    _withdraw_regions(series, now, {new.sop_instance_uid for new in judgement.documents})
    session.flush()
    session.expire(series, ["documents"])
    return known


def _send_again(document: Document) -> None:
    """What was withdrawn counts again."""
    document.withdrawn_at = document.removed_at = document.sent_at = document.forwarded_at = None
    document.forward_jobs = {}


def _withdraw_assessment(series: Series, now: datetime) -> None:
    if series.current is not None:
        series.current.withdrawn_at = now
        _withdraw_regions(series, now)


def _withdraw_regions(series: Series, now: datetime, keep: Collection[str] = ()) -> None:
    """What is drawn is of the current result alone: two regions would lie over each other. Reports stay.

    ``keep``: SOP instance UIDs.
    """
    for document in series.documents:
        if document.kind is DocumentKind.SEGMENTATION and document.sop_instance_uid not in keep:
            document.withdrawn_at = document.withdrawn_at or now


def _wait(series: Series, now: datetime, settings: Settings) -> None:
    _move(series, S.WAITING, now)
    series.not_before = series.last_arrival + timedelta(seconds=settings.long_quiet_seconds)


def _describe(session: Session, series: Series, words: Description) -> None:
    study = series.study
    study.described = True
    study.patient_id = words.patient_id
    study.patient_name = words.patient_name
    study.birth_date = words.birth_date
    study.sex = words.sex
    study.age = words.age
    study.accession_number = words.accession_number
    study.study_date = words.study_date
    study.study_time = words.study_time
    study.description = words.description
    study.earlier = imports.is_earlier(session, study, by_date=words.earlier)
    series.number = words.series_number
    series.description = words.series_description


def _same_images(
    session: Session, series: Series, study_instance_uid: str, *, withdrawn: bool = False
) -> Sequence[Series]:
    wanted = (
        select(Series)
        .join(Study)
        .where(
            Study.study_instance_uid == study_instance_uid,
            Series.series_instance_uid == series.series_instance_uid,
            Series.id != series.id,
        )
    )
    return session.scalars(wanted if withdrawn else wanted.where(Series.state != S.WITHDRAWN)).all()


def _supersede_others(session: Session, series: Series, pixel_digest: str | None, now: datetime) -> None:
    """Withdraw the same images under the patient they were first sent for; what was said of them follows.

    Orthanc may have deleted those before these were judged: then what persons said follows all the same.
    """
    for other in _same_images(session, series, series.study.study_instance_uid, withdrawn=True):
        if other.last_arrival > series.last_arrival:
            continue
        gone = other.state is S.WITHDRAWN
        said = other.current or (next(iter(other.assessments), None) if gone else None)
        # Two patients can share UIDs by a careless anonymiser; their pixels then differ.
        if said is not None:
            same = said.pixel_digest == pixel_digest
        elif gone:
            same = pixel_digest is None and other.instance_count == series.instance_count
        else:
            # Nobody knows yet whose the images are that are still to be judged.
            same = not other.state.pending
        if not same or other.instance_count > series.instance_count:
            continue
        reviews.carry_over(session, other, series, now)
        if not gone:
            withdraw(session, other.id, now, superseded_by=series.id)
            _log(session, "patient_corrected", series.id, now, predecessor=other.id)


def _give_way(session: Session, series: Series, pixel_digest: str, now: datetime) -> None:
    """Judged only after the same images under a corrected patient, which count instead."""
    for newer in _same_images(session, series, series.study.study_instance_uid):
        said = newer.current
        if (
            newer.last_arrival > series.last_arrival
            and said is not None
            and said.pixel_digest == pixel_digest
        ):
            reviews.carry_over(session, series, newer, now)
            withdraw(session, series.id, now, superseded_by=newer.id)
            _log(session, "patient_corrected", newer.id, now, predecessor=series.id)
            return


def _log(
    session: Session, event: str, series_id: str, now: datetime, *, actor: str = "triage", **detail: Any
) -> None:
    session.add(AuditEntry(at=now, event=event, actor=actor, series_id=series_id, detail=detail))
