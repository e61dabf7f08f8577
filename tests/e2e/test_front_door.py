"""The front door of a real stack: all work through it, and who is slow or huge or guesses stops nobody."""

import base64
import io
import socket
import subprocess
import time
import zipfile
from collections import Counter
from pathlib import Path

import drawn_heads
import httpx
import psutil
import pytest
from attackers import guessing, held
from browser import chromium, open_page
from HeadCTTriageLib.server.client import Server, TriageClient
from playwright.sync_api import Playwright, expect
from pydicom import dcmread
from stack_process import PATIENCE, UP, StackProcess, wait_until

from headct.generator.generation import generate, write
from model_training.datasets.orthanc import Login, Pacs
from orthanc_plugin.stack.nginx import UNREADABLE

NAME, NUMBER = "Plantedname", "PLANTED4711"
NO_ADDRESSES = (
    *("/studies/%ff%fe", "/triage/%ff", "/triage/%ed%a0%80", "/app/%c0%ae%c0%ae/x", "/triage/%f4%90%80%80"),
    *(
        "/studies/%00",
        "/triage/?q=%00",
        "/studies?x=%ff",
        "/triage/?q=%ed%a0%80",
        "/studies/%zz",
        "/triage/%",
    ),
    *(
        "/triage/\xff",
        "/studies/\x00",
        "/../../etc/passwd",
        "/app/..%2f..%2fetc/passwd",
        "system",
        "*",
        "/a b",
    ),
)
ODD = (
    *(
        "/triage/%252e%252e/system",
        "/triage/%2e%2e/system",
        "/app/..\\..\\x",
        "/studies%2f",
        "/triage/%01%0a",
    ),
    *(
        "/" + "a" * 15_000,
        "/studies/" + "a" * 70_000,
        "/system;x=1",
        "/system#x",
        "http://x/system",
        "//triage",
    ),
)


@pytest.fixture(scope="module")
def case(stack: StackProcess, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Number of a patient whose head was imported through the door, and judged."""
    folder = tmp_path_factory.mktemp("door") / "head"
    uid = drawn_heads.write_series(
        folder, drawn_heads.whole_head(28), PatientID="FRONT-DOOR", PatientAge="050Y"
    )
    command = [UP[0], "import", str(folder), "--new", "--url", stack.ohif_url, "--data", str(stack.data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    stack.wait_final([uid])
    return "FRONT-DOOR"


def test_programs_work_through_it(stack: StackProcess, case: str) -> None:
    """The panel in Slicer, and the training package."""
    client = TriageClient(Server(stack.ohif_url, stack.user, stack.password))
    assert case in {row.patient_id for row in client.worklist().rows}
    with Pacs(stack.ohif_url, Login(stack.user, stack.password)) as pacs:
        assert isinstance(pacs.reviewed(), tuple)
        (series, *_) = (s for s in stack.series().values() if s["state"] == "assessed")
        images = pacs.images(series["id"])
        assert images
        assert dcmread(io.BytesIO(pacs.file(images[0]))).SOPInstanceUID


def test_pages_work_through_it(playwright: Playwright, stack: StackProcess, case: str) -> None:
    """The worklist and Orthanc's explorer, in a browser, without a complaint about what they may load."""
    with chromium(playwright) as browser:
        login = {"username": stack.user, "password": stack.password, "send": "always"}
        page, troubles = open_page(browser, stack.ohif_url, http_credentials=login)
        page.goto("/triage/")
        clock = page.locator(".clock").inner_text()
        expect(page.locator(".clock")).not_to_have_text(clock)
        page.goto("/app/explorer.html")
        page.get_by_role("link", name="All patients").click()
        expect(page.locator("#all-patients")).to_contain_text(case)
    assert troubles.seen == []


def test_what_browsers_are_told(stack: StackProcess) -> None:
    """OHIF and Orthanc's explorer load nothing from elsewhere and stand in no other page."""
    with httpx.Client(
        base_url=stack.ohif_url, auth=(stack.user, stack.password), trust_env=False, timeout=60
    ) as http:
        for path in ("/", "/viewer?StudyInstanceUIDs=1", "/app/explorer.html", "/app-config.js", "/triage/"):
            headers = http.get(path).headers
            (policy,) = headers.get_list("Content-Security-Policy")
            assert policy.startswith(("default-src 'self';", "default-src 'none';")), path
            assert "frame-ancestors 'self'" in policy or "frame-ancestors 'none'" in policy
            assert headers.get_list("X-Content-Type-Options") == ["nosniff"]
            assert headers.get_list("Referrer-Policy") == ["same-origin"]
            assert headers.get_list("Cross-Origin-Opener-Policy") == ["same-origin"]
        scripts = http.get("/").headers["Content-Security-Policy"].partition("script-src")[2]
        assert "'unsafe-inline'" not in scripts
        assert "sha256-" in scripts


def test_what_is_too_large_is_refused_before_it_is_sent(stack: StackProcess) -> None:
    for path, size in (("/instances", 2**31), ("/dicom-web/studies", 2**31), ("/tools/find", 65 << 20)):
        with socket.create_connection(("127.0.0.1", stack.ohif_port), timeout=60) as connection:
            connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 413 "), path


@pytest.mark.parametrize("target", NO_ADDRESSES)
def test_what_is_no_address_is_refused_in_words(stack: StackProcess, target: str) -> None:
    """Orthanc would answer some with an error of its own, and hang up on others."""
    answer = asked(stack.ohif_port, stack, target)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(f'"code": "bad_request", "message": "{UNREADABLE}"}}'.encode())


def test_what_is_an_odd_address_is_answered(stack: StackProcess) -> None:
    for target in ODD:
        assert asked(stack.ohif_port, stack, target)[:10] in {b"HTTP/1.1 2", b"HTTP/1.1 4"}, target
        assert asked(stack.http_port, stack, target)[:7] in {b"HTTP/1.", b""}, target
    for target in NO_ADDRESSES:
        asked(stack.http_port, stack, target)
    assert stack.http.get("/system").status_code == 200


def asked(port: int, stack: StackProcess, target: str) -> bytes:
    """All that is answered to a GET of exactly these bytes."""
    login = base64.b64encode(f"{stack.user}:{stack.password}".encode()).decode()
    lines = [
        f"GET {target} HTTP/1.1",
        "Host: x",
        f"Authorization: Basic {login}",
        "Connection: close",
        "",
        "",
    ]
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall("\r\n".join(lines).encode("latin-1"))
        return b"".join(iter(lambda: connection.recv(2**16), b""))


def test_a_head_is_judged_while_the_door_is_besieged(stack: StackProcess, tmp_path: Path) -> None:
    """200 connections of every kind that say no more, and passwords guessed all the time."""
    uid = drawn_heads.write_series(
        tmp_path / "head", drawn_heads.whole_head(28), PatientID="BESIEGED", PatientAge="050Y"
    )
    login, began = (stack.user, stack.password), time.monotonic()
    with (
        held(stack.ohif_port, 200, login),
        held(stack.http_port, 60, login),
        guessing(stack.ohif_url, "nobody", 20) as guessers,
    ):
        stack.send(tmp_path / "head")
        answer = httpx.get(f"{stack.ohif_url}/triage/", auth=login, timeout=60, trust_env=False)
        assert answer.status_code == 200
        stack.wait_final([uid])
        answers = sum((one.answers for one in guessers), Counter[int]())
    assert set(answers) <= {401, 429}
    assert answers[401] <= 10 + (time.monotonic() - began) / 6, "ten a minute are looked at"


def test_refused_logins_come_into_the_audit_and_no_name_that_was_typed(stack: StackProcess) -> None:
    door = stack.data / "logs" / "door.log"
    audit = [UP[0], "audit", "export", "--data", str(stack.data)]
    for user in (NAME, stack.user):
        answer = httpx.get(f"{stack.ohif_url}/system", auth=(user, "wrong"), timeout=120, trust_env=False)
        assert answer.status_code in {401, 429}
    wait_until(lambda: f"of {stack.user} from 127.0.0.1" in door.read_text(), PATIENCE, door.read_text)
    wait_until(lambda: "of nobody from 127.0.0.1" in door.read_text(), PATIENCE, door.read_text)

    def exported() -> str:
        return subprocess.run(audit, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout

    wait_until(lambda: f'"login_refused","{stack.user}"' in exported(), PATIENCE, exported)
    assert NAME not in exported()


def test_no_log_names_a_patient(stack: StackProcess, tmp_path: Path) -> None:
    """Names are planted in searches, addresses, tags, names of files and what cannot be stored."""
    plain = write(generate("normal", seed=3, matrix=64, thickness_mm=40.0), tmp_path / "head")[0]
    made = dcmread(plain)
    made.PatientName, made.PatientID, made.StudyDescription = f"{NAME}^Taro", NUMBER, NAME
    missing = []
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID"):
        image = dcmread(io.BytesIO(_bytes_of(made)))
        delattr(image, keyword)
        missing.append(tmp_path / f"{NAME}-{keyword}.dcm")
        image.save_as(missing[-1])
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr(f"{NAME}/{NUMBER}.txt", f"not DICOM, but {NAME}")
    for base in (stack.url, stack.ohif_url):
        with httpx.Client(
            base_url=base, auth=(stack.user, stack.password), trust_env=False, timeout=60
        ) as http:
            bodies = [file.read_bytes() for file in missing]
            for body in (*bodies, _bytes_of(made)[:600], zipped.getvalue(), NAME.encode()):
                http.post("/instances", content=body)
            for path in (
                f"/dicom-web/studies?PatientName={NAME}*&limit={NAME}",
                f"/dicom-web/studies?{NAME}={NUMBER}",
                f"/dicom-web/studies/{NUMBER}/metadata",
                f"/app/{NAME}.html",
                f"/{NAME}?q={NUMBER}",
                f"/triage/api/v1/worklist?q={NAME}",
                f"/instances/{NUMBER}/file",
                f"/{NAME * 2000}",
            ):
                http.get(path, headers={"Accept": f"application/{NAME}"})
            for path, body in (
                ("/tools/find", f'{{"Level": "{NAME}"}}'),
                ("/tools/find", f'{{"{NAME}'),
                ("/tools/create-dicom", f'{{"Tags": {{"PatientName": "{NAME}", "{NAME}": "x"}}}}'),
                (f"/modalities/{NAME}/echo", NAME),
                ("/dicom-web/studies", NAME),
                ("/triage/api/v1/imports", f'{{"study_instance_uids": ["{NAME}"]}}'),
            ):
                headers = {"Content-Type": "application/json", "X-Triage": "1"}
                http.post(path, content=body.encode(), headers=headers)
    for file in missing:
        command = ["storescu", "-aet", NAME, "-aec", "HEADCT", "127.0.0.1", str(stack.dicom_port), str(file)]
        assert subprocess.run(command, capture_output=True, check=False).returncode != 0
    log = stack.data / "logs" / "orthanc.log"
    last = "required tags (SeriesInstanceUID) are missing for the following instance: PatientID=..."
    wait_until(lambda: last in log.read_text(), PATIENCE, log.read_text)
    written = [stack.data / "up.log", *(f for f in (stack.data / "logs").iterdir())]
    written += [file for file in (stack.data / "nginx").rglob("*") if file.is_file()]
    for file in written:
        found = file.read_bytes().lower()
        assert NAME.lower().encode() not in found, file.name
        assert NUMBER.lower().encode() not in found, file.name


def test_the_password_is_in_no_environment_and_was_shown_once(stack: StackProcess) -> None:
    assert stack.process is not None
    children = psutil.Process(stack.process.pid).children(recursive=True)
    assert len(children) >= 4, "Orthanc, a worker, nginx and its doorkeeper"
    for child in children:
        environment = Path(f"/proc/{child.pid}/environ").read_bytes()
        assert stack.password.encode() not in environment, child.name()
        assert stack.password not in " ".join(child.cmdline()), child.name()
    assert stack.data.stat().st_mode & 0o077 == 0


def _bytes_of(image: object) -> bytes:
    written = io.BytesIO()
    image.save_as(written)  # type: ignore[attr-defined]
    return written.getvalue()
