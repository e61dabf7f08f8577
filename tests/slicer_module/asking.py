"""A client that asks a server: what is wrong, as the test button says it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from fake_triage import FakeTriage
from HeadCTTriageLib.errors import TriageError, UnreachableError
from HeadCTTriageLib.server.client import Server, TriageClient
from slicer_servers import Asked, Reply, as_json, of_orthanc

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
