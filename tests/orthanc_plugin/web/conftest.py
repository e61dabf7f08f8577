"""The web application over a triage that answers from memory."""

import pytest
from fake_triage import FakeTriage
from flask import Flask
from flask.testing import FlaskClient

from orthanc_plugin.web import create_app


@pytest.fixture(scope="module")
def served() -> tuple[FakeTriage, Flask]:
    triage = FakeTriage()
    return triage, create_app(triage)


@pytest.fixture
def triage(served: tuple[FakeTriage, Flask]) -> FakeTriage:
    """As new for each test; making the application takes longer than any of them."""
    served[0].reset()
    return served[0]


@pytest.fixture
def client(served: tuple[FakeTriage, Flask], triage: FakeTriage) -> FlaskClient:
    return served[1].test_client()
