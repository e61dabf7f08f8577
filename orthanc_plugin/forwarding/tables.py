"""Tables of forwarding, in the store."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from orthanc_plugin.states import DeliveryTrouble
from orthanc_plugin.store.base import Base, few
from orthanc_plugin.store.tables import Document


class Receiver(Base):
    """A DICOM modality that results go to, and whether it answers."""

    __tablename__ = "receivers"

    name: Mapped[str] = mapped_column(primary_key=True)
    """As in ``ForwardTo``, of Orthanc's ``DicomModalities``."""
    misses: Mapped[int] = mapped_column(default=0)
    """Attempts since it last answered."""
    trouble: Mapped[DeliveryTrouble | None]
    """Why nothing arrives there; empty while it answers."""
    not_before: Mapped[datetime]
    """When it may be tried again."""
    delivered: Mapped[int] = mapped_column(default=0)
    """Documents that arrived there."""
    delivered_as_text: Mapped[int] = mapped_column(default=0)
    """Documents that arrived there in plain text alone."""


class Delivery(Base):
    """A document on its way to a DICOM modality. What was delivered stands here, not in Orthanc's jobs."""

    __tablename__ = "deliveries"

    sop_instance_uid: Mapped[str] = mapped_column(ForeignKey("documents.sop_instance_uid"), primary_key=True)
    receiver: Mapped[str] = mapped_column(ForeignKey("receivers.name"), primary_key=True)
    not_before: Mapped[datetime | None]
    """When it is sent next; empty once it is delivered or given up."""
    attempts: Mapped[int] = mapped_column(default=0)
    """Answered with a refusal."""
    trouble: Mapped[DeliveryTrouble | None]
    """Why the last attempt failed."""
    delivered_at: Mapped[datetime | None]
    as_text: Mapped[bool] = mapped_column(default=False)
    """Delivered as a report in plain text, the receiver not taking the better one."""
    gave_up_at: Mapped[datetime | None]

    document: Mapped[Document] = relationship()

    __table_args__ = (few("open_deliveries", "receiver", "not_before", where="delivered_at IS NULL"),)
