"""The REST interface under ``/triage/api/v1``."""

from collections.abc import Callable
from datetime import date
from http import HTTPStatus
from typing import Annotated, Any

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from headct.language import _
from orthanc_plugin.access.roles import Role
from orthanc_plugin.answer import ErrorView
from orthanc_plugin.cases.blinding import blinded_series
from orthanc_plugin.cases.judged import MOST_CASES
from orthanc_plugin.cases.records import MOST_LABELS
from orthanc_plugin.cases.review_views import JudgedCasesView, LabelsView, ReviewAnswer, ReviewRequest
from orthanc_plugin.cases.selection import MOST_ROWS, Asked
from orthanc_plugin.cases.views import ConflictView, ImportView, SeriesView, StudyView, WorklistView
from orthanc_plugin.drift.views import DriftView
from orthanc_plugin.errors import ConflictError
from orthanc_plugin.health.views import StatusView
from orthanc_plugin.labelling_queue.views import LabellingQueueView
from orthanc_plugin.models.views import ModelConflictView, ModelRequest, ModelsView
from orthanc_plugin.service import Triage
from orthanc_plugin.states import Window
from orthanc_plugin.validation import problems
from orthanc_plugin.web import links, metrics
from orthanc_plugin.web.conditional import unless_known
from orthanc_plugin.web.guards import API, READING, error_answer, json_answer, tell
from orthanc_plugin.web.readable import refuse_unreadable_body
from orthanc_plugin.web.words import requested_language

_ORTHANC_ID = r"^[0-9a-f]{8}(-[0-9a-f]{8}){4}$"

_BINARY = {"schema": {"type": "string", "contentMediaType": "image/png", "contentEncoding": "binary"}}
_TEXT = {"schema": {"type": "string"}}
_WANTS = "Wants Content-Type application/json, and a same-origin Origin or an X-Triage header."
_FOR_ADMINISTRATORS = f"For administrators. {_WANTS}"
_MODEL_ANSWERS: dict[str | int | HTTPStatus, type[BaseModel] | dict[Any, Any] | None] = {
    200: ModelsView,
    409: ModelConflictView,
    413: ErrorView,
}

MOST_ENTRIES = 5_000
"""Of the audit in one answer: about a megabyte."""

WHO_MAY = {
    "rerun": Role.READER,
    "announce_import": Role.SERVICE,
    "note_loss": Role.READER,
    "send_again": Role.READER,
    "review": Role.READER,
    "activate_model": Role.ADMINISTRATOR,
    "begin_shadow": Role.ADMINISTRATOR,
    "end_shadow": Role.ADMINISTRATOR,
    "roll_back_model": Role.ADMINISTRATOR,
}
"""Who may send each change; asked before the body is parsed."""


class StudyPath(BaseModel):
    """Which study."""

    study_id: str = Field(pattern=_ORTHANC_ID, description="Orthanc's identifier of the study")


class WorklistQuery(BaseModel):
    """Which studies."""

    offset: int = Field(default=0, ge=0, le=10**9, description="studies to be left out from the top")
    limit: int = Field(
        default=MOST_ROWS, ge=1, le=MOST_ROWS, description="most studies of an answer; large ones are fewer"
    )
    q: str = Field(
        default="", max_length=100, description="words of name, number and accession number; read ones too"
    )
    day: date | None = Field(
        default=None, description="on which they came, or that their images have; read ones too"
    )


class SeriesPath(BaseModel):
    """Which series."""

    series_id: str = Field(pattern=_ORTHANC_ID, description="Orthanc's identifier of the series")


class SlicePath(SeriesPath):
    """Which slice."""

    number: int = Field(ge=0, description="slice number, 0 at the feet")


class ImportBody(BaseModel):
    """Which studies are about to be imported."""

    study_instance_uids: list[Annotated[str, Field(min_length=1, max_length=64)]] = Field(
        min_length=1, max_length=1000
    )
    new: bool = Field(default=False, description="to be queued; without it they go to the earlier studies")


class LabelsQuery(BaseModel):
    """Which labels."""

    after: int = Field(default=0, ge=0, le=2**63 - 1, description="as the part before gave it")
    limit: int = Field(default=MOST_LABELS, ge=1, le=MOST_LABELS, description="most series of an answer")


class JudgedQuery(BaseModel):
    """Which cases of which model."""

    bundle: str = Field(pattern=r"^[0-9a-f]{64}$", description="digest of the model")
    since: AwareDatetime | None = Field(default=None, description="when the first of them arrived")
    after: int = Field(default=0, ge=0, le=10**9, description="as the part before gave it")
    limit: int = Field(default=MOST_CASES, ge=1, le=MOST_CASES, description="most cases of an answer")


class AuditQuery(BaseModel):
    """Which entries of the audit."""

    after: int = Field(
        default=0, ge=0, le=2**31 - 1, description="number of the last entry of the part before"
    )
    limit: int = Field(default=MOST_ENTRIES, ge=1, le=MOST_ENTRIES, description="most entries of an answer")


class SliceQuery(BaseModel):
    """How a slice is shown."""

    window: Window = Window.BRAIN


class ReceiverPath(BaseModel):
    """Which DICOM modality."""

    name: str = Field(min_length=1, max_length=255, description="as in the setting ForwardTo")


class ModelPath(BaseModel):
    """Which model."""

    name: str = Field(min_length=1, max_length=255, description="NAME-VERSION")


def validation_answer(error: ValidationError) -> Response:
    """What is wrong with the request, without repeating what was sent."""
    wrong = problems(error, "body")
    return error_answer(400, "bad_request", _("The request cannot be understood: {wrong}.", wrong=wrong))


def blueprint(triage: Triage) -> APIBlueprint:
    """Routes bound to one triage."""
    api = APIBlueprint(
        "api",
        __name__,
        url_prefix=API,
        abp_tags=[Tag(name="triage", description="Urgency of head CTs. The physician decides.")],
        abp_responses={400: ErrorView, 403: ErrorView, 404: ErrorView, 500: ErrorView, 503: ErrorView},
    )

    def refuse_others() -> None:
        if request.method not in READING:
            triage.require(_login(), WHO_MAY[str(request.endpoint).removeprefix("api.")])

    api.before_request(refuse_others)
    api.before_request(refuse_unreadable_body)
    for add in (_add_cases, _add_orders, _add_reviews, _add_models, _add_monitoring):
        add(api, triage)
    return api


def _login() -> str:
    """Who asks; empty where Orthanc asks nobody."""
    return request.remote_user or ""


def _add_cases(api: APIBlueprint, triage: Triage) -> None:
    @api.get(
        "/worklist",
        summary="Studies in the order of work",
        description=(
            "Long lists come in parts: `next` of one is `offset` of the one that follows. With the `ETag` of "
            "an earlier answer in `If-None-Match` it is 304 as long as it would differ in nothing but ages."
        ),
        responses={200: WorklistView, 304: {"description": "nothing but time has passed"}},
    )
    def worklist(query: WorklistQuery) -> Response:
        view = triage.worklist(
            Asked(offset=query.offset, most=query.limit, search=query.q.strip(), day=query.day)
        )
        return unless_known(view.state, lambda: json_answer(view))

    @api.get("/studies/<study_id>", summary="One study", responses={200: StudyView})
    def study(path: StudyPath) -> Response:
        return json_answer(triage.study(path.study_id))

    @api.get("/series/<series_id>", summary="One series: assessment, history", responses={200: SeriesView})
    def series(path: SeriesPath) -> Response:
        return json_answer(triage.series(path.series_id))

    @api.get(
        "/series/<series_id>/slices/<int:number>.png",
        summary="A slice as PNG",
        responses={200: {"description": "the slice", "content": {"image/png": _BINARY}}},
    )
    def slice_png(path: SlicePath, query: SliceQuery) -> Response:
        png = triage.slice_png(path.series_id, path.number, query.window)
        return Response(png, mimetype="image/png")


def _add_orders(api: APIBlueprint, triage: Triage) -> None:
    @api.post(
        "/series/<series_id>/rerun",
        summary="Judge a series again",
        description=_WANTS,
        responses={202: SeriesView, 413: ErrorView},
    )
    def rerun(path: SeriesPath) -> Response:
        triage.rerun(path.series_id, _login())
        return json_answer(triage.series(path.series_id), 202)

    @api.post(
        "/studies/<study_id>/loss-noted",
        summary="A reader knows that the study was deleted with an unread alert",
        description=_WANTS,
        responses={202: WorklistView, 413: ErrorView},
    )
    def note_loss(path: StudyPath) -> Response:
        triage.note_loss(path.study_id, _login())
        return json_answer(triage.worklist(), 202)

    @api.post(
        "/receivers/<name>/again",
        summary="Send all again that a DICOM modality does not have",
        description=_WANTS,
        responses={202: StatusView, 413: ErrorView},
    )
    def send_again(path: ReceiverPath) -> Response:
        triage.send_again(path.name, _login())
        return json_answer(triage.status(), 202)

    @api.post(
        "/imports",
        summary="Announce studies before their images are stored from a medium",
        description=_WANTS,
        responses={200: ImportView, 413: ErrorView},
    )
    def announce_import(body: ImportBody) -> Response:
        return json_answer(triage.announce_import(body.study_instance_uids, _login(), new=body.new))


def _add_reviews(api: APIBlueprint, triage: Triage) -> None:
    @api.post(
        "/series/<series_id>/review",
        summary="Say what a series shows",
        description=f"{_WANTS} To a blind review a conflict does not tell what others said.",
        responses={201: ReviewAnswer, 409: ConflictView, 413: ErrorView},
    )
    def review(path: SeriesPath, body: ReviewRequest) -> Response:
        try:
            answer = triage.review(path.series_id, _login(), body)
        except ConflictError as error:
            current = triage.series(path.series_id)
            if body.blind:
                current = blinded_series(current)
            message = error.sentence.say(requested_language())
            return json_answer(ConflictView(code="conflict", message=message, current=current), 409)
        return json_answer(answer, 201)

    @api.get(
        "/labels",
        summary="What persons said of every series",
        description="Comes in parts: `next` of one is `after` of the one that follows.",
        responses={200: LabelsView},
    )
    def labels(query: LabelsQuery) -> Response:
        if not query.after:
            tell("exported", what="labels")
        return json_answer(triage.labels(query.after, query.limit))

    @api.get(
        "/cases",
        summary="Every case of the queue that one model judged, and what those said who read it blind",
        description=(
            "Read or not, in the order of arrival. Comes in parts: `next` of one is `after` of the one that "
            "follows."
        ),
        responses={200: JudgedCasesView},
    )
    def cases(query: JudgedQuery) -> Response:
        if not query.after:
            tell("exported", what="cases")
        return json_answer(triage.judged(query.bundle, query.since, query.after, query.limit))


def _add_models(api: APIBlueprint, triage: Triage) -> None:
    def changed(change: Callable[[], None]) -> Response:
        """How things stand after a change; also, with the reason, when it was refused."""
        try:
            change()
        except ConflictError as error:
            current = triage.models(_login())
            message = error.sentence.say(requested_language())
            return json_answer(ModelConflictView(code="conflict", message=message, current=current), 409)
        return json_answer(triage.models(_login()))

    @api.get("/models", summary="Models: in service, in shadow, available", responses={200: ModelsView})
    def models() -> Response:
        return json_answer(triage.models(_login()))

    @api.post(
        "/models/<name>/activate",
        summary="Put a model in service, from the next series on",
        description=_FOR_ADMINISTRATORS,
        responses=_MODEL_ANSWERS,
    )
    def activate_model(path: ModelPath, body: ModelRequest) -> Response:
        return changed(lambda: triage.activate_model(path.name, _login(), body))

    @api.post(
        "/models/<name>/shadow",
        summary="Have a model judge in shadow: nothing of it is published",
        description=_FOR_ADMINISTRATORS,
        responses=_MODEL_ANSWERS,
    )
    def begin_shadow(path: ModelPath, body: ModelRequest) -> Response:
        return changed(lambda: triage.begin_shadow(path.name, _login(), body))

    @api.post(
        "/models/end-shadow",
        summary="End the shadow",
        description=_FOR_ADMINISTRATORS,
        responses=_MODEL_ANSWERS,
    )
    def end_shadow(body: ModelRequest) -> Response:
        return changed(lambda: triage.end_shadow(_login(), body))

    @api.post(
        "/models/rollback",
        summary="Put the model back in service that was there before",
        description=_FOR_ADMINISTRATORS,
        responses=_MODEL_ANSWERS,
    )
    def roll_back_model(body: ModelRequest) -> Response:
        return changed(lambda: triage.roll_back_model(_login(), body))


def _add_monitoring(api: APIBlueprint, triage: Triage) -> None:
    @api.get("/status", summary="Is the machine alive?", responses={200: StatusView})
    def status() -> Response:
        return json_answer(links.with_viewer(triage.status(), in_full=True))

    @api.get(
        "/audit.csv",
        summary="Who did what, for administrators",
        description="Comes in parts: `after` of one is the last number of the one before.",
        responses={200: {"description": "entries", "content": {"text/csv": _TEXT}}},
    )
    def audit(query: AuditQuery) -> Response:
        table = triage.audit(_login(), query.after, query.limit)
        if not query.after:
            tell("exported", what="audit")
        return Response(table, content_type="text/csv; charset=utf-8; header=present")

    @api.get("/drift", summary="Is what comes in still as it was?", responses={200: DriftView})
    def drift() -> Response:
        return json_answer(triage.drift())

    @api.get(
        "/labelling",
        summary="Cases whose labels would teach most; no order of clinical work",
        responses={200: LabellingQueueView},
    )
    def labelling() -> Response:
        return json_answer(triage.labelling_queue())

    @api.get(
        "/metrics",
        summary="Monitoring figures as Prometheus text",
        responses={200: {"description": "metrics", "content": {"text/plain": _TEXT}}},
    )
    def prometheus() -> Response:
        return Response(metrics.text(triage.metrics(), triage.drift()), content_type=metrics.CONTENT_TYPE)
