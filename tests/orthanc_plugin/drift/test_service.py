"""Drift monitoring and labelling queue from the store to the REST interface."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fake_cases import orthanc_id
from flask.testing import FlaskClient
from one_app import Served
from prometheus_client.parser import text_string_to_metric_families
from store_samples import judgement, open_store, seen, settings

from headct.network.reference import reference
from headct.terms.assessment import BundleIdentity
from headct.terms.quantities import Quantity
from headct.terms.urgency import Urgency
from orthanc_plugin.drift import monitoring
from orthanc_plugin.service import Triage
from orthanc_plugin.store import model_history, queue, results, withdrawal
from orthanc_plugin.store.database import Database

API = "/triage/api/v1"
MODEL = BundleIdentity("net", "1.0", "2.25.1", "b" * 64)
PEOPLE = {
    login: {"Name": f"{login.title()}^Hana", "Organisation": "Hospital", "Role": "reader"}
    for login in ("sato", "abe", "mori")
}
ADULTS = [{Quantity.AGE_YEARS: float(age)} for age in range(20, 70)]


class Nobody:
    restarts = 0
    problem = ""
    alive = 1
    trouble = None


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found, options, now = open_store(tmp_path), settings(tmp_path), queue.utcnow()
    with found.writing() as session:
        model_history.ship(session, MODEL, now)
        monitoring.keep_reference(session, MODEL.digest, reference(ADULTS))
        for name, urgency, bleed, age in (
            ("sure", Urgency.GREEN, 0.95, 40.0),
            ("undecided", Urgency.YELLOW, 0.5, 40.0),
            ("aged", Urgency.GREEN, 0.95, 93.0),
            ("alert", Urgency.RED, 0.55, 40.0),
        ):
            queue.arrive(session, seen(orthanc_id(name), f"st-{name}"), now - timedelta(minutes=1), options)
            claim = queue.claim(session, "w", now, options)
            assert claim is not None
            made = judgement(urgency, name, bundle=MODEL.digest, series=orthanc_id(name))
            said = replace(
                made.assessment,
                haemorrhage_probability=bleed,
                alert_probability=0.0,
                inputs={Quantity.AGE_YEARS: age},
            )
            results.record_assessed(session, claim, replace(made, assessment=said), now, options)
    yield found
    found.close()


@pytest.fixture
def client(database: Database, tmp_path: Path) -> FlaskClient:
    return new_client(database, tmp_path)


def new_client(database: Database, folder: Path) -> FlaskClient:
    """One that keeps no earlier answer."""
    options = settings(folder, People=PEOPLE)
    return Served(Triage(database, options, Nobody(), Nobody(), "1.12", authentication=True)).test_client()


def say(client: FlaskClient, series: str, login: str, urgency: str | None) -> None:
    body: dict[str, Any] = {
        "action": "relabel" if urgency else "confirm",
        "based_on": client.get(f"{API}/series/{orthanc_id(series)}").get_json()["based_on"],
        "request_id": f"{login}-{series}",
    }
    answer = client.post(
        f"{API}/series/{orthanc_id(series)}/review",
        json={**body, "urgency": urgency} if urgency else body,
        headers={"X-Triage": "1"},
        environ_overrides={"REMOTE_USER": login},
    )
    assert answer.status_code == 201, answer.text


def test_the_labelling_queue_empties_as_labels_come(
    database: Database, tmp_path: Path, client: FlaskClient
) -> None:
    def listed() -> list[str]:
        body = new_client(database, tmp_path).get(f"{API}/labelling").get_json()
        return [row["study_id"].removeprefix("st-") for row in body["rows"]]

    view = client.get(f"{API}/labelling").get_json()
    assert listed() == ["aged", "undecided"]
    assert view["left_to_worklist"] == 1
    aged = view["rows"][0]["lessons"][0]
    assert aged["sentence"]["en"] == "Unlike those trained on: Age (years) 93; 0 of 50 were as high."
    say(client, "undecided", "sato", None)
    assert listed() == ["aged"]
    say(client, "aged", "sato", "YELLOW")
    assert listed() == ["aged"]  # one against the model
    say(client, "aged", "abe", "YELLOW")
    assert listed() == []
    say(client, "alert", "sato", "GREEN")
    assert listed() == ["alert"]
    say(client, "alert", "abe", "RED")
    assert listed() == ["alert"]
    say(client, "alert", "mori", "RED")
    assert listed() == []


def test_the_clinical_order_is_the_same_whoever_reads_the_other_list(client: FlaskClient) -> None:
    def worklist() -> list[str]:
        return [row["id"] for row in client.get(f"{API}/worklist").get_json()["rows"]]

    before = worklist()
    assert before[0] == "st-alert" and len(before) == 4
    assert client.get("/triage/labelling").status_code == 200
    assert worklist() == before


def test_the_week_that_runs_by_rest_page_and_metrics(
    database: Database, tmp_path: Path, client: FlaskClient
) -> None:
    say(client, "undecided", "sato", None)
    say(client, "aged", "sato", "RED")
    client = new_client(database, tmp_path)
    view = client.get(f"{API}/drift").get_json()
    assert view["weeks"][-1]["cases"] == view["weeks"][-1]["series"] == 4
    (model,) = view["models"]
    relabelled = model["relabelled"]["weeks"][-1]
    assert (relabelled["count"], relabelled["of"]) == (1, 2)
    ages = next(q for q in model["quantities"] if q["quantity"] == "age_years")
    assert ages["weeks"][-1]["counts"] == [0, 0, 0, 3, 0, 1]
    assert sum(ages["reference"]) == 50
    assert "net 1.0" in client.get("/triage/drift").text
    families = {f.name: f for f in text_string_to_metric_families(client.get(f"{API}/metrics").text)}
    assert {s.value for s in families["headct_watch_alarm"].samples} == {0.0}
    assert {s.labels["model"] for s in families["headct_week_count"].samples} == {"", "net-1.0"}


def test_what_was_worked_out_is_kept_for_a_minute(client: FlaskClient, database: Database) -> None:
    first = client.get(f"{API}/drift").get_json()
    with database.writing() as session:
        withdrawal.withdraw(session, orthanc_id("sure"), queue.utcnow())
    assert client.get(f"{API}/drift").get_json() == first
