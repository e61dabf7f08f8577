"""Servers on loopback of every kind that a doctor may type the address of, and certificates for them."""

import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Reply = tuple[int, dict[str, str], bytes]
"""Status, headers, body."""


def as_json(status: int, body: Any) -> Reply:
    return status, {"Content-Type": "application/json"}, json.dumps(body).encode()


def of_orthanc(status: int) -> Reply:
    """An error as Orthanc says it."""
    return as_json(status, {"HttpStatus": status, "Message": "Unknown resource", "OrthancStatus": 17})


class Asked:
    """What a server was asked."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self.method, self.path = handler.command, handler.path
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self.body = handler.rfile.read(int(self.headers.get("content-length", 0)))


@contextmanager
def http_server(
    answer: Callable[[Asked], Reply | None], certificate: tuple[Path, Path] | None = None
) -> Iterator[tuple[str, list[Asked]]]:
    """Answers as told, ``None`` hangs up; its address, and what it was asked. ``certificate``, key."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(Asked(self))
            reply = answer(asked[-1])
            if reply is None:
                self.close_connection = True
                return
            status, headers, body = reply
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Not into the tests' output."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def get_request(self) -> Any:
            accepted, address = super().get_request()
            if certificate is None:
                return accepted, address
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            return context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False), address

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Whoever hangs up in the middle is meant to."""

    with Server(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield f"{'https' if certificate else 'http'}://localhost:{running.server_port}", asked
        finally:
            running.shutdown()


@contextmanager
def socket_server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """Whoever connects is talked to in a thread of their own; ``localhost:port``."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)

        def one(accepted: socket.socket) -> None:
            with accepted, suppress(OSError):  # they hung up
                talk(accepted)

        def serve() -> None:
            while not ended.is_set():
                try:
                    accepted, _address = listening.accept()
                except TimeoutError:
                    continue
                accepted.settimeout(30)
                threading.Thread(target=one, args=(accepted,), daemon=True).start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"localhost:{listening.getsockname()[1]}"
        finally:
            ended.set()
            thread.join()


class Authority:
    """A certificate authority of a hospital's own, made with the ``openssl`` command."""

    def __init__(self, folder: Path, name: str = "Hospital CA") -> None:
        self.folder = folder
        folder.mkdir()
        self._openssl("req", "-x509", *_KEY, "-keyout", "ca.key", "-out", "ca.pem", "-subj", f"/CN={name}")
        self.file = folder / "ca.pem"

    def certificate(self, host: str, days: int = 30) -> tuple[Path, Path]:
        """Certificate and key of a host; with ``days=-1`` one that has expired."""
        name = f"{host}{days}"
        host_is = ("-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}")
        self._openssl("req", *_KEY, *host_is, "-keyout", f"{name}.key", "-out", f"{name}.csr")
        by = ("-CA", "ca.pem", "-CAkey", "ca.key", "-days", str(days), "-copy_extensions", "copy")
        self._openssl("x509", "-req", "-in", f"{name}.csr", *by, "-out", f"{name}.pem")
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)


_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
