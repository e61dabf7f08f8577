"""What persons say of cases: the reviews that are sent, and what is answered of them."""

from typing import Self

from pydantic import AwareDatetime, Field

from headct.terms.judged_case import JudgedCase
from headct.terms.label import StoredLabel
from headct.terms.review import Action, Doubt, Exclusion, Review, ReviewFinding, Standing, Verdict
from headct.terms.urgency import Urgency
from headct.wording import doubt_words
from orthanc_plugin.answer import UrgencyName, View, Words
from orthanc_plugin.store.tables import FoundReport


class ReviewRequest(View):
    """What a reader says of a series."""

    action: Action
    urgency: UrgencyName | None = Field(
        default=None, description="the reader's; of a confirmation the machine's, and may be left out"
    )
    findings: dict[ReviewFinding, bool] = Field(
        default_factory=dict,
        description="present or absent; what is left out was not looked for, but that a confirmation says"
        " of a bleed what it confirms",
    )
    reason: Exclusion | None = Field(default=None, description="of an exclusion")
    comment: str = ""
    blind: bool = Field(default=False, description="given before the machine's answer was shown")
    based_on: str = Field(description="as the series gave it when it was shown")
    request_id: str = Field(
        min_length=1,
        max_length=64,
        pattern=r"\S",
        description="new for each review; a repeat gets the first answer",
    )


class ReviewView(View):
    """What a person said of a series."""

    action: Action
    urgency: UrgencyName | None
    findings: dict[ReviewFinding, bool]
    reason: Exclusion | None
    comment: str
    blind: bool
    login: str = Field(description="as Orthanc knows the reader")
    reader: str = Field(description="DICOM person name")
    organisation: str
    at: AwareDatetime
    machine: UrgencyName | None = Field(default=None, description="what the machine said at that time")

    @classmethod
    def of(cls, review: Review, machine: Urgency | None = None) -> Self:
        """From the domain's review, and what the machine said when it was given."""
        return cls(
            action=review.action,
            urgency=review.urgency,
            findings=dict(review.findings),
            reason=review.reason,
            comment=review.comment,
            blind=review.blind,
            login=review.by.login,
            reader=review.by.name,
            organisation=review.by.organisation,
            at=review.at,
            machine=machine,
        )


class UnverifiedView(View):
    """A report that says it is a review, for which nobody vouches: not counted, to be read again."""

    why: Doubt
    sentence: Words
    series_instance_uid: str | None = Field(default=None, description="of which it speaks, where known")
    urgency: UrgencyName | None = Field(default=None, description="which it gives, as far as it can be read")
    reader: str = Field(default="", description="DICOM person name, as the report has it")
    at: AwareDatetime | None = Field(default=None, description="when it says that it was given")
    found_at: AwareDatetime = Field(description="when Orthanc received it")
    orthanc_id: str = Field(description="instance in Orthanc, where it may have been deleted since")

    @classmethod
    def of(cls, found: FoundReport) -> Self:
        """From the store's row."""
        doubt = found.doubt or Doubt.NOT_SEALED
        return cls(
            why=doubt,
            sentence=Words(en=doubt_words(doubt, "en"), ja=doubt_words(doubt, "ja")),
            series_instance_uid=found.series_instance_uid,
            urgency=found.urgency,
            reader=found.said.by.name if found.said is not None else "",
            at=found.said.at if found.said is not None else None,
            found_at=found.found_at,
            orthanc_id=found.instance_id,
        )


class VerdictView(View):
    """What counts of all reviews of a series."""

    standing: Standing
    urgency: UrgencyName | None = Field(default=None, description="shown; the worse while two readers differ")
    label: UrgencyName | None = Field(default=None, description="what may be learnt from")
    excluded: bool = False

    @classmethod
    def of(cls, verdict: Verdict) -> Self:
        """From the domain's verdict."""
        return cls(
            standing=verdict.standing,
            urgency=verdict.urgency,
            label=verdict.label,
            excluded=verdict.excluded,
        )


class ReviewAnswer(View):
    """A review as recorded, and what counted after it."""

    review: ReviewView
    verdict: VerdictView


class LabelView(View):
    """What persons said of one series, as a row of the table of labels."""

    series_id: str
    study_id: str
    series_instance_uid: str
    study_instance_uid: str
    verdict: VerdictView
    findings: dict[ReviewFinding, bool] = Field(
        description="of those whose urgency counts, without what they differ on"
    )
    unseen: bool = Field(default=False, description="images arrived after the review")
    unverified: bool = Field(
        default=False, description="a review was found that nobody vouches for; to be read again"
    )
    reason: Exclusion | None = Field(default=None, description="of an exclusion")
    readers: int = Field(ge=1)
    reviewed_at: AwareDatetime

    @classmethod
    def of(cls, label: StoredLabel) -> Self:
        """From the domain's row, whose JSON this is."""
        return cls.model_validate(label.to_json())


class LabelsView(View):
    """Series that a person spoke of."""

    labels: tuple[LabelView, ...]
    next: int | None = Field(default=None, description="`after` of the part that follows, if there is one")


class BlindReadingView(View):
    """A reader's first word on a case, given before the machine's answer was shown."""

    urgency: UrgencyName | None = Field(default=None, description="null where they excluded the case")
    findings: dict[ReviewFinding, bool]
    reason: Exclusion | None = Field(default=None, description="of an exclusion")


class JudgedCaseView(View):
    """A study of the queue that one model judged."""

    study_id: str
    patient_id: str = ""
    first_arrival: AwareDatetime
    urgency: UrgencyName = Field(description="the worst of its series")
    unsure: bool = Field(description="some series that says so is not sure")
    readings: tuple[BlindReadingView, ...] = Field(
        description="one a reader; none where nobody read it blind, or images came after they had"
    )

    @classmethod
    def of(cls, case: JudgedCase) -> Self:
        """From the domain's case, whose JSON this is."""
        return cls.model_validate(case.to_json())


class JudgedCasesView(View):
    """Cases that a model judged, in the order of their arrival; deleted ones too."""

    cases: tuple[JudgedCaseView, ...]
    next: int | None = Field(default=None, description="`after` of the part that follows, if there is one")
