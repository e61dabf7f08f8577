"""The REST interface under ``/triage/api/v1``."""

from typing import Annotated

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field, ValidationError

from headct.language import _
from orthanc_plugin.answer import ErrorView
from orthanc_plugin.cases.blinding import blinded_series
from orthanc_plugin.cases.review_views import LabelsView, ReviewAnswer, ReviewRequest
from orthanc_plugin.cases.views import ConflictView, ImportView, SeriesView, StudyView, WorklistView
from orthanc_plugin.errors import ConflictError
from orthanc_plugin.health.views import StatusView
from orthanc_plugin.states import Window
from orthanc_plugin.validation import problems
from orthanc_plugin.web import drift_api, metrics, models_api
from orthanc_plugin.web.contract import Triage
from orthanc_plugin.web.guards import API, error_answer, json_answer
from orthanc_plugin.web.words import requested_language

_ORTHANC_ID = r"^[0-9a-f]{8}(-[0-9a-f]{8}){4}$"

_BINARY = {"schema": {"type": "string", "contentMediaType": "image/png", "contentEncoding": "binary"}}
_TEXT = {"schema": {"type": "string"}}


class StudyPath(BaseModel):
    """Which study."""

    study_id: str = Field(pattern=_ORTHANC_ID, description="Orthanc's identifier of the study")


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


class SliceQuery(BaseModel):
    """How a slice is shown."""

    window: Window = Window.BRAIN


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

    @api.get("/status", summary="Is the machine alive?", responses={200: StatusView})
    def status() -> Response:
        return json_answer(triage.status())

    @api.get("/worklist", summary="Studies in the order of work", responses={200: WorklistView})
    def worklist() -> Response:
        return json_answer(triage.worklist())

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

    @api.post(
        "/series/<series_id>/rerun",
        summary="Judge a series again",
        description="Wants Content-Type application/json, and a same-origin Origin or an X-Triage header.",
        responses={202: SeriesView, 413: ErrorView},
    )
    def rerun(path: SeriesPath) -> Response:
        triage.rerun(path.series_id, request.remote_user or "")
        return json_answer(triage.series(path.series_id), 202)

    @api.post(
        "/imports",
        summary="Announce studies before their images are stored from a medium",
        description="Wants Content-Type application/json, and a same-origin Origin or an X-Triage header.",
        responses={200: ImportView, 413: ErrorView},
    )
    def announce_import(body: ImportBody) -> Response:
        login = request.remote_user or ""
        return json_answer(triage.announce_import(body.study_instance_uids, login, new=body.new))

    @api.post(
        "/series/<series_id>/review",
        summary="Say what a series shows",
        description=(
            "Wants Content-Type application/json, and a same-origin Origin or an X-Triage header. "
            "To a blind review a conflict does not tell what others said."
        ),
        responses={201: ReviewAnswer, 409: ConflictView, 413: ErrorView},
    )
    def review(path: SeriesPath, body: ReviewRequest) -> Response:
        try:
            answer = triage.review(path.series_id, request.remote_user or "", body)
        except ConflictError as error:
            current = triage.series(path.series_id)
            if body.blind:
                current = blinded_series(current)
            message = error.sentence.say(requested_language())
            return json_answer(ConflictView(code="conflict", message=message, current=current), 409)
        return json_answer(answer, 201)

    @api.get("/labels", summary="What persons said of every series", responses={200: LabelsView})
    def labels() -> Response:
        return json_answer(triage.labels())

    @api.get(
        "/metrics",
        summary="Monitoring figures as Prometheus text",
        responses={200: {"description": "metrics", "content": {"text/plain": _TEXT}}},
    )
    def prometheus() -> Response:
        return Response(metrics.text(triage.metrics(), triage.drift()), content_type=metrics.CONTENT_TYPE)

    models_api.add_routes(api, triage)
    drift_api.add_routes(api, triage)
    return api
