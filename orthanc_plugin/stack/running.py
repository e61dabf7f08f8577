"""The stack itself: start in order, wait until it answers, end in order."""

import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import httpx

from headct.errors import HeadCTError, SettingsError
from orthanc_plugin.audit import refused_logins
from orthanc_plugin.settings import OpenPort
from orthanc_plugin.stack import logs, nginx, orthanc
from orthanc_plugin.stack.credentials import (
    Credentials,
    load_or_create,
    make_private,
    without_secrets,
    write_private,
)
from orthanc_plugin.stack.firewall import Firewall
from orthanc_plugin.stack.log_filter import Words
from orthanc_plugin.stack.options import Options
from orthanc_plugin.stack.processes import Program
from orthanc_plugin.stack.room import Room
from orthanc_plugin.stack.stale import end_stale, mark
from orthanc_plugin.stack.supervision import Supervised

UNFINISHED_RESTORE = "RESTORE-NOT-FINISHED"
"""A file in a data folder while a backup is restored into it; who finds it later knows that it broke off."""
START_SECONDS = 60.0
"""How long Orthanc and nginx may take until they answer."""


class StackError(HeadCTError):
    """A part of the stack did not start, or a step of the demo failed."""


LOOK_SECONDS = 0.2
"""Between two looks at the programs."""
STACK_BYTES = 64 * 2**20
"""Of Orthanc's threads, eight times what is usual: DCMTK calls itself for each level of nested sequences,
0.9 kB a level while it receives a C-STORE. Orthanc 1.10 survives 78,000 levels so, and 9,400 without (1.12:
9,800). Only what is used takes memory. The threads of its web server have stacks of their own size."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A running stack."""

    options: Options
    credentials: Credentials
    programs: tuple[Supervised, ...]
    rotation: logs.Rotation
    room: Room
    firewall: Firewall
    open_ports: tuple[OpenPort, ...]

    def look_after(self) -> None:
        """Start again what has ended, lay aside logs that have grown; to be called often."""
        for program in self.programs:
            program.look_after()
        self.room.look(dead=self.programs[0].dead)
        self.rotation.look()
        self.firewall.look()

    def keep_running(self) -> NoReturn:
        """Look after it until somebody ends us."""
        while True:
            self.look_after()
            time.sleep(LOOK_SECONDS)


@contextmanager
def running(options: Options) -> Iterator[Stack]:
    """Start the stack; it is up inside the block and gone after it.

    Raises:
        SettingsError: An option is wrong; nothing was started.
        StackError: A part did not come up.
    """
    options.check()
    if (options.data / UNFINISHED_RESTORE).exists():
        raise SettingsError(
            f"the restore into {options.data} was broken off: remove what lies in it, and restore again"
        )
    folder = options.data / "logs"
    try:
        make_private(options.data)
        os.umask(0o077)  # what we write is the owner's alone, as what the programs do
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise SettingsError(f"{options.data} cannot be the data folder: {error.strerror}") from error
    with _only_one(options), closing(Room(options)) as room, Firewall(options) as firewall:
        logs.write_own(folder, options.logs)
        end_stale(options.data)
        options.check_ports()
        firewall.close()
        open_ports = firewall.open_ports(orthanc.version())
        credentials, programs = room.wait_for(lambda: _prepared(options, folder, open_ports))
        running: list[Supervised] = []
        try:
            running.append(Supervised(programs[0], room.make))
            running += map(Supervised, programs[1:])
            rotation = logs.Rotation([program.log for program in programs], options.logs)
            stack = Stack(options, credentials, tuple(running), rotation, room, firewall, open_ports)
            _wait_until_up(stack)
            yield stack
        finally:
            for one in reversed(running):
                one.child.stop()


def _prepared(
    options: Options, folder: Path, open_ports: Sequence[OpenPort]
) -> tuple[Credentials, list[Program]]:
    """The login, and the programs with their configuration written.

    Raises:
        OSError: It cannot be written.
    """
    credentials = load_or_create(options.data)
    return credentials, _programs(options, credentials, folder, open_ports)


def _programs(
    options: Options, credentials: Credentials, folder: Path, open_ports: Sequence[OpenPort]
) -> list[Program]:
    """Orthanc, and nginx with its doorkeeper, configured; mistakes show with nothing to clean up."""
    config = options.data / orthanc.CONFIGURATION
    configuration = orthanc.configuration(options, credentials, open_ports)
    write_private(config, json.dumps(configuration, indent=2))
    (options.data / "loopback.lua").write_text(orthanc.LOOPBACK_GUARD)
    (options.data / "orthanc").mkdir(exist_ok=True)
    behind_proxy = bool(configuration["HeadCTTriage"].get("Proxies"))
    door = options.data / "nginx"
    nginx_config = nginx.write_configuration(options, door, folder, behind_proxy=behind_proxy)
    nginx_log = folder / "nginx.log"
    nginx_command = [nginx.find_executable(), "-p", str(door), "-c", str(nginx_config), "-e", str(nginx_log)]
    refusals = orthanc.storage_of(options, configuration) / refused_logins.FILE
    doorkeeper = [sys.executable, "-m", "orthanc_plugin.stack.doorkeeper", str(config), str(refusals)]
    environment = {**without_secrets(os.environ), **orthanc.environment(), **mark(options.data)}
    return [
        Program(
            "Orthanc",
            [orthanc.find_executable(), str(config)],
            folder / "orthanc.log",
            environment,
            options.http_port,
            stack_bytes=STACK_BYTES,
            words=Words(orthanc.programs(configuration)),
        ),
        Program("doorkeeper", doorkeeper, folder / "door.log", environment, 0, folder=door),
        Program(
            "nginx", nginx_command, nginx_log, environment, options.ohif_port, files=nginx.FILES, folder=door
        ),
    ]


@contextmanager
def _only_one(options: Options) -> Iterator[None]:
    """Hold the data folder's lock: two servers on one database would destroy it."""
    path = options.data / "lock"
    try:
        opened = path.open("a")
    except OSError as error:
        if not path.exists():
            raise SettingsError(f"{options.data} cannot be the data folder: {error.strerror}") from error
        opened = path.open()  # on a disk that can only be read: a lock needs no more
    with opened as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SettingsError(f"another `headct up` is using {options.data}") from error
        yield


def _wait_until_up(stack: Stack) -> None:
    """Wait until Orthanc and nginx answer, with our password and not without it."""
    deadline = time.monotonic() + START_SECONDS
    addresses = [f"{stack.options.orthanc_url}/system", stack.options.ohif_url]
    with httpx.Client(auth=(stack.credentials.user, stack.credentials.password), trust_env=False) as client:
        while addresses:
            if dead := next((one for one in stack.programs if one.dead), None):
                if not stack.room.was_short():
                    raise StackError(_ended_message(dead))
                stack.look_after()
                deadline = time.monotonic() + START_SECONDS
            for program in stack.programs:
                program.child.gather()
            if time.monotonic() > deadline:
                raise StackError(f"{addresses[0]} did not answer within {START_SECONDS:.0f} s")
            try:
                if client.get(addresses[0], timeout=5).status_code == httpx.codes.OK:
                    addresses.pop(0)
                    continue
            except httpx.TransportError:
                pass
            time.sleep(0.1)


def _ended_message(program: Supervised) -> str:
    """What to tell about a part that did not come up."""
    child = program.child
    return (
        f"{child.program.name} ended (status {child.exit_status}); the end of {child.program.log}:\n"
        f"{child.last_lines()}"
    )
