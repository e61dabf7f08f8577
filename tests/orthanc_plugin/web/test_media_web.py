"""The page and the REST route of an import: who may, in which words, and nothing inline."""

import re
from pathlib import Path
from typing import Any

import pytest
from fake_triage import FakeTriage, unavailable
from flask.testing import FlaskClient

import orthanc_plugin.web

IMPORTS = "/triage/api/v1/imports"
JSON = {"Content-Type": "application/json", "X-Triage": "test"}
PAGE = "/triage/import"


def without_password(triage: FakeTriage) -> None:
    triage.current = triage.current.model_copy(update={"authentication": False})


@pytest.mark.parametrize("new", [False, True])
def test_announced_by_a_named_user(client: FlaskClient, triage: FakeTriage, new: bool) -> None:
    body = {"study_instance_uids": ["1.2.3", "4.5"], "new": new}
    answer = client.post(IMPORTS, headers=JSON, json=body, environ_overrides={"REMOTE_USER": "clerk"})
    assert answer.status_code == 200
    assert answer.get_json() == {
        "studies": [
            {"study_instance_uid": uid, "known": False, "earlier": not new} for uid in ("1.2.3", "4.5")
        ]
    }
    assert triage.announced == [(("1.2.3", "4.5"), new, "clerk")]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"study_instance_uids": []},
        {"study_instance_uids": [""]},
        {"study_instance_uids": ["1" * 65]},
        {"study_instance_uids": ["1.2"] * 1001},
        {"study_instance_uids": "1.2"},
        {"study_instance_uids": [7]},
        {"study_instance_uids": ["1.2"], "new": "perhaps"},
        [],
        None,
    ],
)
def test_what_makes_no_sense_is_refused(client: FlaskClient, triage: FakeTriage, body: Any) -> None:
    answer = client.post(IMPORTS, headers=JSON, json=body)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_request")
    assert triage.announced == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json"},
        {"Content-Type": "application/json", "Origin": "http://evil.example"},
        {"Content-Type": "text/plain", "X-Triage": "1"},
    ],
)
def test_foreign_pages_announce_nothing(
    client: FlaskClient, triage: FakeTriage, headers: dict[str, str]
) -> None:
    answer = client.post(IMPORTS, headers=headers, data='{"study_instance_uids": ["1.2"]}')
    assert (answer.status_code, answer.get_json()["code"]) == (403, "forbidden")
    assert triage.announced == []


def test_without_a_password_nobody_imports(client: FlaskClient, triage: FakeTriage) -> None:
    without_password(triage)
    answer = client.post(IMPORTS, headers=JSON, json={"study_instance_uids": ["1.2"]})
    assert (answer.status_code, answer.get_json()["code"]) == (403, "refused")
    assert triage.announced == []
    page = client.get(PAGE).get_data(as_text=True)
    assert "asks for no password" in page
    assert "<form" not in page
    assert PAGE not in client.get("/triage/").get_data(as_text=True)


def test_a_store_that_fails_is_said(client: FlaskClient, triage: FakeTriage) -> None:
    triage.trouble = unavailable()
    answer = client.post(IMPORTS, headers=JSON, json={"study_instance_uids": ["1.2"]})
    assert (answer.status_code, answer.get_json()["code"]) == (503, "unavailable")


@pytest.mark.parametrize(("language", "title"), [("en", "Import images"), ("ja", "画像の取り込み")])
def test_the_page_in_both_languages(client: FlaskClient, language: str, title: str) -> None:
    page = client.get(f"{PAGE}?lang={language}").get_data(as_text=True)
    assert f"<h1>{title}</h1>" in page
    assert 'data-announce="api/v1/imports"' in page
    for control in re.findall(r'<input type="[a-z]+" id="([a-z-]+)"', page):
        assert f'<label for="{control}">' in page
    assert 'href="import"' in client.get("/triage/").get_data(as_text=True)


def test_every_word_that_the_script_says_is_there(client: FlaskClient) -> None:
    static = Path(orthanc_plugin.web.__file__).parent / "static"
    script = (static / "import.js").read_text("utf-8")
    page = client.get(PAGE).get_data(as_text=True)
    said = set(re.findall(r'\bsay\("(\w+)"', script))
    said |= set(re.findall(r'say\(this\.studies\.size \? "(\w+)" : "(\w+)"\)', script)[0])
    for key in said:
        attribute = re.sub(r"[A-Z]", lambda m: f"-{m[0].lower()}", key)
        assert f'data-{attribute}="' in page, key
    for key in re.findall(r'part\("(\w+)"\)', script):
        assert f'id="import-{key}"' in page, key
    assert not re.search(r"https?://|innerHTML|eval\(", script)


def test_a_refresh_leaves_the_form_alone(client: FlaskClient) -> None:
    living = client.get(PAGE, headers={"HX-Request": "true"}).get_data(as_text=True)
    assert "hx-morph-skip" in living
    assert "import.js" not in living
