"""Behind a proxy, under a path: every address holds, and nobody's headers are believed but of those named."""

import re
from collections.abc import Iterable
from urllib.parse import urljoin, urlsplit

import pytest
from fake_cases import orthanc_id
from fake_triage import FakeTriage
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import validate

from headct.errors import SettingsError
from orthanc_plugin.settings import Settings, from_orthanc
from orthanc_plugin.web import create_app
from orthanc_plugin.web.guards import API

NAMED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "pacs.example", "X-Forwarded-Prefix": "/orthanc"}
FORGED = (
    {"X-Forwarded-Host": "evil.example"},
    {"X-Forwarded-Prefix": "//evil.example"},
    {"X-Forwarded-Prefix": "/evil"},
    {"X-Forwarded-Proto": "javascript"},
    {**NAMED, "X-Forwarded-Host": "evil.example"},
    {**NAMED, "X-Forwarded-Host": "pacs.example, evil.example"},
    {**NAMED, "X-Forwarded-Prefix": "/orthanc/../evil"},
    {**NAMED, "X-Forwarded-Proto": "http"},
    {"X-Script-Name": "/evil", "Forwarded": "host=evil.example;proto=https"},
)
PAGES = ("", "import", "models", "labelling", "drift", f"studies/{orthanc_id('red')}", "nothing/at/all")


@pytest.fixture(scope="module")
def named() -> tuple[FakeTriage, Flask]:
    proxies = Settings(storage="/x", proxies=("https://PACS.example:443/orthanc",)).proxies  # type: ignore[arg-type]
    triage = FakeTriage()
    return triage, create_app(triage, proxies)


@pytest.fixture
def behind(named: tuple[FakeTriage, Flask]) -> FlaskClient:
    named[0].reset()
    return named[1].test_client()


def addresses(html: str) -> Iterable[str]:
    found: list[str] = re.findall(r'\b(?:href|src|hx-get|data-[a-z]+)="([^"#][^"]*)"', html)
    return [
        a.replace("&amp;", "&")
        for a in found
        if re.search(r"^(\?|\./|\.\./|/|https?:|api/|static/|studies/|triage/)", a)
    ]


@pytest.mark.parametrize("page", PAGES)
def test_no_address_says_where_the_page_is(client: FlaskClient, page: str) -> None:
    """So that it holds under whatever path a proxy shows it, with or without headers."""
    html = client.get(f"/triage/{page}").text
    found = [a for a in addresses(html) if not a.startswith("http://127.0.0.1:3000/")]
    assert len(found) > 3
    for address in found:
        assert not urlsplit(address).scheme and not address.startswith("/")
        here = urljoin(f"/triage/{page}", address)
        assert here.startswith("/triage/")
        assert urljoin(f"/a/b/triage/{page}", address) == f"/a/b{here}"


@pytest.mark.parametrize("page", ["", "models", f"studies/{orthanc_id('red')}"])
def test_with_and_without_the_last_slash(client: FlaskClient, page: str) -> None:
    """Orthanc tells of neither: the page is the same, and finds what puts its address right."""
    path = f"/triage/{page}".rstrip("/")
    html = client.get(path).text
    (script,) = re.findall(r'src="([^"]*slash.js[^"]*)"', html)
    for address in (path, f"{path}/"):
        answer = client.get(urljoin(address, script))
        assert (answer.status_code, answer.mimetype) == (200, "text/javascript")
    found = [
        urljoin("/triage/" if not page else path, a) for a in addresses(html) if not a.startswith("http")
    ]
    assert all(a.startswith("/triage") for a in found)


@pytest.mark.parametrize(
    ("asked", "leads_to"),
    [
        ("/triage/watch?lang=ja", "/triage/drift?lang=ja"),
        (f"{API}/reading-list", f"{API}/labelling"),
    ],
)
@pytest.mark.parametrize("headers", [{}, NAMED, *FORGED])
def test_redirections_stay_where_they_are(
    behind: FlaskClient, asked: str, leads_to: str, headers: dict[str, str]
) -> None:
    answer = behind.get(asked, headers={**headers, "Host": "evil.example"})
    assert answer.status_code in {301, 302, 308}
    assert "evil" not in answer.headers["Location"]
    assert urljoin(f"/orthanc{asked}", answer.headers["Location"]) == f"/orthanc{leads_to}"


@pytest.mark.parametrize("path", ["/triage//models", "//evil.example/triage/", "/triage/static//x"])
def test_no_redirection_names_a_host(client: FlaskClient, path: str) -> None:
    answer = client.get("/", headers={"Host": "evil.example"}, environ_overrides={"PATH_INFO": path})
    assert (answer.status_code, answer.location) == (404, None)


@pytest.mark.parametrize("headers", FORGED)
@pytest.mark.parametrize("page", ["/triage/", f"{API}/status", f"{API}/openapi.json", "/triage/nothing"])
def test_what_nobody_named_changes_nothing(behind: FlaskClient, page: str, headers: dict[str, str]) -> None:
    plain, forged = (behind.get(page, headers=h) for h in ({}, headers))
    assert "evil" not in forged.text + str(forged.headers)
    assert (plain.text, plain.headers) == (forged.text, forged.headers)


def change(client: FlaskClient, origin: str, headers: dict[str, str]) -> int:
    address = f"{API}/series/{orthanc_id('red')}/rerun"
    return client.post(
        address, json={}, headers={**headers, "Origin": origin, "Host": "127.0.0.1:8042"}
    ).status_code


class TestTheOriginOfChanges:
    def test_of_a_named_proxy(self, behind: FlaskClient) -> None:
        assert change(behind, "https://pacs.example", NAMED) == 202
        assert change(behind, "https://evil.example", NAMED) == 403

    @pytest.mark.parametrize("headers", [*FORGED, {}])
    def test_of_nobody_else(self, behind: FlaskClient, headers: dict[str, str]) -> None:
        assert change(behind, "https://evil.example", headers) == 403
        assert change(behind, "http://127.0.0.1:8042", headers) == 202

    def test_where_none_is_named(self, client: FlaskClient) -> None:
        assert change(client, "https://pacs.example", NAMED) == 403


class TestTheViewer:
    @staticmethod
    def address(named: tuple[FakeTriage, Flask], setting: str, headers: dict[str, str]) -> tuple[str, str]:
        triage, client = named[0], named[1].test_client()
        triage.current = triage.current.model_copy(update={"ohif_url": setting})
        page = client.get(f"/triage/studies/{orthanc_id('red')}", headers=headers).text
        (link,) = re.findall(r'class="ohif" href="([^"]*)" target', page)
        told = client.get(f"{API}/status", headers=headers).get_json()["ohif_url"]
        return link[: link.index("=") + 1], told

    @pytest.mark.parametrize(
        ("setting", "headers", "on_page", "told"),
        [
            (
                "http://127.0.0.1:3000/viewer?U=",
                {},
                "http://127.0.0.1:3000/viewer?U=",
                "http://127.0.0.1:3000/viewer?U=",
            ),
            (
                "http://127.0.0.1:3000/viewer?U=",
                NAMED,
                "https://pacs.example/viewer?U=",
                "https://pacs.example/viewer?U=",
            ),
            (
                "https://ohif.example/viewer?U=",
                NAMED,
                "https://ohif.example/viewer?U=",
                "https://ohif.example/viewer?U=",
            ),
            ("viewer?U=", NAMED, "../../viewer?U=", "https://pacs.example/orthanc/viewer?U="),
            ("viewer?U=", {}, "../../viewer?U=", "http://localhost/viewer?U="),
            ("../ohif/viewer?U=", NAMED, "../../../ohif/viewer?U=", "https://pacs.example/ohif/viewer?U="),
            ("/viewer?U=", NAMED, "/viewer?U=", "https://pacs.example/viewer?U="),
        ],
    )
    def test_it_follows(
        self, named: tuple[FakeTriage, Flask], setting: str, headers: dict[str, str], on_page: str, told: str
    ) -> None:
        assert self.address(named, setting, headers) == (on_page, told)

    @pytest.mark.parametrize("headers", FORGED)
    def test_not_to_a_stranger(self, named: tuple[FakeTriage, Flask], headers: dict[str, str]) -> None:
        setting = "http://127.0.0.1:3000/viewer?U="
        assert self.address(named, setting, headers) == (setting, setting)


def test_programs_find_the_server(client: FlaskClient) -> None:
    described = client.get(f"{API}/openapi.json").get_json()
    validate(described)
    (server,) = described["servers"]
    assert (
        urljoin(f"https://pacs.example/orthanc{API}/openapi.json", server["url"])
        == "https://pacs.example/orthanc/"
    )


def test_choices_are_remembered_under_every_path(client: FlaskClient) -> None:
    cookies = client.get("/triage/?lang=ja&blind=1").headers.getlist("Set-Cookie")
    assert len(cookies) == 2 and all("Path=/;" in f"{c};" for c in cookies)
    # Those of the last release, of a longer path, come first.
    old_first = {"Cookie": "headct_language=ja; headct_language=en"}
    for name in ("headct_language", "headct_blind"):
        client.delete_cookie(name)
    assert '<html lang="en">' in client.get("/triage/", headers=old_first).text


@pytest.mark.parametrize(
    "wrong", ["pacs.example", "ftp://pacs.example", "https://", "https://a@b/", "https://a?b", "https://a:b"]
)
def test_only_addresses_can_be_named(wrong: str) -> None:
    with pytest.raises(SettingsError, match="Proxies"):
        from_orthanc({"HeadCTTriage": {"Proxies": ["https://pacs.example", wrong]}})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("https://PACS.example", "https://pacs.example/"),
        ("http://pacs:80/a/b/", "http://pacs/a/b/"),
        ("https://[2001:DB8::1]:8443/o", "https://[2001:db8::1]:8443/o/"),
    ],
)
def test_as_requests_come(written: str, meant: str) -> None:
    assert Settings(storage="/x", proxies=(written,)).proxies == (meant,)  # type: ignore[arg-type]


def test_the_page_itself_says_that_nothing_refreshes_it(client: FlaskClient) -> None:
    """Until its script runs, which says it by itself from then on."""
    html = client.get("/triage/").text
    (banner,) = re.findall(r'<div id="stale"[^>]*>([^<]+)</div>', html)
    assert re.search(r"As of \d\d:\d\d:\d\d .*\. This page is not being updated", banner)
    assert not re.search(r'<div id="stale"[^>]*\bhidden', html)
