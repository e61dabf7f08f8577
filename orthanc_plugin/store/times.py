"""What a clock that was set may do to times in the store: nothing waits for it, and nothing is lost by it.

:mod:`orthanc_plugin.store.clock` moves the store's times along when it sees the clock being set. These rules
hold also where nobody saw it: a time written by a clock that ran ahead lies in the future.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement

SLACK = timedelta(seconds=5)
"""A time this far ahead is no sign of a wrong clock: machines that share a store differ by as much."""
ORTHANC_BEGAN = datetime(2012, 7, 19, tzinfo=UTC)
"""Release of Orthanc 0.1.0. What it says to have stored before was stored on a clock without a battery."""


def due(deadline: Any, now: datetime, longest: float) -> ColumnElement[bool]:
    """Whether a deadline has passed, or was set by a clock that ran ahead."""
    passed: ColumnElement[bool] = deadline <= now
    return passed | too_far(deadline, now, longest)


def too_far(deadline: Any, now: datetime, longest: float) -> ColumnElement[bool]:
    """Whether a deadline lies further ahead than anybody ever sets it.

    Args:
        deadline: the column.
        now: the server's time.
        longest: the longest pause that such a deadline is set for, in seconds.
    """
    beyond: ColumnElement[bool] = deadline > now + timedelta(seconds=longest) + SLACK
    return beyond


def ahead(time: datetime, now: datetime) -> bool:
    """Whether a time of the past lies in the future: it was written by a clock that has been set back."""
    return time > now + SLACK


def later_than(now: datetime, *earlier: datetime | None) -> datetime:
    """Now, or just after what came before it, where the clock was set back in between: the order stays."""
    return max([now, *(time + timedelta(microseconds=1) for time in earlier if time is not None)])


def seconds(since: datetime, until: datetime) -> float:
    """Never negative, though the clock may have been set back."""
    return max(0.0, (until - since).total_seconds())
