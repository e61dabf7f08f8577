"""The review on the page as sent, over the real store: who may, what stands, and what a blind reader gets."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fake_cases import orthanc_id
from flask.testing import FlaskClient
from reading_room import ReadingRoom
from store_samples import seen
from werkzeug.test import TestResponse

from headct.terms.urgency import Urgency
from orthanc_plugin.store import queue, withdrawal
from orthanc_plugin.web.page import BLIND_COOKIE

STUDIES = {
    "anna": Urgency.GREEN,
    "bert": Urgency.BLACK,
    "cora": Urgency.RED,
    "dora": Urgency.YELLOW,
    "emil": Urgency.RED,
    "fritz": Urgency.RED,
}


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReadingRoom]:
    """Each test has studies of its own in it."""
    made = ReadingRoom(tmp_path_factory.mktemp("room"), STUDIES)
    yield made
    made.close()


@pytest.fixture
def client(room: ReadingRoom) -> FlaskClient:
    return room.app.test_client()


class Text(HTMLParser):
    """What can be read on a page, and its controls."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += " ".join(data.split()) + " "


def get(client: FlaskClient, address: str, login: str = "sato", **headers: str) -> TestResponse:
    environment = {"REMOTE_USER": login} if login else {}
    return client.get(f"/triage/{address}", environ_overrides=environment, headers=headers)


def study(client: FlaskClient, key: str, query: str = "lang=en", login: str = "sato", **headers: str) -> str:
    answer = get(client, f"studies/{orthanc_id(key)}?{query}", login, **headers)
    assert answer.status_code == 200
    return answer.text


def review(client: FlaskClient, room: ReadingRoom, key: str, login: str, **changes: object) -> TestResponse:
    address = f"/triage/api/v1/series/{room.series(key)}"
    body = {
        "action": "relabel",
        "urgency": "GREEN",
        "based_on": client.get(address).get_json()["based_on"],
        "request_id": f"{login}-{len(room.reviews(key))}",
        **changes,
    }
    return client.post(
        f"{address}/review", json=body, headers={"X-Triage": "1"}, environ_overrides={"REMOTE_USER": login}
    )


# --- who may ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("login", ["sato", "ito", "abe"])
def test_readers_and_administrators_get_the_form(client: FlaskClient, room: ReadingRoom, login: str) -> None:
    page = Text(study(client, "anna", login=login))
    (form,) = (a for tag, a in page.tags if tag == "form" and "review" in (a.get("class") or ""))
    series = client.get(f"/triage/api/v1/series/{room.series('anna')}").get_json()
    assert form["data-based-on"] == series["based_on"]
    assert form["data-address"] == f"../api/v1/series/{room.series('anna')}/review"
    assert form["data-machine"] == "GREEN" and form["data-login"] == login
    assert "You cannot review" not in page.text


@pytest.mark.parametrize(
    ("login", "why"),
    [("mori", "This is for a reader; you are a viewer."), ("stranger", "does not say who you are")],
)
def test_others_see_why_not_and_who_may(client: FlaskClient, login: str, why: str) -> None:
    html = study(client, "anna", login=login)
    page = Text(html)
    assert '<form class="review"' not in html
    assert why in page.text and "Readers here: Sato Hanako, Ito Taro, Abe Ken" in page.text
    assert "Judge again" not in page.text and "Judge again" in study(client, "anna")
    assert "Read the next case" not in get(client, "?lang=en", login).text
    japanese = Text(study(client, "anna", "lang=ja", login)).text
    assert "判定の入力はできません" in japanese and "佐藤 花子" in japanese


def test_without_authentication_nobody(tmp_path_factory: pytest.TempPathFactory) -> None:
    open_room = ReadingRoom(tmp_path_factory.mktemp("open"), {"anna": Urgency.RED}, authentication=False)
    try:
        html = study(open_room.app.test_client(), "anna", login="sato")
        assert '<form class="review"' not in html
        assert "Changes are refused unless Orthanc asks for a user and a password." in html
    finally:
        open_room.close()


def test_the_bar_says_who_reads(client: FlaskClient) -> None:
    for address in ("", "import", f"studies/{orthanc_id('anna')}"):
        assert "Sato Hanako <small>reader</small>" in get(client, f"{address}?lang=en").text
        assert "佐藤 花子 <small>読影者</small>" in get(client, f"{address}?lang=ja").text


def test_a_series_still_coming_has_no_form_yet(client: FlaskClient, room: ReadingRoom) -> None:
    with room.database.writing() as session:
        queue.arrive(
            session, seen(orthanc_id("coming"), orthanc_id("coming study")), queue.utcnow(), room.options
        )
    page = get(client, f"studies/{orthanc_id('coming study')}?lang=en").text
    assert "it can be reviewed then" in page and '<form class="review"' not in page
    with room.database.writing() as session:
        withdrawal.withdraw(session, orthanc_id("coming"), queue.utcnow())


# --- how things stand ------------------------------------------------------------------------------------


def test_from_one_reader_to_a_dispute_to_its_end(client: FlaskClient, room: ReadingRoom) -> None:
    def shown(login: str = "sato") -> str:
        return Text(study(client, "cora", login=login)).text

    def row() -> str:
        html = get(client, "?lang=en").text
        return Text(html.split(f'id="case-{orthanc_id("cora")}">')[1].split('<li class="case ')[0]).text

    assert "Not reviewed yet." in shown()
    assert "urgent, specialist now" in row()
    review(client, room, "cora", "ito", urgency="BLACK", comment="<b>herniation</b> & more")
    assert "Reviewed: BLACK. Machine: RED" in shown()
    assert "“<b>herniation</b> & more”" in shown() and "the machine said: RED" in shown()
    assert "BLACK so severe that treatment is not expected to change the outcome" in row()
    assert "BLACK Ito Taro" in row() and "Machine: RED" in row() and "until read" in row()
    review(client, room, "cora", "abe", action="confirm", urgency=None)
    assert "Two readers differ: a third is to settle it. Until then BLACK counts" in shown()
    assert "Readers differ" in row() and "as the machine" in shown()
    review(client, room, "cora", "sato", urgency="RED")
    assert "Settled by three readers or more: RED." in shown()
    assert "You said RED" in shown() and "The machine said the same." in shown()
    assert "You said BLACK" in shown("ito") and "The machine said otherwise: RED." in shown("ito")
    room.judge("cora", Urgency.GREEN, bundle="c" * 64)
    assert "superseded" in shown() and "Machine: Nothing flagged" in shown()
    assert "three" not in row() and "Machine: Nothing flagged" in row()


def test_an_exclusion_is_told(client: FlaskClient, room: ReadingRoom) -> None:
    review(client, room, "dora", "sato", action="exclude", urgency=None, reason="post_operative")
    text = Text(study(client, "dora")).text
    assert "Reviewed: Excluded." in text and "after an operation" in text
    assert "判定済み：除外" in study(client, "dora", "lang=ja")
    assert 'Excluded <span class="by">Sato Hanako' in get(client, "?lang=en").text


# --- from case to case --------------------------------------------------------------------------------


@pytest.fixture
def unread(tmp_path: Path) -> Iterator[FlaskClient]:
    """Nobody has read anything yet."""
    made = ReadingRoom(tmp_path, STUDIES)
    yield made.app.test_client()
    made.close()


def test_the_next_case_opens(unread: FlaskClient) -> None:
    client = unread
    first = get(client, "next")
    assert first.status_code == 302
    assert first.headers["Location"] == f"studies/{orthanc_id('bert')}", "the worst first"
    assert "no-store" in first.headers["Cache-Control"]
    after = get(client, f"next?after={orthanc_id('bert')}")
    assert after.headers["Location"] != first.headers["Location"]
    assert get(client, "next?after=%3Cscript%3E").headers["Location"] == first.headers["Location"]


def test_no_case_left_leads_to_the_list(tmp_path_factory: pytest.TempPathFactory) -> None:
    empty = ReadingRoom(tmp_path_factory.mktemp("empty"), {})
    try:
        answer = get(empty.app.test_client(), "next")
        assert answer.headers["Location"] == "./"
    finally:
        empty.close()


# --- blind -----------------------------------------------------------------------------------------------


def alike(html: str, key: str, number: int) -> str:
    """A page without what identifies the study and its images."""
    for own in (orthanc_id(key), ReadingRoom.series(key), f"P-{key}", f"{key.title()} Patient", f"1.3.{key}"):
        html = html.replace(own, "*")
    html = re.sub(rf"\b{number} HEAD", "* HEAD", html)
    return re.sub(
        r"data-based-on=\"[^\"]*\"|\d\d\d\d-\d\d-\d\dT[\d:.+]*"
        r"|\d\d\d\d-\d\d-\d\d \d\d:\d\d(:\d\d)?|\d\d:\d\d:\d\d"
        r"|\d+ (s|min)( ago|(?=</time>))|\d+ ?(秒|分)(前|(?=</time>))|\d+ GB",
        "*",
        html,
    )


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_blind_pages_of_green_and_of_black_are_the_same(
    client: FlaskClient, room: ReadingRoom, language: str, headers: dict[str, str]
) -> None:
    if not room.reviews("bert"):
        review(client, room, "bert", "ito", urgency="YELLOW", comment="seen by Ito")
    query = f"blind=1&lang={language}"
    green, black = (study(client, key, query, **headers) for key in ("anna", "bert"))
    assert alike(green, "anna", 2) == alike(black, "bert", 3)
    assert 'data-keys=""' in black and "seen by Ito" not in black and "slices 12-18" not in black
    assert alike(study(client, "anna", f"lang={language}&blind=0"), "anna", 2) != alike(
        study(client, "bert", f"lang={language}&blind=0"), "bert", 3
    )


def test_a_blind_list_tells_nothing_and_is_by_arrival(client: FlaskClient) -> None:
    html = get(client, "?blind=1&lang=en", "stranger").text
    found = re.findall(r'<li class="case ([^"]*)" id="case-([^"]*)">', html)
    assert [i for _, i in found] == [orthanc_id(key) for key in STUDIES]
    assert {tone for tone, _ in found} == {"tone-to_read"}
    body = html[html.index("<main") : html.index("</main>")]
    assert not re.search(r"bleed|flagged|specialist|RED|YELLOW|Ito|Excluded|slices/|alerts", body)
    assert "<title>Head CT triage</title>" in html
    opened = get(client, "?blind=0&lang=en", "stranger").text
    assert [i for _, i in re.findall(r'<li class="case ([^"]*)" id="case-([^"]*)">', opened)] != [
        i for _, i in found
    ]


def test_a_blind_reader_is_told_after_he_spoke(client: FlaskClient, room: ReadingRoom) -> None:
    query = "blind=1&lang=en"
    assert "Confirm" not in Text(study(client, "emil", query)).text
    assert review(client, room, "emil", "sato", urgency="YELLOW", blind=True).status_code == 201
    text = Text(study(client, "emil", query)).text
    assert "You said YELLOW" in text and "The machine said otherwise: RED." in text
    assert "given before the machine's answer was shown" in text and "about 41 ml" in text
    assert "otherwise: RED" not in Text(study(client, "emil", query, "ito")).text, (
        "another has not spoken yet"
    )


def test_a_conflict_tells_a_blind_reader_nothing(client: FlaskClient, room: ReadingRoom) -> None:
    stale = client.get(f"/triage/api/v1/series/{room.series('fritz')}").get_json()["based_on"]
    review(client, room, "fritz", "ito", urgency="BLACK", comment="secret")
    late = {"urgency": "GREEN", "based_on": stale, "request_id": "late"}
    answer = review(client, room, "fritz", "sato", blind=True, **late)
    assert answer.status_code == 409
    current = answer.get_json()["current"]
    assert (current["urgency"], current["assessment"], current["reviews"]) == (None, None, [])
    assert current["verdict"]["standing"] == "unreviewed" and current["history"] == []
    assert (
        current["based_on"]
        == client.get(f"/triage/api/v1/series/{room.series('fritz')}").get_json()["based_on"]
    )
    assert not re.search("secret|Ito|RED|BLACK", answer.text)
    told = review(client, room, "fritz", "sato", **late).get_json()["current"]
    assert told["urgency"] == "RED" and told["reviews"][0]["comment"] == "secret"


def test_blind_reading_stays_until_it_is_ended(client: FlaskClient) -> None:
    answer = get(client, "?blind=1&lang=en")
    cookies = [c for c in answer.headers.getlist("Set-Cookie") if BLIND_COOKIE in c]
    assert all(part in cookies[0] for part in ("HttpOnly", "SameSite=Strict")) and "Expires" not in cookies[0]
    assert 'id="blind"' in get(client, "").text and 'id="blind"' in study(client, "anna", "")
    polled = study(client, "anna", "blind=0", **{"HX-Request": "true"})
    assert 'id="blind"' not in polled and 'id="blind"' in study(client, "anna", ""), "a poll changes no mode"
    poll = next(str(a["hx-get"]) for _, a in Text(study(client, "anna", "")).tags if "hx-get" in a)
    assert poll.endswith("?blind=1"), "a page stays as blind as it was opened"
    assert get(client, "next").headers["Location"] == f"studies/{orthanc_id('anna')}", "by arrival"
    get(client, "?blind=0")
    assert 'id="blind"' not in get(client, "").text
    assert not re.search(f"{BLIND_COOKIE}=[^01]", str(get(client, "?blind=x").headers))
