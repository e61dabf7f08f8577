"""Reviews through the REST interface and the real store: who may, what is answered, who is told what."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from fake_cases import DEEP, MIDLINE
from flask.testing import FlaskClient
from one_app import Served
from sqlalchemy import select
from store_samples import after, judgement, open_another, open_store, seen, settings
from werkzeug.test import TestResponse

from headct.terms.assessment import Finding, FindingKind
from headct.terms.label import StoredLabel
from headct.terms.urgency import Urgency
from orthanc_plugin.service import Triage
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import queue, results, review_documents
from orthanc_plugin.store.base import Base
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.tables import Series

SERIES, STUDY = ("-".join([c * 8] * 5) for c in "ab")
API = f"/triage/api/v1/series/{SERIES}"
OWN = {"X-Triage": "test"}
PEOPLE = {
    login: {"Name": f"{login.title()}^Hanako=佐藤^花子", "Organisation": "St. Elsewhere", "Role": role}
    for login, role in (("sato", "reader"), ("ito", "reader"), ("abe", "administrator"), ("mori", "viewer"))
}


@dataclass
class Nobody:
    """No processes: nothing is judged here."""

    restarts = 0
    problem = ""
    alive = 1
    trouble = None


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which a series was judged."""
    folder = tmp_path_factory.mktemp("judged")
    made, options = open_store(folder), settings(folder)
    with made.writing() as session:
        queue.arrive(session, seen(SERIES, STUDY), after(0), options)
        claim = queue.claim(session, "w", after(3), options)
        assert claim is not None
        results.record_assessed(session, claim, judgement(Urgency.YELLOW), after(4), options)
    made.close()
    return folder / "triage.sqlite"


@pytest.fixture
def database(tmp_path: Path, judged: Path) -> Iterator[Database]:
    found = open_another(shutil.copy(judged, tmp_path))
    yield found
    found.close()


@pytest.fixture
def triage(database: Database, tmp_path: Path) -> Triage:
    options = settings(tmp_path, People=PEOPLE)
    return Triage(database, options, Nobody(), Nobody(), "1.10.1", authentication=True)


@pytest.fixture
def client(triage: Triage) -> FlaskClient:
    return Served(triage).test_client()


def review(client: FlaskClient, login: str = "sato", **changes: Any) -> TestResponse:
    body = {
        "action": "relabel",
        "urgency": "RED",
        "based_on": client.get(API).get_json()["based_on"],
        "request_id": f"{login}-1",
        **changes,
    }
    return client.post(f"{API}/review", json=body, headers=OWN, environ_overrides={"REMOTE_USER": login})


def reviews(client: FlaskClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(API).get_json()["reviews"]
    return found


def test_a_review_is_answered_and_shown(client: FlaskClient) -> None:
    findings = {"haemorrhage": True, "epidural": True, "fracture": False}
    answer = review(client, findings=findings, comment="thin")
    assert answer.status_code == 201
    said, verdict = answer.get_json()["review"], answer.get_json()["verdict"]
    assert (said["urgency"], said["findings"], said["comment"]) == ("RED", findings, "thin")
    assert (said["reader"], said["organisation"]) == ("Sato^Hanako=佐藤^花子", "St. Elsewhere")
    assert verdict == {"standing": "reviewed", "urgency": "RED", "label": "RED", "excluded": False}
    series = client.get(API).get_json()
    assert series["reviews"] == [said] and series["verdict"] == verdict and series["disagreement"]
    assert series["urgency"] == "YELLOW"
    (row,) = client.get("/triage/api/v1/worklist").get_json()["rows"]
    assert (row["urgency"], row["machine_urgency"], row["reviewed"]) == ("RED", "YELLOW", True)
    (label,) = client.get("/triage/api/v1/labels").get_json()["labels"]
    assert (label["series_id"], label["verdict"], label["findings"]) == (SERIES, verdict, findings)
    row = StoredLabel.from_json(label)  # what the training package reads, and writes alike
    assert row.to_json() | {"reviewed_at": label["reviewed_at"]} == label
    assert row.reviewed_at == datetime.fromisoformat(label["reviewed_at"])


def test_a_confirmation_needs_no_urgency(client: FlaskClient) -> None:
    answer = review(client, action="confirm", urgency=None)
    assert answer.get_json()["review"]["urgency"] == "YELLOW"
    assert not client.get(API).get_json()["disagreement"]


@pytest.mark.parametrize(
    ("asked", "recorded"),
    [
        ({"action": "confirm", "urgency": None}, {"haemorrhage": True}),
        (
            {"action": "confirm", "findings": {"fracture": False}},
            {"fracture": False, "haemorrhage": True},
        ),
        ({"action": "confirm", "findings": {"haemorrhage": False}}, {"haemorrhage": False}),
        ({"action": "confirm", "blind": True}, {}),  # of an answer they have not seen
        ({"action": "relabel", "urgency": "YELLOW"}, {}),
        ({"action": "relabel", "urgency": "RED"}, {}),
        ({"action": "exclude", "urgency": None, "reason": "repeat"}, {}),
    ],
)
def test_who_confirms_a_bleed_says_that_there_is_one(
    client: FlaskClient, database: Database, tmp_path: Path, asked: dict[str, Any], recorded: dict[str, bool]
) -> None:
    judged_again(database, settings(tmp_path), DEEP)
    said = {"urgency": "YELLOW", **asked}
    answer = review(client, **said)
    assert answer.get_json()["review"]["findings"] == recorded
    (label,) = client.get("/triage/api/v1/labels").get_json()["labels"]
    assert label["findings"] == recorded
    with database.reading() as session:
        due = review_documents.next_due(session)
    assert due is not None
    assert {finding.value: present for finding, present in due.review.findings.items()} == recorded


def test_a_confirmation_of_no_bleed_says_nothing_of_one(
    client: FlaskClient, database: Database, tmp_path: Path
) -> None:
    judged_again(database, settings(tmp_path), MIDLINE, replace(DEEP, kind=FindingKind.OLD_COLLECTION))
    assert review(client, action="confirm", urgency="YELLOW").get_json()["review"]["findings"] == {}


def judged_again(database: Database, options: Settings, *findings: Finding) -> None:
    """The machine finds something."""
    with database.writing() as session:
        queue.rerun(session, SERIES, "test", after(5))
        claim = queue.claim(session, "w", after(6), options)
        assert claim is not None
        made = judgement(Urgency.YELLOW, bundle="f" * 64)
        made = replace(made, assessment=replace(made.assessment, findings=findings))
        assert results.record_assessed(session, claim, made, after(7), options)


def test_an_exclusion(client: FlaskClient) -> None:
    answer = review(client, action="exclude", urgency=None, reason="post_operative")
    assert answer.get_json()["verdict"] == {
        "standing": "reviewed",
        "urgency": None,
        "label": None,
        "excluded": True,
    }
    (label,) = client.get("/triage/api/v1/labels").get_json()["labels"]
    assert label["reason"] == "post_operative"
    (row,) = client.get("/triage/api/v1/worklist").get_json()["rows"]
    assert (row["urgency"], row["reviewed"]) == ("YELLOW", True)


def test_a_repeat_gets_the_first_answer(client: FlaskClient) -> None:
    before = client.get(API).get_json()["based_on"]
    first = review(client, based_on=before)
    review(client, "ito", urgency="GREEN")
    again = review(client, based_on=before)
    assert (again.status_code, again.get_json()) == (first.status_code, first.get_json())
    assert [r["reader"][:4] for r in reviews(client)] == ["Sato", "Ito^"]


def test_the_later_of_two_is_told_how_things_stand(client: FlaskClient) -> None:
    both_saw = client.get(API).get_json()["based_on"]
    review(client, based_on=both_saw)
    late = review(client, "ito", urgency="GREEN", based_on=both_saw)
    assert (late.status_code, late.get_json()["code"]) == (409, "conflict")
    assert late.get_json()["current"] == client.get(API).get_json()
    assert review(client, "ito", urgency="GREEN").get_json()["verdict"]["standing"] == "disputed"
    (row,) = client.get("/triage/api/v1/worklist").get_json()["rows"]
    assert (row["urgency"], row["reviewed"], row["disputed"]) == ("RED", False, True)
    settled = review(client, "abe", urgency="GREEN").get_json()["verdict"]
    assert (settled["standing"], settled["label"]) == ("settled", "GREEN")


@pytest.mark.parametrize("login", ["mori", "stranger", ""])
def test_who_may_not(client: FlaskClient, login: str) -> None:
    answer = review(client, login, request_id="r")
    assert (answer.status_code, answer.get_json()["code"]) == (403, "refused")
    rerun = client.post(f"{API}/rerun", json={}, headers=OWN, environ_overrides={"REMOTE_USER": login})
    assert rerun.status_code == 403
    assert reviews(client) == []


def test_without_authentication_nobody_may(database: Database, tmp_path: Path) -> None:
    open_to_all = Triage(
        database, settings(tmp_path, People=PEOPLE), Nobody(), Nobody(), "1.10.1", authentication=False
    )
    client = Served(open_to_all).test_client()
    assert review(client).status_code == 403
    assert reviews(client) == []


JSON, LOGIN = {"Content-Type": "application/json"}, {"REMOTE_USER": "sato"}


def everything(database: Database) -> dict[str, list[Any]]:
    """All rows of all tables."""
    with database.reading() as session:
        return {t.name: list(session.execute(t.select()).all()) for t in Base.metadata.sorted_tables}


@pytest.mark.parametrize(
    ("headers", "environment", "authentication", "status"),
    [
        (JSON | OWN, {"REMOTE_USER": "stranger"}, True, 403),
        (JSON | OWN, {"REMOTE_USER": "mori"}, True, 403),
        (JSON | OWN, {}, True, 403),
        (JSON | OWN, LOGIN, False, 403),
        (JSON | {"Origin": "http://evil.example"}, LOGIN, True, 403),
        (JSON | {"Origin": "null"}, LOGIN, True, 403),
        (JSON | {"Origin": "http://localhost.evil.example"}, LOGIN, True, 403),
        (JSON, LOGIN, True, 403),
        (OWN | {"Content-Type": "text/plain"}, LOGIN, True, 403),
        (OWN | {"Content-Type": "application/x-www-form-urlencoded"}, LOGIN, True, 403),
        (OWN, LOGIN, True, 403),
        (JSON | {"Origin": "http://localhost"}, LOGIN, True, 201),
        (JSON | OWN, LOGIN, True, 201),
    ],
)
def test_whatever_is_refused_writes_nothing(
    database: Database,
    tmp_path: Path,
    headers: dict[str, str],
    environment: dict[str, str],
    authentication: bool,
    status: int,
) -> None:
    options = settings(tmp_path, People=PEOPLE)
    triage = Triage(database, options, Nobody(), Nobody(), "1.10.1", authentication=authentication)
    client = Served(triage).test_client()
    before = everything(database)
    seen = client.get(API).get_json()["based_on"]
    body = {"action": "relabel", "urgency": "RED", "based_on": seen, "request_id": "x"}
    answer = client.post(
        f"{API}/review", data=json.dumps(body), headers=headers, environ_overrides=environment
    )
    assert answer.status_code == status, answer.text
    assert (everything(database) == before) == (status == 403)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json"},
        {"Content-Type": "application/json", "Origin": "http://evil.example"},
        {"Content-Type": "text/plain", "X-Triage": "1"},
    ],
)
def test_a_foreign_page_may_not(client: FlaskClient, headers: dict[str, str]) -> None:
    body = json.dumps(
        {
            "action": "relabel",
            "urgency": "RED",
            "based_on": client.get(API).get_json()["based_on"],
            "request_id": "x",
        }
    )
    answer = client.post(
        f"{API}/review", data=body, headers=headers, environ_overrides={"REMOTE_USER": "sato"}
    )
    assert answer.status_code == 403 and reviews(client) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"action": "praise"},
        {"urgency": "PURPLE"},
        {"urgency": None},
        {"reason": "repeat"},
        {"action": "exclude", "urgency": None},
        {"action": "exclude", "urgency": None, "reason": "other"},
        {"findings": {"tumour": True}},
        {"findings": {"haemorrhage": False, "subdural": True}},
        {"comment": "x" * 2001},
        {"request_id": ""},
        {"request_id": " "},
        {"request_id": "x" * 65},
        {"more": 1},
    ],
)
def test_what_makes_no_sense_is_said_so(client: FlaskClient, changes: dict[str, Any]) -> None:
    answer = review(client, **changes)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_request")
    assert answer.get_json()["message"].endswith(".") and reviews(client) == []


def test_a_repeated_confirmation_gets_the_first_answer_whatever_came_since(
    client: FlaskClient, database: Database, tmp_path: Path
) -> None:
    before = client.get(API).get_json()["based_on"]
    asked = {"action": "confirm", "urgency": None, "based_on": before}
    first = review(client, **asked)
    assert first.status_code == 201
    with database.writing() as session:
        series = session.scalars(select(Series)).one()
        more = seen(series.id, series.study_id, 99)
        queue.arrive(session, more, queue.utcnow(), settings(tmp_path))
    again = review(client, **asked)
    assert (again.status_code, again.get_json()) == (201, first.get_json())
    (label,) = client.get("/triage/api/v1/labels").get_json()["labels"]
    assert label["unseen"], "nobody has seen the images that came since"
