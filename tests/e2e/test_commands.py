"""The commands as a person or another program calls them."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest
from copies import renumber
from data import SHARED, needs_shared_data
from places import ROOT
from pydicom import dcmread
from stack_process import PATIENCE, UP, StackProcess, free_ports, wait_until

HEADCT = str(Path(sys.executable).with_name("headct"))
NewStack = Callable[..., StackProcess]


def run(
    *command: str | Path, seconds: float = 200, folder: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


class TestAssess:
    """``headct assess``: the contract other programs rely on."""

    KEYS = frozenset(
        {
            "series_instance_uid",
            "state",
            "reason",
            "urgency",
            "alert_probability",
            "haemorrhage_probability",
            "findings",
            "key_slices",
            "bundle",
            "seconds",
        }
    )

    @needs_shared_data
    def test_json(self) -> None:
        done = run(HEADCT, "assess", SHARED / "real_studies" / "toshiba_trauma", "--json")
        assert done.returncode == 0, done.stderr
        series = json.loads(done.stdout)
        assert len(series) == 4
        by_state: dict[str, list[dict]] = {"assessed": [], "not_analysed": []}
        for one in series:
            assert set(one) >= self.KEYS
            by_state[one["state"]].append(one)
        (assessed,) = by_state["assessed"]
        assert assessed["urgency"] in {"GREEN", "YELLOW", "RED", "BLACK"}
        assert 0 <= assessed["alert_probability"] <= 1
        assert 0 <= assessed["haemorrhage_probability"] <= 1
        assert assessed["reason"] is None
        assert {"name", "version"} <= set(assessed["bundle"])
        assert assessed["seconds"] > 0
        for key_slice in assessed["key_slices"]:
            assert 0 <= key_slice["number"] < 33
            assert key_slice["sop_instance_uid"].startswith("1.2.392.")
        for one in by_state["not_analysed"]:
            assert one["reason"]
            assert [one[k] for k in ("urgency", "alert_probability", "haemorrhage_probability")] == [None] * 3


class TestUp:
    """``headct up``: refuses what is unsafe before anything starts."""

    def ports(self) -> list[str]:
        http, dicom, ohif = free_ports(3)
        return ["--http-port", str(http), "--dicom-port", str(dicom), "--ohif-port", str(ohif)]

    def test_port_in_use(self, tmp_path: Path) -> None:
        (port,) = free_ports(1)
        with socket.socket() as other:
            # Like a server: finished connections of whoever had the port before do not count.
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", port))
            other.listen()
            done = run(*UP, "--data", tmp_path / "data", *self.ports(), "--dicom-port", str(port))
        assert done.returncode == 1
        assert f"port {port} is in use" in done.stderr
        assert not (tmp_path / "data" / "orthanc").exists()

    def test_listening_to_all_wants_authentication(self, tmp_path: Path) -> None:
        (tmp_path / "orthanc.local.json").write_text('{"AuthenticationEnabled": false}')
        listen = ["--listen", "0.0.0.0", "--calling-ae", "CT1@192.0.2.10"]
        done = run(*UP, "--data", tmp_path, *self.ports(), *listen)
        assert done.returncode == 1
        assert "AuthenticationEnabled" in done.stderr

    def test_prints_where_and_how_and_keeps_it_private(self, stack: StackProcess) -> None:
        log = stack.data / "up.log"
        wait_until(lambda: "Ctrl-C ends it." in log.read_text(), PATIENCE, log.read_text)
        said = log.read_text()
        assert f"http://127.0.0.1:{stack.http_port}/triage/" in said
        assert stack.password not in said, "it was chosen, and who chose it knows it"
        for name in ("credentials", "orthanc.json"):
            assert (stack.data / name).stat().st_mode & 0o077 == 0

    def test_asks_for_the_password_everywhere(self, stack: StackProcess) -> None:
        for url in (
            f"{stack.url}/triage/",
            f"{stack.url}/triage/api/v1/worklist",
            f"{stack.url}/dicom-web/studies",
            f"{stack.ohif_url}/",
            f"{stack.ohif_url}/viewer?StudyInstanceUIDs=1",
            f"{stack.ohif_url}/dicom-web/studies",
            f"{stack.ohif_url}/triage/",
        ):
            assert httpx.get(url, timeout=60, trust_env=False).status_code == 401, url
            good = httpx.get(url, auth=(stack.user, stack.password), timeout=60, trust_env=False)
            assert good.status_code == 200, url


def other_address() -> str | None:
    """An IPv4 address of this machine that is not loopback."""
    found = [a.address for addresses in psutil.net_if_addrs().values() for a in addresses]
    return next((a for a in found if a.count(".") == 3 and not a.startswith("127.")), None)


@needs_shared_data
@pytest.mark.skipif(other_address() is None, reason="this machine has the loopback address only")
class TestOtherMachines:
    """Who comes by another address than loopback is another machine, as far as Orthanc can tell."""

    IMAGE = SHARED / "real_studies" / "siemens_stroke_0019983" / "ct"

    def send(self, stack: StackProcess, address: str, title: str, image: Path | None = None) -> int:
        image = image or sorted(self.IMAGE.iterdir())[0]
        command = ["storescu", "-xs", "-aet", title, "-aec", "HEADCT", address, stack.dicom_port, image]
        return run(*map(str, command)).returncode

    def test_refused_by_default_and_told_so(self, stack: StackProcess, tmp_path: Path) -> None:
        address = other_address()
        image = dcmread(sorted(self.IMAGE.iterdir())[0])
        renumber(image, 1, "from elsewhere")
        image.save_as(tmp_path / "image.dcm")
        assert self.send(stack, address, "CT1", tmp_path / "image.dcm") != 0
        query = {"Level": "Instance", "Query": {"SOPInstanceUID": image.SOPInstanceUID}}
        assert stack.http.post("/tools/find", json=query).json() == []
        try:
            answer = httpx.get(
                f"http://{address}:{stack.http_port}/system",
                auth=(stack.user, stack.password),
                timeout=60,
                trust_env=False,
            )
        except httpx.TransportError:
            pass  # newer versions do not even listen there
        else:
            assert answer.status_code in (401, 403)
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://{address}:{stack.ohif_port}/", timeout=60, trust_env=False)

    def test_named_scanners_only(self, new_stack: NewStack) -> None:
        address = other_address()
        stack = new_stack(None, "--listen", "0.0.0.0", "--calling-ae", f"CT1@{address}").start()
        assert self.send(stack, address, "STRANGER") != 0
        assert self.send(stack, "127.0.0.1", "CT1") != 0, "the right name from another address"
        assert stack.get("/statistics")["CountInstances"] == 0
        assert self.send(stack, address, "CT1") == 0
        assert stack.get("/statistics")["CountInstances"] == 1


DEMO = """
from orthanc_plugin.stack import demo

def new_folder(parent, made=demo.new_folder):
    folder = made(parent)
    (folder / "orthanc.local.json").write_text('{"HeadCTTriage": {"WorkerNiceness": 0}}')
    return folder

demo.new_folder = new_folder
demo.main()
"""
"""The demo with workers of no lower priority: beside other tests they would hardly get anywhere."""


def test_demo_once(tmp_path: Path) -> None:
    """A short demo: a head, a bleed, a localizer; its exit status and its table."""
    http, dicom, ohif = free_ports(3)
    kinds = ["normal", "epidural", "localizer"]
    done = run(
        *(sys.executable, "-c", DEMO, "--once"),
        *("--http-port", str(http), "--dicom-port", str(dicom), "--ohif-port", str(ohif)),
        *(word for kind in kinds for word in ("--kind", kind)),
        seconds=500,
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Not to be analysed: 1 of 1 recognised" in done.stdout
    assert "Missed bleeds (" in done.stdout
    assert f"http://127.0.0.1:{http}/triage/" in done.stdout
