"""The page of a real Orthanc in a real browser: what the machine says is what the doctor sees."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Troubles, arrive, open_page
from places import ROOT
from playwright.sync_api import Browser, Page, expect
from stack_process import PATIENCE, StackProcess, free_ports, wait_until

from headct.generator.generation import trauma_study, write
from headct.terms.urgency import Urgency
from headct.wording import urgency_words
from orthanc_plugin.cases.views import WorklistRow
from orthanc_plugin.stack import nginx
from orthanc_plugin.stack.options import port_is_free
from orthanc_plugin.states import Window
from orthanc_plugin.web.page import telling, urgency_sign

SCREENSHOTS = ROOT / "build" / "screenshots"
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@pytest.fixture(scope="module")
def case(stack: StackProcess, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A trauma study sent by C-STORE and fully judged, as the REST interface tells it."""
    folder = tmp_path_factory.mktemp("trauma")
    study = trauma_study("intracerebral", seed=7, salt="page", matrix=256)
    for number, series in enumerate(study):
        write(series, folder / str(number))
    stack.send(*(folder / str(number) for number in range(len(study))))
    uids = {series.header.series_uid for series in study}
    stack.wait_final(uids)
    stack.wait_published()
    row = next(r for r in stack.rows() if uids & {s["series_instance_uid"] for s in r["series"]})
    assessed = next(s for s in row["series"] if s["state"] == "assessed")
    wait_until(lambda: stack.api(f"series/{assessed['id']}")["slices"] > 0, PATIENCE, lambda: "no previews")
    return next(r for r in stack.rows() if r["id"] == row["id"])


@pytest.fixture
def page(browser: Browser, stack: StackProcess) -> Iterator[Page]:
    """A page behind Orthanc's password; the test fails when the browser complained of anything."""
    opened, troubles = _signed_in(browser, stack)
    yield opened
    opened.context.close()
    assert troubles.seen == []


def _signed_in(browser: Browser, stack: StackProcess, **options: Any) -> tuple[Page, Troubles]:
    # Sent unasked: a browser's 401 before the password would count as a complaint.
    login = {"username": stack.user, "password": stack.password, "send": "always"}
    return open_page(browser, stack.url, http_credentials=login, **options)


def test_without_a_password_there_is_nothing_to_see(browser: Browser, stack: StackProcess) -> None:
    page, _ = open_page(browser, stack.url)
    answer = page.request.get("/triage/")
    assert answer.status == 401
    page.context.close()


def test_row_says_what_the_machine_said(page: Page, case: dict[str, Any]) -> None:
    page.goto("/triage/")
    row = page.locator(f"#case-{case['id']}")
    urgency = Urgency[case["urgency"]]
    expect(row.locator(".sign")).to_contain_text(urgency_sign(urgency, "en").title)
    expect(row.locator(".sign")).to_contain_text(urgency_words(urgency, "en"), ignore_case=True)
    told, _ = telling(WorklistRow.model_validate(case).findings)
    for finding in told:
        expect(row.locator(".findings")).to_contain_text(finding.sentence.en)
    row.locator("details summary").click()
    for series in case["series"]:
        if series["reason"]:
            expect(row.locator("details")).to_contain_text(series["reason"]["sentence"]["en"])


def test_three_names_in_both_languages(browser: Browser, stack: StackProcess, case: dict[str, Any]) -> None:
    name = case["patient_name"]
    assert all(name.values()), "the study has a name of three component groups"
    for language, locale in (("en", "en-US"), ("ja", "ja-JP")):
        page, troubles = _signed_in(browser, stack, locale=locale)
        page.goto("/triage/")
        expect(page.locator("html")).to_have_attribute("lang", language)
        for group in name.values():
            shown = page.locator(f"#case-{case['id']} h3")
            expect(shown).to_contain_text(" ".join(part for part in group.split("^") if part))
        page.context.close()
        assert troubles.seen == []


def test_previews_load_in_every_window(page: Page, stack: StackProcess, case: dict[str, Any]) -> None:
    page.goto("/triage/")
    page.locator(f"#case-{case['id']} .open").press("Enter")
    arrive(page, f"{stack.url}/triage/studies/{case['id']}")
    image = page.locator(".stage img")
    pictures = set()
    for _ in Window:
        page.keyboard.press("w")
        assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
        pictures.add(page.request.get(image.evaluate("image => image.src")).body())
    assert len(pictures) == len(Window)
    first_key = page.locator(".keys a").first
    first_key.click()
    expect(page.locator(".caption")).to_contain_text(f"Slice {first_key.get_attribute('data-number')} of")
    ohif = page.get_by_role("link", name="Open in OHIF").get_attribute("href")
    assert str(ohif).endswith(case["study_instance_uid"])
    assert page.request.get(str(ohif)).status == 200


@pytest.fixture
def behind(stack: StackProcess, tmp_path: Path) -> Iterator[str]:
    """Origin of a reverse proxy that shows Orthanc under a path, as the Orthanc Book has it."""
    (port,) = free_ports(1)
    user = "user root; " if os.geteuid() == 0 else ""
    folders = "".join(f"{kind}_temp_path {tmp_path}/{kind}; " for kind in TEMPORARY)
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/log; {user}"
        f"events {{}} http {{ access_log off; {folders} server {{ listen 127.0.0.1:{port};"
        f"location /orthanc/ {{ proxy_pass {stack.url}; rewrite /orthanc(.*) $1 break;"
        "proxy_set_header Host $http_host; } } }"
    )
    command = [nginx.find_executable(), "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    process = subprocess.Popen([*command, "-e", str(tmp_path / "log")])
    wait_until(lambda: not port_is_free(port), PATIENCE, lambda: (tmp_path / "log").read_text())
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait()


def test_behind_a_proxy_under_a_path(
    browser: Browser, stack: StackProcess, behind: str, case: dict[str, Any]
) -> None:
    login = {"username": stack.user, "password": stack.password, "send": "always"}
    page, troubles = open_page(browser, behind, http_credentials=login)
    page.goto("/orthanc/triage/")
    clock = page.locator(".clock").inner_text()
    expect(page.locator(".clock")).not_to_have_text(clock)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "behind-a-proxy.png")
    page.get_by_role("link", name="日本語").click()
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    page.locator(f"#case-{case['id']} .open").click()
    arrive(page, f"{behind}/orthanc/triage/studies/{case['id']}")
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    for image in page.locator("img:visible").all():
        assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    series = next(s for s in case["series"] if s["state"] == "assessed")
    page.locator(f"#series-{series['id']} [data-rerun]").click()
    expect(page.locator(f"#series-{series['id']} [data-rerun]")).to_be_disabled()
    stack.wait_final({series["series_instance_uid"]})
    page.locator("[data-back]").click()
    arrive(page, f"{behind}/orthanc/triage/")
    for place in page.locator("nav.places a").all():
        assert page.request.get(place.evaluate("link => link.href")).status == 200
    page.goto("/orthanc/triage/watch")
    arrive(page, f"{behind}/orthanc/triage/drift")
    expect(page.locator("#stale")).to_be_hidden()
    page.context.close()
    assert troubles.seen == []


@pytest.mark.parametrize(
    ("written", "right"), [("triage", "triage/"), ("triage/models/", "triage/models"), ("triage/", "triage/")]
)
def test_a_slash_too_many_or_too_few(browser: Browser, stack: StackProcess, written: str, right: str) -> None:
    """Of which Orthanc does not tell its plugins."""
    page, _ = _signed_in(browser, stack)
    page.goto(f"/{written}")
    arrive(page, f"{stack.url}/{right}")
    clock = page.locator(".clock").inner_text()
    expect(page.locator(".clock")).not_to_have_text(clock)
    page.context.close()


def test_heartbeat_and_clock_move(page: Page) -> None:
    page.goto("/triage/")
    expect(page.locator("#heart")).to_contain_text("Running")
    clock = page.locator(".clock").inner_text()
    expect(page.locator(".clock")).not_to_have_text(clock)


def test_judging_again_from_the_page(page: Page, stack: StackProcess, case: dict[str, Any]) -> None:
    series = next(s for s in case["series"] if s["state"] == "assessed")
    before = stack.api(f"series/{series['id']}")["assessment"]["judged_at"]
    page.goto(f"/triage/studies/{case['id']}")
    page.locator(f"#series-{series['id']} [data-rerun]").click()
    expect(page.get_by_role("button", name="Queued")).to_be_visible()
    stack.wait_final({series["series_instance_uid"]})
    after = stack.api(f"series/{series['id']}")
    assert after["state"] == "assessed"
    assert after["assessment"]["urgency"] == series["urgency"]
    assert after["assessment"]["judged_at"] >= before


def test_a_foreign_page_cannot_change_anything(stack: StackProcess, case: dict[str, Any]) -> None:
    address = f"/triage/api/v1/series/{case['series'][0]['id']}/rerun"
    for headers in (
        {"Content-Type": "text/plain", "X-Triage": "1"},
        {"Content-Type": "application/json", "Origin": "http://evil.example"},
        {"Content-Type": "application/json"},
    ):
        answer = stack.http.post(address, headers=headers, content=b"{}")
        assert answer.status_code == 403
        assert answer.json()["code"] == "forbidden"


def test_headers_reach_the_browser(stack: StackProcess) -> None:
    answer = stack.http.get("/triage/")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer.headers["Cache-Control"] == "no-store"
    missing = stack.http.get("/triage/api/v1/nothing")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    assert stack.http.get("/triage/api/v1/openapi.json").json()["openapi"].startswith("3.1")


def test_large_bodies_are_refused(stack: StackProcess, case: dict[str, Any]) -> None:
    address = f"/triage/api/v1/series/{case['series'][0]['id']}/rerun"
    headers = {"Content-Type": "application/json", "X-Triage": "1"}
    answer = stack.http.post(address, headers=headers, content=b" " * (20 * 2**20 + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
