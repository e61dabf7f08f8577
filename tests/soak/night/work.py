"""The work of the night: series that arrive, and doctors who say what they think of them."""

import random
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
from copies import copy_series
from data import SHARED
from load import series_uid
from stack_process import FINAL, StackProcess

from headct.generator.generation import generate, write

PASSWORD = "not-a-secret"
READERS = ("sato", "ito", "abe")
PEOPLE = {
    login: {"Name": f"{login.title()}^Hanako", "Organisation": "St. Elsewhere", "Role": "reader"}
    for login in READERS
}
_KINDS = (
    "normal",
    "epidural",
    "subdural_small",
    "intracerebral",
    "subarachnoid",
    "normal_elderly",
    "few_slices",
)
_EVERY_REAL = 4
"""Every fourth head is a copy of a real one, where those are here."""
_MOST_WAITING = 6
"""As many and the scanner waits: a machine that is too slow for all of it is not what is looked for."""
_PAUSE_SECONDS = (2.0, 12.0)
_AGAIN_SECONDS = 1.0


class Scanner(threading.Thread):
    """Sends one head after the other, each until it was taken, as a scanner does."""

    def __init__(self, stack: StackProcess, folder: Path, seed: int) -> None:
        super().__init__(daemon=True, name="scanner")
        self.accepted: list[str] = []
        """SeriesInstanceUIDs, each once all its images were taken."""
        self.refusals = 0
        self.wrong: list[str] = []
        self._stack = stack
        self._folder = folder
        self._rng = random.Random(f"scanner {seed}")
        self._stopped = threading.Event()
        self._hurry = threading.Event()
        series = SHARED / "ct_ich" / "series"
        self._real = sorted(series.iterdir()) if series.is_dir() else []

    def run(self) -> None:
        """Send until stopped; what was begun is sent to its end."""
        number = 0
        try:
            while not self._stopped.is_set():
                folder = self._folder / str(number)
                uid = self._made(number, folder)
                self._send(folder)
                self.accepted.append(uid)
                shutil.rmtree(folder)
                number += 1
                self._hurry.wait(self._rng.uniform(*_PAUSE_SECONDS))
                self._hurry.clear()
                while self._waiting() > _MOST_WAITING and not self._hurry.wait(1):
                    pass
        except Exception as error:  # told at the end, with all else that is wrong
            self.wrong.append(f"the scanner stopped: {type(error).__name__}: {error}")

    def hurry(self) -> None:
        """Send the next one at once."""
        self._hurry.set()

    def stop(self) -> None:
        """Send no more; what was begun is waited for."""
        self._stopped.set()
        self._hurry.set()
        self.join(600)
        if self.is_alive():
            self.wrong.append("the scanner is not rid of its last series")

    def _made(self, number: int, folder: Path) -> str:
        if self._real and number % _EVERY_REAL == _EVERY_REAL - 1:
            return copy_series(self._rng.choice(self._real), folder, number, "night")
        kind = _KINDS[number % len(_KINDS)]
        write(generate(kind, number, salt="night", matrix=256, thickness_mm=7.0), folder)
        folder.with_name(f"{folder.name}.truth.json").unlink(missing_ok=True)
        return series_uid(folder)

    def _send(self, folder: Path) -> None:
        while True:
            try:
                return self._stack.send(folder)
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
                self.refusals += 1
                time.sleep(_AGAIN_SECONDS)

    def _waiting(self) -> int:
        try:
            series = self._stack.series().values()
        except httpx.HTTPError:
            return 0
        return sum(one["state"] not in FINAL for one in series)


@dataclass(frozen=True, slots=True)
class Said:
    """One review that was answered with success."""

    series_id: str
    login: str
    urgency: str


class Doctors(threading.Thread):
    """Read one case after the other and say something, again and again until they are answered."""

    def __init__(self, stack: StackProcess, seed: int) -> None:
        super().__init__(daemon=True, name="doctors")
        self.accepted: list[Said] = []
        """In the order in which they were given."""
        self.again = 0
        """Answers that told them to try again, or that never came."""
        self.wrong: list[str] = []
        self._rng = random.Random(f"doctors {seed}")
        self._number = 0
        self._stack = stack
        self._seed = seed
        self._stopped = threading.Event()

    def run(self) -> None:
        """Speak until stopped; what was begun is said to its end."""
        stack = self._stack
        with httpx.Client(base_url=stack.url, timeout=60, trust_env=False) as http:
            while not self._stopped.wait(self._rng.uniform(0.5, 4)):
                try:
                    self._speak(http)
                except (httpx.HTTPError, LookupError):  # it is away, and comes back
                    self.again += 1
                except Exception as error:  # told at the end, with all else that is wrong
                    self.wrong.append(f"a doctor stopped: {type(error).__name__}: {error}")
                    return

    def stop(self) -> None:
        """Speak no more; what was begun is waited for."""
        self._stopped.set()
        self.join(600)
        if self.is_alive():
            self.wrong.append("a doctor still waits for an answer")

    def _speak(self, http: httpx.Client) -> None:
        login = self._rng.choice(READERS)
        auth = (login, PASSWORD)
        rows = http.get("/triage/api/v1/worklist", auth=auth).raise_for_status().json()["rows"]
        judged = [s["id"] for row in rows for s in row["series"] if s["state"] == "assessed"]
        series_id = self._rng.choice(judged)
        shown = http.get(f"/triage/api/v1/series/{series_id}", auth=auth).raise_for_status().json()
        urgency = self._rng.choice(("GREEN", "YELLOW", "RED"))
        self._number += 1
        body = {
            "action": "relabel",
            "urgency": urgency,
            "based_on": shown["based_on"],
            "request_id": f"night-{self._seed}-{self._number}",
        }
        while True:
            try:
                answer = http.post(
                    f"/triage/api/v1/series/{series_id}/review",
                    json=body,
                    headers={"X-Triage": "night"},
                    auth=auth,
                )
            except httpx.HTTPError:  # said or not: a repeat of the same tells
                answer = None
            if answer is not None and answer.is_success:
                self.accepted.append(Said(series_id, login, urgency))
                return
            if answer is not None and answer.status_code == 409:
                return  # somebody else was faster, or it is judged again: to be read anew
            if answer is not None and answer.status_code != 503:
                self.wrong.append(f"a review was answered with {answer.status_code}: {answer.text[:200]}")
                return
            self.again += 1
            time.sleep(_AGAIN_SECONDS)
