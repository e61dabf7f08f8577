"""A machine whose clock may be set, and the worklist as it shows it."""

import worklist_samples
from sqlalchemy.orm import Session
from store_samples import (
    after,
)

from orthanc_plugin.cases import records
from orthanc_plugin.cases.views import WorklistRow
from orthanc_plugin.settings import Settings
from orthanc_plugin.store.clock import Clocks, ClockWatch
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.standing import order

DAY, YEAR = 86400.0, 365 * 86400.0


def rows(session: Session, now: float) -> tuple[WorklistRow, ...]:
    session.flush()
    session.expire_all()
    return worklist_samples.in_order(records.studies(session), after(now))


def place(row: WorklistRow) -> str:
    return order.PLACES[worklist_samples.place(row)].name


class Machine:
    """A machine whose clock may be set."""

    def __init__(self, database: Database, options: Settings) -> None:
        self.database, self.options = database, options
        self.real = 0.0
        """Seconds since the beginning."""
        self.off = 0.0
        """By how much the clock is wrong."""
        self.started = -1000.0
        self.boot = "first"
        self.start_triage()

    @property
    def now(self) -> float:
        return self.real + self.off

    def read(self) -> Clocks:
        return Clocks(after(self.now), self.real - self.started, self.boot)

    def start_triage(self) -> None:
        self.watch = ClockWatch(self.database, self.options, self.read)
        self.watch.look()

    def go_on(self, seconds: float) -> None:
        self.real += seconds
        self.watch.look()

    def set_clock(self, by: float) -> None:
        self.off += by
        self.watch.look()

    def start_again(self, *, down: float, off: float) -> None:
        """Off for a while; its clock is wrong by ``off`` when it is there again."""
        self.real += down
        self.off, self.started, self.boot = off, self.real, f"at {self.real}"
        self.start_triage()
