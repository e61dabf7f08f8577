"""Whatever is sent to a route that takes JSON is answered, and never by an error of the program."""

import json

import pytest
from flask.testing import FlaskClient
from hostile import Hostile
from hostile.bodies import bodies, json_values
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

from orthanc_plugin.web.guards import API

NAMES = (
    *("action", "urgency", "findings", "reason", "comment", "based_on", "request_id", "blind"),
    *("study_instance_uids", "new", "confirm", "name", "based_on_model"),
)


@pytest.fixture
def routes(client: FlaskClient) -> list[str]:
    """Every address that takes a body."""
    found = [rule for rule in client.application.url_map.iter_rules() if "POST" in (rule.methods or ())]
    # These two take none, and the stand-in for triage knows nothing of them.
    ours = [
        r.rule for r in found if r.rule.startswith(API) and not r.rule.endswith(("/again", "/loss-noted"))
    ]
    for name in ("study_id", "series_id", "name", "number"):
        ours = [rule.replace(f"<{name}>", "s1").replace(f"<int:{name}>", "1") for rule in ours]
    assert len(ours) >= 6
    assert not any("<" in rule for rule in ours)
    return ours


def post(client: FlaskClient, route: str, body: bytes) -> None:
    login = {"X-Triage": "1", "Content-Type": "application/json"}
    answer = client.post(route, data=body, headers=login, environ_overrides={"REMOTE_USER": "reader"})
    assert answer.status_code < 500, (route, body[:200])
    if answer.status_code >= 400:
        said = json.loads(answer.data)
        assert said["code"]
        assert said["message"]
        assert len(answer.data) < 5000, "what was sent is not repeated"


@pytest.mark.parametrize("case", bodies(), ids=repr)
def test_every_body_of_the_corpus(client: FlaskClient, routes: list[str], case: Hostile[bytes]) -> None:
    body = case.make()
    for route in routes:
        post(client, route, body)


@hypothesis_settings(
    max_examples=15, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(json_values(*NAMES))
def test_whatever_json_says(client: FlaskClient, routes: list[str], body: object) -> None:
    for route in routes:
        post(client, route, json.dumps(body).encode())
