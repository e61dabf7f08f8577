"""A real ``headct up`` for tests: Orthanc with the plugin and its workers, nginx with OHIF, on free ports."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil
from places import ROOT

from orthanc_plugin.stack.options import port_is_free

UP = [str(Path(sys.executable).with_name("headct")), "up"]
FINAL = {"assessed", "not_analysed", "failed", "withdrawn"}
A_CONNECTION_EACH = httpx.Limits(max_keepalive_connections=0)
"""Orthanc closes a connection after one idle second: on a busy machine just while the next request comes."""
PATIENCE = 600
"""Seconds that anything may take on a slow machine full of other work; no test waits longer than it must."""

TESTER = {"Name": "Tester^T", "Organisation": "Test", "Role": "administrator"}
"""Who tests log in as unless they say otherwise: may everything, beside the people that a test names."""

PORTS = range(10_000, 32_000)
"""Below those that Linux gives to outgoing connections, one of which could take a port before its server."""
_tried = itertools.count(os.getpid() * 997)


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses now, and that no other caller in this process or in one beside it gets soon."""
    found: list[int] = []
    while len(found) < count:
        port = PORTS[next(_tried) % len(PORTS)]
        if port_is_free(port):
            found.append(port)
    return found


class StackProcess:
    """One ``headct up`` on one data folder; may be stopped, killed and started again on the same data."""

    def __init__(
        self, data: Path, local: dict[str, Any] | None = None, arguments: Sequence[str] = ()
    ) -> None:
        """``local``: options for ``orthanc.local.json``, the plugin's own in ``HeadCTTriage``."""
        self.data = data
        self.http_port, self.dicom_port, self.ohif_port = free_ports(3)
        self.url = f"http://127.0.0.1:{self.http_port}"
        self.ohif_url = f"http://127.0.0.1:{self.ohif_port}"
        self.user, self.password = "tester", "not-a-secret"
        self.http = httpx.Client(
            base_url=self.url,
            auth=(self.user, self.password),
            timeout=60,
            trust_env=False,
            limits=A_CONNECTION_EACH,
        )
        self.process: subprocess.Popen[bytes] | None = None
        self._arguments = list(arguments)
        data.mkdir(parents=True, exist_ok=True)
        if local is not None:
            (data / "orthanc.local.json").write_text(json.dumps(self._with_tester(local)))

    def __enter__(self) -> "StackProcess":
        try:
            return self.start()
        except BaseException:  # then nobody calls __exit__
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.http.close()

    def _with_tester(self, local: dict[str, Any]) -> dict[str, Any]:
        section = local.get("HeadCTTriage", {})
        if "People" not in section:
            return local
        return {**local, "HeadCTTriage": {**section, "People": {self.user: TESTER, **section["People"]}}}

    # Life ---------------------------------------------------------------------------------------------

    def start(self, wait_for_triage: bool = True) -> "StackProcess":
        """Start and wait until Orthanc, and triage unless told otherwise, answers."""
        ports = {"http": self.http_port, "dicom": self.dicom_port, "ohif": self.ohif_port}
        listen = [word for name, port in ports.items() for word in (f"--{name}-port", str(port))]
        with (self.data / "up.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*UP, "--data", str(self.data), *listen, *self._arguments],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "HEADCT_USER": self.user, "HEADCT_PASSWORD": self.password},
            )
        self.wait_up()
        if wait_for_triage:
            wait_until(self._triage_runs, PATIENCE, lambda: f"triage did not start:\n{self.log()}")
        return self

    def stop(self) -> None:
        """End in good order."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process = None

    def restart(self) -> None:
        """End in good order and start again on the same data and ports."""
        self.stop()
        self.start()

    def kill_orthanc(self, number: int = signal.SIGKILL) -> float:
        """End Orthanc with a signal and wait until triage runs again; seconds until Orthanc answered."""
        before, start = self.orthanc_pid, time.monotonic()
        os.kill(before, number)
        wait_until(lambda: not alive(before), PATIENCE, lambda: "Orthanc lives on", pause=0.05)
        self.wait_up()
        seconds = time.monotonic() - start
        wait_until(self._triage_runs, PATIENCE, lambda: f"triage is not up again:\n{self.log()}")
        return seconds

    def children(self, name: str) -> list[int]:
        """Process numbers of what `headct up` started under a name."""
        assert self.process is not None
        return [p.pid for p in psutil.Process(self.process.pid).children() if p.name() == name]

    def kill_workers(self) -> None:
        """``kill -9`` of every worker."""
        for pid in self.worker_pids():
            os.kill(pid, signal.SIGKILL)

    @property
    def orthanc_pid(self) -> int:
        """Process number of Orthanc."""
        return next(iter(self.children("Orthanc")))

    def worker_pids(self) -> list[int]:
        """Process numbers of the workers."""
        found = psutil.Process(self.orthanc_pid).children(recursive=True)
        return [p.pid for p in found if is_worker(p)]

    def log(self) -> str:
        """The end of what Orthanc and ``headct up`` wrote."""
        files = [self.data / "up.log", self.data / "logs" / "orthanc.log"]
        return "\n".join("\n".join(f.read_text().splitlines()[-30:]) for f in files if f.exists())

    def wait_up(self) -> None:
        """Wait until Orthanc and nginx answer."""
        wait_until(self._answers, PATIENCE, lambda: f"the stack is not up:\n{self.log()}")

    def _answers(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"headct up ended with {self.process.returncode}:\n{self.log()}")
        try:
            return self.http.get("/system").status_code == 200 and self._ohif_answers()
        except httpx.TransportError:
            return False

    def _ohif_answers(self) -> bool:
        return httpx.get(self.ohif_url, auth=(self.user, self.password), trust_env=False).status_code == 200

    def _triage_runs(self) -> bool:
        try:
            answer = self.http.get("/triage/api/v1/status")
        except httpx.TransportError:  # Orthanc closed the connection just before it was used again
            return False
        return answer.status_code == 200 and bool(answer.json()["running"])

    # Use ----------------------------------------------------------------------------------------------

    def send(self, *paths: Path, title: str = "TESTER") -> None:
        """C-STORE files and folders, as a scanner does; JPEG Lossless or uncompressed."""
        files = [str(f) for path in paths for f in ([path] if path.is_file() else _files(path))]
        self._store(["storescu", "-xs", "-aet", title], files)

    def send_as_written(self, folder: Path) -> None:
        """C-STORE a folder in whatever transfer syntaxes its files have."""
        program = ["dcmsend", "--no-halt", "--decompress-never", "--scan-directories", "--recurse"]
        self._store(program, [str(folder)])

    def _store(self, program: list[str], what: list[str]) -> None:
        address = ["-aec", "HEADCT", "127.0.0.1", str(self.dicom_port)]
        # Without the variable DCMTK's programs wait 40 ms an image for a delayed acknowledgement.
        environment = {**os.environ, "TCP_NODELAY": "1"}
        subprocess.run([*program, *address, *what], check=True, timeout=300, env=environment)

    def get(self, path: str) -> Any:
        """GET of Orthanc's REST interface, parsed."""
        answer = self.http.get(path)
        answer.raise_for_status()
        return answer.json()

    def api(self, path: str) -> Any:
        """GET below ``/triage/api/v1/``, parsed."""
        return self.get(f"/triage/api/v1/{path}")

    def rows(self) -> list[dict[str, Any]]:
        """Rows of the worklist, earlier studies included."""
        part = self.api("worklist")
        found = [*part["rows"], *part["earlier"]]
        while part["next"] is not None:
            part = self.api(f"worklist?offset={part['next']}")
            found += [*part["rows"], *part["earlier"]]
        return found

    def series(self) -> dict[str, dict[str, Any]]:
        """Series of all rows by SeriesInstanceUID."""
        return {s["series_instance_uid"]: s for row in self.rows() for s in row["series"]}

    def wait_final(self, series_uids: Iterable[str], seconds: float = PATIENCE) -> dict[str, dict[str, Any]]:
        """Wait until each of the series is known with all its images and in a final state; return them."""
        wanted = set(series_uids)
        found: dict[str, dict[str, Any]] = {}

        def done() -> bool:
            found.clear()
            found.update({uid: s for uid, s in self.series().items() if uid in wanted})
            return set(found) == wanted and all(
                s["state"] in FINAL and s["images"] == len(self.get(f"/series/{s['id']}")["Instances"])
                for s in found.values()
            )

        def states() -> dict[str, str]:
            return {uid: found[uid]["state"] if uid in found else "unknown" for uid in sorted(wanted)}

        wait_until(done, seconds, lambda: f"not final after {seconds} s: {states()}\n{self.log()}")
        return found

    def wait_published(self, seconds: float = PATIENCE) -> None:
        """Wait until the documents of every assessed series are in Orthanc."""

        def done() -> bool:
            ids = [s["id"] for s in self.series().values() if s["state"] == "assessed"]
            documents = [d for i in ids for d in self.api(f"series/{i}")["documents"] if not d["withdrawn"]]
            return bool(documents) == bool(ids) and all(d["published_at"] for d in documents)

        wait_until(done, seconds, lambda: f"documents not published:\n{self.log()}")

    def documents(self, modality: str) -> list[str]:
        """Orthanc's identifiers of all instances of a modality, such as SR or KO."""
        query = {"Level": "Instance", "Query": {"Modality": modality}}
        answer = self.http.post("/tools/find", json=query)
        answer.raise_for_status()
        return list(answer.json())

    def file(self, instance: str) -> bytes:
        """An instance's DICOM bytes."""
        answer = self.http.get(f"/instances/{instance}/file")
        answer.raise_for_status()
        return answer.content


def is_worker(process: psutil.Process) -> bool:
    """Whether it is one of our judging processes, and still runs."""
    try:
        return "orthanc_plugin.worker" in process.cmdline()
    except psutil.NoSuchProcess:  # a zombie counts as one
        return False


def alive(pid: int) -> bool:
    """Whether a process still runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _files(folder: Path) -> list[Path]:
    return sorted(f for f in folder.rglob("*") if f.is_file())


def wait_until(
    true: Callable[[], bool], seconds: float, message: Callable[[], str], pause: float = 0.2
) -> None:
    """Wait until a condition holds, asked ever more seldom: an answer costs whoever is waited for.

    Raises
    ------
    AssertionError
        It did not in time.
    """
    deadline, longest = time.monotonic() + seconds, 5 * pause
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(message())
        time.sleep(pause)
        pause = min(1.2 * pause, longest)
