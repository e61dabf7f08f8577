"""What is recorded of a series that was looked at: a judgement, a reason, or that it is not complete yet."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from headct.reasons import Reason, ReasonCode
from headct.terms.assessment import Assessment
from headct.terms.demographics import UNKNOWN, Demographics
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import DocumentKind, SeriesState
from orthanc_plugin.store import copies, imports, model_history, outbox, reviews, sent_again, tables, times
from orthanc_plugin.store.corrected_patients import give_way, supersede_others
from orthanc_plugin.store.queue import Claim, claimed
from orthanc_plugin.store.tables import Document, Series
from orthanc_plugin.store.transitions import audit, give_reason, move, wait
from orthanc_plugin.store.withdrawal import (
    send_again,
    withdraw_assessment,
    withdraw_regions,
)


@dataclass(frozen=True, slots=True)
class Description:
    """Study and series as written in the images."""

    demographics: Demographics = UNKNOWN
    series_number: str = ""
    series_description: str = ""
    modality: str = ""
    """Of the images; Orthanc's is that of whatever was stored first."""
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


def record_assessed(
    session: Session,
    claim: Claim,
    judgement: Judgement,
    now: datetime,
    settings: Settings,
    *,
    files_digest: str | None = None,
) -> bool:
    """Record a judgement of the whole series or a part of it; false when the claim was lost meanwhile.

    ``files_digest``: of the files that were judged, by which the same ones are known when they come again.
    """
    series = claimed(session, claim)
    if series is None:
        return False
    assessment = _make_current(session, series, judgement, now)
    _describe(session, series, judgement.description)
    if judgement.preliminary:
        wait(series, now, settings)
    else:
        move(series, SeriesState.ASSESSED, now)
        copies.recognise(session, series)
        supersede_others(session, series, assessment.pixel_digest, now)
    copies.settle(session, series, now)
    copies.know_again(session, series)
    series.files_digest = None if judgement.preliminary else files_digest
    sent_again.were_read(session, series)
    series.attempts = series.setbacks = 0
    series.preview_pending, series.preview_attempts = True, 0
    series.preview_slices = judgement.slices
    outbox.want(series, now)
    audit(
        session,
        "preliminary" if judgement.preliminary else "assessed",
        series.id,
        now,
        urgency=judgement.assessment.urgency.name,
        bundle=judgement.assessment.bundle.digest,
    )
    if not judgement.preliminary:
        give_way(session, series, assessment.pixel_digest, now)
    return True


def record_early(session: Session, claim: Claim, judgement: Judgement, now: datetime) -> bool:
    """Record an alert of the first of several networks while the others look; the series stays in hand.

    False where there is nothing to tell: the claim was lost, or an alert is known already.
    """
    series = claimed(session, claim)
    if series is None or (series.current is not None and series.current.urgency.alert):
        return False
    _make_current(session, series, judgement, now)
    _describe(session, series, judgement.description)
    outbox.want(series, now)
    said = judgement.assessment
    audit(
        session,
        "preliminary",
        series.id,
        now,
        urgency=said.urgency.name,
        bundle=said.bundle.digest,
    )
    return True


def record_not_analysed(
    session: Session,
    claim: Claim,
    reason: Reason,
    description: Description | None,
    now: datetime,
    *,
    slices: int = 0,
    files_digest: str | None = None,
) -> bool:
    """Record why a series may not be judged.

    Args:
        session: of one transaction.
        claim: the right to do so.
        reason: why.
        description: what the images say of the study, where one could be read.
        now: when.
        slices: their number, where they can at least be shown.
        files_digest: of the files that were looked at, where that was all of them.

    Returns:
        False when the claim was lost meanwhile.
    """
    series = claimed(session, claim)
    if series is None:
        return False
    move(series, SeriesState.NOT_ANALYSED, now)
    give_reason(series, reason)
    series.attempts = series.setbacks = 0
    series.preview_slices, series.preview_pending = slices, slices > 0
    series.preview_attempts = 0
    if description is not None:
        _describe(session, series, description)
    if not _stays(series.current, reason):
        withdraw_assessment(series, now)
    copies.recognise(session, series)
    supersede_others(session, series, None, now)
    copies.settle(session, series, now)
    reviews.seen_before(session, series)
    series.files_digest = files_digest
    sent_again.were_read(session, series)
    outbox.want(series, now)
    audit(session, "not_analysed", series.id, now, reason=reason.code.value)
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

    Args:
        session: of one transaction.
        claim: the right to do so.
        description: what the images say of the study, where one could be read.
        now: when.
        settings: how long is long.
        judged: the part that came was judged and gives no alert.

    Returns:
        False when the claim was lost meanwhile.
    """
    series = claimed(session, claim)
    if series is None:
        return False
    if description is not None:
        _describe(session, series, description)
    current = series.current
    if current is not None and (judged or not current.preliminary):
        withdraw_assessment(series, now)
        outbox.want(series, now)
    series.attempts = series.setbacks = 0
    wait(series, now, settings)
    copies.settle(session, series, now)
    return True


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


# --- Inside ---------------------------------------------------------------------------------------


def _stays(current: tables.Assessment | None, reason: Reason) -> bool:
    """Whether what was said before holds: an alert does where the whole never came, or is too large."""
    if current is None:
        return False
    if reason.code is ReasonCode.TOO_LARGE:
        return current.urgency.alert
    return current.preliminary and reason.code is ReasonCode.HEAD_NOT_COVERED


def _make_current(session: Session, series: Series, judgement: Judgement, now: datetime) -> tables.Assessment:
    """The row of a judgement, which counts from now on; the row of an earlier one that was the same."""
    known = _same_before(session, series, judgement)
    if series.current is not known or known is None:
        withdraw_assessment(series, now)
        session.flush()
    if known is None:
        known = _added(session, series, judgement, now)
    else:
        # The same images as once before, for instance after others were deleted: what was said
        # in between was said of images that are gone.
        known.withdrawn_at = None
        for document in series.documents:
            if document.assessment_id is not None and document.assessment_id > known.id:
                document.withdrawn_at = document.withdrawn_at or now
    _keep_documents(session, series, judgement, known.id, now)
    return known


def _same_before(session: Session, series: Series, judgement: Judgement) -> tables.Assessment | None:
    return session.scalars(
        select(tables.Assessment)
        .where(
            tables.Assessment.series_id == series.id,
            tables.Assessment.case_identity == judgement.case_identity,
            tables.Assessment.judged_by == judgement.assessment.judged_by,
            tables.Assessment.preliminary == judgement.preliminary,
        )
        .order_by(tables.Assessment.id.desc())
        .limit(1)
    ).first()


def _added(session: Session, series: Series, judgement: Judgement, now: datetime) -> tables.Assessment:
    said = judgement.assessment
    row = tables.Assessment(
        series_id=series.id,
        generation=series.generation,
        case_identity=judgement.case_identity,
        pixel_digest=judgement.pixel_digest,
        judged_by=said.judged_by,
        urgency=said.urgency,
        content=said.to_json(),
        preliminary=judgement.preliminary,
        unsure=said.unsure,
        created_at=times.later_than(now, reviews.last_word(session, series.study_id)),
        seconds=said.timings.total,
        arrival_to_result_seconds=times.seconds(series.last_arrival, now),
        to_shadow=not judgement.preliminary and model_history.shadow(session) is not None,
    )
    session.add(row)
    session.flush()
    session.expire(series, ["assessments"])
    return row


def _keep_documents(
    session: Session, series: Series, judgement: Judgement, assessment_id: int, now: datetime
) -> None:
    for new in judgement.documents:
        known = session.get(Document, new.sop_instance_uid)
        if known is None:
            session.add(
                Document(
                    sop_instance_uid=new.sop_instance_uid,
                    series_id=series.id,
                    assessment_id=assessment_id,
                    kind=new.kind,
                    content=new.content,
                    predecessor_uid=new.predecessor_uid,
                    created_at=now,
                )
            )
        elif known.withdrawn_at is not None:
            send_again(known)
            if known.let_go_at is not None:
                known.content, known.let_go_at = new.content, None
    # Judged again with the profile switched off since, the same result draws nothing.
    withdraw_regions(series, now, {new.sop_instance_uid for new in judgement.documents})
    session.flush()
    session.expire(series, ["documents"])


def _describe(session: Session, series: Series, words: Description) -> None:
    study = series.study
    study.described = True
    study.demographics = words.demographics
    study.earlier = imports.is_earlier(session, study, by_date=words.earlier)
    series.number = words.series_number
    series.description = words.series_description
    series.modality = words.modality or series.modality
