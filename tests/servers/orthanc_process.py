"""A bare Orthanc with the plugin on free ports, for tests that break it."""

import json
import os
import signal
import subprocess
import sysconfig
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import httpx
import psutil
from places import ROOT
from stack_process import A_CONNECTION_EACH, PATIENCE, TESTER, free_ports, is_worker, wait_until

ORTHANC = Path("/usr/sbin/Orthanc")
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancPython.so")
FINAL = {"assessed", "not_analysed", "failed"}
RESULTS = {"SR", "KO", "SEG"}


class OrthancProcess:
    """May be stopped, killed and started again on the same data."""

    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        """``options``: of the plugin."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.http_port, dicom_port = free_ports(2)
        self.configuration = {
            "Name": "test",
            "StorageDirectory": str(folder / "orthanc"),
            "IndexDirectory": str(folder / "orthanc"),
            "HttpPort": self.http_port,
            "DicomPort": dicom_port,
            "AuthenticationEnabled": True,
            "RegisteredUsers": {"tester": "not-a-secret"},
            "Plugins": [str(PLUGIN)],
            "PythonScript": str(ROOT / "orthanc_plugin" / "plugin.py"),
            "UserMetadata": {"HeadCTUrgency": 8310},
            "HeadCTTriage": {**options, "People": {"tester": TESTER, **options.get("People", {})}},
        }
        self.arguments: list[str] = []
        """Of Orthanc, besides its configuration."""
        self.process: subprocess.Popen[bytes] | None = None
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{self.http_port}",
            auth=("tester", "not-a-secret"),
            timeout=60,
            trust_env=False,
            limits=A_CONNECTION_EACH,
        )

    def start(self) -> "OrthancProcess":
        """Start and wait until Orthanc answers, which is before triage does."""
        path = self.folder / "orthanc.json"
        path.write_text(json.dumps(self.configuration))
        environment = {**os.environ, "PYTHONPATH": f"{sysconfig.get_path('purelib')}:{ROOT}"}
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(ORTHANC), *self.arguments, str(path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
            )
        self.wait(lambda: self.answers("/system"))
        return self

    def start_triage(self) -> "OrthancProcess":
        """Start and wait until triage answers and a worker has loaded its network, now or earlier."""
        self.start()
        self.wait(lambda: self.triage_answers() and self.get("status")["bundle"])
        return self

    def stop(self) -> None:
        """End in good order."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)

    def kill(self) -> None:
        """``kill -9``."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(60)

    def workers(self) -> list[psutil.Process]:
        """The judging processes of this Orthanc."""
        assert self.process is not None
        return [p for p in psutil.Process(self.process.pid).children(recursive=True) if is_worker(p)]

    def log(self) -> str:
        """What Orthanc and its workers logged."""
        return (self.folder / "log").read_text(errors="replace")

    def answers(self, path: str) -> bool:
        """Whether a path is answered with 200."""
        try:
            return self.http.get(path).status_code == 200
        except httpx.TransportError:
            return False

    def triage_answers(self) -> bool:
        """Whether triage has started: until then its REST interface answers 503."""
        return self.answers("/triage/api/v1/status")

    def get(self, route: str) -> Any:
        """GET of our REST interface."""
        answer = self.http.get(f"/triage/api/v1/{route}")
        answer.raise_for_status()
        return answer.json()

    def send(self, files: Iterable[bytes]) -> list[str]:
        """Store images; the Orthanc series they lie in."""
        found = []
        for data in files:
            answer = self.http.post("/instances", content=data)
            answer.raise_for_status()
            found.append(answer.json()["ParentSeries"])
        return list(dict.fromkeys(found))

    def rows(self) -> list[Any]:
        """The worklist."""
        return list(self.get("worklist")["rows"])

    def settled(self) -> bool:
        """Whether triage knows every series of images in Orthanc, whole, and all are in a final state."""
        known = {s["id"]: s for row in self.rows() for s in row["series"]}
        there = {i: count for i, (modality, count) in self._series().items() if modality not in RESULTS}
        return bool(there) and all(
            i in known and known[i]["images"] == count and known[i]["state"] in FINAL
            for i, count in there.items()
        )

    def empty(self) -> None:
        """Delete everything, and wait until nothing of it is shown any more."""
        for patient in self.http.get("/patients").json():
            self.http.delete(f"/patients/{patient}")

        def nothing() -> bool:
            shown = self.get("worklist")
            return not (shown["rows"] or shown["earlier"] or self._series())

        self.wait(nothing)

    def results(self) -> dict[str, int]:
        """How many documents of each modality Orthanc has."""
        found: dict[str, int] = {}
        for modality, count in self._series().values():
            if modality in RESULTS:
                found[modality] = found.get(modality, 0) + count
        return found

    def _series(self) -> dict[str, tuple[str, int]]:
        """Modality and number of instances of every series in Orthanc."""
        return {
            series["ID"]: (series["MainDicomTags"].get("Modality", ""), len(series["Instances"]))
            for series in self.http.get("/series?expand").json()
        }

    def colour(self, level: str, identifier: str) -> str | None:
        """Our metadata of a series or study, once the labels say the same where Orthanc has labels."""
        found: list[str | None] = []

        def agree() -> bool:
            answer = self.http.get(f"/{level}/{identifier}/metadata/HeadCTUrgency")
            found[:] = [answer.text if answer.status_code == 200 else None]
            wanted = set((found[0] or "").split(",")) - {""}
            return self.labels(level, identifier) in (None, wanted)

        self.wait(agree)
        return found[0]

    def labels(self, level: str, identifier: str) -> set[str] | None:
        """Labels of a series or study; ``None`` where this Orthanc has no labels."""
        if "labels" not in self.http.get("/tools").json():
            return None
        answer = self.http.get(f"/{level}/{identifier}/labels")
        return set(answer.json()) if answer.status_code == 200 else set()

    def wait(self, condition: Callable[[], Any], seconds: float = PATIENCE, pause: float = 0.2) -> None:
        """Wait until a condition holds; fail with the log when it does not."""
        wait_until(
            lambda: bool(condition()),
            seconds,
            lambda: f"waited {seconds} s in vain:\n{self.log()[-4000:]}",
            pause,
        )
