"""The REST routes of models in service."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel, Field

from orthanc_plugin.answer import ErrorView
from orthanc_plugin.errors import ConflictError
from orthanc_plugin.models.views import ModelConflictView, ModelRequest, ModelsView
from orthanc_plugin.web.contract import Triage
from orthanc_plugin.web.guards import json_answer
from orthanc_plugin.web.words import requested_language

_WANTS = (
    "For administrators. Wants Content-Type application/json, and a same-origin Origin or an X-Triage header."
)
_ANSWERS: dict[str | int | HTTPStatus, type[BaseModel] | dict[Any, Any] | None] = {
    200: ModelsView,
    409: ModelConflictView,
    413: ErrorView,
}


class ModelPath(BaseModel):
    """Which model."""

    name: str = Field(min_length=1, max_length=255, description="NAME-VERSION")


def add_routes(api: APIBlueprint, triage: Triage) -> None:
    """Routes bound to one triage."""

    def login() -> str:
        return request.remote_user or ""

    def changed(change: Callable[[], None]) -> Response:
        """How things stand after a change; also, with the reason, when it was refused."""
        try:
            change()
        except ConflictError as error:
            current = triage.models(login())
            message = error.sentence.say(requested_language())
            return json_answer(ModelConflictView(code="conflict", message=message, current=current), 409)
        return json_answer(triage.models(login()))

    @api.get("/models", summary="Models: in service, in shadow, available", responses={200: ModelsView})
    def models() -> Response:
        return json_answer(triage.models(login()))

    @api.post(
        "/models/<name>/activate",
        summary="Put a model in service, from the next series on",
        description=_WANTS,
        responses=_ANSWERS,
    )
    def activate_model(path: ModelPath, body: ModelRequest) -> Response:
        return changed(lambda: triage.activate_model(path.name, login(), body))

    @api.post(
        "/models/<name>/shadow",
        summary="Have a model judge in shadow: nothing of it is published",
        description=_WANTS,
        responses=_ANSWERS,
    )
    def begin_shadow(path: ModelPath, body: ModelRequest) -> Response:
        return changed(lambda: triage.begin_shadow(path.name, login(), body))

    @api.post("/models/end-shadow", summary="End the shadow", description=_WANTS, responses=_ANSWERS)
    def end_shadow(body: ModelRequest) -> Response:
        return changed(lambda: triage.end_shadow(login(), body))

    @api.post(
        "/models/rollback",
        summary="Put the model back in service that was there before",
        description=_WANTS,
        responses=_ANSWERS,
    )
    def roll_back_model(body: ModelRequest) -> Response:
        return changed(lambda: triage.roll_back_model(login(), body))
