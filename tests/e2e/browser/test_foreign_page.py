"""Another site's page, opened by somebody who is logged in here: nothing happens, and the audit says so."""

import base64
import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest
from browser import chromium
from foreign_site import ForeignSite
from orthanc_process import PLUGIN, OrthancProcess
from patient_bytes import file, series
from playwright.sync_api import Browser, Playwright, expect
from stack_process import PATIENCE, TESTER

PASSWORD = "not-a-secret"
ROLES = ("viewer", "reader", "administrator")
PLACES = {"127.0.0.1": "127.0.0.1", "pacs.test": "other.pacs.test"}
"""Under which names the server is known, and the other site: of the same domain, for to others Chromium hands
no password but with a whole page. The second one is no secure context: there browsers do not say whether a
request crosses sites, and the page has them name no referrer."""

LEADING_AWAY = (
    "location.href = '@pacs@/@study@?_method=DELETE'",
    """document.body.innerHTML = `<form method=post enctype=text/plain action="@pacs@/@study@/anonymize">
       <input name='{"Force":true}//' value=1></form>`; document.forms[0].submit()""",
    """document.body.innerHTML = `<form method=post action="@pacs@/tools/shutdown"></form>`;
       document.forms[0].submit()""",
)
"""What a page of any other site does with its whole window."""


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrthancProcess]:
    people = {role: {**TESTER, "Role": role} for role in ROLES}
    one = OrthancProcess(
        tmp_path_factory.mktemp("foreign"), {"Workers": 0, "People": {"tester": TESTER, **people}}
    )
    one.configuration["RegisteredUsers"] = dict.fromkeys(["tester", *ROLES], PASSWORD)
    one.configuration["StableAge"] = 10**6  # or its log of changes goes on by itself
    one.configuration["Plugins"].append(str(PLUGIN.with_name("libOrthancDicomWeb.so")))
    one.start()
    one.wait(one.triage_answers)
    one.send([file(series("plain, undeclared").headers[0])])
    yield one
    one.stop()


@pytest.fixture(scope="module")
def site(orthanc: OrthancProcess) -> Iterator[ForeignSite]:
    forged = file(series("empty").headers[0])
    first = {level: orthanc.http.get(f"/{level}").json()[0] for level in ("studies", "series", "instances")}
    made = ForeignSite(
        study=f"studies/{first['studies']}",
        series=f"series/{first['series']}",
        instance=f"instances/{first['instances']}",
        image=base64.b64encode(forged).decode(),
        pacs="",
    )
    yield made
    made.close()


@pytest.fixture(scope="module")
def everywhere(playwright: Playwright) -> Iterator[Browser]:
    with chromium(playwright, "--host-resolver-rules=MAP *.test 127.0.0.1") as running:
        yield running


def state(orthanc: OrthancProcess) -> dict[str, Any]:
    """All that the page would change."""
    study = orthanc.http.get("/studies").json()[0]
    asked = ("statistics", "studies", "series", "peers", "modalities", "dicom-web/servers", "jobs", "exports")
    found = {path: orthanc.http.get(f"/{path}").json() for path in asked}
    assert orthanc.process is not None and orthanc.process.poll() is None
    changes = orthanc.http.get("/changes?last").json()["Last"]
    return {**found, "metadata": orthanc.http.get(f"/studies/{study}/metadata/8310").text, "changes": changes}


def refused(orthanc: OrthancProcess, role: str) -> list[dict[str, str]]:
    """By the audit. What a minute has too much of is told of at once, and counted at its end."""
    table = csv.DictReader(io.StringIO(orthanc.http.get("/triage/api/v1/audit.csv").text))
    return [row for row in table if row["event"] == "route_refused" and row["actor"] == role]


@pytest.mark.parametrize("role", ROLES)
def test_nothing_happens(everywhere: Browser, orthanc: OrthancProcess, site: ForeignSite, role: str) -> None:
    study = site.names["study"]
    orthanc.http.put(f"/{study}/metadata/8310", content="triage-red", headers={"X-Triage": "test"})
    before = state(orthanc)
    for host, other in PLACES.items():
        pacs = site.names["pacs"] = f"http://{host}:{orthanc.http_port}"
        context = everywhere.new_context(http_credentials={"username": role, "password": PASSWORD})
        context.set_default_timeout(1000 * PATIENCE)
        answers: list[int] = []
        context.on("response", lambda answer, seen=answers: seen.append(answer.status))
        try:
            page = context.new_page()
            first = page.goto(f"{pacs}/system")
            assert first is not None and first.status == 200
            page.goto(f"http://{other}:{site.port}/{'silent' if other.endswith('.test') else ''}")
            expect(page).to_have_title("done")
            assert answers.count(403) > 60, "the browser sent the password along, or it would be 401"
            for led in LEADING_AWAY:
                page = context.new_page()
                page.goto(f"http://evil.test:{site.port}/nothing")
                with page.expect_response(f"{pacs}/**") as answered:
                    page.evaluate(led.replace("@pacs@", pacs).replace("@study@", study))
                assert answered.value.status == 403
        finally:
            context.close()
    assert state(orthanc) == before
    orthanc.wait(lambda: refused(orthanc, role))
    assert {row["address"] for row in refused(orthanc, role)} <= {"127.0.0.1", ""}


@pytest.mark.parametrize("host", PLACES)
def test_a_page_of_orthanc_itself(everywhere: Browser, orthanc: OrthancProcess, host: str) -> None:
    """Its explorer, for an administrator: a secure context or none."""
    context = everywhere.new_context(
        http_credentials={"username": "administrator", "password": PASSWORD},
        base_url=f"http://{host}:{orthanc.http_port}",
    )
    context.set_default_timeout(1000 * PATIENCE)
    ask = "([method, path, body]) => fetch(path, {method, body}).then((answer) => answer.status)"
    try:
        page = context.new_page()
        page.goto("/app/explorer.html")
        assert page.evaluate(ask, ["POST", "../tools/find", '{"Level": "Study", "Query": {}}']) == 200
        assert page.evaluate(ask, ["PUT", "../modalities/pacs", '["PACS", "127.0.0.1", 104]']) == 200
        assert page.evaluate(ask, ["DELETE", "../modalities/pacs", None]) == 200
        assert page.evaluate(ask, ["POST", "../instances", "no image"]) == 400
    finally:
        context.close()
