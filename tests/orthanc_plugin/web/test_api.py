"""REST: answers as described, errors in words, changes only by our own page and only behind a password."""

import json
from typing import Any

import pytest
from fake_cases import orthanc_id
from fake_triage import FakeTriage, unavailable
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from prometheus_client.parser import text_string_to_metric_families
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from headct.language import Phrase
from orthanc_plugin.answer import ErrorView, View
from orthanc_plugin.cases.views import SeriesView, StudyView, WorklistView
from orthanc_plugin.errors import RefusedError
from orthanc_plugin.health.views import StatusView
from orthanc_plugin.states import Window
from orthanc_plugin.web.api import WHO_MAY
from orthanc_plugin.web.guards import READING

API = "/triage/api/v1"
JSON = {"Content-Type": "application/json", "X-Triage": "test"}
RED = orthanc_id("red")
RERUN = f"{API}/series/{RED}/rerun"


@pytest.fixture
def description(client: FlaskClient) -> dict[str, Any]:
    return client.get(f"{API}/openapi.json").get_json()


def check_against(description: dict[str, Any], path: str, method: str, status: int, body: Any) -> None:
    """Does a body fit what the description says of its route and status?"""
    answer = description["paths"][path][method]["responses"][str(status)]
    schema = answer["content"]["application/json"]["schema"]
    whole = Resource(contents=description, specification=DRAFT202012)
    reference = {"$ref": f"urn:api{schema['$ref']}"}
    Draft202012Validator(reference, registry=Registry().with_resource("urn:api", whole)).validate(body)


def test_description_is_valid_and_names_only_routes_that_exist(
    client: FlaskClient, description: dict[str, Any]
) -> None:
    validate(description)
    assert set(description["paths"]) == {
        f"{API}/{rest}"
        for rest in (
            "status",
            "worklist",
            "studies/{study_id}",
            "series/{series_id}",
            "series/{series_id}/slices/{number}.png",
            "series/{series_id}/rerun",
            "imports",
            "receivers/{name}/again",
            "studies/{study_id}/loss-noted",
            "series/{series_id}/review",
            "labels",
            "cases",
            "models",
            "models/{name}/activate",
            "models/{name}/shadow",
            "models/end-shadow",
            "models/rollback",
            "drift",
            "labelling",
            "audit.csv",
            "metrics",
        )
    }
    assert client.get(f"{API}/photos").status_code == 404


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("status", "status"),
        ("worklist", "worklist"),
        ("studies/{study_id}", f"studies/{orthanc_id('black')}"),
        ("series/{series_id}", f"series/{orthanc_id('black')}"),
        ("models", "models"),
        ("drift", "drift"),
        ("labelling", "labelling"),
        ("labels", "labels"),
    ],
)
def test_answers_fit_their_description(
    client: FlaskClient, description: dict[str, Any], path: str, address: str
) -> None:
    answer = client.get(f"{API}/{address}")
    assert answer.status_code == 200
    check_against(description, f"{API}/{path}", "get", 200, answer.get_json())


def test_every_row_kind_fits_its_description(
    client: FlaskClient, triage: FakeTriage, description: dict[str, Any]
) -> None:
    for row in triage.rows:
        body = client.get(f"{API}/studies/{row.id}").get_json()
        check_against(description, f"{API}/studies/{{study_id}}", "get", 200, body)


@pytest.mark.parametrize(
    ("address", "view"),
    [
        ("status", StatusView),
        ("worklist", WorklistView),
        (f"studies/{orthanc_id('black')}", StudyView),
        (f"series/{RED}", SeriesView),
    ],
)
def test_answers_read_back(client: FlaskClient, address: str, view: type[View]) -> None:
    text = client.get(f"{API}/{address}").text
    assert json.loads(view.model_validate_json(text).model_dump_json()) == json.loads(text)


def test_worklist_keeps_order_and_names_urgencies(client: FlaskClient, triage: FakeTriage) -> None:
    body = client.get(f"{API}/worklist").get_json()
    assert [row["id"] for row in body["rows"]] == [row.id for row in triage.rows]
    assert [row["urgency"] for row in body["rows"]][:4] == ["BLACK", "RED", "RED", None]
    assert body["rows"][0]["patient_name"]["ideographic"] == "山田^太郎"


@pytest.mark.parametrize("window", [*Window, None])
def test_slices(client: FlaskClient, window: Window | None) -> None:
    answer = client.get(
        f"{API}/series/{RED}/slices/15.png", query_string={"window": window} if window else {}
    )
    assert answer.mimetype == "image/png"
    assert answer.data.startswith(b"\x89PNG")
    assert answer.headers["Cache-Control"] == "no-store"


def test_metrics_are_prometheus_text_without_python_s_own(client: FlaskClient) -> None:
    families = {f.name: f for f in text_string_to_metric_families(client.get(f"{API}/metrics").text)}
    assert all(name.startswith("headct_") for name in families)
    values = {
        (s.name, *sorted(s.labels.values())): s.value for family in families.values() for s in family.samples
    }
    assert values["headct_series", "assessed"] == 6
    assert values["headct_series", "failed"] == 0
    assert values["headct_assessments", "red"] == 2
    assert values["headct_without_result", "localizer"] == 1
    assert values["headct_judgement_seconds_sum",] == pytest.approx(3.7)
    assert values["headct_judgement_seconds_count",] == 6
    assert values["headct_workers_alive",] == 1


# --- errors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "address", "status", "code"),
    [
        ("GET", f"{API}/nothing", 404, "not_found"),
        ("GET", f"{API}/studies/{orthanc_id('nobody')}", 404, "not_found"),
        ("GET", f"{API}/series/{orthanc_id('nobody')}", 404, "not_found"),
        ("GET", f"{API}/series/{RED}/slices/999.png", 404, "not_found"),
        ("GET", f"{API}/series/{RED}/slices/-1.png", 404, "not_found"),
        ("GET", f"{API}/studies/..%2F..%2Fetc", 404, "not_found"),
        ("GET", f"{API}/studies/no-identifier", 400, "bad_request"),
        ("GET", f"{API}/series/{RED}/slices/1.png?window=liver", 400, "bad_request"),
        ("GET", RERUN, 405, "method_not_allowed"),
        ("POST", f"{API}/status", 405, "method_not_allowed"),
    ],
)
def test_errors_are_json_with_a_code_and_a_sentence(
    client: FlaskClient, method: str, address: str, status: int, code: str
) -> None:
    answer = client.open(address, method=method, headers=JSON, data="{}" if method == "POST" else None)
    assert answer.status_code == status
    error = ErrorView.model_validate_json(answer.text)
    assert error.code == code
    assert error.message.endswith(".")


def test_bad_input_is_not_repeated(client: FlaskClient) -> None:
    assert "liver" not in client.get(f"{API}/series/{RED}/slices/1.png?window=liver").text


def test_a_failure_says_nothing_of_the_patient(
    client: FlaskClient, triage: FakeTriage, caplog: pytest.LogCaptureFixture
) -> None:
    triage.trouble = ValueError("cannot parse YAMADA^TAROU")
    answer = client.get(f"{API}/worklist")
    assert answer.status_code == 500
    assert ErrorView.model_validate_json(answer.text).code == "internal_error"
    assert "ValueError at orthanc_plugin/web/" in caplog.text
    assert "YAMADA" not in caplog.text + answer.text


def test_unavailable_and_refused(client: FlaskClient, triage: FakeTriage) -> None:
    triage.trouble = unavailable()
    answer = client.get(f"{API}/worklist")
    assert (answer.status_code, answer.get_json()["code"]) == (503, "unavailable")
    assert answer.get_json()["message"] == "The store cannot be used (OperationalError)."
    assert client.get(f"{API}/status").status_code == 200
    triage.trouble = RefusedError(Phrase("No.", {}))
    assert client.get(f"{API}/worklist").status_code == 403


# --- changes ------------------------------------------------------------------------------------------


def test_rerun_names_who_asked(client: FlaskClient, triage: FakeTriage) -> None:
    answer = client.post(RERUN, headers=JSON, data="{}", environ_overrides={"REMOTE_USER": "reader"})
    assert answer.status_code == 202
    assert answer.get_json()["id"] == RED
    assert triage.reruns == [(RED, "reader")]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json", "Origin": "http://localhost"},
        {"Content-Type": "application/json; charset=utf-8", "Origin": "https://localhost"},
        {"Content-Type": "application/json", "X-Triage": ""},
    ],
)
def test_own_changes_pass(client: FlaskClient, triage: FakeTriage, headers: dict[str, str]) -> None:
    assert client.post(RERUN, headers=headers, data="{}").status_code == 202
    assert len(triage.reruns) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Triage": "1"},
        {"Content-Type": "text/plain", "X-Triage": "1"},
        {"Content-Type": "application/x-www-form-urlencoded", "Origin": "http://localhost"},
        {"Content-Type": "multipart/form-data; boundary=x", "X-Triage": "1"},
        {"Content-Type": "application/json"},
        {"Content-Type": "application/json", "Origin": "null"},
        {"Content-Type": "application/json", "Origin": "http://evil.example"},
        {"Content-Type": "application/json", "Origin": "http://localhost.evil.example"},
        {"Content-Type": "application/json", "Origin": "http://localhost:8042"},
        {"Content-Type": "application/json", "Origin": "http://localhost@evil.example"},
        {"Content-Type": "application/json", "Origin": "http://["},
    ],
)
def test_foreign_changes_are_refused(
    client: FlaskClient, triage: FakeTriage, headers: dict[str, str]
) -> None:
    answer = client.post(RERUN, headers=headers, data="{}")
    assert answer.status_code == 403
    assert answer.get_json()["code"] == "forbidden"
    assert not triage.reruns


def test_changes_want_authentication(client: FlaskClient, triage: FakeTriage) -> None:
    triage.current = triage.current.model_copy(update={"authentication": False})
    answer = client.post(RERUN, headers=JSON, data="{}")
    assert (answer.status_code, answer.get_json()["code"]) == (403, "refused")
    assert not triage.reruns


@pytest.mark.parametrize(("size", "status"), [(20 * 2**20, 202), (20 * 2**20 + 1, 413)])
def test_large_bodies(client: FlaskClient, size: int, status: int) -> None:
    answer = client.post(RERUN, headers=JSON, data=b" " * size)
    assert answer.status_code == status
    if status == 413:
        assert answer.get_json()["code"] == "too_large"


@pytest.mark.parametrize("body", [b"[" * 600, b'{"new":' * 200_000, b'{"a":[' * 20])
def test_bodies_that_would_end_the_process(client: FlaskClient, triage: FakeTriage, body: bytes) -> None:
    answer = client.post(f"{API}/imports", headers=JSON, data=body)
    assert (answer.status_code, answer.get_json()["message"]) == (400, "The body is nested too deeply.")
    # Who may not is told so, whatever they send.
    triage.current = triage.current.model_copy(update={"authentication": False})
    assert client.post(f"{API}/imports", headers=JSON, data=body).status_code == 403


def test_every_change_says_who_may_send_it(client: FlaskClient) -> None:
    rules = client.application.url_map.iter_rules()
    changes = {
        rule.endpoint.removeprefix("api.") for rule in rules if rule.methods and rule.methods - READING
    }
    assert changes == set(WHO_MAY)


@pytest.mark.parametrize(
    "address", ["/triage/", f"{API}/status", f"{API}/nothing", "/triage/static/icon.svg"]
)
def test_every_answer_is_guarded(client: FlaskClient, address: str) -> None:
    headers = client.get(address).headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert {policy[k] for k in ("script-src", "style-src", "img-src", "connect-src")} == {"'self'"}
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert ("no-store" in headers["Cache-Control"]) == ("static" not in address)
