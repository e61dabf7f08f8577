"""Which Orthancs are asked, and what is said of those that are no help."""

import ssl
import subprocess
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from headct.errors import SettingsError
from headct.terms.label import StoredLabel
from model_training.datasets.orthanc import Pacs, PacsError
from tests.model_training.pacs import LOGIN


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://127.0.0.1", "address"),
        ("127.0.0.1:8042", "address"),
        ("http://", "address"),
        ("http://192.0.2.1:dicom", "address"),
        ("http://sato:not-a-secret@127.0.0.1", "do not belong"),
    ],
)
def test_addresses_that_are_refused(url: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as told:
        Pacs(url, LOGIN)
    assert LOGIN.password not in str(told.value)


def test_certificates_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(SettingsError, match="no certificates"):
        Pacs("https://127.0.0.1", LOGIN, ca=tmp_path / "ca.pem")


def test_a_certificate_is_trusted_when_it_is_named(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "ca.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    about = ["-subj", "/CN=pacs", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*make, *about, *files], check=True, capture_output=True)
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(certificate, key)
    server.socket = secure.wrap_socket(server.socket, server_side=True)
    server.answers = [(200, b'{"labels": []}')]  # type: ignore[attr-defined]
    url = f"https://127.0.0.1:{server.server_port}"
    with Pacs(url, LOGIN, pauses=()) as pacs, pytest.raises(PacsError, match="is not trusted; see --ca"):
        pacs.reviewed()
    with Pacs(url, LOGIN, ca=certificate, pauses=()) as pacs:
        assert pacs.reviewed() == ()


def test_who_could_read_along() -> None:
    for url, in_clear in {
        "http://127.0.0.1:8042": False,
        "http://[::1]:8042": False,
        "http://localhost": False,
        "https://192.0.2.1": False,
        "http://192.0.2.1": True,
        "http://pacs.example": True,
    }.items():
        with Pacs(url, LOGIN) as pacs:
            assert pacs.in_clear is in_clear, url


def asked(server: ThreadingHTTPServer, *answers: tuple[int, bytes]) -> tuple[StoredLabel, ...]:
    server.answers = list(answers)  # type: ignore[attr-defined]
    with Pacs(f"http://127.0.0.1:{server.server_port}/", LOGIN, pauses=(0.0,)) as pacs:
        return pacs.reviewed()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((200, b"<html>"), "no triage of this version"),
        ((200, b"[]"), "no triage of this version"),
        ((200, b'{"labels": [{"series_id": "Kurosawa"}]}'), "no triage of this version"),
        ((401, b""), "refuses the user sato"),
        ((404, b""), "triage does not run"),
        ((500, b"Kurosawa"), "status 500"),
        ((302, b""), "status 302"),
        ((503, b""), "does not answer"),
    ],
)
def test_servers_that_are_no_help(server: ThreadingHTTPServer, answer: tuple[int, bytes], words: str) -> None:
    with pytest.raises(PacsError, match=words) as told:
        asked(server, answer)
    assert "Kurosawa" not in str(told.value) and LOGIN.password not in str(told.value)


def test_a_request_is_repeated(server: ThreadingHTTPServer) -> None:
    assert asked(server, (503, b""), (200, b'{"labels": []}')) == ()
