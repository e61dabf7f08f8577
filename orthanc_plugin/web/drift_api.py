"""The REST routes of the drift monitoring and of the labelling queue."""

from flask import Response
from flask_openapi3.blueprint import APIBlueprint

from orthanc_plugin.drift.views import DriftView
from orthanc_plugin.labelling.views import LabellingQueueView
from orthanc_plugin.web.contract import Triage
from orthanc_plugin.web.guards import json_answer


def add_routes(api: APIBlueprint, triage: Triage) -> None:
    """Routes bound to one triage."""

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
