"""Models in service, as REST and page show them."""

from datetime import datetime
from enum import StrEnum
from typing import TypedDict

from pydantic import AwareDatetime, Field

from orthanc_plugin.answer import ErrorView, LicensedBundleView, UrgencyName, View, Words
from orthanc_plugin.states import ModelEvent


class ModelState(StrEnum):
    """Where one model stands."""

    ACTIVE = "active"
    """Judges."""
    SHADOW = "shadow"
    """Judges for comparison; nothing of it is published."""
    AVAILABLE = "available"
    REFUSED = "refused"
    """Its folder is here and cannot be used."""
    GONE = "gone"
    """Was chosen here once; no folder holds it any more."""


class FigureKind(StrEnum):
    """The few figures of a bundle that stand in the list."""

    HAEMORRHAGE_AUC = "haemorrhage_auc"
    SENSITIVITY = "sensitivity"
    SPECIFICITY = "specificity"
    ALERT_AUC = "alert_auc"


class FigureView(View):
    """A measured figure with its 95 % interval."""

    kind: FigureKind
    value: float
    low: float
    high: float


class PromisedShareView(View):
    """How many of a promise's cases were wrong, and how large their share is at most."""

    of: int = Field(ge=0, description="patients")
    wrong: int = Field(ge=0, description="with those that nobody read blind")
    unread: int = Field(ge=0, description="of the wrong ones those that nobody read blind")
    most: float = Field(ge=0, le=1, description="share of wrong ones, with the promise's confidence")


class PromiseView(View):
    """What is promised of a model here, from cases of this hospital read without sight of the answer."""

    made: AwareDatetime
    since: AwareDatetime = Field(description="when its first case arrived")
    until: AwareDatetime = Field(description="when its last case arrived")
    confidence: float = Field(gt=0, lt=1, description="of each share by itself")
    cases: int = Field(ge=0, description="patients, whatever was said of them")
    set_aside: int = Field(ge=0, description="excluded by readers as post-operative or a repeat")
    greens: PromisedShareView = Field(description="bleeds among sure GREENs")
    alerts: PromisedShareView = Field(description="sure alerts that are none to the reader")
    sentences: tuple[Words, ...]


class ModelView(LicensedBundleView):
    """A model on this machine, or one that once was."""

    id: str = Field(description="NAME-VERSION, by which the routes know it")
    state: ModelState
    reason: Words | None = Field(default=None, description="why it is refused, or what is wrong with it")
    since: AwareDatetime | None = Field(default=None, description="in service, or in shadow")
    by: str = Field(default="", description="login of who put it there; triage where no person did")
    shipped: bool = Field(default=False, description="came with the program")
    workers: int = Field(default=0, ge=0, description="judging processes that have it loaded now")
    figures: tuple[FigureView, ...] = ()
    promise: PromiseView | None = Field(default=None, description="what sure answers are worth here")
    no_promise: Words | None = Field(default=None, description="why one that was made is not shown")


class ModelChangeView(View):
    """One line of the history."""

    at: AwareDatetime
    event: ModelEvent
    model: str = Field(description="NAME-VERSION; of a shadow's end the one that was in shadow")
    by: str
    reason: str = ""


class ShareView(View):
    """So many of so many, with the 95 % interval (Wilson)."""

    count: int = Field(ge=0)
    of: int = Field(ge=0)
    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)


class DifferenceView(View):
    """A study of which two models say differently whether it is an alert."""

    study_id: str
    active: UrgencyName
    shadow: UrgencyName
    label: UrgencyName | None = Field(default=None, description="what readers said, where they did")


class ComparisonView(View):
    """A model in shadow beside the one that judged, by studies that both assessed."""

    shadow: str = Field(description="NAME-VERSION")
    active: str = Field(description="NAME-VERSION")
    cases: int = Field(ge=0)
    agreement: ShareView = Field(description="on whether a case is an alert")
    only_active: int = Field(ge=0, description="alerts of the active one alone")
    only_shadow: int = Field(ge=0, description="alerts of the one in shadow alone")
    active_sensitivity: ShareView = Field(description="alerts found, of the cases that readers call alerts")
    shadow_sensitivity: ShareView
    active_specificity: ShareView = Field(description="no alert, of the cases that readers call none")
    shadow_specificity: ShareView
    active_seconds: float = Field(description="mean a series")
    shadow_seconds: float
    failed: int = Field(default=0, ge=0, description="series that the one in shadow could not judge")
    differing: tuple[DifferenceView, ...] = Field(default=(), description="the newest first, at most 50")


class ModelsView(View):
    """The models on this machine and what happened to them."""

    models: tuple[ModelView, ...] = Field(description="active, in shadow, then the others by name")
    problem: Words | None = Field(default=None, description="the chosen model does not judge, and why")
    rollback_to: str | None = Field(default=None, description="NAME-VERSION that judged before")
    history: tuple[ModelChangeView, ...] = Field(default=(), description="newest first")
    comparisons: tuple[ComparisonView, ...] = Field(default=(), description="newest first")
    based_on: str = Field(default="", description="to be sent with a change")
    may_change: bool = Field(default=False, description="whether who asks is an administrator")


class Order(TypedDict):
    """A change of the model, as the history takes it."""

    actor: str
    reason: str
    seen: str | None
    now: datetime


class ModelRequest(View):
    """Why a model is changed, and what was known when that was decided."""

    reason: str = Field(default="", max_length=500)
    based_on: str | None = Field(
        default=None, description="as the models gave it; a change meanwhile is then answered with 409"
    )

    def order(self, actor: str, now: datetime) -> Order:
        """The change that a login asks for."""
        return {"actor": actor, "reason": self.reason, "seen": self.based_on, "now": now}


class ModelConflictView(ErrorView):
    """A refused change of the model, and how things stand."""

    current: ModelsView
