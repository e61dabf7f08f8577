"""Whatever is asked of any route that OpenAPI names, over a real store, the program does not fail."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from flask import Flask
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from reading_room import ReadingRoom
from werkzeug.test import TestResponse

from headct.terms.urgency import Urgency
from orthanc_plugin.web.guards import API
from orthanc_plugin.web.readable import MOST_VALUES, refuse_unreadable_body

ORDERS = {"X-Triage": "test", "Content-Type": "application/json"}
HALF = "\ud800"
ODD = (
    HALF,
    f"a{HALF}b",
    "\0",
    "1.2\0",
    "",
    " ",
    "あ",
    "🧠",
    "\x1b$B",
    "\u202e",
    "..",
    "../x",
    "%00",
    "a" * 3000,
)
ODD_VALUES = (
    *ODD,
    None,
    True,
    -1,
    0,
    10**30,
    1e300,
    float("nan"),
    [],
    {},
    [HALF],
    {HALF: True},
    [[]],
    ["\0"],
)
MANY = {"findings": {str(n): True for n in range(100_000)}, "study_instance_uids": ["1.2"] * 100_000}


class Routes:
    """Every route, as it describes itself."""

    def __init__(self, folder: Path) -> None:
        self.room = ReadingRoom(folder, {"fine": Urgency.GREEN, "bleeds": Urgency.RED})
        self.client = self.room.app.test_client()
        described = self.client.get(f"{API}/openapi.json").json
        assert described is not None
        self.schemas: dict[str, Any] = described["components"]["schemas"]
        self.all = [
            (method.upper(), path, what)
            for path, methods in sorted(described["paths"].items())
            for method, what in sorted(methods.items())
        ]
        self.series = self.room.series("bleeds")
        self.study = self.room.triage.series(self.series).study_id
        self.known = {"series_id": self.series, "study_id": self.study, "number": "1", "name": "PACS"}

    def ask(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None = None,
        body: object = None,
        headers: dict[str, str] | None = None,
    ) -> TestResponse:
        return self.client.open(
            path,
            method=method,
            query_string=urlencode(query or {}, errors="surrogatepass"),
            data=json.dumps(body) if method == "POST" else None,
            headers={**ORDERS, **(headers or {})},
            environ_overrides={"REMOTE_USER": "abe"},
        )

    def address(self, path: str, **named: str) -> str:
        return path.format(
            **{k: quote(v, errors="surrogatepass") for k, v in {**self.known, **named}.items()}
        )

    def fields(self, what: dict[str, Any]) -> list[str]:
        """Of a body."""
        content = what.get("requestBody", {}).get("content", {}).get("application/json", {})
        name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
        return list(self.schemas[name]["properties"]) if name else []

    def body(self, what: dict[str, Any]) -> dict[str, Any]:
        """One that the route takes."""
        good: dict[str, Any] = {
            "action": "relabel",
            "urgency": "GREEN",
            "findings": {"haemorrhage": True},
            "reason": None,
            "comment": "x",
            "blind": False,
            "based_on": "0",
            "request_id": "r1",
            "study_instance_uids": ["1.2.3"],
            "new": False,
        }
        fields = self.fields(what)
        if "action" in fields:
            good["based_on"] = self.room.triage.series(self.series).based_on
        elif "reason" in fields:
            good["reason"] = "because"
        return {name: good[name] for name in fields}


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Routes]:
    made = Routes(tmp_path_factory.mktemp("routes"))
    yield made
    made.room.close()


def is_an_answer(answer: TestResponse) -> None:
    assert answer.status_code < 500, (answer.request.path, answer.text[:500])
    if answer.status_code >= 400:
        assert answer.json is not None
        assert answer.json["code"]
        assert answer.json["message"]
        assert answer.status_code == 409 or len(answer.data) < 5_000, "what was sent is not repeated"


def test_there_are_bodies_and_parameters(routes: Routes) -> None:
    """Or nothing would be tested below."""
    assert len(routes.all) >= 20
    assert sum(bool(routes.fields(what)) for _method, _path, what in routes.all) >= 6
    assert sum(bool(what.get("parameters")) for _method, _path, what in routes.all) >= 12


@hypothesis_settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_whatever_is_asked(routes: Routes, data: st.DataObject) -> None:
    texts = st.sampled_from(ODD) | st.text(st.characters(codec=None), max_size=8)
    method, path, what = data.draw(st.sampled_from(routes.all))
    named, query = {}, {}
    for parameter in what.get("parameters", ()):
        if parameter["in"] == "query" and data.draw(st.booleans()):
            query[parameter["name"]] = data.draw(texts)
        elif parameter["in"] == "path" and data.draw(st.booleans()):
            named[parameter["name"]] = data.draw(texts.filter(bool))
    body = routes.body(what)
    for name in body:
        if not data.draw(st.integers(0, 2)):
            body[name] = data.draw(st.sampled_from(ODD_VALUES) | texts)
    headers = {
        name: data.draw(st.sampled_from(("%0d%0aX: y", "[::1", "//", "a" * 5000, "é", "*", '"', "en,*;q=")))
        for name in ("Accept-Language", "If-None-Match", "X-Forwarded-Host", "X-Forwarded-Prefix", "Cookie")
        if data.draw(st.booleans())
    }
    is_an_answer(routes.ask(method, routes.address(path, **named), query, body, headers))


def test_what_is_no_text_is_refused_in_every_field_and_every_parameter(routes: Routes) -> None:
    for method, path, what in routes.all:
        for name in routes.fields(what):
            for said in (HALF, "a\0b", [HALF], {"\0": 1}):
                answer = routes.ask(method, routes.address(path), body={**routes.body(what), name: said})
                is_an_answer(answer)
                assert answer.status_code == 400, (path, name, said)
        for parameter in what.get("parameters", ()):
            if parameter["in"] == "path":
                address = routes.address(path, **{parameter["name"]: "a\0b"})
                assert routes.ask(method, address, body=routes.body(what)).status_code in (400, 404), path
            else:
                asked = {parameter["name"]: "a\0b"}
                assert routes.ask(method, routes.address(path), asked).status_code == 400, path


def test_a_hundred_thousand_of_anything_is_refused_without_a_word_too_many(routes: Routes) -> None:
    found = 0
    for method, path, what in routes.all:
        for name in MANY.keys() & set(routes.fields(what)):
            answer = routes.ask(method, routes.address(path), body={**routes.body(what), name: MANY[name]})
            is_an_answer(answer)
            assert answer.status_code == 400
            found += 1
    assert found == len(MANY)
    few = {str(n): True for n in range(MOST_VALUES // 3)}
    review = next(one for one in routes.all if one[1].endswith("/review"))
    answer = routes.ask("POST", routes.address(review[1]), body={**routes.body(review[2]), "findings": few})
    is_an_answer(answer)
    assert answer.status_code == 400


def test_as_many_studies_as_may_be_imported_at_once_are_not_too_many() -> None:
    body = {"study_instance_uids": [f"1.2.{n}" for n in range(1000)], "new": True}
    with Flask(__name__).test_request_context(json=body):
        refuse_unreadable_body()
