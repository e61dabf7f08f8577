"""The web application over a triage that answers from memory."""

import pytest
from fake_triage import FakeTriage
from flask.testing import FlaskClient
from one_app import Served


@pytest.fixture
def triage() -> FakeTriage:
    return FakeTriage()


@pytest.fixture
def client(triage: FakeTriage) -> FlaskClient:
    return Served(triage).test_client()
