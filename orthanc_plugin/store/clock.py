"""The server's clock is set while we run, or while we did not: the store's times are moved along with it.

So every time in the store keeps its distance from now: what waits has waited as long, what came first came
first, what is due is due. A second clock, which nobody can set, tells how far the first one jumped. Across a
restart of the machine nothing tells more than that time never runs backwards.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Table, bindparam, func, or_, select, update
from sqlalchemy.orm import Session

from orthanc_plugin.settings import Settings
from orthanc_plugin.store import imports
from orthanc_plugin.store.base import Base, UtcDateTime
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.standing import keeping
from orthanc_plugin.store.tables import (
    Assessment,
    AuditEntry,
    Bundle,
    ClockJump,
    ClockMark,
    Review,
    Series,
)
from orthanc_plugin.store.times import SLACK

log = logging.getLogger(__name__)

NOTED_SECONDS = 60.0
"""How often it is noted what the clocks show, for the next start."""
KEPT_AS_WRITTEN = frozenset({t.__tablename__ for t in (AuditEntry, Bundle, ClockMark, ClockJump)})
"""Tables whose times say what the clock showed, and are compared with none of the others."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Clocks:
    """Both clocks, read at the same moment."""

    wall: datetime
    steady: float
    """Seconds since the machine started, its sleep included (``CLOCK_BOOTTIME``)."""
    boot: str
    """Which start of the machine."""

    @classmethod
    def read(cls) -> "Clocks":
        """As they are now."""
        boot = _BOOT.read_text().strip() if _BOOT.exists() else ""
        return cls(datetime.now(UTC), time.clock_gettime(time.CLOCK_BOOTTIME), boot)

    def jumped_since(self, wall: datetime, steady: float, boot: str) -> timedelta:
        """How far the clock was set since both were read before; nothing where that is within the slack.

        Since another start of the machine only that is known by which the clock runs behind its last reading.
        """
        if boot == self.boot:
            jump = self.wall - wall - timedelta(seconds=self.steady - steady)
        else:
            jump = min(self.wall - wall, timedelta())
        return jump if abs(jump) > SLACK else timedelta()


class ClockWatch:
    """Looks at the clock; one for each process that writes when images came, whatever its threads."""

    def __init__(
        self, database: Database, settings: Settings, read: Callable[[], Clocks] = Clocks.read
    ) -> None:
        self._database = database
        self._settings = settings
        # A file is of one machine, whatever that is called today.
        self._host = "" if database.engine.dialect.name == "sqlite" else socket.gethostname()
        self._read = read
        self._last: Clocks | None = None
        self._noted = 0.0
        self._lock = threading.Lock()

    def look(self) -> timedelta:
        """Move the store's times where the clock was set since the last look; by how much it was."""
        with self._lock:
            now, last = self._read(), self._last
            quiet = last is not None and not now.jumped_since(last.wall, last.steady, last.boot)
            if quiet and now.steady - self._noted < NOTED_SECONDS:
                self._last = now
                return timedelta()
            with self._database.writing() as session:
                jump = observe(session, now, self._host)
                if jump:
                    imports.place_by_date(session, self._settings.earlier_after_days, now.wall)
            if jump:
                log.warning("the clock was set by %+.0f s", jump.total_seconds())
            self._last, self._noted = now, now.steady
            return jump


def observe(session: Session, now: Clocks, host: str = "") -> timedelta:
    """Note what a machine's clocks show; where the clock was set since, move the store's times.

    Not where several machines write into one store: then the times are of several clocks.
    """
    mark = session.get(ClockMark, host, with_for_update=True)
    if mark is None:
        session.add(ClockMark(host=host, wall=now.wall, steady=now.steady, boot=now.boot))
        return timedelta()
    jump = now.jumped_since(mark.wall, mark.steady, mark.boot)
    if jump:
        # What was written before the machine started on a wrong clock is right as it is.
        right = mark.before if mark.before is not None and mark.before <= now.wall else None
        if session.scalar(select(func.count()).select_from(ClockMark)) == 1:
            _move_times(session, jump, right)
        session.add(ClockJump(at=now.wall, seconds=jump.total_seconds()))
        mark.before = None
    elif mark.boot != now.boot:
        mark.before = mark.wall
    mark.wall, mark.steady, mark.boot = now.wall, now.steady, now.boot
    return jump


def last_jump(session: Session) -> ClockJump | None:
    """The last time that the clock was set."""
    return session.scalar(select(ClockJump).order_by(ClockJump.id.desc()).limit(1))


def jumps(session: Session) -> int:
    """How often the clock was set."""
    return session.scalar(select(func.count()).select_from(ClockJump)) or 0


# --- Inside ---------------------------------------------------------------------------------------


def _move_times(session: Session, jump: timedelta, right: datetime | None) -> None:
    """Move all times by as much as the clock was set.

    Args:
        session: of one transaction.
        jump: by how much.
        right: times up to this one stay, and none comes to lie before it.
    """
    session.flush()
    for table in _tables():
        keys = list(table.primary_key.columns)
        times = [column for column in table.columns if isinstance(column.type, UtcDateTime)]
        moved = [
            {
                **{f"key_{key.name}": row[key] for key in keys},
                **{f"new_{at.name}": _moved(row[at], jump, right) for at in times},
            }
            for row in session.execute(select(*keys, *times)).mappings()
        ]
        if moved:
            change = update(table).where(*(key == bindparam(f"key_{key.name}") for key in keys))
            change = change.values({at.name: bindparam(f"new_{at.name}") for at in times})
            session.connection().execute(change, moved)
    session.expire_all()
    keeping.of(session).touch_all()
    if right is not None:
        keeping.of(session).touch(_held_back(session, right))


def _tables() -> Iterator[Table]:
    """Those with times that are compared with now or with each other."""
    for table in Base.metadata.sorted_tables:
        if table.name not in KEPT_AS_WRITTEN and any(isinstance(c.type, UtcDateTime) for c in table.columns):
            yield table


def _held_back(session: Session, right: datetime) -> Iterator[str]:
    """Studies with times that would have come to lie before this one: of these the order may have changed."""
    came = or_(Series.last_arrival == right, Series.first_arrival == right)
    yield from session.scalars(select(Series.study_id).where(came))
    for said, at in ((Assessment, Assessment.created_at), (Review, Review.at)):
        yield from session.scalars(select(Series.study_id).join(said).where(at == right))


def _moved(at: datetime | None, jump: timedelta, right: datetime | None) -> datetime | None:
    if at is None or (right is not None and at <= right):
        return at
    try:
        there = at + jump
    except OverflowError:
        return at
    return max(there, right) if right is not None else there
