"""A web server that is no Orthanc, and what persons said of a series there."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from headct.terms.label import StoredLabel
from headct.terms.review import Exclusion, ReviewFinding, Standing
from headct.terms.urgency import Urgency
from model_training.datasets.orthanc import Login
from model_training.deidentification.pseudonyms import KEY_BYTES, Key

KEY = Key(bytes(range(KEY_BYTES)))
LOGIN = Login("sato", "not-a-secret")


def said(
    label: Urgency | None = Urgency.RED,
    findings: Mapping[ReviewFinding, bool] | None = None,
    standing: Standing = Standing.REVIEWED,
    reason: Exclusion | None = None,
    unseen: bool = False,
) -> StoredLabel:
    return StoredLabel(
        series_id="0",
        study_id="1",
        series_instance_uid="1.2.3",
        study_instance_uid="1.2",
        standing=standing,
        urgency=label,
        label=label,
        excluded=reason is not None,
        findings=findings or {},
        reason=reason,
        readers=1,
        reviewed_at=datetime(2026, 4, 5, tzinfo=UTC),
        unseen=unseen,
    )


@contextmanager
def web_server() -> Iterator[ThreadingHTTPServer]:
    """A web server that is no Orthanc.

    ``answers`` has what it says, the last again and again; ``images`` has what it says to requests of images.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answers: list[tuple[int, bytes]] = running.answers  # type: ignore[attr-defined]
            images: dict[str, bytes] = running.images  # type: ignore[attr-defined]
            if self.path.startswith("/instances/"):
                image = images.get(self.path.split("/")[2])
                status, body = (404, b"") if image is None else (200, image)
            else:
                status, body = answers.pop(0) if len(answers) > 1 else answers[0]
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        running.answers, running.images = [], {}  # type: ignore[attr-defined]
        yield running
        running.shutdown()
