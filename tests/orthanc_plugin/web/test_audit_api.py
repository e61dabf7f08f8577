"""Who did what, over REST: for administrators; who asked for what they may not stands in it."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from audit_house import House, review
from flask.testing import FlaskClient
from reading_room import PEOPLE, Nobody

from orthanc_plugin.audit.notes import notes
from orthanc_plugin.service import Triage
from orthanc_plugin.web import create_app

API = "/triage/api/v1"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    notes.finish()
    made = House(tmp_path)
    yield made
    made.database.close()


@pytest.fixture
def client(house: House) -> FlaskClient:
    options = house.settings(people=PEOPLE)
    auditor = house.start()
    triage = Triage(
        house.database, options, Nobody(), Nobody(), "1.10.1", authentication=True, auditor=auditor
    )
    review(house)
    house.run(auditor)
    house.write("DELETE FROM audit WHERE event = 'started'")
    house.now += 100_000
    house.run(auditor)
    return create_app(triage).test_client()


def test_an_administrator_has_it_as_a_table(client: FlaskClient) -> None:
    answer = client.get(f"{API}/audit.csv", environ_overrides={"REMOTE_USER": "abe"})
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [(row["event"], row["actor"]) for row in rows] == [
        ("audit_began", "triage"),
        ("reviewed", "sato"),
        ("audit_fault", "triage"),
    ]
    rest = client.get(f"{API}/audit.csv?after=4", environ_overrides={"REMOTE_USER": "abe"})
    assert rest.text.count("\n") == 1
    assert [(n.event, n.actor, n.detail) for n in notes.take()] == [("exported", "abe", (("what", "audit"),))]


@pytest.mark.parametrize("login", ["sato", "mori", "stranger", ""])
def test_nobody_else_has_it_and_that_they_asked_is_noted(client: FlaskClient, login: str) -> None:
    told_by_orthanc = {"REMOTE_USER": login, "REMOTE_ADDR": "192.0.2.7"}
    answer = client.get(f"{API}/audit.csv", environ_overrides=told_by_orthanc)
    assert answer.status_code == 403
    assert "reviewed" not in answer.text
    told = (("method", "GET"), ("route", f"{API}/audit.csv"))
    (note,) = notes.take()
    assert (note.event, note.actor, note.address, note.detail) == ("route_refused", login, "192.0.2.7", told)


def test_a_foreign_page_that_is_refused_is_noted_without_what_it_sent(client: FlaskClient) -> None:
    for address in (f"{API}/series/{'0' * 8}/rerun?name=Yamada", f"{API}/nothing/Yamada"):
        client.post(address, data="Yamada", environ_overrides={"REMOTE_USER": "sato"})
    told = notes.take()
    assert {(n.event, n.actor) for n in told} == {("route_refused", "sato")}
    assert "Yamada" not in repr(told)


def test_page_and_status_say_that_it_has_a_gap(client: FlaskClient) -> None:
    status = client.get(f"{API}/status").json
    assert status is not None
    assert [fault["en"] for fault in status["audit_faults"]] == ["Entries 2 to 2 are missing."]
    for language, said in (("en", "Entries 2 to 2 are missing."), ("ja", "記録2～2が欠けています。")):
        assert said in client.get(f"/triage/?lang={language}").text
