"""The guard inside a real Orthanc: whatever a request looks like, it is judged as Orthanc understands it."""

import base64
import socket
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from orthanc_process import ORTHANC, PLUGIN, OrthancProcess
from patient_bytes import file, series
from stack_process import TESTER

pytestmark = pytest.mark.skipif(
    not (ORTHANC.exists() and PLUGIN.exists()), reason="Orthanc with its Python plugin is not installed"
)
PASSWORD = "not-a-secret"
PEOPLE = {"tester": TESTER, "sato": {**TESTER, "Role": "reader"}, "router": {**TESTER, "Role": "service"}}
WAYS = (
    *("/{0}", "//{0}", "/./{0}", "/x/../{0}", "/x/..%2f{0}", "/%2e%2e/{0}", "/triage/../{0}", "/%2f{0}"),
    *("/{0}/", "/{0}//", "/{0}/.", "/{0}%2f", "/{0}%00", "/{0}?x=1", "/{0}#", "/triage/%2e%2e/{0}"),
    *("/x%5c..%5c{0}", "\\{0}", "http://x/{0}"),
)
"""Ways to write a path that Orthanc's web server takes for the same, or for none."""


def made(folder: Path, options: dict[str, Any]) -> OrthancProcess:
    one = OrthancProcess(folder, {"Workers": 0, "People": PEOPLE, **options})
    one.configuration["RegisteredUsers"] = dict.fromkeys([*PEOPLE, "stranger"], PASSWORD)
    return one.start()


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrthancProcess]:
    one = made(tmp_path_factory.mktemp("guard") / "orthanc", {})
    one.send([file(series("plain, undeclared").headers[0])])
    yield one
    one.stop()


def status(one: OrthancProcess, line: str, *headers: str, who: str = "stranger", body: bytes = b"") -> int:
    """What Orthanc answers to exactly these bytes; 0: it hangs up."""
    login = base64.b64encode(f"{who}:{PASSWORD}".encode()).decode()
    lines = [
        f"{line} HTTP/1.1",
        "Host: x",
        f"Authorization: Basic {login}",
        *headers,
        "Connection: close",
        "",
        "",
    ]
    with socket.create_connection(("127.0.0.1", one.http_port), timeout=60) as connection:
        connection.sendall("\r\n".join(lines).encode("latin-1") + body)
        answer = connection.makefile("rb").readline()
    return int(answer.split()[1]) if answer else 0


def study(one: OrthancProcess) -> str:
    (found,) = one.http.get("/studies").json()
    return f"studies/{found}"


def test_a_path_is_what_orthanc_takes_it_for(orthanc: OrthancProcess) -> None:
    for way in WAYS:
        for method, path in (("DELETE", study(orthanc)), ("POST", "tools/reset"), ("POST", "tools/shutdown")):
            said = status(orthanc, f"{method} {way.format(path)}", "Content-Length: 0", "X-Triage: 1")
            assert said in {0, 400, 403, 404, 500}, (method, way)
    assert study(orthanc)
    assert status(orthanc, "GET /system") == 200


def test_no_other_method_in_disguise(orthanc: OrthancProcess) -> None:
    path = study(orthanc)
    for line in (
        f"GET /{path}?_method=DELETE",
        f"GET /{path}?_method=delete&x",
        f"GET /{path}?a=b&_method=PUT",
    ):
        assert status(orthanc, line) == 403
        for browser in ("User-Agent: Mozilla/5.0", "Referer: http://evil/", "Sec-Fetch-Site: same-origin"):
            assert status(orthanc, line, browser, who="tester") == 403
    for header in ("X-HTTP-Method-Override: DELETE", "x-http-method-override: put"):
        for method in ("GET", "POST"):
            assert (
                status(orthanc, f"{method} /{path}", header, "X-Triage: 1", "Content-Length: 0", who="tester")
                == 403
            )
    for method in (
        "PATCH",
        "OPTIONS",
        "HEAD",
        "PROPFIND",
        "MKCOL",
        "LOCK",
        "MOVE",
        "COPY",
        "TRACE",
        "delete",
    ):
        assert status(orthanc, f"{method} /{path}", "Depth: 0", "X-Triage: 1") in {400, 403, 404}
        assert status(orthanc, f"{method} /webdav", "Depth: 0", "X-Triage: 1") in {400, 403, 404}
    assert study(orthanc) == path


def test_nobody_becomes_somebody_else(orthanc: OrthancProcess) -> None:
    login = {who: base64.b64encode(f"{who}:{PASSWORD}".encode()).decode() for who in ("tester", "stranger")}
    line = f"DELETE /{study(orthanc)}"
    for headers in (
        [f"Authorization: Basic {login['tester']}x"],
        ["Authorization: Bearer guessed"],
        ["Remote-User: tester", "X-Forwarded-User: tester", "X-Real-IP: 127.0.0.1"],
        [f"Authorization: Basic {base64.b64encode(b'tester:').decode()}"],
    ):
        assert status(orthanc, line, *headers) == 403
    kept = HTTPConnection("127.0.0.1", orthanc.http_port, timeout=60)
    with closing(kept):  # the second request on a connection is looked at like the first
        for who, expected in (("tester", 200), ("stranger", 403), ("tester", 200)):
            method, path = ("GET", "/system") if expected == 200 else line.split()
            kept.request(method, path, headers={"Authorization": f"Basic {login[who]}"})
            with kept.getresponse() as answer:
                answer.read()
                assert answer.status == expected
    assert study(orthanc)


def test_bodies_are_bounded_before_they_are_read(orthanc: OrthancProcess) -> None:
    for length in (4 * 10**9, 2**31, 2**62):
        assert status(orthanc, "POST /instances", f"Content-Length: {length}", who="tester") == 403
        assert (
            status(orthanc, "POST /triage/api/v1/imports", f"Content-Length: {length}", who="tester") == 403
        )
    for length in ("+5", "5.0", "0x5"):
        assert status(orthanc, "POST /tools/find", f"Content-Length: {length}", who="tester") in {
            400,
            403,
            411,
        }
    chunks = b"2\r\n{}\r\n0\r\n\r\n"
    assert status(orthanc, "POST /tools/find", "Transfer-Encoding: chunked", who="tester", body=chunks) == 403
    orthanc.wait(orthanc.triage_answers)
    large = b"{" + b" " * (21 * 10**6)
    headers = ("Content-Type: application/json", "X-Triage: 1", f"Content-Length: {len(large)}")
    assert status(orthanc, "POST /triage/api/v1/imports", *headers, who="tester", body=large) == 413


def test_what_is_no_text_is_refused_and_ends_nothing(orthanc: OrthancProcess) -> None:
    for line, header in (("GET /%ff", "X-A: b"), ("GET /system", "X-A: \xff"), ("GET /%ed%a0%80", "X-A: b")):
        assert status(orthanc, line, header, who="tester") in {400, 403, 500}
    assert status(orthanc, "GET /system") == 200


def test_nothing_is_stored_by_who_only_looks(orthanc: OrthancProcess) -> None:
    (instance,) = orthanc.http.get("/instances").json()
    before = orthanc.http.get("/statistics").json()
    how = {"Replace": {"PatientName": "Forged"}, "Force": True}
    with_login = {"auth": ("stranger", PASSWORD)}
    for body in (how, {**how, "Keep": ["SOPInstanceUID"]}, {"Transcode": "1.2.840.10008.1.2", **how}):
        assert orthanc.http.post(f"/instances/{instance}/modify", json=body, **with_login).status_code == 200
    assert orthanc.http.post("/instances", content=b"x", **with_login).status_code == 403
    assert orthanc.http.get("/statistics").json() == before


def test_images_come_in_and_nothing_goes_by_a_program(orthanc: OrthancProcess) -> None:
    again = file(series("plain, undeclared").headers[0])
    for who in ("router", "sato"):
        answer = orthanc.http.post("/instances", content=again, auth=(who, PASSWORD))
        assert answer.status_code == 200, "as another Orthanc sends it, without any header of ours"
        assert orthanc.http.delete(f"/{study(orthanc)}", auth=(who, PASSWORD)).status_code == 403
    announced = {"study_instance_uids": ["1.2.3"]}
    orthanc.wait(orthanc.triage_answers)
    for who, expected in (("router", 200), ("stranger", 403)):
        answer = orthanc.http.post(
            "/triage/api/v1/imports", json=announced, headers={"X-Triage": "1"}, auth=(who, PASSWORD)
        )
        assert answer.status_code == expected


def test_while_triage_is_down(tmp_path: Path) -> None:
    one = made(tmp_path / "orthanc", {"Workers": "many"})
    try:
        one.wait(lambda: "Workers" in one.http.get("/triage/", auth=("stranger", PASSWORD)).text)
        one.send([file(series("plain, undeclared").headers[0])])
        found = study(one)
        assert status(one, f"GET /{found}") == 200
        assert status(one, f"DELETE /{found}") == 403
        assert status(one, f"DELETE /{found}", "Origin: http://evil", who="tester") == 403
        assert status(one, f"DELETE /{found}", "X-Triage: 1", who="tester") == 200
    finally:
        one.stop()
