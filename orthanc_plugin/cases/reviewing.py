"""What a reader asks for becomes a review in the store, and what is answered of it."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from headct.terms.assessment import Assessment, FindingKind
from headct.terms.review import Action, Person, Review, ReviewFinding
from orthanc_plugin.cases import records
from orthanc_plugin.cases.review_views import ReviewAnswer, ReviewRequest
from orthanc_plugin.store import reviews
from orthanc_plugin.store.tables import Series


def review(session: Session, series_id: str, by: Person, asked: ReviewRequest, now: datetime) -> ReviewAnswer:
    """Record what a reader says of a series; a repeated request gets the first answer.

    Args:
        session: of one transaction.
        series_id: Orthanc's identifier.
        by: the reader.
        asked: as it was sent.
        now: the server's time.

    Raises:
        ReviewError: it contradicts itself.
        NotFoundError: no such series.
        ConflictError: the series is no longer as the reader saw it, or cannot be reviewed.
    """
    request = asked.model_dump_json()
    row = reviews.repeated(session, series_id, by.login, request_id=asked.request_id, asked=request)
    if row is None:
        series = session.get(Series, series_id)
        machine = Assessment.from_json(series.current.content) if series and series.current else None
        row = reviews.record(
            session,
            series_id,
            said(asked, by, machine, now),
            seen=asked.based_on,
            request_id=asked.request_id,
            asked=request,
            now=now,
        )
    return records.review_answer(row)


def said(asked: ReviewRequest, by: Person, machine: Assessment | None, now: datetime) -> Review:
    """The review, with all that it says: a confirmation says what it confirms.

    Args:
        asked: as it was sent.
        by: the reader.
        machine: the current result, which the reader had before them.
        now: the server's time.

    Raises:
        ReviewError: it contradicts itself.
    """
    urgency = asked.urgency
    findings: Mapping[ReviewFinding, bool] = asked.findings
    if asked.action is Action.CONFIRM and machine is not None:
        urgency = machine.urgency if urgency is None else urgency
        # Who has not seen the machine's answer cannot have confirmed what it says of blood.
        findings = findings if asked.blind else _confirmed(findings, machine)
    return Review(
        by=by,
        at=now,
        action=asked.action,
        urgency=urgency,
        findings=findings,
        reason=asked.reason,
        comment=asked.comment,
        blind=asked.blind,
    )


def _confirmed(findings: Mapping[ReviewFinding, bool], machine: Assessment) -> Mapping[ReviewFinding, bool]:
    """Whoever confirms what was called a bleed says that there is one, unless they say otherwise."""
    bleeds = any(finding.kind is FindingKind.HAEMORRHAGE for finding in machine.findings)
    return {ReviewFinding.HAEMORRHAGE: True, **findings} if bleeds else findings
