"""Everything that happens in a night: each is done, looked at, and over before the next."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any
from unittest import mock

import httpx
import psutil
from hostile.bodies import bodies
from hostile.bounded import LARGE, files
from nested import nested
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE, _config
from stack_process import PATIENCE, StackProcess, alive, wait_until

from night import plan
from night.clock import DAY, Clock
from night.disk import Disk
from night.plan import Happened, new_lines
from night.watching import Look, Watcher
from night.work import PASSWORD, READERS, Scanner

_config.STORE_SEND_CHUNKED_DATASET = True

BACK_SECONDS = 10.0
"""Orthanc may be away for so long."""
LOCKED_SECONDS, LONGEST_LOCK_SECONDS = 40, 180
"""A locked store is told by who has to write, after 20 s: on a busy machine images take a while to come."""
FULL_SECONDS = 20
_ROUTES = ("imports", "series/s1/review", "series/s1/rerun", "models/a/activate", "models/rollback")
_LEVELS = (7, 8, 13, 64, 600, 5_000, 100_000)
_BOMBS = 4
_SETTLE_SECONDS = 0.5
"""In which a program dies of what was sent to it, or does not."""
_LOCK = """
import sqlite3, sys
store = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
store.execute("BEGIN EXCLUSIVE")
print(flush=True)
sys.stdin.read()
store.execute("ROLLBACK")
"""


class Troubles:
    """Does what the plan says, one after the other."""

    def __init__(
        self, stack: StackProcess, watcher: Watcher, scanner: Scanner, clock: Clock, disk: Disk, seed: int
    ) -> None:
        self.killed: Counter[str] = Counter()
        self.died_of: Counter[str] = Counter()
        """Of which nested sequences Orthanc ended, and how often."""
        self._stack, self._watcher, self._scanner, self._clock, self._disk = (
            stack,
            watcher,
            scanner,
            clock,
            disk,
        )
        self._rng = random.Random(f"troubles {seed}")
        self._number = 0
        self._made = files({**LARGE, "many": 200_000, "zeros": 2**28})
        self._do: Mapping[str, Callable[[Look], tuple[float | None, list[str]]]] = {
            plan.LOCKED: self._locked,
            plan.FULL: self._full,
            plan.FORWARD: lambda before: self._clock_set(DAY, before),
            plan.BACK: lambda before: self._clock_set(-DAY, before),
            plan.BODIES: self._bodies,
            plan.NESTED: self._nested,
            plan.BOMBS: self._bombs,
        }

    def start_stack(self) -> None:
        """Start it with its own clock."""
        with mock.patch.dict(os.environ, self._clock.environment):
            self._stack.start(wait_for_triage=False)

    def happen(self, what: str) -> Happened:
        """One thing, from its beginning to its end."""
        before, start, lived = self._watcher.last(), time.monotonic(), self._lasting()
        killed = self.killed["Orthanc"]
        if what in plan.KILLS:
            seconds, wrong = self._kill(what, before)
        else:
            seconds, wrong = self._do[what](before)
        wait_until(self._well, PATIENCE, lambda: f"{what}: not well again: {self._watcher.looks[-1]}")
        self._watcher.last()
        if what not in {"Orthanc", "headct up"} and (gone := [n for n, p in lived.items() if not alive(p)]):
            deaths = {name for name in gone if name != what}
            if self.killed["Orthanc"] > killed or what == plan.NESTED:
                deaths -= {"Orthanc"}
            wrong += [f"{name} ended of it" for name in sorted(deaths)]
        looks = self._watcher.since(start)
        wrong += sorted({look.wrong for look in looks if look.wrong})
        said = new_lines(before.lines, (line for look in looks for line in look.lines))
        return Happened(what, seconds, said, tuple(f"{what}: {one}" for one in wrong))

    # --- What ends processes ------------------------------------------------------------------------------

    def _kill(self, what: str, before: Look) -> tuple[float | None, list[str]]:
        victims = self._victims(what)
        if not victims:
            return None, [f"there is no {what}"]
        pid = self._rng.choice(victims)
        start = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        self.killed[what] += 1
        if what == "headct up":
            assert self._stack.process is not None
            self._stack.process.wait()
            self.start_stack()  # as the system does that runs it
        else:
            wait_until(lambda: not alive(pid), PATIENCE, lambda: f"{what} lives on", pause=0.02)
            wait_until(
                lambda: self._is_back(what, len(victims)), PATIENCE, lambda: f"no new {what}", pause=0.05
            )
        seconds = time.monotonic() - start
        wrong = []
        if what == "Orthanc":
            wait_until(self._well, PATIENCE, lambda: "triage does not run again")
            status = self._watcher.last().status or {}
            if status.get("unexpected_end") in (None, _of(before, "unexpected_end")):
                wrong.append("the page does not tell it")
        if what == "Orthanc" and seconds > BACK_SECONDS:
            wrong.append(f"back only after {seconds:.0f} s")
        return seconds, wrong

    def _victims(self, what: str) -> list[int]:
        if what == "headct up":
            assert self._stack.process is not None
            return [self._stack.process.pid]
        if what == "a worker":
            return self._stack.worker_pids()
        return self._stack.children(what)

    def _is_back(self, what: str, count: int) -> bool:
        try:
            if len(self._victims(what)) < count:
                return False
            address = self._stack.ohif_url if what == "nginx" else f"{self._stack.url}/system"
            auth = (self._stack.user, self._stack.password)
            return httpx.get(address, auth=auth, trust_env=False, timeout=5).status_code == 200
        except (httpx.HTTPError, psutil.NoSuchProcess, StopIteration):
            return False

    def _lasting(self) -> dict[str, int]:
        """Processes that end of nothing but ``kill -9``; Orthanc of nested sequences too."""
        assert self._stack.process is not None
        found = {name: pids[0] for name in ("Orthanc", "nginx") if (pids := self._stack.children(name))}
        return {**found, "headct up": self._stack.process.pid}

    def _well(self) -> bool:
        status = self._watcher.last().status
        return (
            status is not None
            and status["running"]
            and not status["troubles"]
            and status["workers_alive"] == status["workers_wanted"]
        )

    # --- What is in the way -------------------------------------------------------------------------------

    def _locked(self, before: Look) -> tuple[float | None, list[str]]:
        store = self._stack.data / "orthanc" / "headct-triage" / "triage.sqlite"
        start = time.monotonic()

        def tells(status: dict[str, Any]) -> bool:
            return not status["running"] or bool(status["troubles"])

        command = [sys.executable, "-c", _LOCK, str(store)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            locked = time.monotonic()
            self._scanner.hurry()
            time.sleep(LOCKED_SECONDS)
            while not self._seen(start, tells) and time.monotonic() - locked < LONGEST_LOCK_SECONDS:
                time.sleep(1.0)
            process.communicate()
        return self._told(start, tells)

    def _full(self, before: Look) -> tuple[float | None, list[str]]:
        if not self._disk.can_be_filled:
            return None, ["the disk cannot be filled: only root may mount one"]
        start = time.monotonic()
        self._disk.fill()
        try:
            left = self._disk.bytes_free
            self._scanner.hurry()
            time.sleep(FULL_SECONDS / 2)
            if self._rng.random() < 0.5:
                os.kill(self._stack.orthanc_pid, signal.SIGKILL)
                self.killed["Orthanc"] += 1
                wait_until(lambda: self._is_back("Orthanc", 1), PATIENCE, lambda: "no Orthanc on a full disk")
                self._disk.fill()
            time.sleep(FULL_SECONDS / 2)
            self._watcher.last()
        finally:
            self._disk.free()
        seconds, wrong = self._told(
            start, lambda status: not status["running"] and not status["takes_images"]
        )
        return seconds, wrong + ([f"{left} bytes were left"] if left else [])

    def _told(self, start: float, tells: Callable[[dict[str, Any]], bool]) -> tuple[float, list[str]]:
        """Wait until all is well again, from now; the status has told what was wrong, at a moment since."""
        free = time.monotonic()
        wait_until(self._well, PATIENCE, lambda: f"not well again: {self._watcher.looks[-1]}")
        wrong = [] if self._seen(start, tells) else ["the status never told it"]
        return time.monotonic() - free, wrong

    def _seen(self, start: float, tells: Callable[[dict[str, Any]], bool]) -> bool:
        """Whether the status has told it since then."""
        looks = (look.status for look in self._watcher.since(start))
        return any(tells(status) for status in looks if status is not None)

    def _clock_set(self, seconds: int, before: Look) -> tuple[float | None, list[str]]:
        if not self._clock.can_be_set:
            return None, ["the clock cannot be set: there is no C compiler"]
        start = time.monotonic()
        self._clock.jump(seconds)

        def told() -> bool:
            found = _of(self._watcher.last(), "clock_set")
            return bool(found) and found != _of(before, "clock_set") and abs(found["seconds"] - seconds) < 60

        try:
            wait_until(told, 60, lambda: "")
        except AssertionError:
            return None, ["the page does not tell it"]
        return time.monotonic() - start, []

    # --- What is sent to do harm --------------------------------------------------------------------------

    def _bodies(self, before: Look) -> tuple[float | None, list[str]]:
        wrong = []
        for case in bodies():
            route = self._rng.choice(_ROUTES)
            answer = self._stack.http.post(
                f"/triage/api/v1/{route}",
                content=case.make(),
                headers={"X-Triage": "1", "Content-Type": "application/json"},
                auth=(self._rng.choice(READERS), PASSWORD),
            )
            if not 400 <= answer.status_code < 500:
                wrong.append(f"{case.name} to {route}: {answer.status_code}")
        return None, wrong

    def _nested(self, before: Look) -> tuple[float | None, list[str]]:
        longest: float | None = None
        wrong = []
        for levels in _LEVELS:
            self._number += 1
            file = nested(levels, number=self._number)
            for way, send in (("POST", self._post), ("C-STORE", self._c_store)):
                seconds = self._survived(lambda f=file, s=send: s(f))
                if seconds is not None:
                    self.died_of[f"{levels} by {way}"] += 1
                    longest = max(longest or 0, seconds)
                    if seconds > BACK_SECONDS:
                        wrong.append(f"{levels} levels: back only after {seconds:.0f} s")
        return longest, wrong

    def _bombs(self, before: Look) -> tuple[float | None, list[str]]:
        wrong = []
        for name in self._rng.sample(sorted(self._made), _BOMBS):
            self._number += 1
            data = _renamed(self._made[name](), self._number)
            if self._survived(lambda d=data: self._post(d)) is not None:
                wrong.append(f"Orthanc died of {name}")
        return None, wrong

    def _survived(self, send: Callable[[], None]) -> float | None:
        """Seconds until Orthanc was back, where it died of what was sent."""
        pid = self._stack.orthanc_pid
        send()
        time.sleep(_SETTLE_SECONDS)
        if alive(pid):
            return None
        start = time.monotonic() - _SETTLE_SECONDS
        wait_until(lambda: self._is_back("Orthanc", 1), PATIENCE, lambda: "no new Orthanc", pause=0.05)
        return time.monotonic() - start

    def _post(self, data: bytes) -> None:
        try:
            self._stack.http.post("/instances", content=data)
        except httpx.HTTPError:
            return  # whether it died of it is asked next

    def _c_store(self, data: bytes) -> None:
        path = self._disk.folder.parent / "nested.dcm"
        path.write_bytes(data)
        entity = AE()
        entity.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
        association = entity.associate("127.0.0.1", self._stack.dicom_port, ae_title="HEADCT")
        if association.is_established:
            association.send_c_store(str(path))  # as it is, in pieces: no parser of ours goes through it
            association.abort()


def _of(look: Look, name: str) -> Any:
    return (look.status or {}).get(name)


def _renamed(data: bytes, number: int) -> bytes:
    """Under another series and image, where that can be read without unpacking."""
    for uid in (b"2.25.1\0\0", b"2.25.2\0\0", b"2.25.3\0\0"):
        data = data.replace(uid, (b"2.%d" % (100_000 + number)).ljust(len(uid), b"\0"), 1)
    return data
