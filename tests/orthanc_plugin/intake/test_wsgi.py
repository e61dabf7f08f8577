"""A REST call of Orthanc through a WSGI application and back."""

import base64
from typing import Any

import pytest
from flask import Flask, Response, request
from hypothesis import given, strategies

from orthanc_plugin.intake.wsgi import Request, answer, login, send_status

app = Flask(__name__)


@app.route("/triage/echo/<path:rest>", methods=["GET", "POST"])
def echo(rest: str) -> dict[str, Any]:
    return {
        "rest": rest,
        "query": request.args.to_dict(),
        "body": request.get_data(as_text=True),
        "type": request.content_type,
        "user": request.environ.get("REMOTE_USER"),
        "language": request.headers.get("Accept-Language"),
    }


@app.route("/triage/picture")
def picture() -> Response:
    return Response(b"\x89PNG\x00\xff", mimetype="image/png", headers={"ETag": '"1"'})


@app.route("/triage/moved")
def moved() -> Response:
    return Response("", 302, headers={"Location": "/triage/"})


class Output:
    """Takes what Orthanc takes, with its types; here as up to version 4.1 of the Python plugin."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""
        self.headers: dict[str, str] = {}

    def AnswerBuffer(self, body: bytes, mime: str) -> None:
        assert isinstance(body, bytes)
        self.status, self.body, self.headers["Content-Type"] = 200, body, mime

    def SendHttpStatus(self, status: int, body: str, size: int) -> None:
        assert isinstance(body, str)
        assert size == len(body.encode())
        self.status, self.body = status, body.encode()

    def SetHttpHeader(self, name: str, value: str) -> None:
        self.headers[name] = value


class NewerOutput(Output):
    """As from version 4.2 on."""

    def SendHttpStatus(self, status: int, body: str) -> None:  # type: ignore[override]
        super().SendHttpStatus(status, body, len(body.encode()))


def call(uri: str, *, authenticated: bool = True, kind: type[Output] = Output, **call: Any) -> Output:
    output = kind()
    call = {"method": "GET", "groups": (), "get": {}, "headers": {}, **call}
    answer(app, Request.from_orthanc(uri, call), output, authenticated=authenticated)
    return output


def test_path_query_body_and_headers_arrive() -> None:
    output = call(
        "/triage/echo/あ/b",
        method="POST",
        get={"lang": "ja", "x": "a&b=c"},
        headers={"accept-language": "ja", "content-type": "text/plain", "host": "h:8042"},
        body="本文".encode(),
    )
    assert output.status == 200
    answered = app.json.loads(output.body)
    assert answered == {
        "rest": "あ/b",
        "query": {"lang": "ja", "x": "a&b=c"},
        "body": "本文",
        "type": "text/plain",
        "user": None,
        "language": "ja",
    }


def test_bytes_and_headers_come_back_once() -> None:
    output = call("/triage/picture")
    assert (output.status, output.body) == (200, b"\x89PNG\x00\xff")
    assert output.headers == {"Content-Type": "image/png", "ETag": '"1"'}


@pytest.mark.parametrize("kind", [Output, NewerOutput])
def test_other_statuses_keep_their_body_and_headers(kind: type[Output]) -> None:
    nothing = call("/triage/nothing", kind=kind)
    assert nothing.status == 404
    assert b"Not Found" in nothing.body
    assert call("/triage/moved", kind=kind).headers["Location"] == "/triage/"


@pytest.mark.parametrize("kind", [Output, NewerOutput])
def test_a_sentence_in_japanese_is_sent_whole(kind: type[Output]) -> None:
    output = kind()
    send_status(output, 503, "停止しています")
    assert (output.status, output.body.decode()) == (503, "停止しています")


def test_a_login_counts_only_where_orthanc_checked_it() -> None:
    basic = {"authorization": "Basic " + base64.b64encode("ito:pässword:x".encode()).decode()}
    assert app.json.loads(call("/triage/echo/a", headers=basic).body)["user"] == "ito"
    unchecked = call("/triage/echo/a", headers=basic, authenticated=False)
    assert app.json.loads(unchecked.body)["user"] is None


@given(strategies.text())
def test_any_authorization_header_is_survived(header: str) -> None:
    login(header)
    login("Basic " + header)
