"""The web side: REST, OpenAPI, metrics and the worklist page, as one Flask application.

It runs inside Orthanc's interpreter, which has one lock for everything, so every answer is cheap: no
pixel is touched here.
"""

from collections.abc import Iterable

from flask import Flask, Response, jsonify
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI

import headct
from orthanc_plugin.answer import ErrorView
from orthanc_plugin.service import Triage
from orthanc_plugin.web import api, guards, links, moved, page
from orthanc_plugin.web.proxies import NamedProxies


def create_app(triage: Triage, proxies: Iterable[str] = ()) -> Flask:
    """The application, a WSGI callable; its routes begin with ``/triage``.

    ``proxies`` are the addresses under which browsers may see it, of :mod:`orthanc_plugin.web.proxies`.
    """
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
    app.url_map.merge_slashes = False  # by a redirection to the host that the request names
    app.wsgi_app = NamedProxies(app.wsgi_app, proxies)  # type: ignore[method-assign]
    app.jinja_env.globals["url_for"] = links.to
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    guards.install(app)
    app.register_api(api.blueprint(triage))
    app.register_blueprint(page.blueprint(triage))
    moved.install(app)

    @app.route(f"{guards.API}/openapi.json")
    def openapi() -> Response:
        return jsonify({**app.api_doc, "servers": [{"url": links.root().rstrip("/")}]})

    @app.route("/triage/<path:elsewhere>/static/<path:filename>")
    def misplaced(elsewhere: str, filename: str) -> Response:
        """What a page needs that was asked for with a slash too many or too few, to put itself right."""
        return app.send_static_file(filename)

    return app
