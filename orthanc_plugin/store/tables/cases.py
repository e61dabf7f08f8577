"""Studies, their series, and what is said of them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    and_,
    text,
)
from sqlalchemy.orm import Mapped, composite, foreign, mapped_column, relationship

from headct.reasons import Reason, ReasonCode
from headct.terms.demographics import Demographics
from headct.terms.review import Review as SaidByPerson
from headct.terms.review import Verdict, verdict
from headct.terms.urgency import Urgency
from orthanc_plugin.states import DocumentKind, SeriesState
from orthanc_plugin.store.base import Base, Compressed, few
from orthanc_plugin.store.tables.found import FoundReport


class Study(Base):
    """A study and its patient, as written in the images."""

    __tablename__ = "studies"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Orthanc's identifier."""
    study_instance_uid: Mapped[str] = mapped_column(index=True)
    first_arrival: Mapped[datetime]
    earlier: Mapped[bool] = mapped_column(default=False)
    """Assessed, not queued."""
    described: Mapped[bool] = mapped_column(default=False)
    """Whether the demographics were read from an image."""
    demographics: Mapped[Demographics] = composite(
        mapped_column("patient_id", default=""),
        mapped_column("patient_name", default=""),
        mapped_column("birth_date", default=""),
        mapped_column("sex", default=""),
        mapped_column("age", default=""),
        mapped_column("accession_number", default=""),
        mapped_column("study_date", default="", index=True),
        mapped_column("study_time", default=""),
        mapped_column("description", default=""),
    )

    series: Mapped[list["Series"]] = relationship(back_populates="study", order_by="Series.first_arrival")
    in_doubt: Mapped[list[FoundReport]] = relationship(
        primaryjoin=lambda: and_(Study.id == foreign(FoundReport.study_id), FoundReport.doubt.is_not(None)),
        order_by=FoundReport.id,
        viewonly=True,
    )
    """Reports of reviews that nobody vouches for."""

    @property
    def unverified(self) -> "tuple[FoundReport, ...]":
        """Those of them since which no person has spoken of the study: it is to be read again."""
        if not self.in_doubt:
            return ()
        spoken = max((row.at for series in self.series for row in series.reviews), default=None)
        return tuple(f for f in self.in_doubt if spoken is None or spoken <= f.found_at)


class Series(Base):
    """A series: where it stands, who works on it, and what Orthanc should show of it."""

    __tablename__ = "series"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Orthanc's identifier."""
    study_id: Mapped[str] = mapped_column(ForeignKey("studies.id"), index=True)
    series_instance_uid: Mapped[str] = mapped_column(index=True)
    modality: Mapped[str] = mapped_column(default="")
    number: Mapped[str] = mapped_column(default="")
    description: Mapped[str] = mapped_column(default="")
    instance_count: Mapped[int] = mapped_column(default=0)
    first_arrival: Mapped[datetime]
    last_arrival: Mapped[datetime]

    state: Mapped[SeriesState]
    changed_at: Mapped[datetime]
    """When the state was entered."""
    reason_code: Mapped[str | None]
    reason_detail: Mapped[str] = mapped_column(default="")
    generation: Mapped[int] = mapped_column(default=1)
    """Counts arrivals and re-runs; a result of an older generation is discarded."""
    priority: Mapped[int] = mapped_column(default=0)
    """Smaller is judged first."""
    not_before: Mapped[datetime]
    """When a worker may look at it."""
    lease_owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    """Attempts begun on this generation."""
    setbacks: Mapped[int] = mapped_column(default=0)
    """Attempts that came to nothing since it was last looked at to the end, whatever came meanwhile."""
    interrupted: Mapped[bool] = mapped_column(default=False)
    """Whether images came while a worker looked at it: from then on it is looked at once it is quiet."""
    superseded_by: Mapped[str | None] = mapped_column(index=True)
    """The same images under a corrected patient."""
    lost_unread: Mapped[bool] = mapped_column(default=False)
    """Deleted before anybody had read it, an alert or not judged; until it is back, or a person noted it."""
    copied_from: Mapped[str | None] = mapped_column(String(64), index=True)
    """The series that Orthanc made this one of, by its own identifier; it may never have been here."""
    anonymised: Mapped[bool] = mapped_column(default=False)
    """Whether it names nobody, or was made of one that does not."""
    joined: Mapped[bool] = mapped_column(default=False)
    """Stored by Orthanc as it merged or split studies, where it notes of no image what it was made of."""
    took_place: Mapped[bool] = mapped_column(default=False)
    """Whether it stands for images that it is a copy of and that were deleted."""
    aside: Mapped[bool] = mapped_column(default=False)
    """Another one stands for it in the queue: the images that it is a copy of, or another copy."""
    known_since: Mapped[datetime | None]
    """When the very same pixels were first judged, where they came again later: as a copy, or sent again."""
    files_digest: Mapped[str | None] = mapped_column(String(64))
    """Of the files as they were when last judged; empty where they were not read to the last one."""
    sent_again_at: Mapped[datetime | None]
    """When images that are here came again; empty once they were compared."""
    reports_sought: Mapped[bool] = mapped_column(default=False)
    """Whether reviews of it that this store does not know were looked for; it is not judged before."""

    publish_wanted: Mapped[int] = mapped_column(default=0)
    """Raised whenever what Orthanc should show may have changed."""
    publish_done: Mapped[int] = mapped_column(default=0)
    publish_not_before: Mapped[datetime]
    publish_failures: Mapped[int] = mapped_column(default=0)
    checked_at: Mapped[datetime]
    """When Orthanc was last compared with the store."""

    preview_pending: Mapped[bool] = mapped_column(default=False)
    preview_slices: Mapped[int] = mapped_column(default=0)
    preview_attempts: Mapped[int] = mapped_column(default=0)
    """Begun since the slices were last to be rendered."""
    preview_owner: Mapped[str | None]
    """The worker that renders them."""

    study: Mapped[Study] = relationship(back_populates="series")
    assessments: Mapped[list["Assessment"]] = relationship(
        back_populates="series", order_by="Assessment.id.desc()"
    )
    documents: Mapped[list["Document"]] = relationship(order_by="Document.created_at")
    reviews: Mapped[list["Review"]] = relationship(order_by="(Review.at, Review.id)", back_populates="series")
    """In the order in which they were given; one copied from another series may have come later."""

    __table_args__ = (
        Index("series_work", "state", "not_before"),
        Index("series_to_check", "state", "checked_at"),
        few("series_to_publish", "publish_not_before", where="publish_wanted != publish_done"),
        few("series_sent_again", "sent_again_at", where="sent_again_at IS NOT NULL"),
        few("series_to_render", "first_arrival", where="preview_pending = 1", postgresql="preview_pending"),
        few("series_lost", "changed_at", where="lost_unread = 1", postgresql="lost_unread"),
    )

    @property
    def current(self) -> "Assessment | None":
        """The one assessment that counts."""
        return next((a for a in self.assessments if a.withdrawn_at is None), None)

    @property
    def reason(self) -> Reason | None:
        """Why it is not analysed or failed."""
        return Reason(ReasonCode(self.reason_code), self.reason_detail) if self.reason_code else None

    @property
    def verdict(self) -> Verdict:
        """What counts of all that persons said of it."""
        return verdict([SaidByPerson.from_json(row.content) for row in self.reviews])

    def unseen(self, of_study: Iterable["Series"], first_judged: datetime | None) -> bool:
        """Whether there is more than readers had before them when they spoke.

        Of a series that they spoke of: images that arrived later. Of another in the same study: images or the
        machine's first word (``first_judged``) that came after anybody had spoken of the study; it stays so
        until somebody speaks of this series. False where nobody spoke of the study. Images under a corrected
        patient were seen under the first one, if they were there; so were images that came again.
        """
        if self.reviews:
            last = self.reviews[-1]
            first = last.first
            if self.known_since is not None:
                return self.known_since > last.at
            if first is last:
                return self.last_arrival > last.at
            came = first.series.known_since or first.series.last_arrival
            return self.instance_count > first.series.instance_count or came > last.at
        spoken = min((row.at for other in of_study for row in other.reviews), default=None)
        if spoken is not None and self.known_since is not None:
            return self.known_since > spoken
        return spoken is not None and (
            self.last_arrival > spoken or first_judged is None or first_judged > spoken
        )


class Assessment(Base):
    """What a model said of a series."""

    __tablename__ = "assessments"

    id: Mapped[int] = mapped_column(primary_key=True)
    series_id: Mapped[str] = mapped_column(ForeignKey("series.id"), index=True)
    generation: Mapped[int]
    case_identity: Mapped[str]
    """Digest over patient, study, series, images and pixels: the same images give the same."""
    pixel_digest: Mapped[str] = mapped_column(index=True)
    judged_by: Mapped[str]
    """Bundle and rubric, :attr:`headct.terms.assessment.Assessment.judged_by`."""
    urgency: Mapped[Urgency]
    content: Mapped[dict[str, Any]]
    """:meth:`headct.terms.assessment.Assessment.to_json`."""
    preliminary: Mapped[bool] = mapped_column(default=False)
    unsure: Mapped[bool] = mapped_column(default=False)
    """:attr:`headct.terms.assessment.Assessment.unsure`."""
    created_at: Mapped[datetime] = mapped_column(index=True)
    withdrawn_at: Mapped[datetime | None]
    """Set when it ceased to be current."""
    seconds: Mapped[float] = mapped_column(default=0.0)
    """What the judgement took."""
    arrival_to_result_seconds: Mapped[float] = mapped_column(default=0.0)
    """From the last image to this row."""
    to_shadow: Mapped[bool] = mapped_column(default=False)
    """Made while a model was in shadow that has not given its own yet."""

    series: Mapped[Series] = relationship(back_populates="assessments")

    __table_args__ = (
        few(
            "assessments_to_shadow",
            "created_at",
            where="to_shadow = 1 AND withdrawn_at IS NULL",
            postgresql="to_shadow AND withdrawn_at IS NULL",
        ),
        # At most one is current, whatever the program does.
        Index(
            "one_current_assessment",
            "series_id",
            unique=True,
            sqlite_where=text("withdrawn_at IS NULL"),
            postgresql_where=text("withdrawn_at IS NULL"),
        ),
    )


class Document(Base):
    """A finished DICOM result, kept byte for byte before it is sent."""

    __tablename__ = "documents"

    sop_instance_uid: Mapped[str] = mapped_column(String(64), primary_key=True)
    series_id: Mapped[str] = mapped_column(ForeignKey("series.id"), index=True)
    assessment_id: Mapped[int | None] = mapped_column(ForeignKey("assessments.id"), index=True)
    """What the machine's results are of; empty for a review's."""
    kind: Mapped[DocumentKind]
    content: Mapped[bytes] = mapped_column(Compressed, deferred=True)
    """Empty once it was let go: :mod:`orthanc_plugin.housekeeping.aged_documents`."""
    predecessor_uid: Mapped[str | None]
    created_at: Mapped[datetime]
    orthanc_id: Mapped[str | None] = mapped_column(String(64), index=True)
    """Orthanc's identifier of the instance, once sent."""
    sent_at: Mapped[datetime | None]
    to_forward: Mapped[bool] = mapped_column(default=False)
    """Whether its deliveries to DICOM modalities are still to be planned."""
    withdrawn_at: Mapped[datetime | None]
    """Set when it is to be deleted from Orthanc; the bytes stay here."""
    removed_at: Mapped[datetime | None]
    compressed: Mapped[bool] = mapped_column(default=True)
    """Whether the bytes were written by a release that compresses them."""
    let_go_at: Mapped[datetime | None]

    __table_args__ = (
        few("documents_to_compress", "sop_instance_uid", where="compressed = 0", postgresql="NOT compressed"),
        few("documents_to_forward", "sop_instance_uid", where="to_forward = 1", postgresql="to_forward"),
    )


class Review(Base):
    """What a person said of a series. Rows are only ever added; what counts is derived from all of them."""

    __tablename__ = "reviews"

    id: Mapped[int] = mapped_column(primary_key=True)
    series_id: Mapped[str] = mapped_column(ForeignKey("series.id"), index=True)
    assessment_id: Mapped[int | None] = mapped_column(ForeignKey("assessments.id"))
    """The machine's result that was current when the person spoke."""
    login: Mapped[str]
    request_id: Mapped[str] = mapped_column(String(64))
    """Chosen by the client, so that a repeated request is known as one."""
    request_digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 of what was asked, hex: another request under the same name is refused."""
    at: Mapped[datetime]
    urgency: Mapped[Urgency | None]
    content: Mapped[dict[str, Any]]
    """:meth:`headct.terms.review.Review.to_json`."""
    copy_of: Mapped[int | None] = mapped_column(ForeignKey("reviews.id"), index=True)
    """The same review of the same images under the patient they were first sent for."""
    rebuilt: Mapped[dict[str, Any] | None]
    """What the reader had before them, of a review that was given to an earlier store and is known by its
    report or the list of reviews: ``images``, ``case_identity``, ``beside``; and what readers had said of the
    series before: ``said_before``, by login and request, where the list names it, ``reported_before``, by
    UIDs, where its report does."""
    report_uid: Mapped[str | None] = mapped_column(String(64))
    """SOP instance UID of the report written of it; ``None`` until a worker has, empty where it cannot be."""

    assessment: Mapped[Assessment | None] = relationship()

    series: Mapped[Series] = relationship(back_populates="reviews")
    original: Mapped["Review | None"] = relationship(remote_side="Review.id")
    """What it is a copy of."""

    __table_args__ = (
        UniqueConstraint("series_id", "login", "request_id"),
        few("reviews_to_report", "id", where="report_uid IS NULL"),
    )

    @property
    def first(self) -> "Review":
        """The review as it was given, of the images under the patient they had then."""
        return self if self.original is None else self.original.first
