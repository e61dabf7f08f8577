"""The work itself: processes, logs, announcements."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from orthanc_plugin.store.base import Base, few


class AuditEntry(Base):
    """What happened, when, and who did it. Only added to; the chain is :mod:`orthanc_plugin.audit`'s."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("audit_number", "number", unique=True),
        few("audit_to_link", "id", where="number IS NULL"),
        few("audit_marks", "id", where="event IN ('started', 'audit_released', 'audit_fault')"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    event: Mapped[str]
    actor: Mapped[str] = mapped_column(default="triage")
    series_id: Mapped[str | None] = mapped_column(String(64), index=True)
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    number: Mapped[int | None]
    """Its place in the chain; ``None`` for the moment until it is linked."""
    running: Mapped[int | None]
    """Seconds for which the program had run by then, since the chain began: a clock that nobody can set."""
    seal: Mapped[str | None] = mapped_column(String(81))
    """Of all this and of the seal before."""


class Worker(Base):
    """A judging process and its last sign of life."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    bundle: Mapped[str | None] = mapped_column(String(64))
    """Digest of the model it judges with."""
    loading: Mapped[str | None] = mapped_column(String(64))
    """Digest of the model it is loading: a process that dies over that was killed by it."""


class CopiedDocument(Base):
    """A document that Orthanc made of another one as it copied a study: of ours, it is to be withdrawn."""

    __tablename__ = "copied_documents"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Orthanc's identifier of the instance."""
    copied_from: Mapped[str | None] = mapped_column(String(64))
    """The instance that it was made of, where Orthanc notes that."""
    found_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    """When it was deleted from Orthanc; the row stays, for copies of it may come."""


class Import(Base):
    """A study announced as brought in from a medium, not sent by a scanner."""

    __tablename__ = "imports"

    study_instance_uid: Mapped[str] = mapped_column(primary_key=True)
    earlier: Mapped[bool]
    """Assessed, not queued; false when a person said that the study is new."""
    announced_at: Mapped[datetime]
    actor: Mapped[str]


class MissingImages(Base):
    """A series that was restored without its images; the row goes when they were read again."""

    __tablename__ = "missing_images"

    series_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Orthanc's identifier."""
    since: Mapped[datetime]


class Position(Base):
    """How far a log of Orthanc was read."""

    __tablename__ = "positions"

    log: Mapped[str] = mapped_column(primary_key=True)
    sequence: Mapped[int]


class ClockMark(Base):
    """What the clocks of a machine showed when they were last noted."""

    __tablename__ = "clock_marks"

    host: Mapped[str] = mapped_column(primary_key=True)
    """Empty where the store is of one machine."""
    wall: Mapped[datetime]
    steady: Mapped[float]
    """Seconds since the machine started."""
    boot: Mapped[str] = mapped_column(String(64))
    """Which start of the machine."""
    before: Mapped[datetime | None]
    """What the clock last showed before that start, until the clock is first set after it."""


class ClockJump(Base):
    """The server's clock was set, and the store's times with it. Rows are only added."""

    __tablename__ = "clock_jumps"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    """As the clock shows it since."""
    seconds: Mapped[float]
    """Forward; negative where it was set back."""


class Tally(Base):
    """How many there are: nobody counts the rows of years, :mod:`orthanc_plugin.store.standing.tallies`."""

    __tablename__ = "tallies"

    kind: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]
    seconds: Mapped[float]
    """Of all together, where they took time."""
