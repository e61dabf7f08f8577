"""A REST call of Orthanc through a WSGI application and back."""

import base64
import subprocess
import sys
from typing import Any

import pytest
from flask import Flask, Response, request
from hypothesis import given, strategies

from orthanc_plugin.access.roles import login
from orthanc_plugin.intake.output import send_status
from orthanc_plugin.intake.wsgi import Request, answer

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


@app.route("/triage/image")
def image() -> Response:
    return Response(b"\x89PNG\x00\xff", mimetype="image/png", headers={"ETag": '"1"'})


@app.route("/triage/raw", methods=["POST"])
def raw() -> bytes:
    return b"%s %d " % (str(request.content_type).encode(), request.content_length) + request.get_data()


@app.route("/triage/cookies")
def cookies() -> Response:
    return Response(b"", headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])


@app.route("/triage/moved-for-good")
def moved_for_good() -> Response:
    return Response("", 301, headers={"Location": "/triage/?a=1"})


@app.route("/triage/moved")
def moved() -> Response:
    return Response("", 302, headers={"Location": "/triage/"})


class Output:
    """Takes what Orthanc takes, with its types; here as up to version 4.1 of the Python plugin."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""
        self.headers: dict[str, str] = {}
        self.all_headers: list[tuple[str, str]] = []

    def AnswerBuffer(self, body: bytes, mime: str) -> None:
        assert isinstance(body, bytes)
        self.status, self.body, self.headers["Content-Type"] = 200, body, mime

    def SendHttpStatus(self, status: int, body: str, size: int) -> None:
        assert isinstance(body, str)
        assert size == len(body.encode())
        assert status not in (200, 301, 405), "refused by Orthanc: there are methods for these"
        self.status, self.body = status, body.encode()

    def SendMethodNotAllowed(self, allowed: str) -> None:
        self.status, self.headers["Allow"] = 405, allowed

    def Redirect(self, address: str) -> None:
        self.status, self.headers["Location"] = 301, address

    def SetHttpHeader(self, name: str, value: str) -> None:
        self.headers[name] = value
        self.all_headers.append((name, value))


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


@pytest.mark.parametrize("name", ["a?b=c", "a#b", "a%41", "a//b", "a;b=c", "[a]:1", "a b"])
def test_a_path_is_decoded_once_by_orthanc(name: str) -> None:
    assert app.json.loads(call(f"/triage/echo/{name}").body)["rest"] == name


@pytest.mark.parametrize("host", ["h", "h:8042", "[::1]:8042", "h/a?b#c", ""])
def test_any_host_header_leaves_the_path_alone(host: str) -> None:
    assert app.json.loads(call("/triage/echo/a", headers={"host": host}).body)["rest"] == "a"


@pytest.mark.parametrize("body", [b"", b"a=1&b=2", b"--x"])
@pytest.mark.parametrize("form", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_form_is_passed_on_as_it_came(form: str, body: bytes) -> None:
    output = call("/triage/raw", method="POST", headers={"content-type": form}, body=body)
    assert output.body == form.encode() + b" %d " % len(body) + body


def test_repeated_headers_are_all_set() -> None:
    output = call("/triage/cookies")
    assert output.all_headers.count(("Set-Cookie", "a=1")) == 1
    assert output.all_headers.count(("Set-Cookie", "b=2")) == 1


def test_what_says_that_the_environment_is_missing_needs_none_of_it() -> None:
    code = (
        "import sys, orthanc_plugin.intake.output as o; "
        "sys.exit(bool({'werkzeug', 'flask', 'pydantic'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_bytes_and_headers_come_back_once() -> None:
    output = call("/triage/image")
    assert (output.status, output.body) == (200, b"\x89PNG\x00\xff")
    assert output.headers == {"Content-Type": "image/png", "ETag": '"1"'}


@pytest.mark.parametrize("kind", [Output, NewerOutput])
def test_other_statuses_keep_their_body_and_headers(kind: type[Output]) -> None:
    nothing = call("/triage/nothing", kind=kind)
    assert nothing.status == 404
    assert b"Not Found" in nothing.body
    assert call("/triage/moved", kind=kind).headers["Location"] == "/triage/"


def test_statuses_that_orthanc_sends_by_methods_of_their_own() -> None:
    refused = call("/triage/image", method="DELETE")
    assert refused.status == 405 and "GET" in refused.headers["Allow"]
    moved = call("/triage/moved-for-good")
    assert (moved.status, moved.headers["Location"]) == (301, "/triage/?a=1")


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


def test_halves_of_characters_and_addresses_that_are_none_are_answered() -> None:
    hostile = {"get": {"x": "\ud800"}, "headers": {"x-forwarded-prefix": "%0d%0aX:y", "cookie": "\udfff"}}
    for path in ("/triage/\ud800", "/triage/%ED%A0%80", "/triage/echo/\0"):
        assert 200 <= call(path, **hostile).status < 500
