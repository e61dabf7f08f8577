"""Models that judged here."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from headct.terms.licence import Use
from headct.terms.urgency import Urgency
from orthanc_plugin.states import ModelEvent
from orthanc_plugin.store.base import Base, few


class Bundle(Base):
    """A model that was in service or in shadow here once."""

    __tablename__ = "bundles"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str]
    version: Mapped[str]
    device_uid: Mapped[str]
    first_used: Mapped[datetime]
    """When it was first put there."""
    reference: Mapped[dict[str, Any] | None]
    """What it was trained on, :meth:`headct.network.reference.Reference.to_json`, once a worker loaded it."""
    licence: Mapped[str] = mapped_column(default="")
    """:class:`headct.terms.licence.Licence`, as its bundle says; empty where nobody loaded it since that is
    kept."""
    use: Mapped[Use | None]

    @property
    def folder_name(self) -> str:
        """``NAME-VERSION``, as its folder is called."""
        return f"{self.name}-{self.version}"


class ModelChange(Base):
    """A change of the model in service or in shadow. Rows are only added; the present one is derived."""

    __tablename__ = "model_changes"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """One more than the row before: of two changes made at once the database refuses one."""
    at: Mapped[datetime]
    event: Mapped[ModelEvent]
    digest: Mapped[str] = mapped_column(ForeignKey("bundles.digest"))
    """The model that judges from then on; of a shadow the one whose shadow begins or ends."""
    actor: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")


class ShadowAssessment(Base):
    """What the model in shadow says of a series beside the one in service; published nowhere."""

    __tablename__ = "shadow_assessments"

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessments.id"))
    """What it is compared with."""
    series_id: Mapped[str] = mapped_column(ForeignKey("series.id"), index=True)
    bundle: Mapped[str] = mapped_column(ForeignKey("bundles.digest"))
    owner: Mapped[str]
    """The worker that took it up."""
    begun_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    urgency: Mapped[Urgency | None]
    content: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """:meth:`headct.terms.assessment.Assessment.to_json`; empty until it ended, and where there is none."""
    seconds: Mapped[float] = mapped_column(default=0.0)
    """What the judgement took."""
    trouble: Mapped[str] = mapped_column(default="")
    """Why there is no urgency."""

    __table_args__ = (
        UniqueConstraint("assessment_id", "bundle"),
        few("shadows_in_hand", "owner", where="ended_at IS NULL"),
    )
