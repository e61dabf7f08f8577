"""Answers in the place of an Orthanc that has no disk to write on: what is wrong, and that it goes on.

It takes no image and knows no user: it says what is wrong with the machine, and nothing of any patient.
"""

import errno
import html
import json
import os
import re
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from headct.language import LANGUAGES, Language, Phrase, _
from orthanc_plugin.system_words import words_of_system

NEEDED_BYTES = 256 * 2**10
"""Orthanc writes as much before it answers."""
LONGEST_BODY = 2**16
"""Of a request that is read to its end, so that who sent it reads the answer."""

PAGE = """<!DOCTYPE html>
<html lang="{language}"><head><meta charset="utf-8"><meta http-equiv="refresh" content="10">
<title>{title}</title></head>
<body style="font-family: sans-serif; max-width: 40em; margin: 3em auto">
<h1>{title}</h1>
<p>{meanwhile}</p>
<p><strong>{reason}</strong></p>
</body></html>"""


def why_not(folder: Path) -> Phrase | None:
    """Why nothing can be written into a folder; ``None`` where it can. Found out by writing."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".room-") as file:
            os.posix_fallocate(file.fileno(), 0, NEEDED_BYTES)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.EOPNOTSUPP):
            return None  # a file system that holds no room back, but is written
        return words_of_system(os.strerror(error.errno or errno.EIO))  # not where: anybody may ask
    return None


class StandIn:
    """Takes Orthanc's HTTP port while that is free."""

    def __init__(self, address: str, port: int) -> None:
        self._address = (address, port)
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def say(self, reason: Phrase) -> None:
        """Answer with that from now on; nothing where another program has the port."""
        if self._server is None:
            try:
                self._server = _Server(self._address, _Answer)
            except OSError:
                return
            threading.Thread(target=self._server.serve_forever, name="stand-in", daemon=True).start()
        self._server.reason = reason

    def close(self) -> None:
        """Leave the port to Orthanc."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    reason: Phrase = Phrase("", {})


class _Answer(BaseHTTPRequestHandler):
    """The same to every question."""

    server: _Server
    timeout = 10

    def _answer(self) -> None:
        length = self.headers.get("Content-Length", "")
        if length.isdigit():
            self.rfile.read(min(int(length), LONGEST_BODY))
        language = self._language()
        title = _("Orthanc cannot run")
        meanwhile = _(
            "No image is stored: scanners are refused and have to send again. It goes on by itself."
        )
        reason = self.server.reason
        if self.path.startswith("/triage") and not self.path.startswith("/triage/api/"):
            kind = "text/html; charset=utf-8"
            words = {"title": title, "meanwhile": meanwhile, "reason": reason}
            said = {name: html.escape(phrase.say(language)) for name, phrase in words.items()}
            body = PAGE.format(language=language, **said).encode()
        else:
            kind = "application/json"
            sentence = f"{title.say(language)}. {reason.say(language)}"
            body = json.dumps({"code": "unavailable", "message": sentence}).encode()
        self.send_response(503)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Language", language),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("Retry-After", "10"),
            ("Connection", "close"),
        ):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = _answer  # noqa: N815

    def _language(self) -> Language:
        wanted = re.findall(r"\blang=(\w+)", self.path)
        wanted += re.findall(r"\bheadct_language=(\w+)", self.headers.get("Cookie", ""))
        wanted += re.findall(r"[a-z]{2}", self.headers.get("Accept-Language", ""))
        return next((language for wish in wanted for language in LANGUAGES if language == wish), "en")

    def log_message(self, *_: object) -> None:
        """Nothing: there may be no room for a log."""
