"""What is said of cases: the worklist, a study, a series, as REST and page show them."""

from typing import Self

from pydantic import AwareDatetime, Field

from headct.reasons import Reason, ReasonCode
from headct.terms.assessment import Assessment, Finding, FindingKind, Location, Unsure
from headct.terms.review import Standing
from headct.wording import caution_words, finding_words, unsure_words
from orthanc_plugin.answer import (
    BundleView,
    ErrorView,
    ImportedStudyView,
    PatientNameView,
    UrgencyName,
    View,
    Words,
)
from orthanc_plugin.cases.review_views import ReviewView, UnverifiedView, VerdictView
from orthanc_plugin.states import CaseState, DocumentKind, SeriesState, Window


class ReasonView(View):
    """Why a series is not analysed, or failed."""

    code: ReasonCode
    sentence: Words

    @classmethod
    def of(cls, reason: Reason) -> Self:
        """From the domain's reason."""
        return cls(code=reason.code, sentence=Words(en=reason.sentence("en"), ja=reason.sentence("ja")))


class CautionView(View):
    """A visible caution about an assessment, such as ``child``."""

    code: str
    sentence: Words

    @classmethod
    def of(cls, code: str) -> Self:
        """From an assessment's caution code."""
        return cls(code=code, sentence=Words(en=caution_words(code, "en"), ja=caution_words(code, "ja")))


class DoubtView(View):
    """Why an answer is not sure."""

    code: Unsure
    sentence: Words

    @classmethod
    def of(cls, doubt: Unsure) -> Self:
        """From an assessment's doubt."""
        return cls(code=doubt, sentence=Words(en=unsure_words(doubt, "en"), ja=unsure_words(doubt, "ja")))


class FindingView(View):
    """A finding with its figures and in words."""

    kind: FindingKind
    location: Location | None = None
    slices: tuple[int, ...] = Field(default=(), description="slice numbers, 0 at the feet")
    volume_ml: float | None = None
    thickness_mm: float | None = None
    mean_hu: float | None = None
    offset_mm: float | None = Field(default=None, description="positive towards the patient's left")
    sentence: Words

    @classmethod
    def of(cls, finding: Finding) -> Self:
        """From the domain's finding."""
        return cls(
            kind=finding.kind,
            location=finding.location,
            slices=finding.slices,
            volume_ml=finding.volume_ml,
            thickness_mm=finding.thickness_mm,
            mean_hu=finding.mean_hu,
            offset_mm=finding.offset_mm,
            sentence=Words(en=finding_words(finding, "en"), ja=finding_words(finding, "ja")),
        )


class KeySliceView(View):
    """A slice worth opening first."""

    number: int = Field(ge=0, description="0 at the feet")
    sop_instance_uid: str
    frame: int | None = Field(default=None, description="from 1 on, where the image has several")


class AssessmentView(View):
    """What a model said of one series, and when."""

    urgency: UrgencyName
    unsure: bool = Field(default=False, description="there is doubt; the urgency stays what it is")
    doubts: tuple[DoubtView, ...] = Field(default=(), description="why it is not sure")
    preliminary: bool = Field(
        default=False, description="made on a series still incomplete, or by the first of several networks"
    )
    current: bool = True
    alert_probability: float
    haemorrhage_probability: float
    findings: tuple[FindingView, ...]
    key_slices: tuple[KeySliceView, ...]
    cautions: tuple[CautionView, ...] = ()
    rules: tuple[str, ...] = Field(default=(), description="rules of the rubric that fired, worst first")
    rubric_version: str
    bundle: BundleView
    seconds: float = Field(description="time the judgement took")
    judged_at: AwareDatetime
    withdrawn_at: AwareDatetime | None = Field(default=None, description="when it ceased to be current")

    @classmethod
    def of(
        cls,
        assessment: Assessment,
        judged_at: AwareDatetime,
        *,
        preliminary: bool = False,
        current: bool = True,
        withdrawn_at: AwareDatetime | None = None,
    ) -> Self:
        """From the domain's assessment."""
        bundle = assessment.bundle
        return cls(
            urgency=assessment.urgency,
            unsure=assessment.unsure,
            doubts=tuple(DoubtView.of(d) for d in assessment.doubts),
            preliminary=preliminary,
            current=current,
            alert_probability=assessment.alert_probability,
            haemorrhage_probability=assessment.haemorrhage_probability,
            findings=tuple(FindingView.of(f) for f in assessment.findings),
            key_slices=tuple(
                KeySliceView(number=k.number, sop_instance_uid=k.sop_instance_uid, frame=k.frame)
                for k in assessment.key_slices
            ),
            cautions=tuple(CautionView.of(c) for c in assessment.cautions),
            rules=assessment.rules,
            rubric_version=assessment.rubric_version,
            bundle=BundleView(
                name=bundle.name,
                version=bundle.version,
                device_uid=bundle.device_uid,
                digest=bundle.digest,
                in_service=current,
            ),
            seconds=assessment.timings.total,
            judged_at=judged_at,
            withdrawn_at=withdrawn_at,
        )


class DocumentView(View):
    """A DICOM result written for a series."""

    kind: DocumentKind
    sop_instance_uid: str
    orthanc_id: str | None = Field(default=None, description="instance in Orthanc, once sent")
    predecessor_uid: str | None = Field(default=None, description="SOP instance UID it replaces")
    created_at: AwareDatetime
    published_at: AwareDatetime | None = None
    withdrawn: bool = False


class SeriesSummary(View):
    """One series in a worklist row."""

    id: str = Field(description="Orthanc's identifier of the series")
    series_instance_uid: str
    number: str = ""
    description: str = ""
    modality: str = ""
    images: int = Field(ge=0, description="images in Orthanc")
    state: SeriesState
    reason: ReasonView | None = Field(default=None, description="set when not analysed or failed")
    urgency: UrgencyName | None = None
    unsure: bool = Field(default=False, description="the machine is not sure of that urgency")
    preliminary: bool = False


class SeriesView(SeriesSummary):
    """One series in full."""

    study_id: str = Field(description="Orthanc's identifier of the study")
    attempts: int = Field(default=0, description="times a judgement was begun")
    first_arrival: AwareDatetime
    assessment: AssessmentView | None = Field(default=None, description="the current one")
    reviews: tuple[ReviewView, ...] = Field(default=(), description="in the order in which they were given")
    unverified: tuple[UnverifiedView, ...] = Field(
        default=(), description="reports of reviews that nobody vouches for; until it is read again"
    )
    verdict: VerdictView = VerdictView(standing=Standing.UNREVIEWED)
    disagreement: bool = Field(default=False, description="the machine says another urgency than persons")
    based_on: str = Field(default="", description="to be sent with a review")
    history: tuple[AssessmentView, ...] = Field(default=(), description="earlier ones, newest first")
    documents: tuple[DocumentView, ...] = ()
    images_missing: bool = Field(
        default=False, description="restored without its images, which are to be sent again"
    )
    slices: int = Field(default=0, ge=0, description="slice previews, numbered from 0 at the feet")
    windows: tuple[Window, ...] = tuple(Window)


class PreviewView(View):
    """The slice that stands for a study."""

    series_id: str
    slice: int = Field(ge=0)


class WorklistRow(View):
    """One study."""

    id: str = Field(description="Orthanc's identifier of the study")
    change: int = Field(
        default=0, description="another one whenever anything of the row but its age may be another"
    )
    study_instance_uid: str
    patient_name: PatientNameView = PatientNameView()
    patient_id: str = ""
    birth_date: str = ""
    sex: str = ""
    age: str = ""
    accession_number: str = ""
    study_date: str = ""
    study_time: str = ""
    study_description: str = ""
    first_arrival: AwareDatetime
    waiting_seconds: float = Field(ge=0, description="since first arrival, on the server's clock")
    waiting_known: bool = Field(
        default=True, description="false while the case seems to come from the future: the clock was set back"
    )
    waited_until: AwareDatetime | None = Field(
        default=None, description="when a person read it; empty while it waits"
    )
    state: CaseState
    urgency: UrgencyName | None = Field(
        default=None, description="worst of the persons' words; without any, of the current assessments"
    )
    by_person: bool = Field(default=False, description="whether that urgency is a person's word")
    machine_urgency: UrgencyName | None = Field(default=None, description="worst of the current assessments")
    unsure: bool = Field(
        default=False,
        description="the urgency is the machine's and it is not sure; GREEN then stands right below YELLOW",
    )
    doubts: tuple[DoubtView, ...] = Field(default=(), description="why the machine is not sure")
    preliminary: bool = False
    discordant: bool = Field(default=False, description="current assessments differ in urgency")
    reason: ReasonView | None = Field(default=None, description="set when not analysed or failed")
    findings: tuple[FindingView, ...] = ()
    cautions: tuple[CautionView, ...] = ()
    judged_at: AwareDatetime | None = None
    result_age_seconds: float | None = Field(default=None, ge=0)
    preview: PreviewView | None = None
    series: tuple[SeriesSummary, ...] = Field(default=(), description="the best first")
    reviewed: bool = Field(
        default=False, description="persons have read it, no two differ, and nothing worse came after"
    )
    disputed: bool = Field(default=False, description="two readers differ; a third is to settle it")
    reviews: tuple[ReviewView, ...] = Field(
        default=(), description="each reader's last word on each series, in the order of time"
    )
    reopened: bool = Field(
        default=False, description="images came after the review; what they show may be worse"
    )
    unverified: tuple[UnverifiedView, ...] = Field(
        default=(),
        description="reports of reviews that nobody vouches for: not counted, and the urgency is not below"
        " theirs unless a person gave it; until a person reads the case again",
    )
    aside: bool = Field(
        default=False, description="copies that Orthanc made of images on the worklist; earlier for as long"
    )


class LostView(View):
    """A study deleted from Orthanc before anybody had read it: an alert, or one without a result."""

    study_id: str = Field(description="as Orthanc called the study")
    study_instance_uid: str
    patient_name: PatientNameView = PatientNameView()
    patient_id: str = ""
    accession_number: str = ""
    study_date: str = ""
    study_time: str = ""
    urgency: UrgencyName | None = Field(default=None, description="what the machine had said of it")
    deleted_at: AwareDatetime


class CountsView(View):
    """Studies by what is known of them."""

    alert: int = 0
    unknown: int = Field(default=0, description="not analysed, or failed")
    yellow: int = 0
    pending: int = 0
    green: int = 0

    @property
    def total(self) -> int:
        """Of all kinds."""
        return self.alert + self.unknown + self.yellow + self.pending + self.green


class WorklistView(View):
    """Studies: the queue, worst first, and after it earlier ones that are assessed and not queued.

    Of long lists a part; with ``offset`` set to ``next`` the answer is the part that follows.
    """

    generated_at: AwareDatetime
    state: str = Field(
        default="", description="another one whenever more than the age of what is shown is another"
    )
    rows: tuple[WorklistRow, ...]
    earlier: tuple[WorklistRow, ...] = ()
    lost: tuple[LostView, ...] = Field(
        default=(), description="deleted unread; until a person notes it; the last ones"
    )
    more_lost: int = Field(default=0, ge=0, description="those that are not among them")
    offset: int = Field(default=0, ge=0, description="studies that come before the first one here")
    next: int | None = Field(default=None, description="where the rest begins; none: there is no more")
    total: int = Field(default=0, ge=0, description="studies of the queue, on all parts")
    total_earlier: int = Field(default=0, ge=0, description="earlier studies, on all parts")
    counts: CountsView = Field(default=CountsView(), description="of the queue")
    to_speak_of: int = Field(
        default=0, ge=0, description="read blind: studies of the queue that who asks has not spoken of"
    )


class StudyView(View):
    """One study in full."""

    case: WorklistRow
    series: tuple[SeriesView, ...] = Field(description="the best first")


class ImportView(View):
    """Where the studies of an import will be found."""

    studies: tuple[ImportedStudyView, ...]


class ConflictView(ErrorView):
    """A refused change, and how things stand."""

    current: SeriesView
