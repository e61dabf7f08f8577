"""A web server in an Orthanc's place."""

from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import pytest

from tests.model_training.pacs import web_server


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with web_server() as running:
        yield running
