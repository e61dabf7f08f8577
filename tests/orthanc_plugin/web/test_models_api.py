"""Models through the REST interface and the page, over the real store: who may, what is refused and why."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from model_samples import activate, begin_shadow, judge, options, own_model, promised, repeat, review
from one_app import Served
from store_samples import after, open_store
from werkzeug.test import TestResponse

from headct.network.bundle import Bundle
from headct.network.promise import beside
from headct.terms.licence import Use
from headct.terms.urgency import Urgency
from orthanc_plugin.service import Triage
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import model_history
from orthanc_plugin.store.database import Database

API = "/triage/api/v1/models"
OWN = {"X-Triage": "test"}
FIRST, SECOND = "threshold-1.0", "threshold-2.0"
DOES = ("activate", "shadow")
CHANGES = (f"{SECOND}/activate", f"{SECOND}/shadow", "rollback", "end-shadow")


@dataclass
class Nobody:
    """No processes: nothing is judged here."""

    restarts = 0
    problem = ""
    alive = 1
    trouble = None


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return options(tmp_path)


@pytest.fixture
def bundles(settings: Settings) -> tuple[Bundle, Bundle]:
    return own_model(settings, "1.0"), own_model(settings, "2.0")


@pytest.fixture
def database(tmp_path: Path, bundles: tuple[Bundle, Bundle]) -> Iterator[Database]:
    """The first model is in service."""
    found = open_store(tmp_path)
    with found.writing() as session:
        model_history.ship(session, bundles[0].identity, after(0))
    yield found
    found.close()


@pytest.fixture
def client(database: Database, settings: Settings) -> FlaskClient:
    return client_of(database, settings)


def client_of(database: Database, settings: Settings, *, authentication: bool = True) -> FlaskClient:
    triage = Triage(database, settings, Nobody(), Nobody(), "1.10.1", authentication=authentication)
    return Served(triage).test_client()


def change(client: FlaskClient, route: str, login: str = "abe", **body: Any) -> TestResponse:
    return client.post(f"{API}/{route}", json=body, headers=OWN, environ_overrides={"REMOTE_USER": login})


def listed(client: FlaskClient, login: str = "abe") -> dict[str, Any]:
    answer = client.get(API, environ_overrides={"REMOTE_USER": login})
    assert answer.status_code == 200
    found: dict[str, Any] = answer.get_json()
    return found


def states(client: FlaskClient) -> dict[str, str]:
    return {m["id"]: m["state"] for m in listed(client)["models"] if not m["shipped"]}


def page(client: FlaskClient, login: str = "abe", language: str = "en") -> str:
    answer = client.get(f"/triage/models?lang={language}", environ_overrides={"REMOTE_USER": login})
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def test_an_administrator_activates_and_rolls_back(
    client: FlaskClient, bundles: tuple[Bundle, Bundle]
) -> None:
    answer = change(client, f"{SECOND}/activate", reason="gate passed")
    assert answer.status_code == 200 and answer.get_json() == listed(client)
    first = answer.get_json()["models"][0]
    assert (first["id"], first["state"], first["by"], first["in_service"]) == (SECOND, "active", "abe", True)
    assert first["device_uid"] == bundles[1].device_uid != bundles[0].device_uid
    status = client.get("/triage/api/v1/status").get_json()
    assert status["bundle"]["device_uid"] == bundles[1].device_uid and status["model_problem"] is None
    assert answer.get_json()["rollback_to"] == FIRST
    assert change(client, "rollback").get_json()["models"][0]["id"] == FIRST
    assert [c["event"] for c in listed(client)["history"]] == ["rolled_back", "activated", "shipped"]
    again = change(client, "rollback")
    assert (again.status_code, again.get_json()["code"]) == (409, "conflict")
    assert again.get_json()["current"] == listed(client)


def test_a_shadow_begins_and_ends(client: FlaskClient) -> None:
    assert change(client, f"{SECOND}/shadow").status_code == 200
    assert states(client) == {FIRST: "active", SECOND: "shadow"}
    metrics = client.get("/triage/api/v1/metrics").get_data(as_text=True)
    assert 'headct_model_info{device_uid="' in metrics and f'model="{SECOND}",place="shadow"' in metrics
    assert 'headct_shadow_series{alert="agree"} 0.0' in metrics
    assert change(client, f"{FIRST}/shadow").status_code == 409
    assert change(client, "end-shadow").status_code == 200
    assert states(client) == {FIRST: "active", SECOND: "available"}


def test_the_later_of_two_administrators_is_told_how_things_stand(client: FlaskClient) -> None:
    both_saw = listed(client)["based_on"]
    assert change(client, f"{SECOND}/activate", based_on=both_saw).status_code == 200
    for route in CHANGES:
        late = change(client, route, based_on=both_saw)
        assert (late.status_code, late.get_json()["current"]["models"][0]["id"]) == (409, SECOND)
    assert len(listed(client)["history"]) == 2


@pytest.mark.parametrize("login", ["sato", "mori", "stranger", ""])
def test_who_may_not(client: FlaskClient, login: str) -> None:
    for route in CHANGES:
        answer = change(client, route, login)
        assert (answer.status_code, answer.get_json()["code"]) == (403, "refused"), route
    assert len(listed(client)["history"]) == 1
    assert not listed(client, login)["may_change"] and listed(client)["may_change"]


def test_without_authentication_nobody_may(database: Database, settings: Settings) -> None:
    client = client_of(database, settings, authentication=False)
    assert {change(client, route).status_code for route in CHANGES} == {403}
    assert len(listed(client)["history"]) == 1


def test_a_foreign_page_may_not(client: FlaskClient) -> None:
    for headers in (
        {"Content-Type": "application/json"},
        {"Content-Type": "application/json", "Origin": "http://evil.example"},
        {"Content-Type": "text/plain", "X-Triage": "1"},
    ):
        for route in CHANGES:
            answer = client.post(
                f"{API}/{route}", data="{}", headers=headers, environ_overrides={"REMOTE_USER": "abe"}
            )
            assert answer.status_code == 403, (route, headers)
    assert len(listed(client)["history"]) == 1


def test_what_makes_no_sense_is_said_so(client: FlaskClient) -> None:
    for body in ({"reason": "x" * 501}, {"based_on": 3}, {"more": 1}):
        answer = change(client, f"{SECOND}/activate", **body)
        assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_request")


def test_what_is_not_here(client: FlaskClient) -> None:
    for name in ("other-1.0", "..", "%2e%2e%2fetc", "x" * 256):
        assert change(client, f"{name}/activate").status_code in {400, 404}
    assert len(listed(client)["history"]) == 1


def test_an_altered_one_is_refused_with_the_reason_and_service_goes_on(
    client: FlaskClient, bundles: tuple[Bundle, Bundle]
) -> None:
    assert states(client)[SECOND] == "available"
    (bundles[1].folder / "MODEL_CARD.md").write_text("# Better\n")
    for route in (f"{SECOND}/activate", f"{SECOND}/shadow"):
        answer = change(client, route)
        assert answer.status_code == 409
        why = "MODEL_CARD.md does not have the hash that was recorded"
        assert answer.get_json()["message"] == f"{SECOND} is refused: {SECOND} was altered: {why}."
    assert states(client) == {FIRST: "active", SECOND: "refused"}
    assert "MODEL_CARD.md does not have the hash" in page(client)
    status = client.get("/triage/api/v1/status").get_json()
    assert status["bundle"]["device_uid"] == bundles[0].device_uid and status["running"]


def test_one_for_another_input_is_refused_with_the_reason(
    client: FlaskClient, bundles: tuple[Bundle, Bundle]
) -> None:
    path = bundles[1].folder / "bundle.json"
    body = json.loads(path.read_text())
    body["input"]["kind"] = "eight_slices"
    path.write_text(json.dumps(body))
    answer = change(client, f"{SECOND}/activate")
    assert answer.status_code == 409 and "made for another input" in answer.get_json()["message"]
    assert states(client)[FIRST] == "active"


def test_a_problem_is_on_every_page_until_a_person_chooses(
    client: FlaskClient, database: Database, bundles: tuple[Bundle, Bundle]
) -> None:
    change(client, f"{SECOND}/activate")
    with database.writing() as session:
        model_history.give_way(session, bundles[1].digest, "threshold-2.0 was altered", after(9))
    said = "threshold-2.0 could not be loaded (threshold-2.0 was altered); threshold-1.0 judges instead."
    assert client.get("/triage/api/v1/status").get_json()["model_problem"]["en"] == said
    for path in ("/triage/?lang=en", "/triage/models?lang=en"):
        assert said in client.get(path).get_data(as_text=True)
    assert change(client, f"{FIRST}/activate").status_code == 200
    assert said not in page(client)


def test_licences_are_told_before_anything_is_activated(client: FlaskClient, settings: Settings) -> None:
    text = "that of its data: <no> business; trained on theirs"
    own_model(settings, "3.0", licence=text, use=Use.RESEARCH)
    found = {m["id"]: (m["licence"], m["use"]) for m in listed(client)["models"] if not m["shipped"]}
    assert found == dict.fromkeys((FIRST, SECOND), ("Apache-2.0", "any")) | {
        "threshold-3.0": (text, "research")
    }
    for login in ("abe", "mori"):
        html = page(client, login)
        assert "any use<br><small>Apache-2.0</small>" in html and "trained on theirs" in html
        assert "commercial use<br><small>that of its data: &lt;no&gt; business</small>" in html
    questions = re.findall(r'data-order="([^"]+)" data-question="([^"]+)"', page(client))
    warned = {address for address, question in questions if "Mind: research only" in question}
    assert {a.removeprefix("api/v1/models/") for a in warned} == {f"threshold-3.0/{do}" for do in DOES}
    assert len(questions) > len(warned)
    assert "注意：研究専用：臨床使用・商用利用は不可（ライセンス：that of its data" in page(
        client, language="ja"
    )


def test_one_for_research_in_service_is_called_so_on_every_page(
    client: FlaskClient, settings: Settings
) -> None:
    own_model(settings, "3.0", licence="theirs; x", use=Use.RESEARCH)
    words = "research only, not for clinical or commercial use"
    assert words not in client.get("/triage/?lang=en").get_data(as_text=True)
    change(client, "threshold-3.0/activate")
    bundle = client.get("/triage/api/v1/status").get_json()["bundle"]
    assert (bundle["licence"], bundle["use"]) == ("theirs; x", "research")
    assert words in client.get("/triage/?lang=en").get_data(as_text=True)
    change(client, f"{FIRST}/activate")
    roll_back = re.search(r'data-order="[^"]+/rollback" data-question="([^"]+)"', page(client))
    assert roll_back is not None and "Mind: research only" in roll_back[1]


class TestThePage:
    def test_administrators_alone_get_buttons(self, client: FlaskClient) -> None:
        change(client, f"{SECOND}/activate")
        change(client, f"{FIRST}/shadow")
        html = page(client)
        for address in (f"{FIRST}/activate", "end-shadow", "rollback"):
            assert f'data-order="api/v1/models/{address}"' in html
        assert f'data-order="api/v1/models/{SECOND}/activate"' not in html
        for login in ("sato", "mori", ""):
            assert "data-order" not in page(client, login)
            assert "Only an administrator changes models." in page(client, login)

    def test_names_and_reasons_are_escaped(self, client: FlaskClient, settings: Settings) -> None:
        (settings.models_folder / "<b>x").mkdir()
        change(client, f"{SECOND}/activate", reason="<script>alert(1)</script>")
        html = page(client)
        assert "<b>x" not in html and "<script>alert" not in html and "&lt;script&gt;alert" in html

    @pytest.mark.parametrize(
        ("language", "words"),
        [
            (
                "en",
                ["Active: judges", "Shadow: compared", "2 / 2 = 100 % (34–100)", "Activated", "Open case 1"],
            ),
            ("ja", ["稼働中：判定に使用", "シャドー", "2 / 2 = 100 % (34–100)", "稼働開始", "症例 1 を開く"]),
        ],
    )
    def test_the_comparison_in_both_languages(
        self,
        client: FlaskClient,
        database: Database,
        settings: Settings,
        bundles: tuple[Bundle, Bundle],
        language: str,
        words: list[str],
    ) -> None:
        first, second = bundles
        with database.writing() as session:
            activate(session, first)
            begin_shadow(session, second)
            said = [(Urgency.RED, Urgency.RED), (Urgency.BLACK, Urgency.RED), (Urgency.GREEN, Urgency.RED)]
            for number, (active, other) in enumerate(said):
                series = judge(session, settings, number, active, first, at=100 + 20 * number)
                repeat(session, other, second, at=110 + 20 * number)
                if number < 2:
                    review(session, series, Urgency.RED, at=500 + number)
        html = page(client, language=language)
        for word in words:
            assert word in html
        differing = f'href="studies/{"-".join(["b0000002"] * 5)}"'
        assert differing in html
        client.set_cookie("headct_blind", "1")
        assert differing not in page(client, language=language)


@pytest.mark.parametrize(("language", "words"), [("en", "at most 5.0 % bleed"), ("ja", "多くとも 5.0 %")])
def test_what_is_promised_is_shown(
    client: FlaskClient, bundles: tuple[Bundle, Bundle], language: str, words: str
) -> None:
    assert words not in page(client, language=language)
    promised(bundles[0]).write(beside(bundles[0].folder))
    assert words in page(client, language=language)
    first, second = (m for m in listed(client)["models"] if not m["shipped"])
    assert (first["promise"]["greens"]["of"], first["no_promise"]) == (59, None)
    assert (second["promise"], second["no_promise"]) == (None, None)
    promised(bundles[1]).write(beside(bundles[0].folder))
    assert words not in page(client, language=language)
    assert "threshold-1.0.promise.json is of another model." in page(client)


def test_the_cases_of_a_model(
    client: FlaskClient, database: Database, settings: Settings, bundles: tuple[Bundle, Bundle]
) -> None:
    with database.writing() as session:
        series = judge(session, settings, 1, Urgency.RED, bundles[0])
        review(session, series, Urgency.RED)
    asked = f"/triage/api/v1/cases?bundle={bundles[0].digest}"
    (case,) = client.get(asked).get_json()["cases"]
    assert (case["urgency"], case["unsure"], case["readings"]) == ("RED", False, [])
    came = case["first_arrival"].replace("+", "%2B")
    assert len(client.get(f"{asked}&since={came}").get_json()["cases"]) == 1
    assert client.get(f"{asked}&since={came}&after=1").get_json() == {"cases": [], "next": None}
    assert client.get(f"/triage/api/v1/cases?bundle={bundles[1].digest}").get_json()["cases"] == []
    assert client.get("/triage/api/v1/cases?bundle=threshold").status_code == 400
    assert client.get(f"{asked}&since=2026-04-05T06:00:00").status_code == 400


@pytest.mark.long
def test_orthancs_process_loads_no_scipy() -> None:
    code = "import sys, orthanc_plugin.runtime; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
