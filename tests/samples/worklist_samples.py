"""Studies and series as the worklist gets them from the store, for tests of what it makes of them."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from store_samples import after, assessment

from headct.reasons import Reason, ReasonCode
from headct.terms.review import Action, Exclusion, Person, Review, verdict
from headct.terms.urgency import Urgency
from orthanc_plugin.cases import worklist
from orthanc_plugin.cases.study import SeriesRecord, StudyRecord
from orthanc_plugin.cases.views import WorklistRow
from orthanc_plugin.states import CaseState, SeriesState
from orthanc_plugin.store.standing import order

NOW = after(3600)


def assessed(urgency: Urgency, name: str = "s", *, preliminary: bool = False) -> SeriesRecord:
    return SeriesRecord(
        id=name,
        series_instance_uid=f"1.2.{name}",
        state=SeriesState.WAITING if preliminary else SeriesState.ASSESSED,
        assessment=assessment(urgency),
        preliminary=preliminary,
        judged_at=after(10),
        preview_slices=33,
    )


def without(state: SeriesState, code: ReasonCode | None = None, name: str = "n") -> SeriesRecord:
    return SeriesRecord(
        id=name, series_instance_uid=f"1.2.{name}", state=state, reason=Reason(code) if code else None
    )


ARRIVING = without(SeriesState.ARRIVING)
FAILED = without(SeriesState.FAILED, ReasonCode.INTERNAL_ERROR)
LOCALIZER = without(SeriesState.NOT_ANALYSED, ReasonCode.LOCALIZER, "l")
HALF = without(SeriesState.NOT_ANALYSED, ReasonCode.HEAD_NOT_COVERED, "h")


def study(name: str, *series: SeriesRecord, arrived: datetime | None = None) -> StudyRecord:
    return StudyRecord(
        id=name, study_instance_uid=f"1.3.{name}", first_arrival=arrived or after(0), series=series
    )


def said(
    record: SeriesRecord, urgency: Urgency | None, at: float = 100, *, unseen: bool = False
) -> SeriesRecord:
    """The same after a reader spoke of it; ``None``: they excluded it."""
    review = Review(
        Person("sato", "Sato^Hanako", "St. Elsewhere"),
        after(at),
        Action.EXCLUDE if urgency is None else Action.RELABEL,
        urgency,
        reason=Exclusion.WRONG_SERIES if urgency is None else None,
    )
    return replace(record, verdict=verdict([review]), reviewed_at=after(at), unseen=unseen)


def place(row: WorklistRow) -> int:
    """The line of the table of places at which a case stands, by what is shown of it."""
    said = (row.urgency, row.machine_urgency if row.reopened else None)
    return order.place_of(
        order.Facts(
            waits=not row.reviewed,
            worst=max((u for u in said if u is not None), default=None),
            just_came=row.state is CaseState.PENDING
            and row.waiting_known
            and row.waiting_seconds <= order.OVERDUE_SECONDS,
            incomplete=any(s.state.unknown for s in row.series),
            wrong_clock=not row.waiting_known,
        )
    )


def in_order(studies: Iterable[StudyRecord], now: datetime) -> tuple[WorklistRow, ...]:
    """All rows in the order of work, without the database: what its lists are compared with."""
    rows = (worklist.row(study, now) for study in studies if study.shown)
    return tuple(sorted(rows, key=sort_key))


def sort_key(row: WorklistRow) -> tuple[int, bool, datetime, str]:
    """The place, then the longest waiting first; those that came on a wrong clock may be that."""
    return place(row), row.waiting_known, row.first_arrival, row.id
