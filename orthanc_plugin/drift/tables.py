"""Tables of the drift monitoring, in the store."""

from datetime import date
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from orthanc_plugin.store.base import Base


class StudyFigures(Base):
    """What a study adds to the figures of the weeks, so that it can be taken away again."""

    __tablename__ = "study_figures"

    study_id: Mapped[str] = mapped_column(ForeignKey("studies.id"), primary_key=True)
    figures: Mapped[dict[str, Any]]
    """By the week's Monday, model and figure; as :class:`orthanc_plugin.drift.facts.Figures` has it."""


class WeekFigures(Base):
    """The figures of all studies of a week."""

    __tablename__ = "week_figures"

    week: Mapped[date] = mapped_column(primary_key=True)
    """Its Monday."""
    model: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Digest of the model that they are about; empty where they are about none."""
    figures: Mapped[dict[str, Any]]
    """By figure."""
