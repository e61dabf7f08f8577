"""Starts the workers, watches them, and starts them again; one supervisor on one store."""

import fcntl
import json
import logging
import os
import resource
import socket
import subprocess
import sysconfig
import time
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO
from uuid import uuid4

from headct.errors import SettingsError
from headct.language import Phrase, _
from headct.safe_log import failure
from orthanc_plugin.housekeeping.reserve import Reserve
from orthanc_plugin.rounds import Rounds, all_of
from orthanc_plugin.settings import ROOT, Settings
from orthanc_plugin.states import WorkerExit
from orthanc_plugin.store import queue
from orthanc_plugin.store.clock import ClockWatch
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.tables import Worker

log = logging.getLogger(__name__)

HOST = socket.gethostname()
WATCH_SECONDS = 0.5
STOP_SECONDS = 5.0
BACK_OFF = (1.0, 15.0)
"""First and longest pause before a worker that ended is started again."""
START_SECONDS = 20.0
"""What a worker may take to load its network."""
LOOK_SECONDS = 10.0
"""Between two looks at a worker's sign of life."""
STEADY_SECONDS = 120.0
"""A worker that lived this long starts again without delay."""
HOLD_SECONDS = 10.0
"""Between two looks whether room is held back for the next start."""
STACK_BYTES = 8 * 2**20
"""Of a worker's threads. `headct up` gives Orthanc's more; in a worker that would count as memory used up."""
LOCK_WAIT_SECONDS = 10.0
"""An Orthanc that is being restarted may still hold the store."""


class Supervisor:
    """Keeps as many workers alive as the settings say.

    Raises:
        SettingsError: there is no interpreter for the workers.
    """

    def __init__(self, settings: Settings, database: Database, clock: ClockWatch, token: str) -> None:
        self.restarts = 0
        """Workers that ended unasked, since start."""
        self.problem = ""
        """What the last worker to end said of it."""
        self._settings = settings
        self._database = database
        self._clock = clock
        self._token = token
        self._python = settings.python or _own_interpreter()
        if not self._python.exists():
            raise SettingsError(
                _("no Python interpreter at {path}: the virtual environment is missing", path=self._python)
            )
        self._lock: IO[bytes] | None = None
        self._slots = [_Slot() for _ in range(settings.workers)]
        self._taken_over = False
        self._reserve = Reserve(settings.storage)
        self._next_hold = 0.0
        self.rounds = Rounds("supervisor", self.step)

    @property
    def alive(self) -> int:
        """Workers running now; one that follows on one that could not is counted when it lasts."""
        return sum(slot.running and (slot.steady or not self.problem) for slot in self._slots)

    @property
    def trouble(self) -> Phrase | None:
        """What keeps it from its work, while that is so."""
        return self.rounds.trouble

    def start(self) -> None:
        """Start the workers.

        Raises:
            SettingsError: another supervisor works on this store.
        """
        self._lock = _only_one(self._settings.storage / "supervisor.lock")
        self.rounds.start()

    def stop(self) -> None:
        """End the workers: each gives its series back when its pipe closes."""
        self.rounds.stop(STOP_SECONDS)
        for slot in self._slots:
            slot.close()
        for slot in self._slots:
            slot.end(STOP_SECONDS)
        if self._lock is None:
            return  # what is in the store is another one's
        try:
            self._take_over()
        except Exception as error:  # the next start does it
            log.warning("supervisor: %s", failure(error))
        self._lock.close()
        self._lock = None

    def step(self) -> float:
        """Look at the clock and at every place for a worker."""
        if not self._taken_over:
            all_of(self._take_over, self._hold_room)  # workers of an Orthanc that was killed
            self._taken_over = True
        all_of(self._hold_room, self._clock.look, *(partial(self._look_after, slot) for slot in self._slots))
        return WATCH_SECONDS

    def _hold_room(self) -> None:
        if time.monotonic() >= self._next_hold:
            self._next_hold = time.monotonic() + HOLD_SECONDS
            self._reserve.take()

    def _take_over(self) -> None:
        with self._database.writing() as session:
            queue.host_lost(session, HOST, queue.utcnow())

    def _look_after(self, slot: "_Slot") -> None:
        if slot.running:
            if slot.steady:
                self.problem = ""
            self._end_if_hung(slot)
            return
        if time.monotonic() < slot.start_at:
            return
        if slot.process is not None:
            with self._database.writing() as session:
                queue.worker_lost(
                    session,
                    slot.name,
                    queue.utcnow(),
                    self._settings,
                    by_itself=slot.process.returncode == WorkerExit.TROUBLE,
                )
            self.restarts += 1
            log.warning("%s ended with status %s", slot.name, slot.process.returncode)
            self.problem = slot.ended()
            return
        self._new_worker(slot)

    def _new_worker(self, slot: "_Slot") -> None:
        slot.name = f"{HOST}/{uuid4().hex[:12]}"
        log.info("%s starts", slot.name)
        slot.start(
            [str(self._python), "-m", "orthanc_plugin.worker"],
            {
                "name": slot.name,
                "url": self._settings.orthanc_url,
                "token": self._token,
                "settings": self._settings.model_dump(mode="json", by_alias=True),
            },
        )

    def _end_if_hung(self, slot: "_Slot") -> None:
        """End a worker that gives no sign of life, its own watch included: stuck in native code."""
        if time.monotonic() < slot.look_at:
            return
        slot.look_at = time.monotonic() + LOOK_SECONDS
        with self._database.reading() as session:
            worker = session.get(Worker, slot.name)
        silent = slot.silent_for(worker.seen_at if worker is not None else None)
        if silent > 2 * self._settings.lease_seconds + START_SECONDS:
            log.warning("%s gives no sign of life", slot.name)
            slot.kill()


class _Slot:
    """A place for one worker."""

    def __init__(self) -> None:
        self.name = ""
        self.process: subprocess.Popen[bytes] | None = None
        self.start_at = 0.0
        self.look_at = 0.0
        self._started = self._seen_since = 0.0
        self._seen_at: datetime | None = None
        self._pause = BACK_OFF[0]

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def age(self) -> float:
        return time.monotonic() - self._started

    @property
    def steady(self) -> bool:
        return self.age > START_SECONDS

    def start(self, command: list[str], greeting: dict[str, object]) -> None:
        # Memory freed by one thread is otherwise kept from the others.
        environment = {**os.environ, "MALLOC_ARENA_MAX": "2"}
        _usual_stacks()
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env=environment
        )
        self._started = self._seen_since = time.monotonic()
        self._seen_at = None
        pipe = self.process.stdin
        assert pipe is not None
        # The pipe stays open: its end is how the worker learns that Orthanc ended, however it ended.
        pipe.write(json.dumps(greeting).encode() + b"\n")
        pipe.flush()

    def ended(self) -> str:
        """Make the place free; what the worker said at its end."""
        assert self.process is not None
        assert self.process.stdout is not None
        # A worker writes nothing else there, and what it wrote is smaller than a pipe's buffer. Never waited
        # for: a process of its own that outlives it keeps the pipe open.
        os.set_blocking(self.process.stdout.fileno(), False)
        said = (self.process.stdout.read(4096) or b"").decode("utf-8", "replace").strip()
        self.close()
        self.process = None
        if self.age > STEADY_SECONDS:
            self._pause = BACK_OFF[0]
        self.start_at = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, BACK_OFF[1])
        return said

    def silent_for(self, seen_at: datetime | None) -> float:
        """Since the sign of life last changed; by our own clock, which nobody sets."""
        if seen_at != self._seen_at:
            self._seen_at, self._seen_since = seen_at, time.monotonic()
        return time.monotonic() - self._seen_since

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()

    def close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout) if self.process is not None else ():
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:
                log.debug("%s: its pipe was closed already", self.name)

    def end(self, seconds: float) -> None:
        if self.process is None:
            return
        try:
            self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _usual_stacks() -> None:
    """What we start gets threads with the usual stacks; those of Orthanc keep what it was started with."""
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    if soft == resource.RLIM_INFINITY or soft > STACK_BYTES:
        resource.setrlimit(resource.RLIMIT_STACK, (STACK_BYTES, hard))


def _only_one(path: Path) -> IO[bytes]:
    file = path.open("ab")
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                file.close()
                raise SettingsError(
                    _("another Orthanc works on the store in {folder}", folder=path.parent)
                ) from None
            time.sleep(0.2)
        else:
            return file


def _own_interpreter() -> Path:
    """The interpreter whose packages we were imported from: Orthanc's own has none of its name."""
    import sqlalchemy

    environment = Path(sqlalchemy.__file__).resolve().parents[4]
    candidate = environment / "bin" / "python"
    return candidate if candidate.exists() else Path(sysconfig.get_path("scripts")) / "python3"
