"""A REST call of Orthanc through a WSGI application and back."""

import base64
from typing import Any

from flask import Flask, Response, request
from hypothesis import given, strategies

from orthanc_plugin.wsgi import Request, answer, login

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
    """Takes what Orthanc takes, with its types."""

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


def call(uri: str, *, authenticated: bool = True, **call: Any) -> Output:
    output = Output()
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


def test_other_statuses_keep_their_body_and_headers() -> None:
    assert call("/triage/nothing").status == 404
    assert call("/triage/moved").headers["Location"] == "/triage/"


def test_a_login_counts_only_where_orthanc_checked_it() -> None:
    basic = {"authorization": "Basic " + base64.b64encode("ito:pässword:x".encode()).decode()}
    assert app.json.loads(call("/triage/echo/a", headers=basic).body)["user"] == "ito"
    unchecked = call("/triage/echo/a", headers=basic, authenticated=False)
    assert app.json.loads(unchecked.body)["user"] is None


@given(strategies.text())
def test_any_authorization_header_is_survived(header: str) -> None:
    login(header)
    login("Basic " + header)
