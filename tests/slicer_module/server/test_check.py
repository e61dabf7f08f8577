"""The test button and servers of every kind: what is wrong with each, in words."""

import socket
import threading
from pathlib import Path

import pytest
from asking import STATUS, at, kind, status, triage, wrong
from HeadCTTriageLib.errors import RefusedError, UnreachableError, UnreadableError
from HeadCTTriageLib.server import connection
from HeadCTTriageLib.server.client import Server, TriageClient
from slicer_servers import Authority, as_json, http_server, of_orthanc, socket_server
from stack_process import free_ports

from orthanc_plugin.answer import Words


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
    told = threading.Event()
    with socket_server(lambda talk: told.wait()) as address:
        assert kind(wrong(address)) == UnreachableError.SLOW
        told.set()


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
