"""Reports in Orthanc that this store did not put there, and whose word they are."""

from datetime import datetime
from typing import Any

from sqlalchemy import String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from headct.terms.review import Claim, Doubt, Review
from headct.terms.urgency import Urgency
from orthanc_plugin.store.base import Base, few


class FoundReport(Base):
    """A structured report in Orthanc that we do not know: of another program, or a review.

    Those that are vouched for became reviews, or wait for the images that they speak of. The others have a
    doubt. The row stays when the report is deleted: somebody may have said that the case is urgent.
    """

    __tablename__ = "found_reports"

    id: Mapped[int] = mapped_column(primary_key=True)
    instance_id: Mapped[str] = mapped_column(String(64))
    """Orthanc's identifier."""
    study_id: Mapped[str] = mapped_column(String(64), index=True)
    """Orthanc's identifier of the study that it lies in, which need have no images yet."""
    found_at: Mapped[datetime]
    """When Orthanc received it, as far as that is known."""
    looked_at: Mapped[datetime | None]
    """When a worker read it; empty until one has."""
    looked_with: Mapped[str] = mapped_column(default="")
    """The keys by which that worker told whose it is; with others it is read again."""
    doubt: Mapped[Doubt | None]
    """Why it is not counted; empty for what counts, and for what is no review."""
    waits: Mapped[bool] = mapped_column(default=False)
    """Vouched for, and the images that it speaks of are not here."""
    series_instance_uid: Mapped[str | None]
    """Of the images that it speaks of."""
    urgency: Mapped[Urgency | None]
    review: Mapped[dict[str, Any] | None]
    """What it says, :meth:`headct.terms.review.Review.to_json`; empty where it cannot be read."""

    __table_args__ = (
        UniqueConstraint("instance_id", "study_id"),
        few("found_reports_in_doubt", "study_id", where="doubt IS NOT NULL"),
        few("found_reports_to_look_at", "study_id", where="looked_at IS NULL"),
    )

    @property
    def claim(self) -> Claim:
        """What it would say if anybody vouched for it."""
        return Claim(self.urgency, readable=self.review is not None)

    @property
    def may_be_alert(self) -> bool:
        """Whether it may say that the case is urgent."""
        return self.review is None or (self.urgency is not None and self.urgency.alert)

    def speaks_of(self, series_instance_uid: str) -> bool:
        """Whether it may speak of a series: of which one a damaged report speaks nobody knows."""
        return self.series_instance_uid in (None, series_instance_uid)

    @property
    def said(self) -> Review | None:
        """What it says."""
        return Review.from_json(self.review) if self.review is not None else None
