"""The web side: REST, OpenAPI, metrics and the worklist page, as one Flask application.

It runs inside Orthanc's interpreter, which has one lock for everything, so every answer is cheap: no
pixel is touched here.
"""

from flask import Flask, Response, jsonify
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI

import headct
from orthanc_plugin.answer import ErrorView
from orthanc_plugin.service import Triage
from orthanc_plugin.web import api, guards, moved, page


def create_app(triage: Triage) -> Flask:
    """The application, a WSGI callable; its routes begin with ``/triage``."""
    app = OpenAPI(
        "orthanc_plugin.web",
        info=Info(
            title="headct-triage",
            version=headct.__version__,
            description="Urgency of head CTs on this machine. The physician decides; the program supports.",
        ),
        security_schemes={"orthanc": {"type": "http", "scheme": "basic"}},
        validation_error_status=400,
        validation_error_model=ErrorView,
        validation_error_callback=api.validation_answer,
        doc_ui=False,
        static_url_path="/triage/static",
    )
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 365 * 86400  # addresses change with the content
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    guards.install(app)
    app.register_api(api.blueprint(triage))
    app.register_blueprint(page.blueprint(triage))
    moved.install(app)

    @app.route(f"{guards.API}/openapi.json")
    def openapi() -> Response:
        return jsonify(app.api_doc)

    return app
