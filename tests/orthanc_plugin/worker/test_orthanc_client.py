"""Labels are used where this Orthanc has them, and not asked for elsewhere."""

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from orthanc_plugin.worker.orthanc_client import OrthancClient


@contextmanager
def server(version: str, labels: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Answers as an Orthanc of a version does; its address, and the paths it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = json.dumps({"Version": version} if self.path == "/system" else labels).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Not into the tests' output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", asked
        running.shutdown()
        thread.join()


@pytest.mark.parametrize("version", ["1.9.7", "1.10.1", "1.11.3"])
def test_no_labels_before_1_12(version: str) -> None:
    with server(version, []) as (url, asked), OrthancClient(url, "token") as client:
        assert client.labels("series", "a") is None
        assert client.labels("studies", "b") is None
    assert asked == ["/system"]


@pytest.mark.parametrize("version", ["1.12.0", "1.12.10", "1.13.1", "2.0.0", "mainline", "mainline-1.12.3"])
def test_labels_from_1_12_on(version: str) -> None:
    with server(version, ["triage-red", "ward-7"]) as (url, asked), OrthancClient(url, "token") as client:
        for _ in range(2):
            assert client.labels("studies", "b") == {"triage-red", "ward-7"}
    assert asked == ["/system", *["/studies/b/labels"] * 2]


@pytest.mark.parametrize(
    ("url", "checked"), [("https://127.0.0.1:1", False), ("https://192.0.2.1", True), ("https://pacs", True)]
)
def test_the_certificate_of_another_machine_is_checked(
    monkeypatch: pytest.MonkeyPatch, url: str, checked: bool
) -> None:
    asked: list[object] = []
    monkeypatch.setattr("httpx.Client", lambda **options: asked.append(options["verify"]))
    OrthancClient(url, "token")
    (verify,) = asked
    assert isinstance(verify, ssl.SSLContext) is checked
    if isinstance(verify, ssl.SSLContext):
        assert verify.verify_mode == ssl.CERT_REQUIRED
        assert verify.check_hostname
