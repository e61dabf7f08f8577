"""The table of recycling, in the store."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from orthanc_plugin.store.base import Base


class Protection(Base):
    """A patient that we protect from Orthanc's recycling; what a person protects has no row."""

    __tablename__ = "protections"

    patient_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Orthanc's identifier."""
    since: Mapped[datetime]
