"""The list as it is polled: nothing is sent twice, it has parts, and what left it is found."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from fake_cases import orthanc_id
from flask.testing import FlaskClient
from one_app import Served
from page_reader import Page
from reading_room import ReadingRoom
from werkzeug.test import TestResponse

from headct.terms.urgency import Urgency
from orthanc_plugin.web import worklist_page

REST = "/triage/api/v1/worklist"
AS_HTMX = {"HX-Request": "true"}


@pytest.fixture
def room(tmp_path: Path) -> Iterator[ReadingRoom]:
    made = ReadingRoom(tmp_path, {"red": Urgency.RED, "green": Urgency.GREEN, "black": Urgency.BLACK})
    yield made
    made.close()


@pytest.fixture
def client(room: ReadingRoom) -> FlaskClient:
    return room.app.test_client()


def get(client: FlaskClient, address: str, **headers: str) -> TestResponse:
    return client.get(address, headers=headers, environ_overrides={"REMOTE_USER": "sato"})


def shown(client: FlaskClient, address: str) -> list[str]:
    return list(Page(get(client, address).text).rows)


def review(client: FlaskClient, room: ReadingRoom, key: str, urgency: str, who: str = "sato") -> None:
    series = f"/triage/api/v1/series/{room.series(key)}"
    body: dict[str, Any] = {
        "action": "relabel",
        "urgency": urgency,
        "based_on": client.get(series).json["based_on"],
        "request_id": f"{who} {urgency}",
    }
    answer = client.post(
        f"{series}/review", json=body, headers={"X-Triage": "t"}, environ_overrides={"REMOTE_USER": who}
    )
    assert answer.status_code == 201


@pytest.mark.parametrize(("address", "headers"), [(REST, {}), ("/triage/?blind=0", AS_HTMX)])
def test_what_is_known_is_not_sent_again(
    room: ReadingRoom, client: FlaskClient, address: str, headers: dict[str, str]
) -> None:
    first = get(client, address, **headers)
    known = {**headers, "If-None-Match": first.headers["ETag"]}
    again = get(client, address, **known)
    assert (first.status_code, again.status_code, again.data) == (200, 304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Cache-Control"] == "no-store"
    # Proxies that compress name it so; and caches name several.
    for tag in (known["If-None-Match"].removeprefix("W/"), f'"other", {known["If-None-Match"]}'):
        assert get(client, address, **{**known, "If-None-Match": tag}).status_code == 304
    review(client, room, "red", "GREEN")
    assert get(client, address, **known).status_code == 200


def test_the_browser_is_told_the_time_with_no_news_too(client: FlaskClient) -> None:
    first = get(client, "/triage/?blind=0", **AS_HTMX)
    assert 'class="age-of" datetime="' in first.text and "></time>" in first.text
    again = get(client, "/triage/?blind=0", **AS_HTMX, **{"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304 and again.headers["Triage-Time"]
    # Without scripts a whole page says how old everything is.
    assert "></time>" not in get(client, "/triage/").text


def test_other_readers_and_languages_have_tags_of_their_own(client: FlaskClient) -> None:
    tag = get(client, "/triage/?blind=0", **AS_HTMX).headers["ETag"]
    known = {**AS_HTMX, "If-None-Match": tag}
    assert get(client, "/triage/?blind=0&lang=ja", **known).status_code == 200
    other = client.get("/triage/?blind=0&lang=en", headers=known, environ_overrides={"REMOTE_USER": "ito"})
    assert other.status_code == 200


def test_a_read_case_leaves_the_page_and_is_found(room: ReadingRoom) -> None:
    options = room.options.model_copy(update={"read_leave_after_hours": 1e-9})
    client = Served(replace(room.triage, settings=options)).test_client()
    review(client, room, "red", "GREEN")
    red, green, black = (orthanc_id(key) for key in ("red", "green", "black"))
    assert shown(client, "/triage/") == [black, green]
    assert shown(client, "/triage/?q=p-red") == shown(client, "/triage/?q=patient+RED") == [red]
    came = datetime.fromisoformat(get(client, f"{REST}?q=red").json["rows"][0]["first_arrival"])
    assert red in shown(client, f"/triage/?day={came.astimezone():%Y-%m-%d}")
    assert shown(client, "/triage/?day=2026-03-01&q=red") == [red], "the day that its images have"
    assert shown(client, "/triage/?day=1999-01-01") == []
    assert [row["id"] for row in get(client, f"{REST}?q=red").json["rows"]] == [red]
    review(client, room, "red", "RED", "ito")
    assert set(shown(client, "/triage/")) == {red, green, black}, "in dispute"


def test_who_looks_for_an_old_case_sees_that_there_are_alerts(client: FlaskClient) -> None:
    page = get(client, "/triage/?q=green&lang=en").text
    assert "Alerts on the worklist: 2" in page
    assert "<title>(2) Head CT triage</title>" in page
    assert "Nothing found" in get(client, "/triage/?q=nobody&lang=en").text
    assert "Alerts on the worklist" not in get(client, "/triage/?q=green&lang=en&blind=1").text


def test_a_long_list_has_parts(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worklist_page, "ROWS", 2)
    red, green, black = (orthanc_id(key) for key in ("red", "green", "black"))
    first = Page(get(client, "/triage/?lang=en").text)
    assert list(first.rows) == [red, black]
    assert "1 to 2 of 3" in first.text
    (following,) = [a["href"] for tag, a in first.tags if tag == "a" and a.get("rel") == "next"]
    assert following == "?from=2"
    last = Page(get(client, f"/triage/{following}&lang=en").text)
    assert list(last.rows) == [green]
    assert [a["href"] for tag, a in last.tags if tag == "a" and a.get("rel") == "prev"] == ["?"]
    gone = Page(get(client, "/triage/?from=50&lang=en").text)
    assert "The list has become shorter" in gone.text and "3 in all" in gone.text
    # Every alert is counted on every part.
    assert "<title>(2)" in get(client, "/triage/?from=2").text


def test_parts_over_rest(client: FlaskClient) -> None:
    offset, found = 0, []
    while offset is not None:
        part = get(client, f"{REST}?limit=1&offset={offset}").json
        assert (part["offset"], part["total"], len(part["rows"])) == (offset, 3, 1)
        found += [row["id"] for row in part["rows"]]
        offset = part["next"]
    assert found == [row["id"] for row in get(client, REST).json["rows"]]


@pytest.mark.parametrize(
    "wish", ["from=-1", "from=x", "day=tomorrow", "from=99999999999999999999", "q=%25%5C_"]
)
def test_what_cannot_be_understood_in_an_address_hurts_nobody(client: FlaskClient, wish: str) -> None:
    assert get(client, f"/triage/?{wish}").status_code == 200


@pytest.mark.parametrize("wish", ["offset=-1", "limit=0", "limit=1000", "day=tomorrow"])
def test_what_cannot_be_understood_over_rest_is_refused(client: FlaskClient, wish: str) -> None:
    assert get(client, f"{REST}?{wish}").status_code == 400


def test_next_of_those_that_wait(room: ReadingRoom, client: FlaskClient) -> None:
    def after(key: str, blind: int = 0) -> str:
        return get(client, f"/triage/next?blind={blind}&after={orthanc_id(key) if key else ''}").location

    assert after("").endswith(orthanc_id("red"))
    assert after("red").endswith(orthanc_id("black"))
    assert after("green").endswith(orthanc_id("red"))
    review(client, room, "red", "GREEN")
    assert after("red").endswith(orthanc_id("black")), "read meanwhile: from the top"
    assert after("", blind=1).endswith(orthanc_id("green")), "the first that came and is not spoken of"
