"""The REST routes of the watch and of the reading list."""

from flask import Response
from flask_openapi3.blueprint import APIBlueprint

from orthanc_plugin.drift.views import WatchView
from orthanc_plugin.labelling.views import ReadingListView
from orthanc_plugin.web.contract import Triage
from orthanc_plugin.web.guards import json_answer


def add_routes(api: APIBlueprint, triage: Triage) -> None:
    """Routes bound to one triage."""

    @api.get("/watch", summary="Is what comes in still as it was?", responses={200: WatchView})
    def watch() -> Response:
        return json_answer(triage.watch())

    @api.get(
        "/reading-list",
        summary="Cases whose labels would teach most; no order of clinical work",
        responses={200: ReadingListView},
    )
    def reading_list() -> Response:
        return json_answer(triage.reading_list())
