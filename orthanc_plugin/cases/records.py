"""Rows of the store as records of the worklist and as views of one series."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased, selectinload

from headct.terms.assessment import Assessment
from headct.terms.label import StoredLabel
from headct.terms.review import Review
from orthanc_plugin.answer import PatientNameView
from orthanc_plugin.cases.review_views import (
    LabelsView,
    LabelView,
    ReviewAnswer,
    ReviewView,
    UnverifiedView,
    VerdictView,
)
from orthanc_plugin.cases.study import SeriesRecord, StudyRecord
from orthanc_plugin.cases.views import AssessmentView, DocumentView, LostView, SeriesView
from orthanc_plugin.recycling import unread
from orthanc_plugin.states import SeriesState
from orthanc_plugin.store import reviews, sent_again, tables
from orthanc_plugin.store.standing.case import KnownSeries, is_aside, series_of
from orthanc_plugin.store.tables import Series, Study

MOST_LABELS = 500
"""Of one answer: a third of a second at most, and 300 KB."""
LOST_SHOWN = 50
"""Of the studies that were lost unread."""


def studies(session: Session, study_ids: Sequence[str] | None = None) -> list[StudyRecord]:
    """All studies, or some, with their current assessments and nothing of their history."""
    wanted = select(Study).options(selectinload(Study.in_doubt))
    if study_ids is not None:
        wanted = wanted.where(Study.id.in_(study_ids))
    by_study = series_of(session, study_ids)
    return [_study_record(study, by_study.get(study.id, ())) for study in session.scalars(wanted)]


def lost(session: Session) -> tuple[tuple[LostView, ...], int]:
    """Studies deleted before anybody had read them, by the worst of their series; and how many more.

    These are the last ones: the others are shown as they are noted.
    """
    found: dict[str, LostView] = {}
    for series in unread.lost(session):
        whose, known = series.study.demographics, found.get(series.study_id)
        said = series.assessments[0].urgency if series.assessments else None
        if known is not None:
            said = max((u for u in (said, known.urgency) if u is not None), default=None)
        found[series.study_id] = LostView(
            study_id=series.study_id,
            study_instance_uid=series.study.study_instance_uid,
            patient_name=PatientNameView.of(whose.patient_name),
            patient_id=whose.patient_id,
            accession_number=whose.accession_number,
            study_date=whose.study_date,
            study_time=whose.study_time,
            urgency=said,
            deleted_at=series.changed_at,
        )
    last = sorted(found.values(), key=lambda view: view.deleted_at, reverse=True)
    return tuple(last[:LOST_SHOWN]), len(last[LOST_SHOWN:])


def _study_record(study: Study, series: Sequence[KnownSeries]) -> StudyRecord:
    aside = is_aside(s.row for s in series)
    return StudyRecord(
        id=study.id,
        study_instance_uid=study.study_instance_uid,
        first_arrival=study.first_arrival,
        series=tuple(_series_record(s.row, s.current, unseen=s.unseen) for s in series),
        earlier=study.earlier or aside,
        aside=aside,
        demographics=study.demographics,
        unverified=study.unverified,
    )


def _rendered(series: Series) -> int:
    """Slices that can be shown; none while they are being rendered, so that no page asks too early."""
    return 0 if series.preview_pending else series.preview_slices


def _series_record(series: Series, said: tables.Assessment | None, *, unseen: bool = False) -> SeriesRecord:
    return SeriesRecord(
        id=series.id,
        series_instance_uid=series.series_instance_uid,
        state=series.state,
        number=series.number,
        description=series.description,
        modality=series.modality,
        images=series.instance_count,
        reason=series.reason,
        assessment=Assessment.from_json(said.content) if said else None,
        preliminary=said.preliminary if said else False,
        judged_at=said.created_at if said else None,
        preview_slices=_rendered(series),
        verdict=series.verdict,
        reviewed_at=series.reviews[0].at if series.reviews else None,
        reviews=tuple(_review_view(row) for row in {row.login: row for row in series.reviews}.values()),
        unseen=unseen,
    )


def series_view(series: Series, session: Session) -> SeriesView:
    """One series in full, with what was said of it before."""
    # The same images under the patient they were first sent for belong to the history.
    earlier = session.scalars(select(Series).where(Series.superseded_by == series.id)).all()
    said = [*series.assessments, *(a for other in earlier for a in other.assessments)]
    current, counted = series.current, series.verdict
    summary = _series_record(series, current).summary()
    return SeriesView(
        **{name: getattr(summary, name) for name in type(summary).model_fields},
        study_id=series.study_id,
        attempts=series.attempts,
        first_arrival=series.first_arrival,
        assessment=_assessment_view(current) if current else None,
        reviews=tuple(_review_view(row) for row in series.reviews),
        unverified=tuple(
            UnverifiedView.of(f) for f in series.study.unverified if f.speaks_of(series.series_instance_uid)
        ),
        verdict=VerdictView.of(counted),
        disagreement=bool(current and counted.urgency is not None and counted.urgency is not current.urgency),
        based_on=reviews.based_on(series),
        history=tuple(_assessment_view(a) for a in said if a is not current),
        documents=tuple(
            DocumentView(
                kind=d.kind,
                sop_instance_uid=d.sop_instance_uid,
                orthanc_id=d.orthanc_id,
                predecessor_uid=d.predecessor_uid,
                created_at=d.created_at,
                published_at=d.sent_at,
                withdrawn=d.withdrawn_at is not None,
            )
            for other in (series, *earlier)
            for d in other.documents
        ),
        images_missing=sent_again.are_missing(session, series.id),
        slices=_rendered(series),
    )


def _review_view(row: tables.Review) -> ReviewView:
    # Its content keeps the time that the clock showed; the row's is moved along when the clock is set.
    said = replace(Review.from_json(row.content), at=row.at)
    return ReviewView.of(said, row.assessment.urgency if row.assessment else None)


def _assessment_view(row: tables.Assessment) -> AssessmentView:
    return AssessmentView.of(
        Assessment.from_json(row.content),
        row.created_at,
        preliminary=row.preliminary,
        current=row.withdrawn_at is None,
        withdrawn_at=row.withdrawn_at,
    )


def review_answer(row: tables.Review) -> ReviewAnswer:
    """What was recorded, and what counted then: the same however often it is asked for."""
    return ReviewAnswer(review=_review_view(row), verdict=VerdictView.of(reviews.until(row)))


def labels(session: Session, after: int = 0, most: int = MOST_LABELS) -> LabelsView:
    """What persons said of the series that are still here, in the order in which they were first spoken of.

    Args:
        session: of one transaction.
        after: :attr:`LabelsView.next` of the part before; 0 for the first one.
        most: series of a part.
    """
    first, before = tables.Review, aliased(tables.Review)
    spoken_before = select(before.id).where(before.series_id == first.series_id, before.id < first.id)
    firsts = session.execute(
        select(first.id, first.series_id)
        .join(Series, Series.id == first.series_id)
        .where(first.id > after, ~spoken_before.exists(), Series.state != SeriesState.WITHDRAWN)
        .order_by(first.id)
        .limit(most + 1)
    ).all()
    wanted = {series_id: number for number, series_id in firsts[:most]}
    found = session.scalars(
        select(Series)
        .where(Series.id.in_(wanted))
        .options(selectinload(Series.reviews), selectinload(Series.study).selectinload(Study.in_doubt))
    )
    return LabelsView(
        labels=tuple(_label(series) for series in sorted(found, key=lambda series: wanted[series.id])),
        next=max(wanted.values()) if len(firsts) > most else None,
    )


def _label(series: Series) -> LabelView:
    """What persons said of a series, of which at least one spoke."""
    return LabelView.of(
        StoredLabel.of(
            series.verdict,
            readers=len({row.login for row in series.reviews}),
            series_id=series.id,
            study_id=series.study_id,
            series_instance_uid=series.series_instance_uid,
            study_instance_uid=series.study.study_instance_uid,
            unseen=series.unseen((), None),
            unverified=any(f.speaks_of(series.series_instance_uid) for f in series.study.unverified),
        )
    )
