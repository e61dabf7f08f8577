"""One row of the worklist: a study as shown."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from headct.reasons import ReasonCode
from orthanc_plugin.answer import PatientNameView
from orthanc_plugin.cases.review_views import UnverifiedView
from orthanc_plugin.cases.study import SeriesRecord, StudyRecord
from orthanc_plugin.cases.views import (
    CautionView,
    DoubtView,
    FindingView,
    PreviewView,
    ReasonView,
    WorklistRow,
)
from orthanc_plugin.states import CaseState
from orthanc_plugin.store import times
from orthanc_plugin.store.standing.case import Case

TELLING = (
    ReasonCode.INTERNAL_ERROR,
    ReasonCode.TOO_LARGE,
    ReasonCode.HEAD_NOT_COVERED,
    ReasonCode.INCONSISTENT_GEOMETRY,
    ReasonCode.UNREADABLE,
    ReasonCode.TOO_FEW_SLICES,
    ReasonCode.CONTRAST,
    ReasonCode.DERIVED_VALUES,
    ReasonCode.BONE_KERNEL,
    ReasonCode.NOT_AXIAL,
    ReasonCode.NOT_A_HEAD,
    ReasonCode.PHANTOM,
    ReasonCode.LOCALIZER,
    ReasonCode.NOT_CT,
)
"""Of several reasons in a study, the one of the series that came nearest to being judged."""


def row(study: StudyRecord, now: datetime, number: int = 0) -> WorklistRow:
    """One study as shown; ``number`` as in :attr:`WorklistRow.change`."""
    series = sorted(study.shown, key=_best_first)
    worst = next((s for s in series if s.assessment is not None), None)
    case = Case.of((s.facts for s in series), study.unverified)
    counts, progress, state = case.counts, case.progress, case.state
    # Beside a person's word it is said of what the machine says.
    preliminary = counts.preliminary or (counts.by_person and worst is not None and worst.preliminary)
    return WorklistRow(
        id=study.id,
        change=number,
        study_instance_uid=study.study_instance_uid,
        **{
            **asdict(study.demographics),
            "patient_name": PatientNameView.of(study.demographics.patient_name),
        },
        first_arrival=study.first_arrival,
        waiting_seconds=times.seconds(study.first_arrival, progress.waited_until or now),
        waiting_known=not times.ahead(study.first_arrival, now),
        waited_until=progress.waited_until,
        state=state,
        urgency=counts.urgency,
        by_person=counts.by_person,
        unsure=counts.unsure,
        preliminary=preliminary,
        discordant=len({s.urgency for s in series if s.urgency is not None}) > 1,
        reviewed=progress.reviewed,
        disputed=progress.disputed,
        reopened=progress.reopened,
        unverified=tuple(UnverifiedView.of(found) for found in study.unverified),
        aside=study.aside,
        reviews=tuple(sorted((r for s in series for r in s.reviews), key=lambda review: review.at)),
        reason=_reason(series) if worst is None and state is not CaseState.PENDING else None,
        **_of_result(worst, now),
        series=tuple(s.summary() for s in series),
    )


def as_of(row: WorklistRow, now: datetime) -> WorklistRow:
    """The same row at another time."""
    return row.model_copy(
        update={
            "waiting_seconds": times.seconds(row.first_arrival, row.waited_until or now),
            "waiting_known": not times.ahead(row.first_arrival, now),
            "result_age_seconds": times.seconds(row.judged_at, now) if row.judged_at else None,
        }
    )


def _of_result(worst: SeriesRecord | None, now: datetime) -> dict[str, Any]:
    """What the row shows of the machine's worst result."""
    if worst is None or worst.assessment is None:
        return {}
    return {
        "machine_urgency": worst.assessment.urgency,
        "findings": tuple(FindingView.of(f) for f in worst.assessment.findings),
        "doubts": tuple(DoubtView.of(d) for d in worst.assessment.doubts),
        "cautions": tuple(CautionView.of(c) for c in worst.assessment.cautions),
        "judged_at": worst.judged_at,
        "result_age_seconds": times.seconds(worst.judged_at, now) if worst.judged_at else None,
        "preview": _preview(worst),
    }


def _best_first(series: SeriesRecord) -> tuple[int, int, int, int, str]:
    """Worst urgency first, final before preliminary, unsure before sure; then the pending, then by reason."""
    if series.urgency is not None:
        return 0, -series.urgency, series.preliminary, not series.unsure, series.id
    if series.state.pending:
        return 1, 0, 0, 0, series.id
    telling = TELLING.index(series.reason.code) if series.reason else len(TELLING)
    return 2, 0, 0, telling, series.id


def _reason(series: Sequence[SeriesRecord]) -> ReasonView | None:
    """The most telling one."""
    reasons = [s.reason for s in series if s.reason is not None]
    telling = min(reasons, key=lambda reason: TELLING.index(reason.code), default=None)
    return ReasonView.of(telling) if telling is not None else None


def _preview(series: SeriesRecord) -> PreviewView | None:
    """Its first key slice, else its middle one."""
    if series.assessment is None or not series.preview_slices:
        return None
    keys = series.assessment.key_slices
    return PreviewView(series_id=series.id, slice=keys[0].number if keys else series.preview_slices // 2)
