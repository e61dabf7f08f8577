"""The client and servers of every kind: what is asked, what is understood, and what is wrong in words."""

import base64
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_triage import FakeTriage
from HeadCTTriageLib.errors import (
    CancelledError,
    RefusedError,
    TriageError,
    UnreachableError,
    UnreadableError,
)
from HeadCTTriageLib.server import cases, client, connection
from HeadCTTriageLib.server.client import ConflictError, Server, TriageClient
from HeadCTTriageLib.server.connection import Limit
from slicer_servers import Asked, Authority, Reply, as_json, http_server, of_orthanc, socket_server
from stack_process import free_ports

from orthanc_plugin.answer import Words
from orthanc_plugin.health.views import StatusView

STATUS = "/triage/api/v1/status"
PASSWORD = "pass wörd: 佐藤"


def status(**changes: Any) -> StatusView:
    return FakeTriage().current.model_copy(update=changes)


def triage(view: StatusView | None = None) -> Callable[[Asked], Reply]:
    """A server with triage, as far as the test button looks."""
    body = json.loads((view or status()).model_dump_json())
    return lambda asked: as_json(200, body) if asked.path == STATUS else of_orthanc(404)


def at(url: str, **more: Any) -> TriageClient:
    return TriageClient(Server(url, "sato", PASSWORD, **more))


def wrong(url: str, **more: Any) -> TriageError:
    """What the test button says."""
    with pytest.raises(TriageError) as caught:
        at(url, **more).check()
    assert PASSWORD not in str(caught.value)
    return caught.value


def kind(error: TriageError) -> str:
    assert isinstance(error, UnreachableError), repr(error)
    return error.kind


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority") / "ca")


# The test button ------------------------------------------------------------------------------------------


def test_a_server_that_is_well_gets_no_word() -> None:
    with http_server(triage()) as (url, asked):
        found = at(url).check()
    assert found.status.running and found.warnings == ()
    assert [one.path for one in asked] == [STATUS]


def test_the_name_is_not_known() -> None:
    error = wrong("no-such-computer.invalid:8042")
    assert kind(error) == UnreachableError.NAME
    assert "no-such-computer.invalid" in str(error)


def test_nobody_listens() -> None:
    (port,) = free_ports(1)
    error = wrong(f"localhost:{port}")
    assert kind(error) == UnreachableError.NO_ANSWER
    assert "refuses the connection" in str(error)


def test_a_server_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SILENCE_SECONDS", 0.3)
    with socket_server(lambda talk: time.sleep(5)) as address:
        assert kind(wrong(address)) == UnreachableError.SLOW


def test_nobody_takes_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 0.3)
    with socket.socket() as listening, socket.socket() as first, socket.socket() as second:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)  # a queue of one, full with these
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        error = wrong(f"127.0.0.1:{listening.getsockname()[1]}")
    assert kind(error) == UnreachableError.NO_ANSWER
    assert "does not answer" in str(error)


def test_a_certificate_of_the_hospitals_own(authority: Authority) -> None:
    with http_server(triage(), authority.certificate("localhost")) as (url, _):
        assert at(url, ca_file=str(authority.file)).check().warnings == ()
        error = wrong(url)
    assert kind(error) == UnreachableError.CERTIFICATE
    assert "issuer that is not known" in str(error)


def test_with_an_own_authority_no_other_is_trusted(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    with http_server(triage(), authority.certificate("localhost")) as (url, asked):
        assert kind(wrong(url, ca_file=str(other.file))) == UnreachableError.CERTIFICATE
    assert asked == [], "a password went to a stranger"


def test_a_certificate_that_has_expired(authority: Authority) -> None:
    with http_server(triage(), authority.certificate("localhost", days=-1)) as (url, _):
        error = wrong(url, ca_file=str(authority.file))
    assert kind(error) == UnreachableError.CERTIFICATE
    assert "has expired" in str(error)


def test_a_certificate_of_another_computer(authority: Authority) -> None:
    with http_server(triage(), authority.certificate("pacs.elsewhere")) as (url, _):
        error = wrong(url, ca_file=str(authority.file))
        by_number = wrong(url.replace("localhost", "127.0.0.1"), ca_file=str(authority.file))
    assert kind(error) == kind(by_number) == UnreachableError.CERTIFICATE
    assert "of another computer" in str(error)
    assert "of another computer" in str(by_number)


def test_a_certificate_file_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "words.pem").write_text("no certificate")
    (tmp_path / "empty.pem").touch()
    for name, words in {
        "none.pem": "does not exist",
        "words.pem": "holds no certificate",
        "empty.pem": "holds no certificate",
        ".": "cannot be read",
    }.items():
        error = wrong("https://localhost:1", ca_file=str(tmp_path / name))
        assert kind(error) == UnreachableError.CA_FILE
        assert words in str(error), str(error)


def test_http_to_a_server_that_encrypts(authority: Authority) -> None:
    with http_server(triage(), authority.certificate("localhost")) as (url, asked):
        error = wrong(url.replace("https://", "http://"))
    assert kind(error) == UnreachableError.BROKEN
    assert "https://" in str(error)
    assert asked == []


@pytest.mark.parametrize(
    "page",
    [
        b"<center>The plain HTTP request was sent to HTTPS port</center>",
        b"<p>Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />",
    ],
    ids=["nginx", "Apache"],
)
def test_http_to_a_server_that_says_that_it_encrypts(page: bytes) -> None:
    with http_server(lambda asked: (400, {"Content-Type": "text/html"}, page)) as (url, _):
        assert str(wrong(url)) == "The server wants https:// before its name."


def test_https_to_a_server_that_does_not_encrypt() -> None:
    with http_server(triage()) as (url, _):
        error = wrong(url.replace("http://", "https://"))
    assert kind(error) == UnreachableError.NOT_TLS
    assert "does not encrypt" in str(error)


def test_no_web_server_at_all() -> None:
    with socket_server(lambda talk: talk.sendall(b"220 mail.example ESMTP\r\n")) as address:
        error = wrong(address)
    assert kind(error) == UnreachableError.BROKEN
    assert "no web server" in str(error)


def test_wrong_user_or_password() -> None:
    with http_server(lambda asked: (401, {"WWW-Authenticate": "Basic"}, b"")) as (url, _):
        error = wrong(url)
    assert isinstance(error, RefusedError) and error.code == RefusedError.LOGIN
    assert "user or password" in str(error)


def test_a_login_that_may_nothing() -> None:
    with http_server(lambda asked: (403, {}, b"<h1>Forbidden</h1>")) as (url, _):
        assert "does not allow" in str(wrong(url))


def test_another_web_server() -> None:
    page = (200, {"Content-Type": "text/html"}, b"<h1>Welcome to the coffee machine</h1>")
    for answer in (page, (404, {}, b"<h1>Not found</h1>"), as_json(200, {"temperature": 94})):
        with http_server(lambda asked, answer=answer: answer) as (url, _):
            assert isinstance(error := wrong(url), UnreadableError), error
    for answer in (page, as_json(200, {"temperature": 94}), as_json(200, [])):
        with http_server(lambda asked, answer=answer: answer) as (url, _):
            assert "Another web server" in str(wrong(url))


def test_an_orthanc_without_triage() -> None:
    system = {"Version": "1.12.7", "DicomAet": "ORTHANC", "Name": "Archive"}
    with http_server(lambda asked: as_json(200, system) if asked.path == "/system" else of_orthanc(404)) as (
        url,
        _,
    ):
        error = wrong(url)
    assert str(error) == "Orthanc 1.12.7 answers, but triage is not installed in it."


def test_an_answer_of_another_version_names_what_is_missing() -> None:
    with http_server(lambda asked: as_json(200, {"now": "2026-03-04T18:12:44Z"})) as (url, _):
        client = at(url)
        with pytest.raises(UnreadableError, match=r"Status\.version"):
            client.status()


def test_triage_that_is_stopped_or_starting() -> None:
    why = Words(en="The disk is full.", ja="ディスクの空きがありません。")
    with http_server(triage(status(running=False, reason=why))) as (url, _):
        assert at(url).check().warnings == ("Triage is stopped, no urgency is given. The disk is full.",)
        japanese = TriageClient(Server(url, "sato", "x"), language="ja_JP")
        assert why.ja in japanese.check().warnings[0]
    starting = as_json(503, {"code": "unavailable", "message": "Triage is starting."})
    with http_server(lambda asked: starting) as (url, _):
        error = wrong(url)
    assert kind(error) == UnreachableError.FAILED
    assert "Triage is starting." in str(error)


def test_a_model_that_does_not_judge() -> None:
    problem = Words(en="The chosen model is damaged.", ja="モデルが壊れています。")
    with http_server(triage(status(model_problem=problem))) as (url, _):
        assert at(url).check().warnings == (problem.en,)


def test_a_server_without_passwords() -> None:
    with http_server(triage(status(authentication=False))) as (url, _):
        assert at(url).check().warnings == ("The server asks for no password, so it takes no reviews.",)


def test_to_another_machine_in_clear_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with http_server(triage()) as (url, _):
        port = url.rsplit(":", 1)[1]
        # The name of another machine that leads here.
        look_up = socket.getaddrinfo
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda host, *more: look_up("127.0.0.1" if host == "pacs.local" else host, *more),
        )
        warnings = at(f"pacs.local:{port}").check().warnings
    assert len(warnings) == 1
    assert "not encrypted" in warnings[0]


# What is sent, and what never ------------------------------------------------------------------------------


def test_who_asks_and_how() -> None:
    with http_server(triage()) as (url, asked):
        at(url).status()
    assert base64.b64decode(asked[0].headers["authorization"].split()[1]).decode() == f"sato:{PASSWORD}"
    assert asked[0].headers["x-triage"] == "slicer"


def test_neither_proxy_nor_password_file_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine localhost login thief password stolen\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    (port,) = free_ports(1)
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://localhost:{port}")
    with http_server(triage()) as (url, asked):
        at(url).status()
    assert len(asked) == 1


def test_the_password_does_not_follow_to_another_address() -> None:
    with http_server(triage()) as (elsewhere, there):
        with http_server(lambda asked: (302, {"Location": f"{elsewhere}/page"}, b"")) as (url, _):
            error = wrong(url)
        assert there == []
    assert isinstance(error, UnreadableError)
    assert elsewhere in str(error)


def test_cookies_are_not_kept() -> None:
    body = json.loads(status().model_dump_json())
    with http_server(lambda asked: (200, {"Set-Cookie": "a=b"}, as_json(200, body)[2])) as (url, asked):
        one = at(url)
        one.status()
        one.status()
    assert "cookie" not in asked[1].headers


def test_the_password_is_not_in_what_is_printed() -> None:
    server = Server("pacs", "sato", PASSWORD)
    assert PASSWORD not in repr(server)
    assert PASSWORD not in str(vars(TriageClient(server)))


# Answers --------------------------------------------------------------------------------------------------


def test_the_worklist_a_study_and_a_series() -> None:
    fake = FakeTriage()
    row = fake.rows[1]
    study = fake.study(row.id)
    routes = {
        "/worklist": fake.worklist(),
        f"/studies/{row.id}": study,
        f"/series/{row.series[0].id}": study.series[0],
    }
    answers = {f"/triage/api/v1{route}": json.loads(view.model_dump_json()) for route, view in routes.items()}
    with http_server(lambda asked: as_json(200, answers[asked.path])) as (url, _):
        one = at(url)
        assert [case.id for case in one.worklist().rows] == [case.id for case in fake.rows]
        assert one.study(row.id).case.patient_name.shown.startswith("Müller-Lüdenscheidt")
        assert one.series(row.series[0].id).assessment is not None


def review() -> cases.Review:
    return cases.Review("relabel", "1-33-0-0", cases.Urgency.RED, {"fracture": False}, comment="骨折なし")


def test_a_review_that_the_server_does_not_take() -> None:
    fake = FakeTriage()
    series = json.loads(fake.study(fake.rows[1].id).series[0].model_dump_json())
    refusals: list[tuple[Reply, type[TriageError]]] = [
        (as_json(409, {"code": "conflict", "message": "Look again.", "current": series}), ConflictError),
        (as_json(409, {"code": "conflict", "message": "Look again."}), UnreadableError),
        (as_json(403, {"code": "refused", "message": "You may only look."}), RefusedError),
        (as_json(404, {"code": "not_found", "message": "no such series"}), RefusedError),
        (as_json(400, {"code": "bad_request", "message": "Say why."}), RefusedError),
        (as_json(413, {"code": "too_large", "message": "Too long."}), RefusedError),
        (as_json(500, {"code": "internal_error", "message": "The log says where."}), UnreachableError),
        ((502, {}, b"<h1>Bad gateway</h1>"), UnreachableError),
        ((404, {}, b"<h1>Not found</h1>"), UnreadableError),
        (as_json(201, {"review": {}}), UnreadableError),
        (as_json(404, ["code", "message"]), UnreadableError),
        (as_json(404, {"code": 4, "message": None}), UnreadableError),
    ]
    for reply, expected in refusals:
        with http_server(lambda asked, reply=reply: reply) as (url, asked):
            with pytest.raises(TriageError) as caught:
                at(url).review("s1", review())
            assert type(caught.value) is expected, repr(caught.value)
            if isinstance(caught.value, ConflictError):
                assert caught.value.current.id == series["id"]
            if isinstance(caught.value, RefusedError):
                assert caught.value.message == json.loads(reply[2])["message"]
        assert json.loads(asked[0].body)["comment"] == "骨折なし"
        assert asked[0].headers["content-type"] == "application/json"


def test_a_connection_that_the_server_closed_meanwhile_is_opened_again() -> None:
    calm = triage()
    answers: Iterator[Any] = iter([calm, None, calm])

    def answer(asked: Asked) -> Reply | None:
        how = next(answers)
        return how(asked) if how else None

    with http_server(answer) as (url, asked):
        one = at(url)
        one.status()
        one.status()
    assert len(asked) == 3


def test_a_server_that_always_hangs_up_is_asked_twice_and_no_more() -> None:
    with http_server(lambda asked: None) as (url, asked):
        assert kind(wrong(url)) == UnreachableError.BROKEN
    assert len(asked) == 2


def test_half_an_answer_is_none() -> None:
    body = status().model_dump_json().encode()
    long = {"Content-Length": str(len(body) + 10), "Connection": "close"}
    with http_server(lambda asked: (200, long, body)) as (url, _):
        assert kind(wrong(url)) == UnreachableError.BROKEN


def test_an_answer_without_end_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ANSWER", Limit(seconds=20, bytes=100_000))
    with http_server(lambda asked: (200, {}, b" " * 10_000_000)) as (url, _):
        error = wrong(url)
    assert isinstance(error, UnreadableError)
    assert "larger" in str(error)


def test_an_answer_drop_by_drop_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ANSWER", Limit(seconds=0.5, bytes=10_000))

    def drip(talk: socket.socket) -> None:
        talk.recv(1000)
        for drop in b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b" " * 1000:
            talk.sendall(bytes([drop]))
            time.sleep(0.03)

    with socket_server(drip) as address:
        began = time.monotonic()
        assert kind(wrong(address)) == UnreachableError.SLOW
    assert time.monotonic() - began < 3


def waiting(one: TriageClient) -> tuple[threading.Thread, list[Any]]:
    """Somebody in a thread who asks a silent server; what he gets in the end."""
    ended: list[Any] = []

    def ask() -> None:
        try:
            ended.append(one.status())
        except TriageError as error:
            ended.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.3)
    assert not ended
    return thread, ended


def test_closing_ends_what_is_under_way_and_what_comes_later(authority: Authority) -> None:
    def silent(asked: Asked) -> Reply:
        time.sleep(10)
        return 200, {}, b""

    for certificate in (None, authority.certificate("localhost")):
        with http_server(silent, certificate) as (url, _):
            one = at(url, ca_file=str(authority.file))
            thread, ended = waiting(one)
            one.close()
            thread.join(2)
            assert kind(ended[0]) == UnreachableError.CLOSED
            assert kind(_error(one)) == UnreachableError.CLOSED


def _error(one: TriageClient) -> TriageError:
    with pytest.raises(TriageError) as caught:
        one.status()
    return caught.value


def test_one_thread_is_cancelled_and_others_go_on() -> None:
    ready = threading.Event()

    def answer(asked: Asked) -> Reply:
        ready.wait(10)
        return triage()(asked)

    with http_server(answer) as (url, _):
        one = at(url)
        cancelled, ended = waiting(one)
        other, got = waiting(one)
        one.cancel(cancelled)
        cancelled.join(2)
        assert isinstance(ended[0], CancelledError)
        assert not got
        ready.set()
        other.join(2)
        assert got[0].running
        assert one.status().running
