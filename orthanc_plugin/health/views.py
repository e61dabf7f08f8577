"""Is the machine alive and well: the status, and the figures for monitoring. No patient data."""

from pydantic import AwareDatetime, Field

from headct.reasons import ReasonCode
from orthanc_plugin.answer import BundleView, LicensedBundleView, View, Words
from orthanc_plugin.forwarding.views import ReceiverView
from orthanc_plugin.recycling.views import RecyclingView
from orthanc_plugin.states import SeriesState


class ClockSetView(View):
    """The server's clock was set; what waits keeps its waiting time."""

    at: AwareDatetime = Field(description="as the clock shows it since")
    seconds: float = Field(description="forward; negative where it was set back")


class UnexpectedEndView(View):
    """Orthanc, or the machine, ended unasked and was started again."""

    at: AwareDatetime = Field(description="the last sign of life before")
    again: AwareDatetime = Field(description="when triage was running again")


class StatusView(View):
    """Is the machine alive, and what is it doing?"""

    now: AwareDatetime
    version: str
    orthanc_version: str = ""
    running: bool
    reason: Words | None = Field(default=None, description="why triage is stopped")
    troubles: tuple[Words, ...] = Field(default=(), description="what else does not work at this moment")
    workers_alive: int = 0
    workers_wanted: int = 1
    judging: int = Field(default=0, description="series being judged at this moment")
    last_judgement: AwareDatetime | None = None
    series: dict[SeriesState, int] = Field(default_factory=dict, description="series in each state")
    free_disk_bytes: int | None = None
    takes_images: bool = Field(
        default=True, description="whether Orthanc can store images: there is room, and it can be written"
    )
    bundle: LicensedBundleView | None = Field(default=None, description="the model in service")
    model_problem: Words | None = Field(default=None, description="the chosen model does not judge, and why")
    receivers: tuple[ReceiverView, ...] = Field(default=(), description="where results are sent on to")
    recycling: RecyclingView | None = Field(default=None, description="where Orthanc has limits of its own")
    lost_unread: int = Field(
        default=0, description="series deleted from Orthanc unread: alerts, or not judged"
    )
    without_images: int = Field(
        default=0, description="series restored without their images, which are to be sent again"
    )
    keys_problem: Words | None = Field(
        default=None, description="why no reports of reviews can be written, nor told apart from others'"
    )
    unverified: int = Field(default=0, description="studies with a review that nobody vouches for")
    unknown_keys: bool = Field(
        default=False, description="some of these reviews are sealed with a key that is not here"
    )
    audit_faults: tuple[Words, ...] = Field(
        default=(), description="what was found to be missing or altered in the audit, for a month after it"
    )
    clock_set: ClockSetView | None = Field(default=None, description="the last time, for a day after it")
    unexpected_end: UnexpectedEndView | None = Field(
        default=None, description="the last time that Orthanc ended unasked, for a day after it"
    )
    replaces_images: bool = Field(
        default=True,
        description="whether images sent again replace those that are here; else they are dropped",
    )
    authentication: bool = Field(description="whether Orthanc asks for a user and a password")
    open_ports: tuple[Words, ...] = Field(
        default=(), description="ports that machines can reach which have no business there"
    )
    ohif_url: str | None = Field(default=None, description="OHIF viewer; the study's UID is appended")


class DurationView(View):
    """How often and how long in all."""

    count: int = 0
    seconds: float = 0.0


class MetricsView(View):
    """Figures for monitoring; no patient data."""

    series: dict[SeriesState, int] = Field(default_factory=dict)
    assessments: dict[str, int] = Field(default_factory=dict, description="current ones by urgency name")
    unsure: dict[str, int] = Field(default_factory=dict, description="those of them that are not sure")
    reasons: dict[ReasonCode, int] = Field(default_factory=dict, description="not analysed or failed")
    oldest_pending_seconds: float = 0.0
    from_the_future: int = Field(default=0, description="pending series that came while the clock ran ahead")
    clock_jumps: int = Field(default=0, description="how often the server's clock was set")
    last_clock_jump_seconds: float = Field(default=0.0, description="forward; negative where it was set back")
    judgement: DurationView = DurationView()
    arrival_to_result: DurationView = DurationView()
    deliveries: dict[str, dict[str, int]] = Field(
        default_factory=dict, description="documents by DICOM modality and state"
    )
    recycling: RecyclingView | None = None
    lost_unread: int = 0
    unverified: int = Field(default=0, description="studies with a review that nobody vouches for")
    audit_faults: int = Field(default=0, description="found in the audit within a month")
    workers_alive: int = 0
    worker_restarts: int = 0
    unexpected_ends: int = Field(default=0, description="how often Orthanc, or the machine, ended unasked")
    running: bool = True
    free_disk_bytes: int | None = None
    bundle: BundleView | None = Field(default=None, description="the model in service")
    shadow_bundle: BundleView | None = Field(default=None, description="the model in shadow")
    shadow_series: dict[str, int] = Field(
        default_factory=dict, description="judged by the present shadow: agree, differ, failed"
    )
