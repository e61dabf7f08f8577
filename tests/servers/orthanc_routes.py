"""All routes of an Orthanc: what it documents of itself, what its plugins registered, and those of triage."""

import json
import os
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fake_triage import FakeTriage
from orthanc_process import ORTHANC

from orthanc_plugin.web import create_app

METHODS = ("GET", "POST", "PUT", "DELETE")
UNDOCUMENTED = {"/": ["GET"], "/app/{...}": ["GET"], "/webdav/{...}": ["GET"]}
"""Of Orthanc's web server itself. What changes something by WebDAV, Orthanc refuses as the guard does."""
NAME = "-".join(["00000000"] * 5)
"""Stands for whatever a route wants to know; Orthanc has nothing of that name."""


@dataclass(frozen=True, slots=True, order=True)
class Route:
    """A path with names in braces, and a method."""

    path: str
    method: str

    @property
    def address(self) -> str:
        """One that can be asked for."""
        numbered = re.sub(r"\{(number|index|frame)\}", "0", self.path)
        return re.sub(r"\{[^}]*\}", NAME, numbered)


def core() -> set[Route]:
    """Orthanc's own. It does not describe what it cannot ask a server in the internet about."""
    nowhere = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    done = subprocess.run(
        [str(ORTHANC), "--openapi=-"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **nowhere},
    )
    paths: dict[str, Any] = json.loads(done.stdout)["paths"]
    left_out = re.findall(r"Ignoring URI without API documentation: ([A-Z]+) (\S+)", done.stderr)
    described = [(method.upper(), path) for path, methods in paths.items() for method in methods]
    return _routes([*described, *left_out])


def of_plugins(log: str) -> set[Route]:
    """What plugins registered, by the log; which methods each takes is not known."""
    patterns = re.findall(r"registered a REST callback .*on: (/\S+)", log)
    paths = {re.sub(r"\(\.\*\)", "{...}", re.sub(r"\(\[\^/\]\*\)", "{id}", one)) for one in patterns}
    return _routes((method, path) for path in paths - {"/triage{...}"} for method in METHODS)


def of_triage() -> dict[Route, str]:
    """Ours, which Orthanc knows as one, and what each is for."""
    app = create_app(FakeTriage())
    found = {}
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        for method in set(METHODS) & (rule.methods or set()):
            described = app.api_doc["paths"].get(path, {}).get(method.lower(), {})
            found[Route(path, method)] = described.get(
                "summary", "pages of triage, which show what their reader may see"
            )
    return found


def _routes(found: Iterable[tuple[str, str]]) -> set[Route]:
    extra = [(method, path) for path, methods in UNDOCUMENTED.items() for method in methods]
    return {Route(path, method) for method, path in [*found, *extra]}
