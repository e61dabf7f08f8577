"""Which states follow one another, and what goes with entering each.

A series *arrives*, is *claimed* by a worker with a lease, and ends *assessed*, *not analysed* or *failed*.
New images take it back to *arriving* from anywhere.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from headct.errors import HeadCTError
from headct.reasons import Reason
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import SeriesState
from orthanc_plugin.store.tables import AuditEntry, Series

_S = SeriesState

TRANSITIONS: dict[SeriesState, frozenset[SeriesState]] = {
    _S.ARRIVING: frozenset({_S.ARRIVING, _S.JUDGING, _S.WITHDRAWN}),
    _S.WAITING: frozenset({_S.ARRIVING, _S.JUDGING, _S.WITHDRAWN}),
    _S.JUDGING: frozenset({_S.ARRIVING, _S.WAITING, _S.ASSESSED, _S.NOT_ANALYSED, _S.FAILED, _S.WITHDRAWN}),
    _S.ASSESSED: frozenset({_S.ARRIVING, _S.WITHDRAWN}),
    _S.NOT_ANALYSED: frozenset({_S.ARRIVING, _S.WITHDRAWN}),
    _S.FAILED: frozenset({_S.ARRIVING, _S.WITHDRAWN}),
    _S.WITHDRAWN: frozenset({_S.ARRIVING}),
}

PRIORITY_NEW, PRIORITY_RERUN = 0, 1


class TransitionError(HeadCTError):
    """A change of state that must not happen; a fault of the program."""


def move(series: Series, state: SeriesState, now: datetime) -> None:
    """Enter a state; whatever belonged to the one before ends.

    Raises:
        TransitionError: a series never goes from the one to the other.
    """
    if state not in TRANSITIONS[series.state]:
        raise TransitionError(f"a series cannot go from {series.state} to {state}")
    series.state = state
    series.changed_at = now
    series.reason_code, series.reason_detail = None, ""
    series.lease_owner, series.lease_until = None, None
    series.lost_unread = False
    series.interrupted &= not state.final


def requeue(series: Series, now: datetime, not_before: datetime) -> None:
    """To be judged as something new: results of what it was before are discarded."""
    move(series, SeriesState.ARRIVING, now)
    series.generation += 1
    series.attempts = 0
    series.priority = PRIORITY_NEW
    series.not_before = not_before


def wait(series: Series, now: datetime, settings: Settings) -> None:
    """Looked at again when the long quiet time has passed, or when an image comes."""
    move(series, SeriesState.WAITING, now)
    series.not_before = min(series.last_arrival, now) + timedelta(seconds=settings.long_quiet_seconds)


def give_back(series: Series, now: datetime) -> None:
    """The attempt does not count: it ended through no fault of the series."""
    series.attempts -= 1
    move(series, SeriesState.ARRIVING, now)
    series.not_before = now


def give_reason(series: Series, reason: Reason) -> None:
    """Say why it is in the state just entered."""
    series.reason_code, series.reason_detail = reason.code.value, reason.detail


def audit(
    session: Session, event: str, series_id: str, now: datetime, *, actor: str = "triage", **detail: Any
) -> None:
    """What happened to a series, and who did it."""
    session.add(AuditEntry(at=now, event=event, actor=actor, series_id=series_id, detail=detail))
