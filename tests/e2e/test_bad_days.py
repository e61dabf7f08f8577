"""Whatever is wrong with triage, Orthanc starts and stores images, and ``/triage/`` says what is wrong."""

import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from data import SHARED, needs_shared_data
from load import send_all, series_uid
from nested import nested
from places import ROOT
from stack_process import A_CONNECTION_EACH, PATIENCE, UP, StackProcess, free_ports, wait_until

from orthanc_plugin.stack import orthanc
from orthanc_plugin.stack.credentials import Credentials
from orthanc_plugin.stack.options import Options

pytestmark = needs_shared_data
IMAGES = SHARED / "real_studies" / "siemens_stroke_0019983" / "ct"
NewStack = Callable[..., StackProcess]


def stores_images(stack: StackProcess) -> bool:
    send_all(stack, [IMAGES], patience=PATIENCE)
    return stack.get("/statistics")["CountInstances"] == len(list(IMAGES.iterdir()))


def says(stack: StackProcess, *words: str) -> None:
    """The page and the API give the reason, in words of the problem."""

    def told() -> bool:
        page = stack.http.get("/triage/").text
        return "Triage is starting" not in page and all(word in page for word in words)

    wait_until(told, PATIENCE, lambda: stack.http.get("/triage/").text)
    answer = stack.http.get("/triage/api/v1/status")
    assert answer.status_code == 503 or answer.json()["running"] is False


def test_corrupt_store(new_stack: NewStack) -> None:
    stack = new_stack()
    store = stack.data / "orthanc" / "headct-triage"
    store.mkdir(parents=True)
    (store / "triage.sqlite").write_bytes(b"this is no database" * 1000)
    stack.start(wait_for_triage=False)
    assert stores_images(stack)
    says(stack, "database")


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nobody can write below the folder, root included."""
    if os.geteuid() != 0:
        folder.chmod(0o500)
        yield
        folder.chmod(0o700)
        return
    bound = subprocess.run(["mount", "--bind", "-o", "ro", folder, folder], capture_output=True, check=False)
    if bound.returncode:
        pytest.skip("root cannot mount here, and permissions do not bind root")
    subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def test_read_only_store(new_stack: NewStack, tmp_path: Path) -> None:
    """From the beginning."""
    (tmp_path / "store").mkdir()
    stays_up_read_only(new_stack({"HeadCTTriage": {"Storage": str(tmp_path / "store")}}), tmp_path / "store")


def test_a_second_stack_on_the_same_data_and_then_a_read_only_store(
    new_stack: NewStack, tmp_path: Path
) -> None:
    """After a good day."""
    stack = new_stack({"HeadCTTriage": {"Storage": str(tmp_path / "store")}}).start()
    http, dicom, ohif = free_ports(3)
    ports = ["--http-port", str(http), "--dicom-port", str(dicom), "--ohif-port", str(ohif)]
    command = [*UP, "--data", str(stack.data), *ports]
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert second.returncode == 1
    assert "another `headct up`" in second.stderr
    assert stack.api("status")["running"]
    stack.stop()
    stays_up_read_only(stack, tmp_path / "store")


def stays_up_read_only(stack: StackProcess, store: Path) -> None:
    with read_only(store):
        stack.start(wait_for_triage=False)
        assert stores_images(stack)
        says(stack, "not running")
        stack.stop()


def test_store_on_a_file(new_stack: NewStack, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    stack = new_stack({"HeadCTTriage": {"Storage": str(tmp_path / "file" / "store")}})
    stack.start(wait_for_triage=False)
    assert stores_images(stack)
    says(stack, "not running", "Not a directory")


def test_unknown_option(new_stack: NewStack) -> None:
    stack = new_stack({"HeadCTTriage": {"Wokers": 2}})
    stack.start(wait_for_triage=False)
    assert stores_images(stack)
    says(stack, "Wokers")


def test_a_bundle_that_is_missing_and_then_altered(new_stack: NewStack, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    stack = new_stack({"HeadCTTriage": {"Bundle": str(bundle)}})
    stack.start(wait_for_triage=False)
    assert stores_images(stack)
    says(stack, f"{bundle} is not a bundle")
    assert str(bundle) in stack.http.get("/triage/api/v1/status").text
    bundle.mkdir()
    (bundle / "bundle.json").write_text("{}")
    says(stack, f"{bundle} has bundle format")


def test_missing_virtual_environment(tmp_path: Path) -> None:
    """A copy of the plugin without .venv beside it, in an Orthanc that knows of no other."""
    for package in ("headct", "orthanc_plugin"):
        shutil.copytree(ROOT / package, tmp_path / "copy" / package)
    http_port, dicom_port, ohif_port = free_ports(3)
    options = Options(tmp_path, http_port, dicom_port, ohif_port)
    configuration = orthanc.configuration(options, Credentials("tester", "not-a-secret"))
    configuration["PythonScript"] = str(tmp_path / "copy" / "orthanc_plugin" / "plugin.py")
    del configuration["LuaScripts"]
    (tmp_path / "orthanc.json").write_text(json.dumps(configuration))
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [orthanc.find_executable(), tmp_path / "orthanc.json"], env=environment, stdout=log, stderr=log
        )
    url, auth = f"http://127.0.0.1:{http_port}", ("tester", "not-a-secret")
    try:
        with httpx.Client(
            base_url=url, auth=auth, timeout=60, trust_env=False, limits=A_CONNECTION_EACH
        ) as http:

            def page() -> str:
                try:
                    return http.get("/triage/").text
                except httpx.TransportError:
                    return ""

            wait_until(
                lambda: "virtual environment" in page(),
                PATIENCE,
                lambda: page() + (tmp_path / "log").read_text(),
            )
            for image in IMAGES.iterdir():
                assert http.post("/instances", content=image.read_bytes()).status_code == 200
    finally:
        process.terminate()
        process.wait(60)


def test_what_dies_is_started_again_and_the_page_says_so(new_stack: NewStack) -> None:
    """Orthanc by a file that its parser cannot bear or by a signal, nginx by a signal: nothing is lost."""
    stack = new_stack({"HeadCTTriage": {"Previews": False}}).start()
    assert stack.api("status")["unexpected_end"] is None
    uid = series_uid(IMAGES)
    sending = threading.Thread(target=send_all, args=(stack, [IMAGES]))
    sending.start()
    stack.kill_orthanc(signal.SIGSEGV)
    (nginx,) = stack.children("nginx")
    os.kill(nginx, signal.SIGKILL)
    sending.join(PATIENCE)
    wait_until(lambda: nginx not in stack.children("nginx"), PATIENCE, lambda: "nginx is not replaced")
    stack.wait_up()
    assert stack.kill_orthanc() < PATIENCE
    assert uid in stack.wait_final([uid])

    assert stack.api("status")["unexpected_end"]["again"]
    assert "Orthanc ended unexpectedly" in stack.http.get("/triage/?lang=en").text
    assert "headct_orthanc_unexpected_ends_total 2.0" in stack.http.get("/triage/api/v1/metrics").text
    told = (stack.data / "logs" / "up.log").read_text()
    assert "Orthanc ended unexpectedly (status -11" in told
    assert "nginx ended unexpectedly (status -9" in told

    # What would end it is refused before it is parsed, and whoever sends it is told.
    for number, levels in enumerate((8, 16, 30, 100, 2000)):
        answer = stack.http.post("/instances", content=nested(levels, number=number))
        assert answer.status_code == 400, answer.text
        (stack.data / "nested.dcm").write_bytes(nested(levels, number=number))
        with pytest.raises(subprocess.CalledProcessError):
            stack.send(stack.data / "nested.dcm")
    for number in range(40):  # deeper ones would by now have damaged Orthanc's memory, by way of Lua
        assert stack.http.post("/instances", content=nested(7, number=100 + number)).status_code == 200
    assert "headct_orthanc_unexpected_ends_total 2.0" in stack.http.get("/triage/api/v1/metrics").text

    stack.stop()
    assert not (stack.data / "orthanc" / "headct-triage" / "running").exists()
