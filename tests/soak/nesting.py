"""How deep sequences may lie in each other before Orthanc ends of it, by each way in; found by bisection.

    .venv/bin/python tests/soak/nesting.py

Needs Orthanc with its plugins. ``make soak`` prints the table for this machine's Orthanc,
``make debian13`` for that of Debian 13.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from places import ROOT, put_first

put_first()

import httpx
from nested import nested
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE, _config
from stack_process import free_ports, wait_until

from orthanc_plugin.stack.orthanc import PLUGIN_FOLDERS, find_executable
from orthanc_plugin.stack.running import STACK_BYTES

_config.STORE_SEND_CHUNKED_DATASET = True

MOST = 200_000
"""Levels beyond which nothing is looked for: a file of 6 MB."""
SETTLE_SECONDS = 0.5

SCREENING = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import orthanc
from headct.dicom_depth import nested_too_deeply


def received(dicom, origin):
    if nested_too_deeply(dicom):
        return orthanc.ReceivedInstanceAction.MODIFY, b"no DICOM"
    return orthanc.ReceivedInstanceAction.KEEP_AS_IS, None


orthanc.RegisterReceivedInstanceCallback(received)
"""
"""What our plugin does of it, without the rest of it."""


class Orthanc:
    """A bare one, started again whenever it has ended."""

    def __init__(self, folder: Path, *, screened: bool, stack_bytes: int) -> None:
        self.http_port, self.dicom_port = free_ports(2)
        self.url = f"http://127.0.0.1:{self.http_port}"
        self._folder = folder
        self._stack_bytes = stack_bytes
        self.process: subprocess.Popen[bytes] | None = None
        script = folder / "script.py"
        script.write_text(SCREENING if screened else "")
        plugins = [
            str(next(p for p in (f / name for f in PLUGIN_FOLDERS) if p.exists()))
            for name in ("libOrthancDicomWeb.so", "libOrthancPython.so")
        ]
        (folder / "orthanc.json").write_text(
            json.dumps(
                {
                    "StorageDirectory": str(folder / "orthanc"),
                    "IndexDirectory": str(folder / "orthanc"),
                    "HttpPort": self.http_port,
                    "DicomPort": self.dicom_port,
                    "DicomAlwaysAllowStore": True,
                    "AuthenticationEnabled": False,
                    "RemoteAccessAllowed": False,
                    "OverwriteInstances": True,
                    "Plugins": plugins,
                    "PythonScript": str(script),
                }
            )
        )

    def start(self) -> None:
        """Start it, unless it runs."""
        if self.process is None or self.process.poll() is not None:
            with (self._folder / "log").open("ab") as log:
                self.process = subprocess.Popen(
                    [find_executable(), str(self._folder / "orthanc.json")],
                    stdout=log,
                    stderr=log,
                    preexec_fn=self._prepare,
                )
        wait_until(self._answers, 60, lambda: (self._folder / "log").read_text(errors="replace")[-2000:])

    def _prepare(self) -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if self._stack_bytes:
            hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
            resource.setrlimit(resource.RLIMIT_STACK, (self._stack_bytes, hard))

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/system", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def version(self) -> str:
        """Orthanc's own."""
        return str(httpx.get(f"{self.url}/system", trust_env=False).json()["Version"])

    def survives(self) -> bool:
        """Whether it is alive, a moment after something was sent."""
        time.sleep(SETTLE_SECONDS)
        assert self.process is not None
        return self.process.poll() is None

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def post(orthanc: Orthanc, levels: int) -> None:
    """By ``POST /instances``."""
    _post(orthanc, "/instances", nested(levels), "application/dicom")


def stow(orthanc: Orthanc, levels: int) -> None:
    """By DICOMweb."""
    part = b"--x\r\nContent-Type: application/dicom\r\n\r\n" + nested(levels) + b"\r\n--x--\r\n"
    _post(orthanc, "/dicom-web/studies", part, 'multipart/related; type="application/dicom"; boundary=x')


def brackets(orthanc: Orthanc, levels: int) -> None:
    """JSON, for which any login will do."""
    _post(orthanc, "/tools/find", b"[" * levels, "application/json")


def _post(orthanc: Orthanc, path: str, body: bytes, kind: str) -> None:
    try:
        httpx.post(
            orthanc.url + path, content=body, headers={"Content-Type": kind}, timeout=60, trust_env=False
        )
    except httpx.TransportError:
        return  # it died of it, or not: that is asked next


def c_store(orthanc: Orthanc, levels: int) -> None:
    """As a scanner does."""
    entity = AE()
    entity.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    with tempfile.NamedTemporaryFile(suffix=".dcm") as file:
        file.write(nested(levels))
        file.flush()
        association = entity.associate("127.0.0.1", orthanc.dicom_port, ae_title="ORTHANC")
        if association.is_established:
            association.send_c_store(file.name)  # as it is, in pieces: no parser of ours goes through it
            association.abort()


WAYS: dict[str, Callable[[Orthanc, int], None]] = {
    "POST /instances": post,
    "C-STORE": c_store,
    "STOW-RS": stow,
    "JSON body": brackets,
}


def deepest(orthanc: Orthanc, send: Callable[[Orthanc, int], None]) -> int:
    """The most levels survived, to a twentieth; :data:`MOST` where nothing ends it."""

    def survived(levels: int) -> bool:
        orthanc.start()
        send(orthanc, levels)
        return orthanc.survives()

    if survived(MOST):
        return MOST
    low, high = 1, MOST
    while high - low > max(1, low // 20):
        middle = int((low * high) ** 0.5) if high > 2 * low else (low + high) // 2
        low, high = (middle, high) if survived(middle) else (low, middle)
    return low


def nesting_table() -> str:
    """Levels survived, with the usual stack and the larger one, without our screening and with it."""
    lines: list[str] = []
    version = ""
    for screened in (False, True):
        for stack_bytes in (0, STACK_BYTES):
            with tempfile.TemporaryDirectory() as folder:
                orthanc = Orthanc(Path(folder), screened=screened, stack_bytes=stack_bytes)
                try:
                    orthanc.start()
                    version = orthanc.version()
                    found = {way: deepest(orthanc, send) for way, send in WAYS.items()}
                finally:
                    orthanc.stop()
            stack = f"{stack_bytes >> 20} MiB stack" if stack_bytes else "usual stack"
            figures = ", ".join(f"{way} {'no end' if n == MOST else n}" for way, n in found.items())
            lines.append(f"{'screened' if screened else 'as it is'}, {stack}: {figures}")
    return f"Orthanc {version}, levels survived. " + "; ".join(lines)


if __name__ == "__main__":
    print(nesting_table())
