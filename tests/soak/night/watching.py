"""Somebody who looks at the page and the status all the while, and remembers what they said."""

import threading
import time
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

import httpx
from stack_process import StackProcess

NO_ANSWER = "no answer"
_PAUSE_SECONDS = 0.3
_VOID = {"br", "img", "input", "meta", "link", "hr", "wbr", "source"}


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen at one moment."""

    at: float
    lines: tuple[str, ...]
    """Every word of trouble, whether it is new or not."""
    status: dict[str, Any] | None = None
    """Empty while triage does not answer."""
    wrong: str = ""


class Watcher(threading.Thread):
    """Looks until stopped."""

    def __init__(self, stack: StackProcess) -> None:
        super().__init__(daemon=True, name="watcher")
        self._stack = stack
        self._stopped = threading.Event()
        self.looks: list[Look] = []

    def run(self) -> None:
        """Look again and again."""
        stack = self._stack
        auth = (stack.user, stack.password)
        with httpx.Client(base_url=stack.url, auth=auth, timeout=60, trust_env=False) as http:
            while not self._stopped.wait(_PAUSE_SECONDS):
                self.looks.append(_look(http))

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        self.join(60)

    def last(self) -> Look:
        """A look that was begun from now on; there always comes one."""
        start = time.monotonic()
        while not self.looks or self.looks[-1].at < start:
            time.sleep(0.05)
        return self.looks[-1]

    def since(self, moment: float) -> list[Look]:
        """What was seen since then."""
        return [look for look in self.looks if look.at >= moment]


def _look(http: httpx.Client) -> Look:
    at = time.monotonic()
    try:
        answer, page = http.get("/triage/api/v1/status"), http.get("/triage/?lang=en")
    except httpx.HTTPError:
        return Look(at, (NO_ANSWER,))
    codes = {answer.status_code, page.status_code}
    wrong = f"answered with {sorted(codes)}" if codes - {200, 503} else ""
    status = answer.json() if answer.status_code == 200 else None
    lines = banners(page.text)
    if page.status_code == 503:
        lines = (_text(page.text),)
    if status is not None and 0 < status["workers_alive"] < status["workers_wanted"]:
        lines += (f"status: {status['workers_alive']} of {status['workers_wanted']} workers alive",)
    return Look(at, lines, status, wrong)


class _Banners(HTMLParser):
    """Texts of the notices at the head of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _VOID:
            return
        if self._depth:
            self._depth += 1
        elif "banner" in (dict(attrs).get("class") or "").split():
            self._depth = 1
            self.found.append("")

    def handle_endtag(self, tag: str) -> None:
        if self._depth and tag not in _VOID:
            self._depth -= 1

    def handle_data(self, data: str) -> None:
        if self._depth and data.strip():
            self.found[-1] = f"{self.found[-1]} {' '.join(data.split())}".strip()


def banners(html: str) -> tuple[str, ...]:
    """What a page says at its head that something is the matter."""
    reader = _Banners()
    reader.feed(html)
    return tuple(reader.found)


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag

    def handle_data(self, data: str) -> None:
        if self._inside not in {"style", "script", "title"}:
            self.text = " ".join(f"{self.text} {data}".split())


def _text(html: str) -> str:
    reader = _Words()
    reader.feed(html)
    return reader.text[:160]
