"""On a Japanese page and in a Japanese answer no English is read, whatever is shown or refused."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from babel.messages.pofile import read_po
from fake_cases import NOW, orthanc_id
from fake_triage import MAY_NOT, FakeTriage, unavailable
from flask.testing import FlaskClient
from japanese import Page, english, words_of_data
from jinja2 import Environment
from model_samples import activate, begin_shadow, judge, options, own_model, repeat
from model_samples import review as review_of_models
from one_app import Served
from reading_room import Nobody, ReadingRoom
from store_samples import after, open_store
from werkzeug.test import TestResponse

from headct.errors import ReviewError
from headct.language import DOMAIN, LANGUAGES, LOCALE, Phrase
from headct.reasons import Reason, ReasonCode
from headct.terms.licence import Use
from headct.terms.urgency import Urgency
from headct.wording import caution_words, rule_words, use_words
from orthanc_plugin import errors
from orthanc_plugin.access.roles import Role
from orthanc_plugin.answer import Words
from orthanc_plugin.models.views import ModelState
from orthanc_plugin.people import ROLES
from orthanc_plugin.service import Triage
from orthanc_plugin.states import DocumentKind, ModelEvent, Window
from orthanc_plugin.store import model_history
from orthanc_plugin.web import words

WEB = Path(words.__file__).parent
API = "/triage/api/v1"
JA = {"Accept-Language": "ja,en;q=0.5"}
OWN = {**JA, "X-Triage": "test"}


def known(*views: Any) -> set[str]:
    """The words of data in these answers."""
    return {word for view in views for word in words_of_data(view.model_dump(mode="json"))}


def in_japanese(answer: TestResponse, data: set[str]) -> None:
    """The answer is a page, or an error as JSON, and says that and what it says in Japanese."""
    if answer.mimetype == "text/html":
        assert '<html lang="ja">' in answer.text or answer.text.startswith("<title>")
        texts = Page(answer.text).texts
    else:
        texts = [answer.get_json()["message"]]
        assert answer.status_code >= 400
    assert answer.headers["Content-Language"] == "ja"
    assert "Accept-Language" in answer.headers["Vary"]
    assert {text: found for text in texts if (found := english(text, data))} == {}
    assert any(re.search(r"[ぁ-んァ-ヶ一-龠]", text) for text in texts)


def test_english_is_found() -> None:
    page = Page('<p>解析対象外 <b>Not analysed</b> <kbd>Enter</kbd></p><img alt="Slice {number}">')
    assert [english(text) for text in page.texts] == [[], ["Not", "analysed"], ["Slice"]]


# --- what is written ----------------------------------------------------------------------------------


def test_no_word_of_the_catalogue_is_english() -> None:
    catalogue = read_po((LOCALE / "ja" / "LC_MESSAGES" / f"{DOMAIN}.po").open("rb"), "ja")
    found = {m.string: english(m.string) for m in catalogue if m.id}
    assert {said: wrong for said, wrong in found.items() if wrong} == {}


def test_templates_hold_words_in_calls_of_the_catalogue_alone() -> None:
    for path in sorted(WEB.glob("templates/*.html")):
        tokens = Environment().lex(path.read_text("utf-8"))
        text = "".join(value if kind == "data" else " " for _, kind, value in tokens)
        assert [said for said in Page(text).texts if english(said)] == [], path.name


def test_scripts_hold_no_words_for_readers() -> None:
    for path in sorted(WEB.glob("static/*.js")):
        code = re.sub(r"^\s*//.*$", "", path.read_text("utf-8"), flags=re.MULTILINE)
        literals = (a or b or c for a, b, c in re.findall(r'"([^"\n]*)"|\'([^\'\n]*)\'|`([^`]*)`', code))
        said = [literal for literal in literals if re.search(r"[a-z]{2,} [a-z]{2,}", literal)]
        assert [s for s in said if s != "use strict" and not re.search(r"[\[.#>$]", s)] == [], path.name


def test_everything_that_has_a_name_has_words() -> None:
    assert set(words.ROLES) == set(ROLES) == set(Role)
    assert set(words.WINDOWS) == set(Window)
    assert set(words.DOCUMENTS) == set(DocumentKind)
    assert set(words.MODEL_STATES) == set(ModelState)
    assert set(words.MODEL_EVENTS) == set(ModelEvent)
    assert set(words.HINTS) < set(words.TONES)


# --- pages --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def triage() -> FakeTriage:
    return FakeTriage()


@pytest.fixture
def client(triage: FakeTriage) -> Iterator[FlaskClient]:
    triage.reset()
    yield Served(triage).test_client()
    triage.reset()


PAGES = ("", "import", "models", "drift", "labelling")


@pytest.mark.parametrize("address", PAGES)
@pytest.mark.parametrize("blind", [0, 1])
def test_every_page(client: FlaskClient, triage: FakeTriage, address: str, blind: int) -> None:
    data = known(triage.worklist(), triage.models(), triage.labelling_queue(), triage.drift(), triage.me)
    for more in ({}, {"HX-Request": "true"}):
        in_japanese(client.get(f"/triage/{address}?blind={blind}", headers={**JA, **more}), data)


@pytest.mark.parametrize("blind", [0, 1])
def test_every_kind_of_study(client: FlaskClient, triage: FakeTriage, blind: int) -> None:
    for row in triage.rows:
        address = f"/triage/studies/{row.id}?blind={blind}"
        in_japanese(client.get(address, headers=JA), known(triage.study(row.id), triage.me, triage.models()))


@pytest.mark.parametrize("address", PAGES)
def test_whatever_is_wrong_with_the_machine(client: FlaskClient, triage: FakeTriage, address: str) -> None:
    data = known(triage.worklist(), triage.models(), triage.labelling_queue(), triage.drift(), triage.me)
    stopped = Words.of(words.TONES["failed"])
    for change in (
        {"running": False, "reason": stopped},
        {"workers_alive": 0, "workers_wanted": 1},
        {"authentication": False, "last_judgement": None},
        {"model_problem": stopped, "last_judgement": NOW - timedelta(days=3)},
    ):
        triage.current = triage.status().model_copy(update=change)
        in_japanese(client.get(f"/triage/{address}", headers=JA), data)
        triage.reset()
    triage.me = triage.me.model_copy(update={"refusal": Words.of(MAY_NOT), "role": Role.VIEWER})
    in_japanese(client.get(f"/triage/{address}", headers=JA), data)
    triage.rows = triage.earlier = ()
    in_japanese(client.get(f"/triage/{address}", headers=JA), data)
    triage.trouble = unavailable()
    in_japanese(client.get(f"/triage/{address}", headers=JA), data | {"OperationalError"})


def test_what_is_not_here_or_goes_wrong(client: FlaskClient, triage: FakeTriage) -> None:
    for base in ("/triage", API):
        in_japanese(client.get(f"{base}/nothing", headers=JA), set())
        in_japanese(client.get(f"{base}/studies/{orthanc_id('nobody')}", headers=JA), set())
        in_japanese(client.delete(f"{base}/studies/{orthanc_id('red')}", headers=OWN, json={}), set())
        triage.trouble = ValueError("cannot parse YAMADA^TAROU")
        in_japanese(client.get(f"{base}/studies/{orthanc_id('red')}", headers=JA), set())
        triage.trouble = unavailable()
        in_japanese(client.get(f"{base}/studies/{orthanc_id('red')}", headers=JA), {"OperationalError"})
        triage.reset()
    in_japanese(client.get(f"{API}/studies/x", headers=JA), {"study_id"})
    in_japanese(client.get(f"{API}/series/{orthanc_id('red')}/slices/999.png", headers=JA), set())


# Long: one case from its first word to its settled dispute, every page read at every step.
def test_reviews_in_every_standing(tmp_path: Path) -> None:
    urgencies = (Urgency.GREEN, Urgency.YELLOW, Urgency.RED, Urgency.BLACK)
    room = ReadingRoom(tmp_path, {f"case{number}": urgency for number, urgency in enumerate(urgencies)})
    client = room.app.test_client()

    def say(key: str, login: str, **said: Any) -> TestResponse:
        body = {
            "action": "relabel",
            "based_on": room.triage.series(room.series(key)).based_on,
            "request_id": f"{key}-{login}-{len(room.reviews(key))}",
            **said,
        }
        address = f"{API}/series/{room.series(key)}/review"
        return client.post(address, json=body, headers=OWN, environ_overrides={"REMOTE_USER": login})

    found = {"haemorrhage": True, "subdural": True, "fracture": False}
    for key in ("case0", "case1", "case2", "case3"):
        assert (
            say(key, "sato", urgency="RED", findings=found, comment="確認済み", blind=True).status_code == 201
        )
    assert say("case1", "ito", urgency="GREEN").status_code == 201
    assert say("case2", "ito", action="exclude", reason="post_operative").status_code == 201
    assert say("case3", "ito", urgency="GREEN").status_code == 201
    assert say("case3", "abe", urgency="BLACK").status_code == 201
    room.judge("case0", Urgency.BLACK)
    room.more_images("case1", 40)
    for key in ("case0", "case1", "case2", "case3"):
        study = room.triage.study(orthanc_id(key))
        for login in ("sato", "ito", "mori", "stranger"):
            data = known(study, room.triage.identity(login), room.triage.status())
            for query in ("?blind=1", "?blind=0"):
                address = f"/triage/studies/{orthanc_id(key)}{query}"
                answer = client.get(address, headers=JA, environ_overrides={"REMOTE_USER": login})
                in_japanese(answer, data | {"Elsewhere", "St", "stranger"})

    refused = (
        ("stranger", {"urgency": "RED"}),
        ("mori", {"urgency": "RED"}),
        ("sato", {"urgency": "RED", "based_on": "old"}),
        ("sato", {"urgency": "RED", "reason": "other"}),
        ("sato", {}),
        ("sato", {"action": "exclude", "reason": "other"}),
        ("sato", {"urgency": "RED", "comment": "x" * 2001}),
        ("sato", {"urgency": "RED", "findings": {"haemorrhage": False, "subdural": True}}),
        ("sato", {"action": "confirm", "urgency": "YELLOW"}),
        ("sato", {"urgency": "GREEN", "request_id": "case0-sato-0"}),
        ("sato", {"urgency": "PURPLE"}),
        ("sato", {"urgency": "RED", "more": 1}),
        ("sato", {"urgency": "RED", "request_id": ""}),
        ("sato", {"action": "praise"}),
        ("sato", {"urgency": "RED", "blind": "perhaps"}),
    )
    fields = {
        "urgency",
        "action",
        "more",
        "confirm",
        "relabel",
        "exclude",
        "blind",
        "GREEN",
        "YELLOW",
        "RED",
        "BLACK",
    }
    for login, said in refused:
        answer = say("case0", login, **said)
        assert answer.status_code in {400, 403, 409}, said
        in_japanese(answer, fields)
    room.close()


def test_models_and_their_refusals(tmp_path: Path) -> None:
    settings = options(tmp_path)
    first, second = own_model(settings, "1.0"), own_model(settings, "2.0")
    own_model(settings, "3.0").folder.joinpath("MODEL_CARD.md").write_text("# Better\n")
    database = open_store(tmp_path)
    with database.writing() as session:
        model_history.ship(session, first.identity, after(0))
        activate(session, second)
        begin_shadow(session, first)
        for number, urgency in enumerate((Urgency.RED, Urgency.GREEN)):
            series = judge(session, settings, number, urgency, second, at=100 + 20 * number)
            repeat(session, Urgency.RED, first, at=110 + 20 * number)
            review_of_models(session, series, Urgency.RED, at=500 + number)
        gone = Phrase("{folder} has no model card", {"folder": "threshold-2.0"}, "detail")
        model_history.give_way(session, second.digest, str(gone), after(900))
    triage = Triage(database, settings, Nobody(), Nobody(), "1.10.1", authentication=True)
    client = Served(triage).test_client()
    files = {"threshold", "MODEL_CARD", "md", "MODEL", "CARD", "bleed"}
    for login in ("abe", "sato"):
        data = known(triage.models(login), triage.identity(login), triage.status(), triage.worklist()) | files
        for address in ("models", ""):
            answer = client.get(f"/triage/{address}", headers=JA, environ_overrides={"REMOTE_USER": login})
            in_japanese(answer, data)

    def change(route: str, login: str = "abe", **body: Any) -> TestResponse:
        address = f"{API}/models/{route}"
        return client.post(address, json=body, headers=OWN, environ_overrides={"REMOTE_USER": login})

    for answer in (
        change("threshold-1.0/activate", "sato"),
        change("threshold-1.0/shadow"),
        change("threshold-3.0/activate"),
        change("other-1.0/activate"),
        change("rollback"),
        change("end-shadow", based_on="old"),
        change("rollback", reason="x" * 501),
        client.post(f"{API}/models/rollback", json={}, headers=JA),
        client.post(f"{API}/models/rollback", data="{}", headers=JA),
    ):
        assert answer.status_code in {400, 403, 404, 409}
        in_japanese(answer, files | {"other", "reason"})
    database.close()


def test_every_reason_caution_and_rule() -> None:
    for code in ReasonCode:
        assert english(Reason(code).sentence("ja")) == []
    for code in ("child", "partial", "learned_urgency", "assumed_rescale"):
        assert english(caution_words(code, "ja")) == []
    assert english(rule_words("thickness", "ja")) == []
    for use in Use:
        assert english(use_words(use, "ja")) == []


# --- the other way round ------------------------------------------------------------------------------


def test_english_is_what_who_asks_for_nothing_gets(client: FlaskClient) -> None:
    for headers, language in (
        ({}, "en"),
        ({"Accept-Language": "de"}, "en"),
        ({"Accept-Language": "de, ja;q=0.4"}, "ja"),
        ({"Accept-Language": "en-GB, ja;q=0.4"}, "en"),
    ):
        answer = client.get(f"{API}/nothing", headers=headers)
        assert answer.headers["Content-Language"] == language in LANGUAGES
        assert ("There is nothing at this address." in answer.text) == (language == "en")
    client.set_cookie("headct_language", "ja", path="/triage/")
    assert client.get(f"{API}/nothing").headers["Content-Language"] == "ja"
    assert "Content-Language" not in client.get(f"{API}/worklist").headers


def test_what_is_told_is_always_a_phrase() -> None:
    told = [e for e in vars(errors).values() if isinstance(e, type) and e.__module__ == errors.__name__]
    for kind in (*told, ReviewError):
        error = kind(Phrase("There is nothing at this address.", {}))
        assert str(error) == error.sentence.say("en") != error.sentence.say("ja")
