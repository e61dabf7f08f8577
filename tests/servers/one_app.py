"""The web application over whichever triage a test has, made once a process: that is what takes long."""

from collections.abc import Iterable
from functools import cache
from typing import Any, cast
from wsgiref.types import StartResponse, WSGIEnvironment

from flask import Flask, request
from flask.testing import FlaskClient

from orthanc_plugin.service import Triage
from orthanc_plugin.web import create_app

_WHOSE = "tests.triage"


class _OfTheRequest:
    """The triage that a request brings along."""

    def __getattr__(self, name: str) -> Any:
        return getattr(request.environ[_WHOSE], name)


@cache
def _app() -> Flask:
    return create_app(cast(Triage, _OfTheRequest()))


class Served:
    """The application as :func:`orthanc_plugin.web.create_app` makes it for a triage."""

    def __init__(self, triage: Triage) -> None:
        self.triage = triage

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        return _app()({**environ, _WHOSE: self.triage}, start)

    def test_client(self) -> FlaskClient:
        """A browser with cookies of its own."""
        client = _app().test_client()
        client.environ_base[_WHOSE] = self.triage
        return client
