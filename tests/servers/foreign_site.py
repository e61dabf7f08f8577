"""Another site's page that asks an Orthanc for everything it can, in every way a browser lets it."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from stack_process import free_ports

PAGE = Path(__file__).with_name("foreign_page.html").read_text(encoding="utf-8")
"""Names between two signs ``@`` are filled in."""
SILENT = '<meta name="referrer" content="no-referrer">'


class ForeignSite:
    """Serves the page; with and without telling where its requests come from."""

    def __init__(self, **names: str) -> None:
        (port,) = free_ports(1)
        self.port = port
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.names = names
        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """The page; under ``/silent`` with no referrer, under ``/nothing`` empty."""
        policy = SILENT if "silent" in request.path else ""
        page = "<body>" if "nothing" in request.path else PAGE
        for name, said in {
            **self.names,
            "policy": policy,
            "here": f"http://{request.headers['Host']}",
        }.items():
            page = page.replace(f"@{name}@", said)
        request.send_response(200)
        request.send_header("Content-Type", "text/html; charset=utf-8")
        request.end_headers()
        request.wfile.write(page.encode())

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
