"""What triage answers: the objects behind the REST routes and the page, and the three ways to say no.

Times are UTC. Demographics and DICOM dates are shown as written in the images, never parsed.
"""

from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from headct.errors import HeadCTError
from headct.reasons import Reason, ReasonCode
from headct.terms.assessment import Assessment, Finding, FindingKind, Location
from headct.terms.review import Action, Exclusion, Review, ReviewFinding, Standing, Verdict
from headct.terms.urgency import Urgency
from headct.wording import caution_words, finding_words
from orthanc_plugin.settings import Role


class NotFoundError(HeadCTError):
    """No study, series or slice of that name."""


class RefusedError(HeadCTError):
    """The request is understood and not allowed; the message is shown to who asked."""


class ConflictError(HeadCTError):
    """As things stand now it cannot be done; the message is shown to who asked."""


class UnavailableError(HeadCTError):
    """Triage cannot answer now, for instance because its store cannot be read; the message says why."""


class Window(StrEnum):
    """Grey-scale windows in which slice previews exist."""

    BRAIN = "brain"
    SUBDURAL = "subdural"
    STROKE = "stroke"
    BONE = "bone"


class SeriesState(StrEnum):
    """Where one series stands."""

    ARRIVING = "arriving"
    """Images still come in."""
    WAITING = "waiting"
    """Looked at and not complete: waits for more images."""
    JUDGING = "judging"
    ASSESSED = "assessed"
    NOT_ANALYSED = "not_analysed"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"
    """Deleted from Orthanc, or moved to another patient."""


class CaseState(StrEnum):
    """Where one study stands, from its series: the best that can be said of it."""

    PENDING = "pending"
    ASSESSED = "assessed"
    NOT_ANALYSED = "not_analysed"
    """No series of the study was assessed, and none is still to come."""
    FAILED = "failed"


class DocumentKind(StrEnum):
    """Kinds of DICOM results."""

    STRUCTURED_REPORT = "structured_report"
    KEY_OBJECTS = "key_objects"
    SEGMENTATION = "segmentation"
    REVIEW = "review"


UrgencyName = Annotated[
    Urgency,
    BeforeValidator(lambda u: Urgency[u] if isinstance(u, str) and u in Urgency.__members__ else u),
    PlainSerializer(lambda u: u.name, return_type=str),
    WithJsonSchema({"type": "string", "enum": [u.name for u in Urgency]}),
]
"""An urgency, written and read by its name."""


class View(BaseModel):
    """Base of all answers: frozen, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def model_json_schema(cls, *how: Any, **named: Any) -> dict[str, Any]:
        """The schema, made once: the interface's description asks for the same ones at every route."""
        return _schema(cls, *how, **named)


@cache
def _schema(view: "type[View]", *how: Any, **named: Any) -> dict[str, Any]:
    return super(View, view).model_json_schema(*how, **named)


class Words(View):
    """One sentence in both languages."""

    en: str
    ja: str


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


class BundleView(View):
    """A model on this machine."""

    name: str
    version: str
    device_uid: str
    digest: str = Field(description="SHA-256 of bundle.json, hex")
    in_service: bool = True


class ReviewRequest(View):
    """What a reader says of a series."""

    action: Action
    urgency: UrgencyName | None = Field(
        default=None, description="the reader's; of a confirmation the machine's, and may be left out"
    )
    findings: dict[ReviewFinding, bool] = Field(
        default_factory=dict, description="present or absent; what is left out was not looked for"
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
    reason: Exclusion | None = Field(default=None, description="of an exclusion")
    readers: int = Field(ge=1)
    reviewed_at: AwareDatetime


class LabelsView(View):
    """All series that a person spoke of."""

    labels: tuple[LabelView, ...]


class AssessmentView(View):
    """What a model said of one series, and when."""

    urgency: UrgencyName
    preliminary: bool = Field(default=False, description="made on a series still incomplete")
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
            preliminary=preliminary,
            current=current,
            alert_probability=assessment.alert_probability,
            haemorrhage_probability=assessment.haemorrhage_probability,
            findings=tuple(FindingView.of(f) for f in assessment.findings),
            key_slices=tuple(
                KeySliceView(number=k.number, sop_instance_uid=k.sop_instance_uid)
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
    preliminary: bool = False


class SeriesView(SeriesSummary):
    """One series in full."""

    study_id: str = Field(description="Orthanc's identifier of the study")
    attempts: int = Field(default=0, description="times a judgement was begun")
    first_arrival: AwareDatetime
    assessment: AssessmentView | None = Field(default=None, description="the current one")
    reviews: tuple[ReviewView, ...] = Field(default=(), description="in the order in which they were given")
    verdict: VerdictView = VerdictView(standing=Standing.UNREVIEWED)
    disagreement: bool = Field(default=False, description="the machine says another urgency than persons")
    based_on: str = Field(default="", description="to be sent with a review")
    history: tuple[AssessmentView, ...] = Field(default=(), description="earlier ones, newest first")
    documents: tuple[DocumentView, ...] = ()
    slices: int = Field(default=0, ge=0, description="slice previews, numbered from 0 at the feet")
    windows: tuple[Window, ...] = tuple(Window)


class PatientNameView(View):
    """The three component groups of a DICOM person name, as written (PS3.5 section 6.2.1)."""

    alphabetic: str = ""
    ideographic: str = ""
    phonetic: str = ""

    @classmethod
    def of(cls, written: str) -> Self:
        """From the value of the attribute, its groups divided by ``=``."""
        groups = [*written.split("=", 2), "", ""]
        return cls(alphabetic=groups[0], ideographic=groups[1], phonetic=groups[2])


class IdentityView(View):
    """Who a login is, as the setting People says."""

    login: str = ""
    name: PatientNameView = PatientNameView()
    role: Role = Role.VIEWER
    refusal: Words | None = Field(default=None, description="why this login may not review")
    readers: tuple[PatientNameView, ...] = Field(default=(), description="who may")


class PreviewView(View):
    """The slice that stands for a study."""

    series_id: str
    slice: int = Field(ge=0)


class WorklistRow(View):
    """One study."""

    id: str = Field(description="Orthanc's identifier of the study")
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
    state: CaseState
    urgency: UrgencyName | None = Field(
        default=None, description="worst of the persons' words; without any, of the current assessments"
    )
    machine_urgency: UrgencyName | None = Field(default=None, description="worst of the current assessments")
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


class WorklistView(View):
    """All studies: the queue, worst first, and earlier ones that are assessed and not queued."""

    generated_at: AwareDatetime
    rows: tuple[WorklistRow, ...]
    earlier: tuple[WorklistRow, ...] = ()


class StudyView(View):
    """One study in full."""

    case: WorklistRow
    series: tuple[SeriesView, ...] = Field(description="the best first")


class ImportedStudyView(View):
    """A study announced as imported."""

    study_instance_uid: str
    known: bool = Field(description="was here already, and stays where it is unless declared new")
    earlier: bool = Field(description="among the earlier studies: assessed, not queued")


class ImportView(View):
    """Where the studies of an import will be found."""

    studies: tuple[ImportedStudyView, ...]


class StatusView(View):
    """Is the machine alive, and what is it doing?"""

    now: AwareDatetime
    version: str
    orthanc_version: str = ""
    running: bool
    reason: Words | None = Field(default=None, description="why triage is stopped")
    workers_alive: int = 0
    workers_wanted: int = 1
    judging: int = Field(default=0, description="series being judged at this moment")
    last_judgement: AwareDatetime | None = None
    series: dict[SeriesState, int] = Field(default_factory=dict, description="series in each state")
    free_disk_bytes: int | None = None
    bundle: BundleView | None = Field(default=None, description="the model in service")
    model_problem: Words | None = Field(default=None, description="the chosen model does not judge, and why")
    authentication: bool = Field(description="whether Orthanc asks for a user and a password")
    ohif_url: str | None = Field(default=None, description="OHIF viewer; the study's UID is appended")


class DurationView(View):
    """How often and how long in all."""

    count: int = 0
    seconds: float = 0.0


class MetricsView(View):
    """Figures for monitoring; no patient data."""

    series: dict[SeriesState, int] = Field(default_factory=dict)
    assessments: dict[str, int] = Field(default_factory=dict, description="current ones by urgency name")
    reasons: dict[ReasonCode, int] = Field(default_factory=dict, description="not analysed or failed")
    oldest_pending_seconds: float = 0.0
    judgement: DurationView = DurationView()
    arrival_to_result: DurationView = DurationView()
    workers_alive: int = 0
    worker_restarts: int = 0
    running: bool = True
    free_disk_bytes: int | None = None
    bundle: BundleView | None = Field(default=None, description="the model in service")
    shadow_bundle: BundleView | None = Field(default=None, description="the model in shadow")
    shadow_series: dict[str, int] = Field(
        default_factory=dict, description="judged by the present shadow: agree, differ, failed"
    )


class ErrorView(View):
    """Every error's body."""

    code: str
    message: str


class ConflictView(ErrorView):
    """A refused change, and how things stand."""

    current: SeriesView
