"""The worklist: one row a study, in the order of work."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from headct.reasons import Reason, ReasonCode
from headct.terms.assessment import Assessment
from headct.terms.review import UNREVIEWED, Said, Standing, Verdict, counted
from headct.terms.urgency import Urgency
from orthanc_plugin.answer import PatientNameView
from orthanc_plugin.cases.review_views import ReviewView
from orthanc_plugin.cases.views import (
    CautionView,
    FindingView,
    PreviewView,
    ReasonView,
    SeriesSummary,
    WorklistRow,
)
from orthanc_plugin.states import PENDING, CaseState, SeriesState

OVERDUE_SECONDS = 60.0
"""A case pending longer ranks with the failed ones."""

TELLING = (
    ReasonCode.INTERNAL_ERROR,
    ReasonCode.HEAD_NOT_COVERED,
    ReasonCode.INCONSISTENT_GEOMETRY,
    ReasonCode.UNREADABLE,
    ReasonCode.TOO_FEW_SLICES,
    ReasonCode.CONTRAST,
    ReasonCode.BONE_KERNEL,
    ReasonCode.NOT_AXIAL,
    ReasonCode.NOT_A_HEAD,
    ReasonCode.PHANTOM,
    ReasonCode.LOCALIZER,
    ReasonCode.NOT_CT,
)
"""Of several reasons in a study, the one of the series that came nearest to being judged."""


@dataclass(frozen=True, slots=True)
class SeriesRecord:
    """A series as the store has it."""

    id: str
    series_instance_uid: str
    state: SeriesState
    number: str = ""
    description: str = ""
    modality: str = ""
    images: int = 0
    reason: Reason | None = None
    assessment: Assessment | None = None
    """The current one."""
    preliminary: bool = False
    judged_at: datetime | None = None
    preview_slices: int = 0
    verdict: Verdict = UNREVIEWED
    reviewed_at: datetime | None = None
    """When a person first spoke of it."""
    reviews: tuple[ReviewView, ...] = ()
    """Each reader's last word."""
    unseen: bool = False
    """There is more than readers had before them, :meth:`orthanc_plugin.store.tables.Series.unseen`."""

    @property
    def urgency(self) -> Urgency | None:
        """What the machine says of it now."""
        return self.assessment.urgency if self.assessment else None

    @property
    def said(self) -> Said:
        """What is said of it now, by machine and persons."""
        return Said(self.urgency, self.preliminary, self.verdict, self.unseen)

    def summary(self) -> SeriesSummary:
        """As shown."""
        return SeriesSummary(
            id=self.id,
            series_instance_uid=self.series_instance_uid,
            number=self.number,
            description=self.description,
            modality=self.modality,
            images=self.images,
            state=self.state,
            reason=ReasonView.of(self.reason) if self.reason else None,
            urgency=self.urgency,
            preliminary=self.preliminary,
        )


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """A study as the store has it."""

    id: str
    study_instance_uid: str
    first_arrival: datetime
    series: tuple[SeriesRecord, ...]
    earlier: bool = False
    patient_id: str = ""
    patient_name: str = ""
    birth_date: str = ""
    sex: str = ""
    age: str = ""
    accession_number: str = ""
    study_date: str = ""
    study_time: str = ""
    description: str = ""


def rows(studies: Iterable[StudyRecord], now: datetime) -> tuple[WorklistRow, ...]:
    """Rows in the order of work; studies all of whose series are withdrawn have none."""
    made = (row(study, now) for study in studies if _shown(study.series))
    return tuple(sorted(made, key=order))


def order(row: WorklistRow) -> tuple[int, datetime, str]:
    """Sort key: the group, then the longest waiting first."""
    return _group(row), row.first_arrival, row.id


def row(study: StudyRecord, now: datetime) -> WorklistRow:
    """One study as shown."""
    series = sorted(_shown(study.series), key=_best_first)
    counts = counted(s.said for s in series)
    judged = [s for s in series if s.assessment is not None]
    worst = judged[0] if judged else None
    given = [u for s in series if (u := s.verdict.urgency) is not None]
    disputed = any(s.verdict.standing is Standing.DISPUTED for s in series)
    reopened = any(_reopens(s, max(given, default=None)) for s in series if s.unseen)
    spoken = [s.reviewed_at for s in series if s.reviewed_at is not None]
    # An exclusion gives no colour: the case is read once nothing else in it could be worse.
    read = bool(given) or (bool(spoken) and not any(_open(s) for s in series))
    reviewed = read and not disputed and not reopened
    ended = min(spoken) if spoken and read and not reopened else now
    state = _case_state(series)
    reason = _telling_reason(series) if worst is None and state is not CaseState.PENDING else None
    assessment = worst.assessment if worst else None
    return WorklistRow(
        id=study.id,
        study_instance_uid=study.study_instance_uid,
        patient_name=PatientNameView.of(study.patient_name),
        patient_id=study.patient_id,
        birth_date=study.birth_date,
        sex=study.sex,
        age=study.age,
        accession_number=study.accession_number,
        study_date=study.study_date,
        study_time=study.study_time,
        study_description=study.description,
        first_arrival=study.first_arrival,
        waiting_seconds=max(0.0, (ended - study.first_arrival).total_seconds()),
        state=state,
        urgency=counts.urgency,
        by_person=counts.by_person,
        machine_urgency=assessment.urgency if assessment else None,
        reviewed=reviewed,
        disputed=disputed,
        reviews=tuple(sorted((r for s in series for r in s.reviews), key=lambda r: r.at)),
        reopened=reopened,
        preliminary=worst.preliminary if worst and counts.by_person else counts.preliminary,
        discordant=len({s.urgency for s in judged}) > 1,
        reason=ReasonView.of(reason) if reason else None,
        findings=tuple(FindingView.of(f) for f in assessment.findings) if assessment else (),
        cautions=tuple(CautionView.of(c) for c in assessment.cautions) if assessment else (),
        judged_at=worst.judged_at if worst else None,
        result_age_seconds=(
            max(0.0, (now - worst.judged_at).total_seconds()) if worst and worst.judged_at else None
        ),
        preview=_preview(worst),
        series=tuple(s.summary() for s in series),
    )


def _group(row: WorklistRow) -> int:
    if row.reviewed:
        # Read: it waits for nobody. The worst on top, all the same.
        return 8 - (row.urgency or Urgency.GREEN)
    # New images may show what the reader could not see; his colour stays, the order follows the machine.
    said = [u for u in (row.urgency, row.machine_urgency if row.reopened else None) if u is not None]
    urgency = max(said, default=None)
    if urgency is not None and urgency.alert:
        return 0
    if urgency is Urgency.YELLOW:
        return 2
    if urgency is Urgency.GREEN:
        # What is still unknown of a study may be worse than what is known.
        unknown = any(s.state.unknown for s in row.series)
        return 3 if unknown else 4
    if row.state is CaseState.PENDING and row.waiting_seconds <= OVERDUE_SECONDS:
        return 3
    return 1


def _open(series: SeriesRecord) -> bool:
    """Whether no reader spoke of it though it may show something."""
    return series.reviewed_at is None and (series.state.unknown or series.assessment is not None)


def _reopens(series: SeriesRecord, given: Urgency | None) -> bool:
    """Whether what no reader saw may be worse than what readers said."""
    if series.urgency is None:
        return series.state.unknown
    return given is None or series.urgency > given


def _shown(series: Iterable[SeriesRecord]) -> list[SeriesRecord]:
    return [s for s in series if s.state is not SeriesState.WITHDRAWN]


def _best_first(series: SeriesRecord) -> tuple[int, int, int, int, str]:
    """Worst urgency first, final before preliminary; then the pending, then by what the reason tells."""
    if series.urgency is not None:
        return 0, -series.urgency, series.preliminary, 0, series.id
    if series.state.pending:
        return 1, 0, 0, 0, series.id
    telling = TELLING.index(series.reason.code) if series.reason else len(TELLING)
    return 2, 0, 0, telling, series.id


def _case_state(series: Sequence[SeriesRecord]) -> CaseState:
    if any(s.assessment is not None for s in series):
        return CaseState.ASSESSED
    states = {s.state for s in series}
    if states & PENDING:
        return CaseState.PENDING
    return CaseState.FAILED if SeriesState.FAILED in states else CaseState.NOT_ANALYSED


def _telling_reason(series: Sequence[SeriesRecord]) -> Reason | None:
    reasons = [s.reason for s in series if s.reason is not None]
    return min(reasons, key=lambda r: TELLING.index(r.code), default=None)


def _preview(series: SeriesRecord | None) -> PreviewView | None:
    if series is None or series.assessment is None or not series.preview_slices:
        return None
    keys = series.assessment.key_slices
    return PreviewView(series_id=series.id, slice=keys[0].number if keys else series.preview_slices // 2)
