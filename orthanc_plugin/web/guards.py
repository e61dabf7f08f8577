"""What holds for every request: who may change things, how large a body may be, headers, errors in words."""

import logging
from typing import Any

from flask import Flask, Response, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge

from headct.errors import ReviewError, ToldError
from headct.language import Phrase, _
from headct.safe_log import failure
from orthanc_plugin.answer import ErrorView, View
from orthanc_plugin.audit.notes import notes
from orthanc_plugin.errors import NotFoundError, RefusedError, UnavailableError
from orthanc_plugin.intake.wsgi import MAX_BODY
from orthanc_plugin.web.readable import UnreadableError, refuse_unreadable
from orthanc_plugin.web.words import requested_language

API = "/triage/api/v1"

READING = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS = {
    # No inline script, no inline style, nothing from elsewhere, never inside another page.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: that would make browsers send `Origin: null` to our own routes.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_WORDS = {
    400: ("bad_request", _("The request cannot be understood.")),
    403: ("forbidden", _("This is not allowed.")),
    404: ("not_found", _("There is nothing at this address.")),
    405: ("method_not_allowed", _("This address does not take that method.")),
    413: ("too_large", _("The body is larger than 20 MB.")),
}


class ForeignChangeError(ToldError):
    """A change that another site may have had a browser send."""


_OURS: dict[type[ToldError], tuple[int, str]] = {
    NotFoundError: (404, "not_found"),
    UnreadableError: (400, "bad_request"),
    ForeignChangeError: (403, "forbidden"),
    RefusedError: (403, "refused"),
    ReviewError: (400, "bad_request"),
    UnavailableError: (503, "unavailable"),
}
_log = logging.getLogger(__name__)


def install(app: Flask) -> None:
    """Put the guards around every route of the application."""
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.before_request(refuse_unreadable)
    app.before_request(_refuse_foreign_changes)
    app.after_request(_add_headers)
    app.register_error_handler(Exception, _answer_error)


def json_answer(view: View, status: int = 200) -> Response:
    """A view as JSON."""
    return Response(view.model_dump_json(), status, mimetype="application/json")


def error_answer(status: int, code: str, sentence: Phrase) -> Response:
    """An error as JSON on the REST side, as a plain page elsewhere; in the language of who asked."""
    message = sentence.say(requested_language())
    if request.path.startswith(API):
        return json_answer(ErrorView(code=code, message=message), status)
    from orthanc_plugin.web.page import error_page

    return error_page(status, message)


def tell(event: str, **detail: Any) -> None:
    """Tell the audit of something that who is asking did, or was refused."""
    notes.note(event, actor=request.remote_user or "", address=request.remote_addr or "", **detail)


def _refuse_foreign_changes() -> None:
    """Cross-site request forgery: browsers cannot send JSON or own headers across sites unasked."""
    if request.content_length is not None and request.content_length > MAX_BODY:
        raise RequestEntityTooLarge
    if request.method in READING:
        return
    if request.mimetype != "application/json":
        raise ForeignChangeError(_("Changes want Content-Type: application/json."))
    # Either scheme: a proxy before Orthanc may end the encryption.
    ours = {f"{scheme}://{request.host}" for scheme in ("http", "https")}
    if request.headers.get("Origin") not in ours and "X-Triage" not in request.headers:
        raise ForeignChangeError(_("Changes want a same-origin Origin or an X-Triage header."))


def _add_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers[name] = value
    # Everything but the program's own assets may be about a patient.
    if request.endpoint not in {"static", "misplaced"}:
        response.headers["Cache-Control"] = "no-store"
    # Other answers of the REST interface are in no language, or in all of them.
    if response.mimetype == "text/html" or response.status_code >= 400:
        response.headers["Content-Language"] = requested_language()
        response.vary.update(("Accept-Language", "Cookie"))
    return response


def _answer_error(error: Exception) -> ResponseReturnValue:
    if isinstance(error, RefusedError | ForeignChangeError):
        route = str(request.url_rule or "")
        tell("route_refused", method=request.method, route=route)
    match error:
        case ToldError() if type(error) in _OURS:
            return error_answer(*_OURS[type(error)], error.sentence)
        case HTTPException(code=int(status)) if status >= 400:
            answer = error_answer(status, *_WORDS.get(status, ("error", _("The request is refused."))))
            if isinstance(error, MethodNotAllowed):
                answer.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
            return answer
        case HTTPException():
            # Redirects are exceptions too.
            return error.get_response()
    _log.error("%s failed: %s", request.endpoint, failure(error))
    return error_answer(500, "internal_error", _("The program failed to answer; the log says where."))
