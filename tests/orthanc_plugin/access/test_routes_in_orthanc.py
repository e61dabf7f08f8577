"""Every route of a real Orthanc, for every role: as the table has it, and as the documents say."""

import os
from collections.abc import Iterator

import httpx
import orthanc_routes
import pytest
from orthanc_process import ORTHANC, PLUGIN, OrthancProcess
from orthanc_routes import Route
from places import ROOT

from headct.orthanc_http import LIMITS
from orthanc_plugin.access.roles import Role
from orthanc_plugin.access.routes import parts_of, rule_of

pytestmark = pytest.mark.skipif(
    not (ORTHANC.exists() and PLUGIN.exists()), reason="Orthanc with its Python plugin is not installed"
)
DICOM_WEB = PLUGIN.with_name("libOrthancDicomWeb.so")
DOCUMENTS = ROOT / "docs" / "routes"
PASSWORD = "not-a-secret"
ENDS_IT = {"/tools/shutdown", "/tools/reset"}
"""Not tried by who may."""
HEAD = """# Routes of Orthanc {version}

Who may ask for what, by [role](../manual/access.md): made from a running server by
`tests/orthanc_plugin/access/test_routes_in_orthanc.py`, which also compares. Names in braces stand for any.
A login that nobody named is a viewer. The reasons are those of `orthanc_plugin/access/routes.py`; of triage's
own routes it is said what they are for, and who may stands in `orthanc_plugin.web.api.WHO_MAY`.

| method | route | viewer | service | reader | administrator | why |
|---|---|---|---|---|---|---|
"""


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrthancProcess]:
    people = {role: {"Name": role, "Organisation": "Test", "Role": role} for role in Role}
    one = OrthancProcess(tmp_path_factory.mktemp("routes") / "orthanc", {"Workers": 0, "People": people})
    one.configuration["RegisteredUsers"] = dict.fromkeys(["tester", *Role], PASSWORD)
    one.configuration["Plugins"].append(str(DICOM_WEB))
    one.arguments = ["--verbose-plugins"]
    one.start()
    one.wait(one.triage_answers)
    yield one
    one.stop()


def is_closed(client: httpx.Client, route: Route) -> bool | None:
    """Whether a role is refused; ``None``: there is no such route."""
    body = {"json": {}} if route.path.startswith("/triage") and route.method == "POST" else {}
    answer = client.request(route.method, route.address, headers={"X-Triage": "test"}, **body)
    if answer.status_code == 405:
        return None
    if answer.status_code != 403:
        return False
    return not answer.content or b'"code":"refused"' in answer.content


def who_may(orthanc: OrthancProcess, routes: set[Route]) -> dict[Route, list[Role]]:
    """By asking as each role, the one that may everything first."""
    found: dict[Route, list[Role]] = {route: [] for route in routes}
    for role in reversed(Role):
        with httpx.Client(
            base_url=str(orthanc.http.base_url),
            auth=(role, PASSWORD),
            trust_env=False,
            limits=LIMITS,
            timeout=60,
        ) as client:
            for route in sorted(found):
                if role is Role.ADMINISTRATOR and route.path in ENDS_IT:
                    closed: bool | None = rule_of(route.method, parts_of(route.path)).role is None
                else:
                    closed = is_closed(client, route)
                if closed is None and role is Role.ADMINISTRATOR:
                    del found[route]
                elif not closed:
                    found[route].insert(0, role)
    return found


def table(version: str, found: dict[Route, list[Role]]) -> str:
    summaries = orthanc_routes.of_triage()
    rows = []
    for route, roles in sorted(found.items()):
        cells = " | ".join("yes" if role in roles else "" for role in Role)
        why = summaries.get(route) or rule_of(route.method, parts_of(route.path)).why
        rows.append(f"| {route.method} | `{route.path}` | {cells} | {why} |\n")
    return HEAD.format(version=version) + "".join(rows)


def test_every_route_by_role(orthanc: OrthancProcess) -> None:
    """``HEADCT_WRITE_ROUTES=1`` writes the document anew: read the difference, every *yes* is on purpose."""
    routes = orthanc_routes.core() | orthanc_routes.of_plugins(orthanc.log())
    assert len(routes) > 300
    found = who_may(orthanc, routes | set(orthanc_routes.of_triage()))
    for route, roles in found.items():
        if not route.path.startswith("/triage/"):
            least = rule_of(route.method, parts_of(route.path)).role
            assert roles == [role for role in Role if least is not None and role.may(least)], route
    version = ".".join(orthanc.http.get("/system").json()["Version"].split(".")[:2])
    document = DOCUMENTS / f"orthanc-{version}.md"
    if os.environ.get("HEADCT_WRITE_ROUTES"):
        document.write_text(table(version, found), encoding="utf-8")
    assert document.read_text(encoding="utf-8") == table(version, found)
